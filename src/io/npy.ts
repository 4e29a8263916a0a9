import { readFile } from "node:fs/promises";
import { unexpected } from "../core/errors";
import { elementCount, tensor, type Tensor } from "../core/tensor";
import { writeFileAtomically } from "./atomicFile";
import { floatsFromBytes, type FloatDtype } from "./floatFormat";
import { notFound } from "./jsonFile";

// Layout (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): "\x93NUMPY", version as two bytes, header length
// (u16 for version 1, u32 for 2 and 3, little-endian), a Python dict literal, then the elements.

const dtypes: Readonly<Record<string, FloatDtype>> = {
  f2: "F16", f4: "F32", f8: "F64", i1: "I8", i2: "I16", i4: "I32", i8: "I64", u1: "U8", u2: "U16", u4: "U32", u8: "U64", b1: "BOOL",
};
const signature = Buffer.from("\x93NUMPY", "latin1");

/**
 * Reads an array of floats, integers or booleans, in C or Fortran order and either byte order, as float32 in C order
 * (integers beyond 2^24 and doubles are rounded). Throws `not-found`, or `bad-tensor` for anything that is not exactly one such array.
 */
export async function readNpy(path: string): Promise<Tensor> {
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  return parseNpy(bytes, path);
}

/** The array in the bytes of a .npy file; `path` is for error messages. Throws `bad-tensor`. */
export function parseNpy(bytes: Uint8Array, path: string): Tensor {
  const { header, dataStart } = readHeader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), path);
  const { dtype, size, bigEndian, fortranOrder, dims } = parseHeader(header, path);
  const expected = elementCount(dims) * size;
  const received = bytes.length - dataStart;
  if (received !== expected) {
    throw unexpected("bad-tensor", `the data of ${path}`, `${expected} bytes for shape (${dims.join(", ")})`, `${received} bytes`, "The file is damaged or incomplete: write it again.");
  }
  // Typed arrays need their elements on a buffer boundary.
  const aligned = new Uint8Array(expected);
  aligned.set(bytes.subarray(dataStart));
  if (bigEndian) for (let i = 0; i < aligned.length; i += size) aligned.subarray(i, i + size).reverse();
  const floats = floatsFromBytes(aligned, dtype);
  return tensor(fortranOrder ? toRowMajor(floats, dims) : floats, dims);
}

/** The bytes of a .npy file (version 1.0, little-endian float32, C order). */
export function npyBytes({ dims, data }: Tensor): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(", ");
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  // The data starts at a multiple of 64 bytes; the header ends with a line break.
  const headerLength = Math.ceil((signature.length + 4 + literal.length + 1) / 64) * 64 - signature.length - 4;
  const head = Buffer.alloc(signature.length + 4);
  signature.copy(head);
  head.set([1, 0], signature.length);
  head.writeUInt16LE(headerLength, signature.length + 2);
  const header = Buffer.from(`${literal.padEnd(headerLength - 1)}\n`, "latin1");
  return Buffer.concat([head, header, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}

/** Writes a .npy file, whole or not at all. Throws `write-failed`. */
export async function writeNpy(path: string, array: Tensor): Promise<void> {
  await writeFileAtomically(path, npyBytes(array));
}

function readHeader(bytes: Buffer, path: string): { header: string; dataStart: number } {
  if (bytes.length < 10 || !bytes.subarray(0, 6).equals(signature)) throw damaged(path, "a .npy file", "another kind of file");
  const version = bytes[6];
  if (version < 1 || version > 3) throw damaged(path, "a .npy version of 1, 2 or 3", String(version));
  const lengthEnd = version === 1 ? 10 : 12;
  if (bytes.length < lengthEnd) throw damaged(path, "a whole header", `${bytes.length} bytes`);
  const dataStart = lengthEnd + (version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  if (dataStart > bytes.length) throw damaged(path, `a header that ends at byte ${dataStart}`, `a file of ${bytes.length} bytes`);
  return { header: bytes.toString("latin1", lengthEnd, dataStart), dataStart };
}

interface Layout {
  readonly dtype: FloatDtype;
  /** Bytes of one element. */
  readonly size: number;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly dims: readonly number[];
}

function parseHeader(header: string, path: string): Layout {
  const dict = /^\s*\{(.*)\}\s*$/s.exec(header)?.[1];
  const entries = [...(dict ?? "").matchAll(/\s*'(\w+)'\s*:\s*('[^']*'|\([^)]*\)|\[.*\]|\w+)\s*(?:,|$)/gs)];
  const used = entries.reduce((length, [text]) => length + text.length, 0);
  const values = new Map(entries.map(([, key, value]) => [key, value]));
  const keys = [...values.keys()].sort().join(", ");
  if (dict === undefined || dict.slice(used).trim() !== "" || entries.length !== 3 || keys !== "descr, fortran_order, shape") {
    throw damaged(path, "a header with descr, fortran_order and shape", JSON.stringify(header.trim()).slice(0, 80));
  }
  const descr = /^'([<>|=])([a-z]\d)'$/.exec(values.get("descr") ?? "");
  const dtype = descr ? dtypes[descr[2]] : undefined;
  if (!descr || !dtype) throw damaged(path, "floats, integers or booleans", `elements of type ${values.get("descr")}`);
  const size = Number(descr[2][1]);
  if (descr[1] === "|" && size > 1) throw damaged(path, "a byte order", `elements of type ${values.get("descr")}`);
  const order = values.get("fortran_order");
  if (order !== "True" && order !== "False") throw damaged(path, "True or False for fortran_order", String(order));
  return { dtype, size, bigEndian: descr[1] === ">", fortranOrder: order === "True", dims: parseShape(values.get("shape") ?? "", path) };
}

/** A Python tuple of whole numbers: (), (3,), (3, 4). */
function parseShape(text: string, path: string): number[] {
  const inside = /^\((?:(\s*\d+\s*(?:,\s*\d+\s*)+,?\s*)|(\s*\d+\s*,\s*)|\s*)\)$/.exec(text);
  if (!inside) throw damaged(path, "a shape of whole numbers", text);
  const dims = (inside[1] ?? inside[2] ?? "").split(",").filter((part) => part.trim() !== "").map(Number);
  if (!Number.isSafeInteger(elementCount(dims) * 8)) throw damaged(path, "a shape that fits into memory", text);
  return dims;
}

function toRowMajor(columnMajor: Float32Array, dims: readonly number[]): Float32Array {
  const strides = dims.map((_, axis) => elementCount(dims.slice(0, axis)));
  const out = new Float32Array(columnMajor.length);
  const index = dims.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = columnMajor[index.reduce((offset, position, axis) => offset + position * strides[axis], 0)];
    for (let axis = dims.length - 1; axis >= 0 && ++index[axis] === dims[axis]; axis--) index[axis] = 0;
  }
  return out;
}

function damaged(path: string, expected: string, received: string): Error {
  return unexpected("bad-tensor", path, expected, received, "Write the array again with numpy.save.");
}
