import { PlumblineError } from "../core/errors";
import type { RgbImage } from "../core/image";
import { encoderInput } from "../core/latent";
import { maxEdgeSize, resizeRgb, resizeRgbPillow, resizeRgbToBytes, type Size } from "../core/resize";
import type { Tensor } from "../core/tensor";

/**
 * The size at which the networks see an image: its longest side at the processing resolution, 0 keeps the size; then both sides
 * are cut down to multiples of `sizeMultiple`. Throws `bad-image` where a side would be too short for the networks (less than
 * one latent pixel, or one multiple).
 */
export function processingSizeOf(image: Size, processingResolution: number, downsamplingFactor: number, sizeMultiple = 1): Size {
  const { width, height } = maxEdgeSize(image, processingResolution);
  const cut = (side: number): number => side - (side % sizeMultiple);
  const size = { width: cut(width), height: cut(height) };
  const shortest = Math.max(downsamplingFactor, sizeMultiple);
  if (Math.min(size.width, size.height) < shortest) {
    throw new PlumblineError("bad-image", `Expected both sides of the image to be at least ${shortest} pixels at the processing resolution but received ${width} x ${height}.`, "Choose a higher processing resolution or a less narrow image.");
  }
  return size;
}

/**
 * Encoder input [1, 3, H, W] in -1..1 at processing size. As the E2E-FT and Marigold code: antialiased bilinear, smaller
 * images are enlarged, no padding, 8-bit sources are rounded to whole grey levels again; 16-bit sources keep their fractions.
 * `bicubic` is Pillow's, which the GeoWizard code takes.
 */
export function preprocess(image: RgbImage, size: Size, filter: "bilinear" | "bicubic" = "bilinear"): Tensor {
  if (size.width === image.width && size.height === image.height) return encoderInput(image);
  if (!(image.data instanceof Uint8Array)) return encoderInput(resizeRgb(image, size, filter));
  return encoderInput(filter === "bilinear" ? resizeRgbToBytes(image, size, "bilinear") : resizeRgbPillow(image, size));
}
