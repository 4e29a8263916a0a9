import { unexpected } from "./errors";
import type { FloatMap, RgbImage } from "./image";

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Sampling rules, all with pixel centres at half-integers (PyTorch's `align_corners=False`):
 * `bilinear` and `bicubic` widen the kernel when shrinking (`interpolate(..., antialias=True)`, Pillow's filters);
 * `bilinear-no-antialias` always blends two neighbours and `bicubic-no-antialias` four (OpenCV's INTER_LINEAR and INTER_CUBIC);
 * `nearest` and `nearest-exact` are PyTorch's modes.
 */
export type ResizeFilter = "bilinear" | "bicubic" | "bilinear-no-antialias" | "bicubic-no-antialias" | "nearest" | "nearest-exact";

/** Contributions along one axis: output i = sum over k < counts[i] of weights[i * stride + k] * input[starts[i] + k]. */
interface Taps {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Float64Array;
  readonly stride: number;
}

/** Resizes a float map; the values are not clipped (bicubic may overshoot) and normals are not renormalised. */
export function resizeMap(map: FloatMap, size: Size, filter: ResizeFilter): FloatMap {
  return { ...size, channels: map.channels, data: resizeFloats(map.data, map, map.channels, size, filter) };
}

/** Resizes an image to unrounded floats, 0..255 (bicubic may overshoot). */
export function resizeRgb(image: RgbImage, size: Size, filter: ResizeFilter): RgbImage {
  return { ...size, data: resizeFloats(image.data, image, 3, size, filter) };
}

/** Resizes an image and rounds to whole grey levels 0..255, as torchvision does with a uint8 tensor. */
export function resizeRgbToBytes(image: RgbImage, size: Size, filter: ResizeFilter): RgbImage {
  return { ...size, data: bytesFrom(resizeFloats(image.data, image, 3, size, filter)) };
}

/** Pillow's `Image.resize`: like the filter of the same name here, but rounded to bytes between the two passes. */
export function resizeRgbPillow(image: RgbImage, size: Size, filter: "bilinear" | "bicubic" = "bicubic"): RgbImage {
  const halfway = { width: size.width, height: image.height };
  const halfUp = (data: Float32Array) => bytesFrom(data.map((value) => Math.floor(value + 0.5)));
  const rows = halfUp(resizeFloats(image.data, image, 3, halfway, filter));
  return { ...size, data: halfUp(resizeFloats(rows, halfway, 3, size, filter)) };
}

/**
 * Resizes interleaved data H x W x C, columns first, then rows; an axis that keeps its length is left untouched.
 * Throws `bad-argument` for an empty size and `bad-image` when data and size disagree.
 */
export function resizeFloats(data: Uint8Array | Float32Array, from: Size, channels: number, to: Size, filter: ResizeFilter): Float32Array {
  requireSize("output size", to);
  if (data.length !== from.width * from.height * channels || data.length === 0) {
    throw unexpected("bad-image", "image data", `${from.width} x ${from.height} x ${channels} values`, data.length);
  }
  const columns = from.width === to.width ? data : resampleColumns(data, from, channels, axisTaps(from.width, to.width, filter));
  if (from.height === to.height) return columns === data ? Float32Array.from(data) : (columns as Float32Array);
  return resampleRows(columns, to.width * channels, axisTaps(from.height, to.height, filter));
}

/**
 * Processing size of the E2E-FT and Marigold code (`resize_max_res`): both sides times maxEdge / longest side,
 * truncated. In double arithmetic the longest side itself may come out one short (412 -> 511 for 512), as upstream.
 * maxEdge 0 keeps the size. A side never falls below 1.
 */
export function maxEdgeSize(size: Size, maxEdge: number): Size {
  requireSize("image size", size);
  if (maxEdge === 0) return { width: size.width, height: size.height };
  const factor = Math.min(maxEdge / size.width, maxEdge / size.height);
  return { width: Math.max(1, Math.trunc(size.width * factor)), height: Math.max(1, Math.trunc(size.height * factor)) };
}

/** Processing size of diffusers (`resize_to_max_edge`): the same in whole numbers, so the longest side is exactly maxEdge. */
export function maxEdgeSizeExact(size: Size, maxEdge: number): Size {
  requireSize("image size", size);
  if (maxEdge === 0) return { width: size.width, height: size.height };
  const longest = Math.max(size.width, size.height);
  const scaled = (side: number) => Math.max(1, Math.floor((side * maxEdge) / longest));
  return { width: scaled(size.width), height: scaled(size.height) };
}

/** The size with each side rounded up to a multiple. */
export function paddedSize(size: Size, multiple: number): Size {
  const up = (side: number) => Math.ceil(side / multiple) * multiple;
  return { width: up(size.width), height: up(size.height) };
}

/** Extends interleaved data to the right and the bottom by repeating the last column and row. */
export function padEdge(data: Float32Array, from: Size, channels: number, to: Size): Float32Array {
  const out = new Float32Array(to.width * to.height * channels);
  for (let y = 0; y < to.height; y++) {
    const source = Math.min(y, from.height - 1) * from.width;
    for (let x = 0; x < to.width; x++) {
      const s = (source + Math.min(x, from.width - 1)) * channels;
      for (let c = 0; c < channels; c++) out[(y * to.width + x) * channels + c] = data[s + c];
    }
  }
  return out;
}

/** The top left part of a map: takes the padding off again. */
export function cropMap(map: FloatMap, size: Size): FloatMap {
  if (size.width > map.width || size.height > map.height) {
    throw unexpected("bad-argument", "crop size", `at most ${map.width} x ${map.height}`, `${size.width} x ${size.height}`);
  }
  const row = size.width * map.channels;
  const data = new Float32Array(row * size.height);
  for (let y = 0; y < size.height; y++) {
    const start = y * map.width * map.channels;
    data.set(map.data.subarray(start, start + row), y * row);
  }
  return { ...size, channels: map.channels, data };
}

function axisTaps(from: number, to: number, filter: ResizeFilter): Taps {
  switch (filter) {
    case "bilinear":
      return antialiasedTaps(from, to, 1, triangle);
    case "bicubic":
      return antialiasedTaps(from, to, 2, (x) => cubic(x));
    case "bilinear-no-antialias":
      return pairTaps(from, to);
    case "bicubic-no-antialias":
      return quadTaps(from, to);
    case "nearest":
      return nearestTaps(from, to, 0);
    case "nearest-exact":
      return nearestTaps(from, to, 0.5);
  }
}

/** Triangle kernel of bilinear interpolation, support 1. */
function triangle(x: number): number {
  return Math.max(0, 1 - Math.abs(x));
}

/** Keys' cubic convolution kernel, support 2; a = -0.5 in Pillow, and in PyTorch where it antialiases. */
function cubic(x: number, a = -0.5): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

/** Kernel stretched by the scale when shrinking, weights normalised to sum 1 at the borders too. */
function antialiasedTaps(from: number, to: number, radius: number, kernel: (x: number) => number): Taps {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = radius * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const taps = { starts: new Int32Array(to), counts: new Int32Array(to), weights: new Float64Array(to * stride), stride };
  for (let i = 0; i < to; i++) {
    const centre = scale * (i + 0.5);
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(from, Math.trunc(centre + support + 0.5)) - start;
    let total = 0;
    for (let k = 0; k < count; k++) {
      const weight = kernel((start + k + 0.5 - centre) / stretch);
      taps.weights[i * stride + k] = weight;
      total += weight;
    }
    for (let k = 0; k < count; k++) taps.weights[i * stride + k] /= total;
    taps.starts[i] = start;
    taps.counts[i] = count;
  }
  return taps;
}

/** Two neighbours, whatever the scale. */
function pairTaps(from: number, to: number): Taps {
  const taps = { starts: new Int32Array(to), counts: new Int32Array(to), weights: new Float64Array(to * 2), stride: 2 };
  for (let i = 0; i < to; i++) {
    const centre = Math.max(0, (from / to) * (i + 0.5) - 0.5);
    const start = Math.min(Math.floor(centre), from - 1);
    const fraction = centre - start;
    taps.starts[i] = start;
    taps.counts[i] = start + 1 < from ? 2 : 1;
    taps.weights.set(start + 1 < from ? [1 - fraction, fraction] : [1, 0], i * 2);
  }
  return taps;
}

/** Four neighbours, whatever the scale; beyond the border its own value counts again. Keys' kernel with a = -0.75. */
function quadTaps(from: number, to: number): Taps {
  const taps = { starts: new Int32Array(to), counts: new Int32Array(to), weights: new Float64Array(to * 4), stride: 4 };
  for (let i = 0; i < to; i++) {
    const centre = (from / to) * (i + 0.5) - 0.5;
    const first = Math.floor(centre) - 1;
    const start = Math.min(Math.max(first, 0), from - 1);
    const end = Math.min(Math.max(first + 3, 0), from - 1);
    for (let k = 0; k < 4; k++) {
      const source = Math.min(Math.max(first + k, 0), from - 1);
      taps.weights[i * 4 + source - start] += cubic(first + k - centre, -0.75);
    }
    taps.starts[i] = start;
    taps.counts[i] = end - start + 1;
  }
  return taps;
}

/** floor((i + offset) * scale), in float32 like PyTorch so that ties fall on the same side. */
function nearestTaps(from: number, to: number, offset: number): Taps {
  const scale = Math.fround(from / to);
  const starts = Int32Array.from({ length: to }, (_, i) => Math.min(from - 1, Math.floor(Math.fround((i + offset) * scale))));
  return { starts, counts: new Int32Array(to).fill(1), weights: new Float64Array(to).fill(1), stride: 1 };
}

function resampleColumns(data: Uint8Array | Float32Array, from: Size, channels: number, taps: Taps): Float32Array {
  const width = taps.starts.length;
  const out = new Float32Array(from.height * width * channels);
  for (let y = 0, o = 0; y < from.height; y++) {
    const row = y * from.width * channels;
    for (let x = 0; x < width; x++) {
      const first = row + taps.starts[x] * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0, s = first + c; k < taps.counts[x]; k++, s += channels) sum += taps.weights[x * taps.stride + k] * data[s];
        out[o++] = sum;
      }
    }
  }
  return out;
}

/** Adds whole rows, so that memory is walked in order. */
function resampleRows(data: Uint8Array | Float32Array, rowLength: number, taps: Taps): Float32Array {
  const height = taps.starts.length;
  const out = new Float32Array(height * rowLength);
  const sums = new Float64Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = 0; k < taps.counts[y]; k++) {
      const weight = taps.weights[y * taps.stride + k];
      const row = (taps.starts[y] + k) * rowLength;
      for (let x = 0; x < rowLength; x++) sums[x] += weight * data[row + x];
    }
    out.set(sums, y * rowLength);
  }
  return out;
}

function bytesFrom(data: Float32Array): Uint8Array {
  // Uint8ClampedArray rounds half to even and clips, which is what torch.round and clamp do.
  return new Uint8Array(Uint8ClampedArray.from(data).buffer);
}

function requireSize(name: string, size: Size): void {
  const whole = (side: number) => Number.isInteger(side) && side > 0;
  if (!whole(size.width) || !whole(size.height)) {
    throw unexpected("bad-argument", name, "a width and a height of at least 1 pixel", `${size.width} x ${size.height}`);
  }
}
