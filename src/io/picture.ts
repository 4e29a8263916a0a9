import sharp from "sharp";
import { PlumblineError } from "../core/errors";

/** A WebP of interleaved H x W x 3 bytes, reduced so that its longest side has at most `side` pixels; larger pictures only. */
export async function encodeWebp(rgb: Uint8Array, { width, height }: { readonly width: number; readonly height: number }, side: number): Promise<Buffer> {
  // Very long pictures keep a side of at least one pixel, which "inside" would round to none.
  const factor = Math.min(1, side / Math.max(width, height));
  const size = { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
  const pipeline = sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (factor < 1) pipeline.resize(size.width, size.height, { fit: "fill" });
  // More effort takes two to five times as long, and saves hardly a byte of pictures this small.
  return pipeline.webp({ quality: 80, effort: 1 }).toBuffer();
}

/** Width and height of an image file in pixels, upright; only its header is read. Throws `bad-image`. */
export async function readUprightSize(path: string): Promise<{ readonly width: number; readonly height: number }> {
  try {
    const { width, height, autoOrient } = await sharp(path).metadata();
    return { width: autoOrient?.width ?? width, height: autoOrient?.height ?? height };
  } catch (cause) {
    throw new PlumblineError("bad-image", `Expected an image for ${path} but received ${cause instanceof Error ? cause.message : String(cause)}.`, "Get the image again from where it came.", { cause });
  }
}
