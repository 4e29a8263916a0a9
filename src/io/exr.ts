import parseImage from "parse-exr";
import { PlumblineError, unexpected } from "../core/errors";
import type { FloatImage } from "./floatImage";

// Header (https://openexr.com/en/latest/OpenEXRFileLayout.html): magic, version and flags (8 bytes), attributes as name\0 type\0
// size(i32) value, one byte 0. The attribute "channels" lists, sorted by name: name\0 pixelType(i32) pLinear(u8) reserved(3)
// xSampling(i32) ySampling(i32), and ends with one byte 0.

/** Names under which depth or a single quantity is stored; the decoder knows Y only. */
const maximumChannels = 4;
const floatType = 1015;

/**
 * An OpenEXR image: one channel of any name, or three (R, G, B or X, Y, Z, with or without layer names, alpha is left out). Single part,
 * not deep; half or float. Throws `bad-image` for anything else.
 */
export function parseExr(bytes: Uint8Array, path: string): FloatImage {
  const { channels, start, end } = readChannels(bytes, path);
  const used = channels.filter(({ name }) => !/(^|\.)(A|alpha)$/i.test(name));
  if (channels.length > maximumChannels || (used.length !== 1 && used.length !== 3)) {
    throw unexpected("bad-image", path, "an EXR of one channel or three", channels.map(({ name }) => name).join(", "), "Store depth or normals in a file of their own.");
  }
  if (new Set(channels.map(({ type }) => type)).size > 1 || channels.some(({ type }) => type !== 1 && type !== 2)) throw unexpected("bad-image", path, "channels that are all half or all float", "others", "Convert it.");
  const order = used.length === 3 ? orderOf(used.map(({ name }) => name), path) : [0];
  const letters = used.length === 1 ? ["Y"] : order.map((position) => "RGB"[position]);
  // The decoder takes the names R, G, B, A and Y; the order in the file stays as it is.
  const renamed = new Map(used.map(({ name }, i) => [name, letters[i]]));
  const image = decode(withNames(bytes, channels.map(({ name }) => renamed.get(name) ?? "A"), channels, start, end), path);
  const stored = image.data.length / (image.width * image.height);
  const data = new Float32Array(image.width * image.height * used.length);
  // Rows come from the bottom up, as textures want them.
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      for (let c = 0; c < used.length; c++) data[(y * image.width + x) * used.length + c] = image.data[((image.height - 1 - y) * image.width + x) * stored + c];
  const notes = channels.length > used.length ? ["alpha left out"] : [];
  return { width: image.width, height: image.height, channels: used.length, data, format: "exr", notes };
}

/** Where each of three channels, sorted by name, belongs in R, G, B or X, Y, Z. */
function orderOf(names: readonly string[], path: string): number[] {
  const last = names.map((name) => name.split(".").pop()?.toUpperCase() ?? "");
  for (const letters of ["RGB", "XYZ"]) {
    const order = last.map((letter) => letters.indexOf(letter));
    if (letters && new Set(order).size === 3 && order.every((position, i) => position >= 0 && last[i].length === 1)) return order;
  }
  throw unexpected("bad-image", path, "channels R, G, B or X, Y, Z", names.join(", "), "Rename them.");
}

interface Channel {
  readonly name: string;
  /** 0 uint, 1 half, 2 float. */
  readonly type: number;
  /** What follows the name. */
  readonly rest: Uint8Array;
}

/** The channels, and where their attribute's size field begins and its value ends. */
function readChannels(bytes: Uint8Array, path: string): { channels: Channel[]; start: number; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (): PlumblineError => unexpected("bad-image", path, "a whole OpenEXR header", "a damaged one", "Get the file again from where it came.");
  if (bytes.length < 8 || view.getUint32(0, true) !== 20000630) throw unexpected("bad-image", path, "an OpenEXR file", "another kind of file", "Get the file again from where it came.");
  if (view.getUint32(4, true) & 0x1800) throw unexpected("bad-image", path, "a flat, single-part OpenEXR file", "a deep or multi-part one", "Export one flat part.");
  let at = 8;
  const text = (): string => {
    const stop = bytes.indexOf(0, at);
    if (stop < 0 || stop - at > 255) throw broken();
    const value = Buffer.from(bytes.subarray(at, stop)).toString("latin1");
    at = stop + 1;
    return value;
  };
  for (;;) {
    const name = text();
    if (name === "") throw broken(); // the header ended without channels
    text();
    if (at + 4 > bytes.length) throw broken();
    const start = at;
    const size = view.getInt32(at, true);
    at += 4;
    const end = at + size;
    if (size < 0 || end > bytes.length) throw broken();
    if (name !== "channels") {
      at = end;
      continue;
    }
    const channels: Channel[] = [];
    while (bytes[at] !== 0) {
      const channel = text();
      if (at + 16 > end) throw broken();
      channels.push({ name: channel, type: view.getInt32(at, true), rest: bytes.subarray(at, at + 16) });
      at += 16;
    }
    return { channels, start, end };
  }
}

/** The file with other channel names; block offsets are not read by the decoder, so the header may change its length. */
function withNames(bytes: Uint8Array, names: readonly string[], channels: readonly Channel[], start: number, end: number): ArrayBuffer {
  const list = Buffer.concat([...channels.flatMap(({ rest }, i) => [Buffer.from(`${names[i]}\0`, "latin1"), rest]), Buffer.of(0)]);
  const size = Buffer.alloc(4);
  size.writeInt32LE(list.length);
  const whole = Buffer.concat([bytes.subarray(0, start), size, list, bytes.subarray(end)]);
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.byteLength);
}

function decode(buffer: ArrayBuffer, path: string): { width: number; height: number; data: Float32Array } {
  try {
    const { width, height, data } = parseImage(buffer, floatType);
    if (!(data instanceof Float32Array) || !(width > 0 && height > 0) || data.length % (width * height) !== 0) throw new Error("no floats");
    return { width, height, data };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError("bad-image", `Expected a whole OpenEXR image for ${path} but received one that cannot be decoded (${reason}).`, "Write it again, flat, with ZIP, PIZ or no compression.", { cause });
  }
}
