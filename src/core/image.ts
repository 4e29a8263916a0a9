import { unexpected } from "./errors";
import { tensor, type Tensor } from "./tensor";

/**
 * An RGB image, interleaved H x W x 3. `Uint8Array` holds 0..255 as decoded; `Float32Array` holds 0..255 too,
 * with fractions (16-bit sources keep their precision: 65535 -> 255).
 */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Float32Array;
}

/** A part of an image, in pixels of the upright image. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A map of floats, interleaved H x W x C: depth, disparity or standard deviation (C = 1), normals (C = 3).
 * This is the layout of .npy files and of GPU textures; networks use planar NCHW tensors.
 */
export interface FloatMap {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Float32Array;
}

/** Planar [1, C, H, W] from interleaved H x W x C. */
export function tensorFromMap(map: FloatMap): Tensor {
  const { width, height, channels, data } = map;
  const plane = width * height;
  const out = new Float32Array(plane * channels);
  for (let c = 0; c < channels; c++) for (let p = 0; p < plane; p++) out[c * plane + p] = data[p * channels + c];
  return tensor(out, [1, channels, height, width]);
}

/**
 * Interleaved H x W x C from image n of a planar [N, C, H, W] tensor, C = 1 or 3.
 * Throws `bad-tensor` for any other shape.
 */
export function mapFromTensor(planar: Tensor, n = 0): FloatMap {
  const [count, channels, height, width] = planar.dims;
  if (planar.dims.length !== 4 || (channels !== 1 && channels !== 3) || !(n >= 0 && n < count)) {
    throw unexpected("bad-tensor", "map tensor", `shape [more than ${n}, 1 or 3, H, W]`, `[${planar.dims.join(", ")}]`);
  }
  const plane = width * height;
  const start = n * channels * plane;
  const data = new Float32Array(plane * channels);
  for (let c = 0; c < channels; c++) for (let p = 0; p < plane; p++) data[p * channels + c] = planar.data[start + c * plane + p];
  return { width, height, channels, data };
}
