import { open } from "node:fs/promises";
import { PlumblineError } from "../core/errors";
import { elementCount } from "../core/tensor";
import { damaged, notFound } from "./jsonFile";
import { OpaqueObject, parsePickle, PickledName, type PickleRules } from "./pickle";
import type { SafetensorsDtype, SafetensorsEntry, SafetensorsFile } from "./safetensors";
import { isShardIndex, openShards } from "./shards";
import { openZip, type OpenZip } from "./zipFile";

// Layout of torch.save since PyTorch 1.6 (torch/serialization.py, _save): a zip file whose entries are stored as they
// are. NAME/data.pkl is a pickle of the saved object, in which a tensor is a call
//   torch._utils._rebuild_tensor_v2(storage, storage offset, size, stride, requires_grad, backward_hooks)
// (in a Parameter, the first argument of torch._utils._rebuild_parameter), and a storage the persistent id ("storage", torch.<type>Storage, key, location, number of elements), whose elements
// are the entry NAME/data/<key>. Offset, stride and numbers count elements.

const dtypes: Readonly<Record<string, readonly [SafetensorsDtype, number]>> = {
  Double: ["F64", 8], Float: ["F32", 4], Half: ["F16", 2], BFloat16: ["BF16", 2],
  Long: ["I64", 8], Int: ["I32", 4], Short: ["I16", 2], Char: ["I8", 1], Byte: ["U8", 1], Bool: ["BOOL", 1],
};

/** As for a `.safetensors` header: more than any checkpoint needs. */
const maxPickleBytes = 100_000_000;
/** Values of one object, each counted wherever it occurs: bounds what a pickle that refers to itself can cost. */
const maxValues = 100_000;
const maxDepth = 100;

/** A storage as the pickle names it. */
class Storage {
  constructor(
    readonly key: string,
    readonly dtype: SafetensorsDtype,
    readonly bytesPerElement: number,
    readonly elements: number,
  ) {}
}

class TensorView {
  constructor(
    readonly storage: Storage,
    readonly start: number,
    readonly dims: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/**
 * Reads where the tensors of a checkpoint lie that torch.save wrote (`.bin`, `.pt`, `.ckpt`), or all that a
 * `.bin.index.json` names. Nothing of the pickle is run, and only tensors, plain containers, numbers and strings are taken: objects of other
 * classes, which training programs save beside the weights, are left out.
 *
 * A tensor of a nested dictionary is called by the keys that lead to it, joined by dots; the keys "state_dict" and "model"
 * of the outermost dictionary are left out. What is no tensor is kept in `metadata` under such a name, as text; a list of
 * numbers or strings is one JSON text. Tensors may share their data only completely (tied weights).
 *
 * Throws `not-found`; `unsupported`, with how to convert, for the format before 1.6, a file in which only other objects hold tensors, and tensors that
 * are of other kinds or not contiguous; `bad-model` naming file, tensor, what was expected and what was found.
 */
export async function openTorchFile(path: string): Promise<SafetensorsFile> {
  return isShardIndex(path) ? openShards(path, ".bin", openArchive) : openArchive(path);
}

async function openArchive(path: string): Promise<SafetensorsFile> {
  await checkFormat(path);
  const zip = await openZip(path);
  try {
    const picklePath = [...zip.entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (picklePath === undefined) throw damaged(path, "an entry NAME/data.pkl, as torch.save writes it", "a zip file without it");
    const root = picklePath.slice(0, -"data.pkl".length);
    if (zip.entries.has(`${root}byteorder`)) {
      const order = (await readEntry(path, zip, `${root}byteorder`, 16)).toString("utf8");
      if (order !== "little") throw refused(path, `numbers in ${order}-endian order`);
    }
    const value = parsePickle(await readEntry(path, zip, picklePath, maxPickleBytes), `${picklePath} of ${path}`, rules(path));
    const { views, metadata } = flatten(path, value);
    const tensors = new Map<string, SafetensorsEntry>();
    const offsets = new Map<string, number>();
    for (const [name, view] of views) tensors.set(name, await locate(path, name, view, zip, root, offsets));
    checkOverlaps(path, tensors);
    return { path, dataPaths: [path], metadata, tensors };
  } finally {
    await zip.close();
  }
}

/** Tells the formats before 1.6 (a row of pickles, or a tar file) from a damaged file. */
async function checkFormat(path: string): Promise<void> {
  const handle = await open(path, "r").catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  try {
    const head = Buffer.alloc(262);
    const { bytesRead } = await handle.read(head, 0, head.length, 0).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
    const isPickle = bytesRead > 2 && head[0] === 0x80 && head[1] >= 2 && head[1] <= 5;
    if (isPickle || head.toString("latin1", 257, 262) === "ustar") throw refused(path, "the format of PyTorch before 1.6, whose tensors are not at known places");
    if (head.toString("latin1", 0, 2) !== "PK") throw damaged(path, "a zip file, as torch.save writes it", "another format");
  } finally {
    await handle.close();
  }
}

async function readEntry(path: string, zip: OpenZip, name: string, maxBytes: number): Promise<Buffer> {
  const entry = entryOf(path, zip, name);
  if (entry.byteLength > maxBytes) throw damaged(path, `at most ${maxBytes} bytes for its ${name}`, `${entry.byteLength} bytes`);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of await entry.stream()) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw damaged(path, `a readable ${name}`, (cause as Error).message, cause);
  }
  return Buffer.concat(chunks);
}

/** The only names of a pickle that mean something here. */
function rules(path: string): PickleRules {
  const parameter = ([view]: readonly unknown[]): TensorView => {
    if (!(view instanceof TensorView)) throw damaged(path, "a tensor for each parameter", "another argument");
    return view;
  };
  return {
    names: new Map<string, (args: readonly unknown[]) => unknown>([
      ["collections.OrderedDict", (args) => {
        if (args.length > 0) throw refused(path, "an OrderedDict made from other values");
        return new Map();
      }],
      // Its argument makes values for missing keys; there are none.
      ["collections.defaultdict", () => new Map()],
      ["torch._utils._rebuild_tensor_v2", (args) => tensorView(path, args)],
      ["torch._utils._rebuild_parameter", parameter],
      ["torch._utils._rebuild_parameter_with_state", parameter],
    ]),
    persistent: (id) => storage(path, id),
    refused: (found) => refused(path, found),
  };
}

function storage(path: string, id: unknown): Storage {
  const [kind, type, key, , elements] = Array.isArray(id) ? (id as unknown[]) : [];
  if (kind !== "storage" || !(type instanceof PickledName)) throw refused(path, "a reference that is no storage of a tensor");
  const found = Object.entries(dtypes).find(([name]) => type.name === `torch.${name}Storage`);
  if (!found) throw refused(path, `a storage of ${type.name}`);
  if (typeof key !== "string" || !isCount(elements)) throw damaged(path, "a key and a number of elements for each storage", String(key));
  const [, [dtype, bytesPerElement]] = found;
  return new Storage(key, dtype, bytesPerElement, elements);
}

function tensorView(path: string, [base, start, dims, strides]: readonly unknown[]): TensorView {
  if (!(base instanceof Storage) || !isCount(start) || !isCounts(dims) || !isCounts(strides) || dims.length !== strides.length) {
    throw damaged(path, "a storage, an offset, sizes and strides for each tensor", "other arguments");
  }
  return new TensorView(base, start, dims, strides);
}

/** Tensors and plain values of an object, by name; what is neither is left out. */
function flatten(path: string, value: unknown): { views: ReadonlyMap<string, TensorView>; metadata: Readonly<Record<string, string>> } {
  if (!(value instanceof Map)) throw refused(path, "an object that is no dictionary of tensors");
  const views = new Map<string, TensorView>();
  const metadata = new Map<string, string>();
  const leftOut = new Set<string>();
  let count = 0;
  const visit = (name: string, item: unknown, depth: number): void => {
    if (++count > maxValues || depth > maxDepth) throw damaged(path, `at most ${maxValues} values, ${maxDepth} deep`, "more, or values that contain themselves");
    if (item instanceof TensorView) {
      if (views.has(name)) throw damaged(path, `one tensor "${name}"`, "two");
      views.set(name, item);
    } else if (item instanceof Map) {
      const dictionary: ReadonlyMap<unknown, unknown> = item;
      for (const [key, inner] of dictionary) if (isScalar(key)) visit(name === "" ? String(key) : `${name}.${String(key)}`, inner, depth + 1);
    } else if (Array.isArray(item) && item.every(isScalar)) {
      count += item.length;
      metadata.set(name, JSON.stringify(item));
    } else if (Array.isArray(item)) {
      item.forEach((inner, i) => visit(`${name}.${i}`, inner, depth + 1));
    } else if (item instanceof OpaqueObject || item instanceof PickledName) {
      // A kind of tensor that is not known here is a weight that would be missing.
      if (item instanceof OpaqueObject && holdsTensor(item.args)) throw refused(path, `"${name}", a tensor made by ${item.name}`);
      leftOut.add(item.name);
    } else {
      if (item instanceof Storage) throw refused(path, `"${name}", a storage without a tensor`);
      metadata.set(name, String(item));
    }
  };
  const weights = ["state_dict", "model"].find((key) => value.get(key) instanceof Map);
  for (const [key, inner] of value as ReadonlyMap<unknown, unknown>) if (isScalar(key)) visit(key === weights ? "" : String(key), inner, 1);
  if (views.size === 0 && leftOut.size > 0) throw refused(path, `no tensors but in objects of ${[...leftOut].slice(0, 3).join(", ")}`);
  return { views, metadata: Object.fromEntries(metadata) };
}

/** Looked for as deep, and among as many, as PyTorch's own calls have arguments. */
function holdsTensor(args: readonly unknown[], depth = 3): boolean {
  return depth > 0 && args.slice(0, 16).some((arg) => arg instanceof Storage || arg instanceof TensorView || (Array.isArray(arg) && holdsTensor(arg, depth - 1)));
}

/** Where a tensor lies in the file. */
async function locate(path: string, name: string, { storage, start, dims, strides }: TensorView, zip: OpenZip, root: string, offsets: Map<string, number>): Promise<SafetensorsEntry> {
  const subject = `tensor "${name}" of ${path}`;
  const entryName = `${root}data/${storage.key}`;
  const entry = entryOf(path, zip, entryName);
  if (!entry.isStored) throw refused(path, `compressed data (${entryName})`);
  const expected = storage.elements * storage.bytesPerElement;
  if (entry.byteLength !== expected) throw damaged(subject, `${expected} bytes in ${entryName}`, `${entry.byteLength} bytes`);
  const elements = elementCount(dims);
  if (!Number.isSafeInteger(elements)) throw damaged(subject, "a shape of whole numbers", `[${dims.join(", ")}]`);
  if (!isContiguous(dims, strides)) throw refused(path, `"${name}", a tensor that is not contiguous (sizes [${dims.join(", ")}], strides [${strides.join(", ")}])`);
  if (start + elements > storage.elements) throw damaged(subject, `elements ${start} to ${start + elements} in its storage`, `${storage.elements} elements`);
  if (!offsets.has(entryName)) offsets.set(entryName, await entry.offset());
  const offset = (offsets.get(entryName) ?? 0) + start * storage.bytesPerElement;
  return { path, dtype: storage.dtype, dims, offset, byteLength: elements * storage.bytesPerElement };
}

/** Row-major without gaps. The stride of a dimension of size 1 does not count, nor do those of an empty tensor. */
function isContiguous(dims: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    if (dims[i] === 0) return true;
    if (dims[i] !== 1 && strides[i] !== expected) return false;
    expected *= dims[i];
  }
  return true;
}

/** Two tensors may be the same bytes, but not lie across one another. */
function checkOverlaps(path: string, tensors: ReadonlyMap<string, SafetensorsEntry>): void {
  const byOffset = [...tensors].filter(([, { byteLength }]) => byteLength > 0).sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  byOffset.slice(1).forEach(([name, entry], i) => {
    const [before, { offset, byteLength }] = byOffset[i];
    if (entry.offset === offset && entry.byteLength === byteLength) return;
    if (entry.offset < offset + byteLength) throw refused(path, `"${name}" and "${before}", tensors that overlap`);
  });
}

function entryOf(path: string, zip: OpenZip, name: string) {
  const entry = zip.entries.get(name);
  if (!entry) throw damaged(path, `an entry ${name}`, "a zip file without it");
  return entry;
}

function refused(path: string, found: string): PlumblineError {
  return new PlumblineError(
    "unsupported",
    `Expected only tensors, numbers and strings in plain containers for ${path} but received ${found}.`,
    "Where you trust the checkpoint, load it with its own Python code and save it as .safetensors: save_pretrained(folder, safe_serialization=True), or safetensors.torch.save_file for a dictionary of tensors.",
  );
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}
