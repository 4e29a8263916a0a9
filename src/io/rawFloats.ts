import { unexpected } from "../core/errors";
import type { FloatImage } from "./floatImage";

const again = "Get the file again from where it came.";

/**
 * Portable float map (http://www.pauldebevec.com/Research/HDR/PFM/): "PF" (3 channels) or "Pf" (1), width, height, a scale
 * whose sign tells the byte order (negative: little-endian), one white space, then float32 rows from the bottom up.
 */
export function parsePfm(bytes: Uint8Array, path: string): FloatImage {
  const header = /^(P[Ff])\s+(\d+)\s+(\d+)\s+([-+]?[\d.]+(?:[eE][-+]?\d+)?)(?:\r\n|\s)/.exec(Buffer.from(bytes.subarray(0, 128)).toString("latin1"));
  if (!header) throw unexpected("bad-image", path, "a PFM header (PF or Pf, width, height, scale)", "another kind of file", again);
  const channels = header[1] === "PF" ? 3 : 1;
  const [width, height, scale] = header.slice(2).map(Number);
  if (!(width > 0 && height > 0) || scale === 0) throw unexpected("bad-image", path, "a width, a height and a scale that are not 0", header[0].trim(), again);
  const values = floatsOf(bytes.subarray(header[0].length), { width, height, channels, path, bigEndian: scale > 0 });
  const row = width * channels;
  const data = new Float32Array(values.length);
  for (let y = 0; y < height; y++) data.set(values.subarray((height - 1 - y) * row, (height - y) * row), y * row);
  const notes = Math.abs(scale) === 1 ? [] : [`scale ${Math.abs(scale)} in the header not applied`];
  return { width, height, channels, data, format: "pfm", notes };
}

/** Sintel's depth (its sdk's depth_read): float32 202021.25, int32 width, int32 height, float32 rows from the top, all little-endian. */
export function parseDpt(bytes: Uint8Array, path: string): FloatImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = bytes.length >= 12 ? view.getFloat32(0, true) : NaN;
  if (tag !== 202021.25) throw unexpected("bad-image", path, "a .dpt file (it begins with the number 202021.25)", "another kind of file", again);
  const width = view.getInt32(4, true);
  const height = view.getInt32(8, true);
  return { width, height, channels: 1, data: floatsOf(bytes.subarray(12), { width, height, channels: 1, path }), format: "dpt", notes: [] };
}

/** float32, little-endian, rows from the top, nothing else (ETH3D's depth). */
export function parseRawFloats(bytes: Uint8Array, path: string, { width, height }: { readonly width: number; readonly height: number }): FloatImage {
  return { width, height, channels: 1, data: floatsOf(bytes, { width, height, channels: 1, path }), format: "f32", notes: [] };
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly path: string;
  readonly bigEndian?: boolean;
}

function floatsOf(bytes: Uint8Array, { width, height, channels, path, bigEndian = false }: Layout): Float32Array {
  const count = width * height * channels;
  if (!(width > 0 && height > 0 && Number.isSafeInteger(4 * count)) || bytes.length !== 4 * count) {
    throw unexpected("bad-image", `the data of ${path}`, `${4 * count} bytes for ${width} x ${height} x ${channels} floats`, `${bytes.length} bytes`, again);
  }
  const copy = new Uint8Array(bytes); // on a buffer of its own: a Buffer.slice would share
  if (bigEndian) Buffer.from(copy.buffer).swap32();
  return new Float32Array(copy.buffer, 0, count);
}
