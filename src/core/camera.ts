import { unexpected } from "./errors";
import type { FloatMap } from "./image";
import type { DepthKind } from "./semantics";

// A pinhole camera with square pixels and the principal point in the middle of the image. Points are RUB as the
// normals are: x right, y up, z toward the viewer, so what the camera sees has a negative z. "Depth z" below is the
// distance along the optical axis, -z of the point, and positive.

/** Focal length and principal point in pixels; pixel (column, row) has its centre at (column + 0.5, row + 0.5). */
export interface Pinhole {
  readonly focal: number;
  readonly centreX: number;
  readonly centreY: number;
}

/** How a prediction becomes depth z: `scale` and `shift` are what an affine-invariant prediction leaves open. */
export interface DepthScaling {
  readonly depthKind: DepthKind;
  readonly scale: number;
  readonly shift: number;
}

/** The camera whose image of `size` spans `fovDegrees` (more than 0, less than 180) from left to right. */
export function pinholeFromFov({ width, height }: { readonly width: number; readonly height: number }, fovDegrees: number): Pinhole {
  if (!(fovDegrees > 0 && fovDegrees < 180)) throw unexpected("bad-argument", "horizontal field of view", "between 0 and 180 degrees", fovDegrees);
  return { focal: width / 2 / Math.tan((fovDegrees * Math.PI) / 360), centreX: width / 2, centreY: height / 2 };
}

/**
 * Depth z of one predicted value d: scale * d + shift for depth, 1 / (scale * d + shift) for disparity.
 * NaN where that is not a finite distance in front of the camera.
 */
export function depthZ(value: number, { depthKind, scale, shift }: DepthScaling): number {
  const linear = scale * value + shift;
  const z = depthKind === "affine-disparity" ? 1 / linear : linear;
  return z > 0 && Number.isFinite(z) ? z : NaN;
}

/** Depth z of every pixel, H x W x 1; NaN where there is none. */
export function depthZMap(prediction: FloatMap, scaling: DepthScaling): FloatMap {
  if (prediction.channels !== 1) throw unexpected("bad-argument", "depth", "a map of 1 channel", prediction.channels);
  return { ...prediction, data: prediction.data.map((value) => depthZ(value, scaling)) };
}

/** The point that every pixel shows, H x W x 3 in RUB and the units of z; NaN where z is. */
export function unprojected(z: FloatMap, { focal, centreX, centreY }: Pinhole): FloatMap {
  const { width, height } = z;
  const data = new Float32Array(3 * width * height);
  for (let row = 0, p = 0; row < height; row++) {
    for (let column = 0; column < width; column++, p++) {
      data[3 * p] = ((column + 0.5 - centreX) / focal) * z.data[p];
      data[3 * p + 1] = ((centreY - row - 0.5) / focal) * z.data[p];
      data[3 * p + 2] = -z.data[p];
    }
  }
  return { width, height, channels: 3, data };
}

/** The smallest stride at which a map of `size` has at most `maxPixels` pixels. */
export function strideFor({ width, height }: { readonly width: number; readonly height: number }, maxPixels: number): number {
  let stride = 1;
  while (Math.floor(width / stride) * Math.floor(height / stride) > maxPixels) stride++;
  return stride;
}

/** Every `stride`-th pixel, from the middle of each block: values are never blended across the edge of an object. */
export function thinnedMap(map: FloatMap, stride: number): FloatMap {
  if (stride === 1) return map;
  const [width, height] = [Math.floor(map.width / stride), Math.floor(map.height / stride)];
  const first = (stride - 1) >> 1;
  const data = new Float32Array(width * height * map.channels);
  let out = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = ((row * stride + first) * map.width + column * stride + first) * map.channels;
      for (let c = 0; c < map.channels; c++) data[out++] = map.data[from + c];
    }
  }
  return { width, height, channels: map.channels, data };
}

/** The same camera for a map thinned by `stride`: its pixels stay on their rays. */
export function thinnedPinhole({ focal, centreX, centreY }: Pinhole, stride: number): Pinhole {
  const first = (stride - 1) >> 1;
  const place = (centre: number): number => (centre - first - 0.5) / stride + 0.5;
  return { focal: focal / stride, centreX: place(centreX), centreY: place(centreY) };
}
