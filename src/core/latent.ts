import { unexpected } from "./errors";
import { mapFromTensor, type FloatMap, type RgbImage } from "./image";
import { normalized } from "./normals";
import { resizeFloats } from "./resize";
import { tensor, type Tensor } from "./tensor";

/*
 * What goes into the VAE and what its output means (E2E-FT paper, section 3.1).
 * N images, h x w latent size, H x W pixels.
 */

/** Encoder input [1, 3, H, W] in -1..1 from an image of 0..255. */
export function encoderInput(image: RgbImage): Tensor {
  const { width, height, data } = image;
  const plane = width * height;
  const out = new Float32Array(plane * 3);
  for (let p = 0; p < plane; p++) {
    for (let c = 0; c < 3; c++) out[c * plane + p] = (data[p * 3 + c] / 255) * 2 - 1;
  }
  return tensor(out, [1, 3, height, width]);
}

/** What is done to an image before CLIP sees it: brought to this size, aspect ratio not kept, then (0..1 - mean) / std. */
export interface ClipPreprocessing {
  readonly width: number;
  readonly height: number;
  /** By channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * CLIP's `pixel_values` [1, 3, S, S] of an encoder input [1, 3, H, W] in -1..1, as GeoWizard makes them: antialiased bicubic in
 * float, not clipped where it overshoots.
 */
export function clipInput({ dims: [, channels, height, width], data }: Tensor, clip: ClipPreprocessing): Tensor {
  const area = clip.width * clip.height;
  const out = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++) {
    const plane = data.subarray(c * width * height, (c + 1) * width * height).map((value) => (value + 1) / 2);
    const resized = resizeFloats(plane, { width, height }, 1, clip, "bicubic");
    out.set(resized.map((value) => (value - clip.mean[c]) / clip.std[c]), c * area);
  }
  return tensor(out, [1, channels, clip.height, clip.width]);
}

/**
 * The image's latent [N, 4, h, w]: the mean of the encoder's moments [N, 8, h, w] (the log-variance, channels 4..7,
 * is not sampled) times the VAE's scaling factor. Throws `bad-tensor` for an odd number of channels.
 */
export function latentFromMoments(moments: Tensor, scalingFactor: number): Tensor {
  const [count, channels, height, width] = moments.dims;
  if (moments.dims.length !== 4 || channels % 2 !== 0) {
    throw unexpected("bad-tensor", "encoder moments", "shape [N, 8, h, w]", `[${moments.dims.join(", ")}]`);
  }
  const length = (channels / 2) * height * width;
  const out = new Float32Array(count * length);
  for (let n = 0; n < count; n++) out.set(moments.data.subarray(2 * n * length, (2 * n + 1) * length), n * length);
  return tensor(scaled(out, scalingFactor), [count, channels / 2, height, width]);
}

/** Decoder input: the latent without the VAE's scaling factor. */
export function decoderInput(latent: Tensor, scalingFactor: number): Tensor {
  return tensor(scaled(latent.data, 1 / scalingFactor), latent.dims);
}

/** Depth 0..1 (affine-invariant, larger = farther) of image n of a decoded [N, C, H, W]: mean over C, clipped to -1..1. */
export function depthFromDecoded(decoded: Tensor, n = 0): FloatMap {
  const mean = meanOverChannels(decoded, n);
  return { ...mean, data: mean.data.map((value) => (Math.min(1, Math.max(-1, value)) + 1) / 2) };
}

/** The mean over the channels of image n of a decoded [N, C, H, W]. */
export function meanOverChannels(decoded: Tensor, n = 0): FloatMap {
  const [, channels, height, width] = decoded.dims;
  const plane = height * width;
  const start = n * channels * plane;
  const data = new Float32Array(plane);
  for (let p = 0; p < plane; p++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += decoded.data[start + c * plane + p];
    data[p] = sum / channels;
  }
  return { width, height, channels: 1, data };
}

/** Normals of image n of a decoded [N, 3, H, W] in the checkpoint's own frame, x / (|x| + 1e-5) as Marigold does. */
export function normalsFromDecoded(decoded: Tensor, n = 0): FloatMap {
  return normalized(mapFromTensor(decoded, n), "marigold");
}

/** (x - min) / (max - min) over all finite values: Marigold's last step for a depth map. A flat map becomes 0 everywhere. */
export function minMaxNormalized(map: FloatMap): FloatMap {
  let low = Infinity;
  let high = -Infinity;
  for (const value of map.data) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const span = high - low;
  return { ...map, data: map.data.map((value) => (Number.isFinite(value) ? (span > 0 ? (value - low) / span : 0) : value)) };
}

function scaled(data: Float32Array, factor: number): Float32Array {
  return data.map((value) => value * factor);
}
