import parseImage from "parse-exr";
import { PlumblineError, unexpected } from "../core/errors";
import type { FloatImage } from "./floatImage";

// Header (https://openexr.com/en/latest/OpenEXRFileLayout.html): magic, version and flags (8 bytes), attributes as name\0 type\0
// size(i32) value, one byte 0. The attribute "channels" lists, sorted by name: name\0 pixelType(i32) pLinear(u8) reserved(3)
// xSampling(i32) ySampling(i32), and ends with one byte 0. After the header come the offsets of the blocks, which the decoder
// passes over without reading, so that the header may change its length.

/** What decoding needs; of others the decoder complains on the console. */
const neededAttributes = new Map([
  ["compression", "compression"], ["dataWindow", "box2i"], ["displayWindow", "box2i"], ["lineOrder", "lineOrder"], ["pixelAspectRatio", "float"],
  ["screenWindowCenter", "v2f"], ["screenWindowWidth", "float"], ["tiles", "tiledesc"], ["type", "string"],
]);

const maximumChannels = 4;
const maximumPixels = 268_402_689;
/** No compression of the format reaches it; a damaged size must not make the decoder fill the memory. */
const maximumValuesPerByte = 4096;
const floatType = 1015;

/**
 * An OpenEXR image: one channel of any name, or three (R, G, B or X, Y, Z, with or without layer names, alpha is left out). Single part,
 * not deep; half or float. Throws `bad-image` for anything else.
 */
export function parseExr(bytes: Uint8Array, path: string): FloatImage {
  const { channels, attributes, end, pixels } = readHeader(bytes, path);
  if (!(pixels > 0 && pixels <= maximumPixels && pixels * channels.length <= maximumValuesPerByte * bytes.length)) {
    throw unexpected("bad-image", path, `an image of at most ${maximumPixels} pixels that fit into its ${bytes.length} bytes`, `${pixels} pixels`, "Get the file again from where it came.");
  }
  const used = channels.filter(({ name }) => !/(^|\.)(A|alpha)$/i.test(name));
  if (channels.length > maximumChannels || (used.length !== 1 && used.length !== 3)) {
    throw unexpected("bad-image", path, "an EXR of one channel or three", channels.map(({ name }) => name).join(", "), "Store depth or normals in a file of their own.");
  }
  if (new Set(channels.map(({ type }) => type)).size > 1 || channels.some(({ type }) => type !== 1 && type !== 2)) throw unexpected("bad-image", path, "channels that are all half or all float", "others", "Convert it.");
  const order = used.length === 3 ? orderOf(used.map(({ name }) => name), path) : [0];
  const letters = used.length === 1 ? ["Y"] : order.map((position) => "RGB"[position]);
  // The decoder takes the names R, G, B, A and Y; the order in the file stays as it is.
  const renamed = new Map(used.map(({ name }, i) => [name, letters[i]]));
  const list = channels.flatMap(({ name, rest }) => [latin1(`${renamed.get(name) ?? "A"}\0`), rest]);
  const size = channels.reduce((sum, { name }) => sum + (renamed.get(name) ?? "A").length + 17, 1);
  const header = [bytes.subarray(0, 8), ...attributes, latin1("channels\0chlist\0"), int32(size), ...list, Buffer.of(0, 0)];
  const image = decode(Buffer.concat([...header, bytes.subarray(end)]), path);
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

interface Header {
  readonly channels: readonly Channel[];
  /** The needed ones but the channels, as they are in the file. */
  readonly attributes: readonly Uint8Array[];
  /** Where the header ends. */
  readonly end: number;
  /** Of the data window. */
  readonly pixels: number;
}

function readHeader(bytes: Uint8Array, path: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint32(0, true) !== 20000630) throw unexpected("bad-image", path, "an OpenEXR file", "another kind of file", "Get the file again from where it came.");
  if (view.getUint32(4, true) & 0x1800) throw unexpected("bad-image", path, "a flat, single-part OpenEXR file", "a deep or multi-part one", "Export one flat part.");
  const attributes: Uint8Array[] = [];
  let channels: readonly Channel[] | undefined;
  let pixels = NaN;
  let at = 8;
  for (; bytes[at] !== 0; ) {
    const name = textAt(bytes, at, path);
    const type = textAt(bytes, name.end, path);
    const value = type.end + 4;
    if (value > bytes.length) throw broken(path);
    const end = value + view.getInt32(value - 4, true);
    if (end < value || end > bytes.length) throw broken(path);
    if (name.value === "channels") channels = channelsIn(bytes, value, end, path);
    if (neededAttributes.get(name.value) === type.value) attributes.push(bytes.subarray(at, end));
    if (name.value === "dataWindow" && end === value + 16) {
      const [left, top, right, bottom] = [0, 4, 8, 12].map((offset) => view.getInt32(value + offset, true));
      pixels = Math.max(0, right - left + 1) * Math.max(0, bottom - top + 1);
    }
    at = end;
  }
  if (!channels || attributes.length < neededAttributes.size - 2) throw broken(path); // "tiles" and "type" may be missing
  return { channels, attributes, end: at + 1, pixels };
}

function channelsIn(bytes: Uint8Array, from: number, end: number, path: string): Channel[] {
  const channels: Channel[] = [];
  let at = from;
  while (at < end && bytes[at] !== 0) {
    const name = textAt(bytes, at, path);
    if (name.end + 16 > end) throw broken(path);
    const rest = bytes.subarray(name.end, name.end + 16);
    channels.push({ name: name.value, type: rest[0] | (rest[1] << 8) | (rest[2] << 16) | (rest[3] << 24), rest });
    at = name.end + 16;
  }
  return channels;
}

function textAt(bytes: Uint8Array, at: number, path: string): { value: string; end: number } {
  const stop = bytes.indexOf(0, at);
  if (stop < 0 || stop - at > 255) throw broken(path);
  return { value: Buffer.from(bytes.subarray(at, stop)).toString("latin1"), end: stop + 1 };
}

function broken(path: string): PlumblineError {
  return unexpected("bad-image", path, "a whole OpenEXR header", "a damaged one", "Get the file again from where it came.");
}

function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function decode(file: Buffer, path: string): { width: number; height: number; data: Float32Array } {
  try {
    const { width, height, data } = parseImage(new Uint8Array(file).buffer, floatType);
    if (!(data instanceof Float32Array) || !(width > 0 && height > 0) || data.length % (width * height) !== 0) throw new Error("no floats");
    return { width, height, data };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError("bad-image", `Expected a whole OpenEXR image for ${path} but received one that cannot be decoded (${reason}).`, "Write it again, flat, with ZIP, PIZ or no compression.", { cause });
  }
}
