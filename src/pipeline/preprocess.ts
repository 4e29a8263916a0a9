import { PlumblineError } from "../core/errors";
import type { RgbImage } from "../core/image";
import { encoderInput } from "../core/latent";
import { maxEdgeSize, resizeRgb, resizeRgbToBytes } from "../core/resize";
import type { Tensor } from "../core/tensor";

/**
 * Encoder input [1, 3, H, W] in -1..1, the longest side at the processing resolution (0 keeps the size). As the E2E-FT and
 * Marigold code: antialiased bilinear, smaller images are enlarged, no padding, 8-bit sources are rounded to whole
 * grey levels again; 16-bit sources keep their fractions. Throws `bad-image` where a side would be too short for the
 * networks (less than one latent pixel).
 */
export function preprocess(image: RgbImage, processingResolution: number, downsamplingFactor: number): Tensor {
  const size = maxEdgeSize(image, processingResolution);
  if (Math.min(size.width, size.height) < downsamplingFactor) {
    throw new PlumblineError("bad-image", `Expected both sides of the image to be at least ${downsamplingFactor} pixels at the processing resolution but received ${size.width} x ${size.height}.`, "Choose a higher processing resolution or a less narrow image.");
  }
  const unchanged = size.width === image.width && size.height === image.height;
  if (unchanged) return encoderInput(image);
  const resize = image.data instanceof Uint8Array ? resizeRgbToBytes : resizeRgb;
  return encoderInput(resize(image, size, "bilinear"));
}
