import { PlumblineError, unexpected } from "../core/errors";
import type { Device } from "../core/settings";
import { elementCount } from "../core/tensor";
import type { SafetensorsEntry, SafetensorsFile } from "../io/safetensors";
import { dataType, encodeModel, type Attribute, type DataType, type Initializer, type Node, type ValueInfo } from "./onnx";

/** A size, or the name of one that is known only when the network runs ("N", "h", "h/2", ...). */
export type Dim = number | string;

/** A tensor in the graph. Two values have the same shape when their dims are equal, names included. */
export interface Value {
  readonly name: string;
  readonly dims: readonly Dim[];
}

const weightTypes: Partial<Record<SafetensorsEntry["dtype"], DataType>> = {
  F32: dataType.FLOAT,
  F16: dataType.FLOAT16,
  BF16: dataType.BFLOAT16,
};

/**
 * Collects the nodes and initializers of one network. Weights stay in their `.safetensors` file: an initializer
 * is a range of it. All arithmetic is float32; narrower weights get a Cast, which ONNX Runtime folds when it loads.
 */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly initializers: Initializer[] = [];
  private readonly inputs: ValueInfo[] = [];
  private readonly outputs: ValueInfo[] = [];
  private readonly names = new Map<string, number>();
  private readonly shared = new Map<string, Value>();
  /** Names in the file of the weights that were taken. */
  readonly usedWeights = new Set<string>();
  /** What the file calls a weight: by default what the network calls it. */
  keyOf = (name: string): string => name;

  constructor(
    readonly name: string,
    private readonly weights: SafetensorsFile,
    /** What the graph calls each data file: its path relative to the weights folder. */
    private readonly locations: ReadonlyMap<string, string>,
    /** Where the network will run: some providers have operators that must be avoided. */
    readonly device: Device = "cpu",
  ) {}

  input(name: string, dims: readonly Dim[], type: DataType = dataType.FLOAT): Value {
    this.inputs.push({ name, type, dims });
    return { name, dims };
  }

  output(name: string, value: Value): void {
    this.nodes.push({ name, opType: "Identity", domain: "", inputs: [value.name], outputs: [name], attributes: {} });
    this.outputs.push({ name, type: dataType.FLOAT, dims: value.dims });
  }

  hasWeight(name: string): boolean {
    return this.weights.tensors.has(this.keyOf(name));
  }

  /**
   * The weight `name`, which must have the shape `dims` in the file.
   * `rows` takes a range of its first dimension; `as` looks at the same numbers in another shape.
   */
  weight(name: string, dims: readonly number[], { rows, as }: { rows?: readonly [number, number]; as?: readonly number[] } = {}): Value {
    const key = this.keyOf(name);
    const entry = this.weights.tensors.get(key);
    const file = entry?.path ?? this.weights.path;
    if (!entry) throw this.wrongWeight(key, file, `shape [${dims.join(", ")}]`, "no such tensor");
    if (entry.dims.join() !== dims.join()) throw this.wrongWeight(key, file, `shape [${dims.join(", ")}]`, `shape [${entry.dims.join(", ")}]`);
    const type = weightTypes[entry.dtype];
    if (type === undefined) throw this.wrongWeight(key, file, "dtype F32, F16 or BF16", `dtype ${entry.dtype}`);
    this.usedWeights.add(key);

    const [first, end] = rows ?? [0, dims[0]];
    const shape = as ?? [end - first, ...dims.slice(1)];
    return this.once(`weight ${name} ${first} ${shape.join()}`, () => {
      const rowBytes = entry.byteLength / dims[0];
      const data = { location: this.locations.get(entry.path) as string, offset: entry.offset + first * rowBytes, byteLength: (end - first) * rowBytes };
      const initializer = this.initializer(name, shape, type, data);
      return type === dataType.FLOAT ? initializer : this.node("Cast", name, [initializer], shape, { to: dataType.FLOAT });
    });
  }

  /** A small constant stored in the graph; equal ones are stored once. */
  constant(data: Float32Array | readonly number[], dims: readonly number[]): Value {
    const isFloat = data instanceof Float32Array;
    const bytes = isFloat ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(BigInt64Array.from(data, BigInt).buffer);
    if (elementCount(dims) !== data.length) throw unexpected("bad-tensor", "a constant of the graph", `${elementCount(dims)} values`, data.length);
    const key = `constant ${isFloat} ${dims.join()} ${Buffer.from(bytes).toString("base64")}`;
    return this.once(key, () => this.initializer("constant", dims, isFloat ? dataType.FLOAT : dataType.INT64, bytes));
  }

  /** Whole numbers as a vector: shapes, axes, slices. */
  integers(...values: number[]): Value {
    return this.constant(values, [values.length]);
  }

  /** Adds a node named after the module that it computes. `dims` is the shape of what it gives. */
  node(opType: string, module: string, inputs: readonly (Value | undefined)[], dims: readonly Dim[], attributes: Readonly<Record<string, Attribute>> = {}, domain: "" | "com.microsoft" = ""): Value {
    const name = this.unique(`${module}/${opType}`);
    this.nodes.push({ name, opType, domain, inputs: inputs.map((value) => value?.name ?? ""), outputs: [name], attributes });
    return { name, dims };
  }

  /** Element-wise `opType` of two values of the same shape. */
  elementwise(opType: "Add" | "Mul", module: string, a: Value, b: Value): Value {
    if (a.dims.join() !== b.dims.join()) throw this.wrongShapes(module, opType, a, b);
    return this.node(opType, module, [a, b], a.dims);
  }

  /** The value that `make` builds, built once for each key. */
  once(key: string, make: () => Value): Value {
    const known = this.shared.get(key);
    if (known) return known;
    const value = make();
    this.shared.set(key, value);
    return value;
  }

  /** The error for operands that do not fit together. */
  wrongShapes(module: string, opType: string, a: Value, b: Value): PlumblineError {
    return new PlumblineError(
      "bad-model",
      `Expected operands that fit for node ${module} (${opType}) of ${this.weights.path} but received [${a.dims.join(", ")}] and [${b.dims.join(", ")}].`,
      "Check that config.json belongs to these weights.",
    );
  }

  /** The ONNX model, in bytes. */
  finish(): Uint8Array {
    return encodeModel({ name: this.name, nodes: this.nodes, initializers: this.initializers, inputs: this.inputs, outputs: this.outputs });
  }

  private initializer(base: string, dims: readonly number[], type: DataType, data: Initializer["data"]): Value {
    const name = this.unique(base);
    this.initializers.push({ name, dims, type, data });
    return { name, dims };
  }

  private unique(base: string): string {
    const count = this.names.get(base) ?? 0;
    this.names.set(base, count + 1);
    return count === 0 ? base : `${base}#${count}`;
  }

  private wrongWeight(name: string, file: string, expected: string, found: string): PlumblineError {
    return new PlumblineError("bad-model", `Expected ${expected} for tensor "${name}" of ${file} but received ${found}.`, "Check that config.json belongs to these weights.");
  }
}
