import { unexpected } from "../core/errors";
import type { Crop } from "../core/image";
import type { ImageFile } from "./imageFile";

/** An image file as if it held only a part of the image; its hash stays that of the file. Throws `bad-argument` for what lies outside. */
export function croppedImage(file: ImageFile, crop: Crop): ImageFile {
  const { left, top, width, height } = crop;
  const { image, rgb8 } = file;
  const isInside = [left, top, width, height].every(Number.isSafeInteger) && left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= image.width && top + height <= image.height;
  if (!isInside) throw unexpected("bad-argument", "the part of the image", `a rectangle within ${image.width} x ${image.height}`, `${width} x ${height} at ${left}, ${top}`, "Change the crop.");
  const cut = <T extends Uint8Array | Float32Array>(from: T, to: T): T => {
    for (let y = 0; y < height; y++) to.set(from.subarray(((top + y) * image.width + left) * 3, ((top + y) * image.width + left + width) * 3), y * width * 3);
    return to;
  };
  const bytes = cut(rgb8, new Uint8Array(width * height * 3));
  return { ...file, rgb8: bytes, image: { width, height, data: image.data instanceof Float32Array ? cut(image.data, new Float32Array(width * height * 3)) : bytes } };
}
