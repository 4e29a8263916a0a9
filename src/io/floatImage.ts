import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import sharp from "sharp";
import { PlumblineError, unexpected } from "../core/errors";
import { parseExr } from "./exr";
import { notFound } from "./jsonFile";
import { parseNpy } from "./npy";
import { parseNpz } from "./npz";
import { parseDpt, parsePfm, parseRawFloats } from "./rawFloats";

/** An image of numbers as a file holds them: no unit, no scale and no invalid value is applied yet. */
export interface FloatImage {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Interleaved H x W x C, top row first. Doubles and integers beyond 2^24 are rounded. */
  readonly data: Float32Array;
  readonly format: FloatFormat;
  /** What was left out or taken for granted, in words. */
  readonly notes: readonly string[];
}

export const floatFormats = ["npy", "npz", "pfm", "exr", "dpt", "png", "tiff", "f32"] as const;
export type FloatFormat = (typeof floatFormats)[number];

export interface FloatImageOptions {
  /** By the file's name when absent. `f32` has to be said, with `size`. */
  readonly format?: FloatFormat;
  /** Of a headerless file. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Which array of an .npz; needed when it holds several. */
  readonly entry?: string;
}

const byExtension: Readonly<Record<string, FloatFormat>> = { ".npy": "npy", ".npz": "npz", ".pfm": "pfm", ".exr": "exr", ".dpt": "dpt", ".png": "png", ".tif": "tiff", ".tiff": "tiff" };

/**
 * Reads depth or normals from .npy, .npz, .pfm, .exr, Sintel .dpt, .png (8 or 16 bits), .tiff (8, 16 bits or floats) or
 * headerless little-endian float32. Throws `not-found`, or `bad-image` for a file that is damaged or of another kind.
 */
export async function readFloatImage(path: string, options: FloatImageOptions = {}): Promise<FloatImage> {
  const format = options.format ?? byExtension[extname(path).toLowerCase()];
  if (!format) throw unexpected("bad-image", path, "a file of floats (.npy, .npz, .pfm, .exr, .dpt, .png or .tiff)", extname(path) || "a name without an ending", "Name the format, or convert the file.");
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  if (bytes.length === 0) throw unexpected("bad-image", path, `a .${format} file`, "an empty file (0 bytes)", "Get the file again from where it came.");
  return parseFloatImage(bytes, path, format, options);
}

/** The same from bytes; `path` is for error messages. */
export async function parseFloatImage(bytes: Uint8Array, path: string, format: FloatFormat, { size, entry }: Omit<FloatImageOptions, "format"> = {}): Promise<FloatImage> {
  switch (format) {
    case "npy":
      return fromArray(parseNpy(bytes, path), path, "npy");
    case "npz":
      return fromArray(parseNpz(bytes, path, entry), path, "npz");
    case "pfm":
      return parsePfm(bytes, path);
    case "exr":
      return parseExr(bytes, path);
    case "dpt":
      return parseDpt(bytes, path);
    case "f32":
      if (!size) throw unexpected("bad-argument", `the size of ${path}`, "a width and a height, as the file has no header", size, "Give them.");
      return parseRawFloats(bytes, path, size);
    case "png":
    case "tiff":
      return parseWithSharp(bytes, path, format);
  }
}

/** H x W, H x W x C, 1 x H x W, C x H x W with C = 3, and any of them with leading ones. */
function fromArray({ dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array }, path: string, format: FloatFormat): FloatImage {
  const shape = [...dims];
  const notes: string[] = [];
  while (shape.length > 3 && shape[0] === 1) shape.shift();
  if (shape.length === 3 && shape[0] === 1 && shape[2] !== 1 && shape[2] !== 3) shape.shift();
  if (shape.length === 3 && shape[0] === 3 && shape[2] !== 3) {
    const [channels, height, width] = shape;
    notes.push("channels first");
    const plane = width * height;
    return { width, height, channels, data: new Float32Array(data.length).map((_, i) => data[(i % channels) * plane + Math.floor(i / channels)]), format, notes };
  }
  const [height, width, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || channels > 4 || !(height > 0 && width > 0 && channels > 0)) {
    throw unexpected("bad-image", path, "an array of shape (H, W), (H, W, C) or (3, H, W)", `(${dims.join(", ")})`, "Save one image a file.");
  }
  return { width, height, channels, data, format, notes };
}

/** Values as stored: 0..255, 0..65535, or floats. An alpha channel is left out, unasked-for colour conversion does not happen. */
async function parseWithSharp(bytes: Uint8Array, path: string, format: "png" | "tiff"): Promise<FloatImage> {
  try {
    const input = { failOn: "error", limitInputPixels: 268_402_689 } as const;
    const meta = await sharp(bytes, input).metadata();
    const expected = { png: ["png"], tiff: ["tiff"] }[format];
    if (!expected.includes(meta.format ?? "")) throw unexpected("bad-image", path, `a ${format.toUpperCase()} file`, meta.format, "Give it the ending of what it is.");
    const depth = meta.depth === "uchar" || meta.depth === "ushort" || meta.depth === "float" ? meta.depth : undefined;
    if (!depth) throw unexpected("bad-image", path, "values of 8 or 16 bits or float32", meta.depth, "Convert it to one of these.");
    const grey = (meta.channels ?? 1) < 3;
    const space = grey ? (depth === "ushort" ? "grey16" : "b-w") : depth === "ushort" ? "rgb16" : depth === "float" ? "scrgb" : "srgb";
    const pipeline = sharp(bytes, input);
    if (meta.hasAlpha) pipeline.removeAlpha();
    const { data, info } = await pipeline.pipelineColourspace(space).toColourspace(space).raw({ depth }).toBuffer({ resolveWithObject: true });
    const samples = depth === "float" ? new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)) : depth === "ushort" ? new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)) : data;
    return { width: info.width, height: info.height, channels: info.channels, data: Float32Array.from(samples), format, notes: meta.hasAlpha ? ["alpha left out"] : [] };
  } catch (cause) {
    if (cause instanceof PlumblineError) throw cause;
    const reason = cause instanceof Error ? cause.message.trim().split("\n")[0] : String(cause);
    throw new PlumblineError("bad-image", `Expected a complete ${format.toUpperCase()} for ${path} but received a damaged one (${reason}).`, "Get the file again from where it came.", { cause });
  }
}
