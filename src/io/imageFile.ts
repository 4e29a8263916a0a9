import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import sharp, { type Metadata } from "sharp";
import { PlumblineError } from "../core/errors";
import type { RgbImage } from "../core/image";

/** A decoded image file. */
export interface ImageFile {
  /** What the networks see: `Uint8Array` for 8-bit sources, `Float32Array` 0..255 with fractions for 16-bit ones. */
  readonly image: RgbImage;
  /** The same rounded to 8 bits, interleaved H x W x 3, for display. */
  readonly rgb8: Uint8Array;
  /** SHA-256 of the file's bytes, hexadecimal. */
  readonly sha256: string;
  /** Container format: "jpeg", "png", "tiff", "webp", "gif", "heif", "svg". */
  readonly format: string;
  /** Conversions that changed what the file holds, in words, e.g. "rotated by EXIF orientation 6". */
  readonly notes: readonly string[];
}

/** Above this the decoded floats alone would need more than 3 GB. */
const maximumPixels = 268_402_689;

/**
 * Reads an image file as upright RGB in sRGB.
 *
 * - EXIF orientation is applied; animations and multi-page files give their first frame.
 * - Transparent pixels are composited over white, as a page shows them (8-bit values, no linear light).
 * - Grey becomes R = G = B; CMYK and embedded ICC profiles are converted to sRGB.
 * - 16-bit files keep their precision: 65535 -> 255.
 *
 * Throws `bad-image` for a file that is missing, unreadable, empty, truncated, no image, larger than `pixelLimit`,
 * or holds floats (radiance has no agreed way to 0..255).
 */
export async function readRgbImage(path: string, pixelLimit = maximumPixels): Promise<ImageFile> {
  const bytes = await readBytes(path);
  const input = { failOn: "error", limitInputPixels: pixelLimit } as const;
  try {
    const meta = await sharp(bytes, input).metadata();
    if (meta.depth !== "uchar" && meta.depth !== "ushort") {
      throw badImage(path, "an image of 8 or 16 bits a channel", `${meta.depth} values`, "Convert it to an 8- or 16-bit image first.");
    }
    const wide = meta.depth === "ushort";
    // Without an explicit 16-bit colour space sharp silently reduces to 8 bits.
    const decoder = sharp(bytes, input).autoOrient().toColourspace(wide ? "rgb16" : "srgb");
    // sharp converts profiled 16-bit pixels to Display P3; only this brings them on to sRGB.
    if (wide && meta.icc !== undefined) decoder.withIccProfile("srgb");
    const { data, info } = await decoder
      .raw({ depth: meta.depth })
      .toBuffer({ resolveWithObject: true });
    const samples = wide ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const rgb = flattenOverWhite(samples, info.channels, wide ? 65535 : 255);
    const rgb8 = Uint8Array.from(rgb, wide ? (value) => Math.round(value / 257) : Math.round);
    const image: RgbImage = { width: info.width, height: info.height, data: wide ? Float32Array.from(rgb, (value) => value / 257) : rgb8 };
    return { image, rgb8, sha256: createHash("sha256").update(bytes).digest("hex"), format: meta.format ?? "unknown", notes: conversionNotes(meta) };
  } catch (error) {
    if (error instanceof PlumblineError) throw error;
    throw decodeError(path, error, pixelLimit);
  }
}

async function readBytes(path: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const received = { ENOENT: "no such file", EISDIR: "a folder", EACCES: "a file without read permission" }[code] ?? String(error);
    throw badImage(path, "a readable image file", received, "Check the path and its permissions.", error);
  }
  if (bytes.length === 0) throw badImage(path, "an image file", "an empty file (0 bytes)", "Get the image again from where it came.");
  return bytes;
}

/** Composites interleaved samples (1 to 4 channels, the last of 2 or 4 being alpha) over white; returns H x W x 3. */
function flattenOverWhite(samples: Uint8Array | Uint16Array, channels: number, white: number): Float32Array | Uint8Array | Uint16Array {
  if (channels === 3) return samples;
  const colours = channels < 3 ? 1 : 3;
  const pixels = samples.length / channels;
  const rgb = new Float32Array(pixels * 3);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const alpha = channels === colours ? 1 : samples[pixel * channels + colours] / white;
    for (let channel = 0; channel < 3; channel++) {
      const value = samples[pixel * channels + (colours === 1 ? 0 : channel)];
      rgb[pixel * 3 + channel] = value * alpha + white * (1 - alpha);
    }
  }
  return rgb;
}

function conversionNotes(meta: Metadata): string[] {
  const notes: string[] = [];
  if (meta.orientation !== undefined && meta.orientation > 1) notes.push(`turned upright by EXIF orientation ${meta.orientation}`);
  if (meta.hasAlpha) notes.push("transparency composited over white");
  if (meta.space === "b-w" || meta.space === "grey16") notes.push("grey repeated as RGB");
  if (meta.space === "cmyk") notes.push("CMYK converted to sRGB");
  else if (meta.icc !== undefined) notes.push("embedded ICC profile converted to sRGB");
  if (meta.depth === "ushort") notes.push("16 bits a channel kept");
  if ((meta.pages ?? 1) > 1) notes.push(`first of ${meta.pages} frames`);
  return notes;
}

function decodeError(path: string, error: unknown, pixelLimit: number): PlumblineError {
  const reason = error instanceof Error ? error.message : String(error);
  if (/pixel limit/i.test(reason)) {
    return badImage(path, `at most ${pixelLimit} pixels`, "a larger image", "Reduce the image first.", error);
  }
  if (/unsupported image format/i.test(reason)) {
    return badImage(path, "an image (JPEG, PNG, WebP, TIFF, GIF, AVIF or SVG)", "another kind of file", "Convert it to one of these formats.", error);
  }
  return badImage(path, "a complete image", `a damaged one (${reason.trim().split("\n")[0]})`, "Get the image again from where it came.", error);
}

function badImage(path: string, expected: string, received: string, remedy: string, cause?: unknown): PlumblineError {
  return new PlumblineError("bad-image", `Expected ${expected} for ${path} but received ${received}.`, remedy, { cause });
}
