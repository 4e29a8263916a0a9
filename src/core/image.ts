/**
 * An RGB image, interleaved H x W x 3. `Uint8Array` holds 0..255 as decoded; `Float32Array` holds 0..255 too,
 * with fractions (16-bit sources keep their precision: 65535 -> 255).
 */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Float32Array;
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
