import { open, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import type { ElementType, NetworkSignature, TensorInfo } from "../core/networkSignature";
import { damaged, notFound } from "./jsonFile";

/*
 * What an ONNX model says of itself, read from the protobuf file without loading a weight. Field numbers as in onnx/onnx.proto; "L12" is
 * line 12 of that file at https://github.com/onnx/onnx/blob/f7546912001bc31e92a238b17068a21b373d882e/onnx/onnx.proto
 */

export interface OnnxFile extends NetworkSignature {
  readonly path: string;
  /** The model and every file beside it that holds some of its weights, absolute. */
  readonly files: readonly string[];
}

/** TensorProto.DataType, L610. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16",
};

/** The least that every model begins with: ModelProto.ir_version, field 1, a small number. */
const versionTag = 0x08;

/**
 * Reads the inputs, the outputs and the weights' files of a model. Throws `not-found` where the model or one of those files is missing, `bad-model`
 * where it is not an ONNX model or cut off.
 */
export async function openOnnx(path: string): Promise<OnnxFile> {
  const handle = await open(path).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  try {
    const reader = new FieldReader(path, handle, (await handle.stat()).size);
    if ((await reader.byteAt(0)) !== versionTag) throw damaged(path, "an ONNX model", "a file that does not begin like one");
    const graph = await readGraph(reader);
    const files = [path, ...[...graph.locations].map((location) => join(dirname(path), location))];
    for (const file of files) await requireFile(file, path);
    return { path, files, inputs: graph.inputs, outputs: graph.outputs };
  } finally {
    await handle.close();
  }
}

async function readGraph(reader: FieldReader): Promise<{ inputs: TensorInfo[]; outputs: TensorInfo[]; locations: Set<string> }> {
  const inputs: TensorInfo[] = [];
  const outputs: TensorInfo[] = [];
  const initializers = new Set<string>();
  const locations = new Set<string>();
  let hasGraph = false;
  for await (const part of reader.fields(0, reader.size)) {
    if (part.field !== 7) continue; // ModelProto.graph, L450
    hasGraph = true;
    for await (const field of reader.fields(part.start, part.end)) {
      if (field.field === 11) inputs.push(await readValueInfo(reader, field)); // GraphProto, L565
      if (field.field === 12) outputs.push(await readValueInfo(reader, field));
      if (field.field === 5) {
        const { name, location } = await readTensor(reader, field);
        initializers.add(name);
        if (location !== undefined) locations.add(location);
      }
    }
  }
  if (!hasGraph || outputs.length === 0) throw damaged(reader.path, "an ONNX model with a graph", "one without");
  // Older exporters list the weights among the inputs.
  return { inputs: inputs.filter(({ name }) => !initializers.has(name)), outputs, locations };
}

/** ValueInfoProto, L205: name 1, type 2 -> tensor_type 1 -> elem_type 1, shape 2 -> dim 1 -> dim_value 1, dim_param 2. */
async function readValueInfo(reader: FieldReader, { start, end }: Field): Promise<TensorInfo> {
  let name = "";
  let type: ElementType | undefined;
  const dims: (number | string)[] = [];
  for await (const field of reader.fields(start, end)) {
    if (field.field === 1) name = await reader.text(field);
    if (field.field !== 2) continue;
    for await (const kind of reader.fields(field.start, field.end)) {
      if (kind.field !== 1) continue;
      for await (const part of reader.fields(kind.start, kind.end)) {
        if (part.field === 1) type = elementTypes[part.value];
        if (part.field === 2) for await (const dim of reader.fields(part.start, part.end)) dims.push(await readDim(reader, dim));
      }
    }
  }
  return { name, type: type ?? "other", dims };
}

async function readDim(reader: FieldReader, { start, end }: Field): Promise<number | string> {
  for await (const field of reader.fields(start, end)) {
    if (field.field === 1 && field.value > 0) return field.value;
    if (field.field === 2) return reader.text(field);
  }
  return "?";
}

/** TensorProto, L608: name 8, external_data 13 -> (key 1, value 2). */
async function readTensor(reader: FieldReader, { start, end }: Field): Promise<{ name: string; location?: string }> {
  let name = "";
  let location: string | undefined;
  for await (const field of reader.fields(start, end)) {
    if (field.field === 8) name = await reader.text(field);
    if (field.field !== 13) continue;
    const entry: string[] = ["", ""];
    for await (const part of reader.fields(field.start, field.end)) if (part.field <= 2) entry[part.field - 1] = await reader.text(part);
    if (entry[0] === "location") location = entry[1];
  }
  return { name, location };
}

async function requireFile(file: string, model: string): Promise<void> {
  const found = await stat(file).then((entry) => entry.isFile(), () => false);
  if (!found) throw new PlumblineError("not-found", `Expected ${file}, which holds weights of ${model}, but it is missing.`, "Download that file too, into the same folder.");
}

/** One field of a protobuf message: a number, or the range of bytes that holds the rest. */
interface Field {
  readonly field: number;
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

/** Walks the fields of protobuf messages in a file and skips what nobody asks for. */
class FieldReader {
  private buffer = Buffer.alloc(0);
  private bufferStart = 0;

  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  async *fields(start: number, end: number): AsyncGenerator<Field> {
    let at = start;
    while (at < end) {
      const tag = await this.varint(at);
      at = tag.end;
      const field = Math.floor(tag.value / 8);
      const wireType = tag.value % 8;
      let value = 0;
      let next: number;
      if (wireType === 0) ({ value, end: next } = await this.varint(at));
      else if (wireType === 1 || wireType === 5) next = at + (wireType === 1 ? 8 : 4);
      else if (wireType === 2) {
        const length = await this.varint(at);
        at = length.end;
        next = at + length.value;
      } else throw damaged(this.path, "an ONNX model", `an unknown field at byte ${at}`);
      if (next > end) throw damaged(this.path, `at least ${next} bytes`, `${this.size}`);
      yield { field, value, start: at, end: next };
      at = next;
    }
  }

  async text({ start, end }: Field): Promise<string> {
    if (end - start > 1 << 16) throw damaged(this.path, "names of at most 65536 bytes", `one of ${end - start}`);
    await this.load(start, end - start);
    return this.buffer.toString("utf8", start - this.bufferStart, end - this.bufferStart);
  }

  async byteAt(position: number): Promise<number | undefined> {
    if (position >= this.size) return undefined;
    await this.load(position, 1);
    return this.buffer[position - this.bufferStart];
  }

  /** Seven bits a byte, the lowest first. */
  private async varint(at: number): Promise<{ value: number; end: number }> {
    const length = Math.min(10, this.size - at);
    if (!this.holds(at, length)) await this.load(at, length);
    let value = 0;
    for (let i = 0; i < length; i++) {
      const byte = this.buffer[at + i - this.bufferStart];
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { value, end: at + i + 1 };
    }
    throw length < 10 ? damaged(this.path, `at least ${at + length + 1} bytes`, `${this.size}`) : damaged(this.path, "an ONNX model", `a number without an end at byte ${at}`);
  }

  private holds(start: number, length: number): boolean {
    return start >= this.bufferStart && start + length <= this.bufferStart + this.buffer.length;
  }

  private async load(start: number, length: number): Promise<void> {
    if (this.holds(start, length)) return;
    const buffer = Buffer.alloc(Math.min(Math.max(length, 4096), this.size - start));
    const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, start);
    if (bytesRead < length) throw damaged(this.path, `at least ${start + length} bytes`, `${this.size}`);
    this.buffer = buffer;
    this.bufferStart = start;
  }
}
