import { open, type FileHandle } from "node:fs/promises";
import { PlumblineError, unexpected } from "../core/errors";
import { elementCount, type Tensor } from "../core/tensor";
import { writeFileAtomically } from "./atomicFile";
import { bytesFromFloats, floatsFromBytes, type FloatDtype } from "./floatFormat";
import { damaged, describe, isObject, notFound, parseObject } from "./jsonFile";
import { isShardIndex, openShards } from "./shards";

// Layout (https://github.com/huggingface/safetensors#format): u64 little-endian header length, that many bytes of
// JSON {name: {dtype, shape, data_offsets: [begin, end)}}, then the data, which the tensors must cover without
// overlap or gap. Offsets in the header count from the first byte of the data.

/** Bits of one element, by dtype name; anything else is refused. */
const bitsOf = {
  F64: 64, F32: 32, F16: 16, BF16: 16, F8_E4M3: 8, F8_E5M2: 8,
  I64: 64, I32: 32, I16: 16, I8: 8, U64: 64, U32: 32, U16: 16, U8: 8, BOOL: 8,
} as const;
export type SafetensorsDtype = keyof typeof bitsOf;

/** The header length that the format's own reader allows. */
const maxHeaderBytes = 100_000_000;

/** Where one tensor lies. `offset` counts from the start of the file `path`. */
export interface SafetensorsEntry {
  readonly path: string;
  readonly dtype: SafetensorsDtype;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

/** A parsed header, or all headers of a sharded checkpoint; the data stays on disk. */
export interface SafetensorsFile {
  /** The file that was opened (the index, where the checkpoint is sharded). */
  readonly path: string;
  /** The files that hold the data: the file itself, or the shards in the order of their names. */
  readonly dataPaths: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/** What `writeSafetensors` takes. Float32Array may be stored rounded: `dtype` F16 or BF16. */
export interface WritableTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array | Uint8Array;
  readonly dtype?: "F32" | "F16" | "BF16";
}

/**
 * Reads and checks the header of a `.safetensors` file, or of every shard named by a `.safetensors.index.json`.
 * Throws `not-found`, or `bad-model` naming file, tensor, what was expected and what was found.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return isShardIndex(path) ? openShards(path, ".safetensors", openSingle) : openSingle(path);
}

/** A tensor of any numeric dtype as float32 (integers beyond 2^24 and doubles are rounded). */
export async function readTensor(file: SafetensorsFile, name: string): Promise<Tensor> {
  const entry = entryOf(file, name);
  const bytes = await readBytes(entry, name);
  return { dims: entry.dims, data: floatsFromBytes(bytes, floatDtype(entry, name)) };
}

/** An I64 tensor as it is stored. */
export async function readInt64(file: SafetensorsFile, name: string): Promise<{ dims: readonly number[]; data: BigInt64Array }> {
  const entry = entryOf(file, name);
  if (entry.dtype !== "I64") throw unexpected("bad-tensor", `tensor "${name}" of ${entry.path}`, "dtype I64", entry.dtype);
  const bytes = await readBytes(entry, name);
  return { dims: entry.dims, data: new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8) };
}

/** Writes tensors in the order given, to a temporary file that then takes the name. Throws `write-failed`. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, { dims, data, dtype }] of Object.entries(tensors)) {
    if (elementCount(dims) !== data.length) {
      throw unexpected("bad-tensor", `tensor "${name}"`, `${elementCount(dims)} values of shape [${dims.join(", ")}]`, data.length);
    }
    const stored = data instanceof Float32Array ? (dtype ?? "F32") : data instanceof BigInt64Array ? "I64" : "U8";
    const bytes = data instanceof Float32Array ? bytesFromFloats(data, dtype ?? "F32") : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: stored, shape: dims, data_offsets: [end, end + bytes.byteLength] };
    parts.push(bytes);
    end += bytes.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces after the JSON bring the data to a multiple of 8 bytes, as other writers do.
  const padding = Buffer.alloc((8 - (json.length % 8)) % 8, " ");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  await writeFileAtomically(path, [length, json, padding, ...parts]);
}

async function openSingle(path: string): Promise<SafetensorsFile> {
  const handle = await openForReading(path);
  try {
    const { size } = await handle.stat();
    if (size < 10) throw damaged(path, "at least 10 bytes", `${size} bytes`);
    const headerBytes = (await readAt(handle, path, 0, 8)).readBigUInt64LE();
    if (headerBytes > maxHeaderBytes) throw damaged(path, `a header of at most ${maxHeaderBytes} bytes`, `a header length of ${headerBytes}`);
    const dataStart = 8 + Number(headerBytes);
    if (dataStart > size) throw damaged(path, `a header within the file's ${size} bytes`, `a header length of ${headerBytes}`);
    const header = parseObject(path, await readAt(handle, path, 8, Number(headerBytes)));
    return { path, dataPaths: [path], ...checkHeader(path, header, dataStart, size) };
  } finally {
    await handle.close();
  }
}

function checkHeader(path: string, header: Readonly<Record<string, unknown>>, dataStart: number, size: number) {
  const tensors = new Map<string, SafetensorsEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") metadata = checkMetadata(path, value);
    else tensors.set(name, checkEntry(path, name, value, dataStart));
  }
  const byOffset = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, { offset, byteLength }] of byOffset) {
    if (offset !== end) {
      const kind = offset < end ? "overlaps the tensor before it" : "leaves a gap after the tensor before it";
      throw damaged(tensorOf(path, name), `data at ${end - dataStart}`, `${offset - dataStart}, which ${kind}`);
    }
    end += byteLength;
    if (end > size) throw damaged(tensorOf(path, name), `data up to byte ${end}`, `a file of ${size} bytes (truncated)`);
  }
  if (end !== size) throw damaged(path, `${end} bytes, the end of its last tensor`, `${size} bytes`);
  return { metadata, tensors };
}

function checkEntry(path: string, name: string, value: unknown, dataStart: number): SafetensorsEntry {
  if (!isObject(value)) throw damaged(tensorOf(path, name), "an object {dtype, shape, data_offsets}", describe(value));
  const { dtype, shape, data_offsets: offsets, ...rest } = value;
  const extra = Object.keys(rest)[0];
  if (extra !== undefined) throw damaged(tensorOf(path, name), "only dtype, shape and data_offsets", `"${extra}"`);
  if (!isDtype(dtype)) throw damaged(tensorOf(path, name), `a dtype of ${Object.keys(bitsOf).join(", ")}`, describe(dtype));
  if (!isCounts(shape) || !Number.isSafeInteger(elementCount(shape))) throw damaged(tensorOf(path, name), "a shape of whole numbers", describe(shape));
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[1] < offsets[0]) {
    throw damaged(tensorOf(path, name), "data_offsets [begin, end] with begin <= end", describe(offsets));
  }
  const byteLength = offsets[1] - offsets[0];
  const expected = (elementCount(shape) * bitsOf[dtype]) / 8;
  if (byteLength !== expected) throw damaged(tensorOf(path, name), `${expected} bytes for ${dtype} [${shape.join(", ")}]`, `${byteLength} bytes`);
  return { path, dtype, dims: shape, offset: dataStart + offsets[0], byteLength };
}

function checkMetadata(path: string, value: unknown): Record<string, string> {
  if (!isObject(value)) throw damaged(path, "an object of strings in __metadata__", describe(value));
  const wrong = Object.entries(value).find(([, text]) => typeof text !== "string");
  if (wrong) throw damaged(path, `a string for "${wrong[0]}" in __metadata__`, describe(wrong[1]));
  return value as Record<string, string>;
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw notFound(path, cause);
  }
}

async function readBytes(entry: SafetensorsEntry, name: string): Promise<Buffer> {
  const handle = await openForReading(entry.path);
  try {
    return await readAt(handle, entry.path, entry.offset, entry.byteLength, name);
  } finally {
    await handle.close();
  }
}

/** Exactly `length` bytes, in a buffer of their own (typed arrays can be laid over it). */
async function readAt(handle: FileHandle, path: string, position: number, length: number, name?: string): Promise<Buffer> {
  const bytes = Buffer.from(new ArrayBuffer(length));
  for (let done = 0; done < length; ) {
    // One read call takes less than 2 GiB.
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw damaged(name === undefined ? path : tensorOf(path, name), `${length} bytes at ${position}`, `${done} bytes (truncated)`);
    done += bytesRead;
  }
  return bytes;
}

function entryOf(file: SafetensorsFile, name: string): SafetensorsEntry {
  const entry = file.tensors.get(name);
  if (!entry) throw damaged(file.path, `a tensor "${name}"`, `${file.tensors.size} other tensors`);
  return entry;
}

function floatDtype({ path, dtype }: SafetensorsEntry, name: string): FloatDtype {
  if (dtype === "F8_E4M3" || dtype === "F8_E5M2") {
    throw new PlumblineError("unsupported", `Expected a dtype of at least 16 bits for tensor "${name}" of ${path} but received ${dtype}.`, "Use the fp16 or fp32 variant of the checkpoint.");
  }
  return dtype;
}

function tensorOf(path: string, name: string): string {
  return `tensor "${name}" of ${path}`;
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(bitsOf, value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
