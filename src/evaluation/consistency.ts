import { depthZMap, pinholeFromFov, strideFor, thinnedMap, thinnedPinhole, type Pinhole } from "../core/camera";
import type { FloatMap } from "../core/image";
import { angleBetween } from "../core/normals";
import { normalsFromDepth } from "../core/normalsFromDepth";
import type { DepthKind } from "../core/semantics";

/*
 * How far predicted normals and those of the predicted depth's surface are apart, at the camera that suits both best; a short form of core's `fitProjection`, which
 * makes a map of normals for each of some hundred cameras, as it is done for thousands of images here.
 *
 * Symbols: d a predicted depth (or disparity), u and v the pixel's offset from the middle (right, down), d_u and d_v its differences to the next pixel,
 * f the focal length in pixels, t the shift. The normal of z = d + t, RUB and of any length, is (f d_u, -f d_v, d + t + u d_u + v d_v), and that of
 * z = 1 / (d + t) is (-f d_u, f d_v, d + t - u d_u - v d_v): five products a pixel, once the differences are known.
 */

/** Pixels of which the angle is told, and of which the camera is chosen. */
const measuredPixels = 6_000;
const searchedPixels = 1_000;
const leastPixels = 100;
const fovLimits = [20, 120] as const;
/** log10 of how far in front of the nearest point the camera is, in extents of the scene. */
const placeLimits = [-2.5, 2] as const;

/** A pixel in six numbers: the normal's parts that f multiplies (x, y), its constant part, and the predicted normal. */
const perPixel = 6;

/**
 * Mean angle in degrees over a grid of at most 6,000 pixels. Of metric depth only the field of view is chosen. Undefined where fewer than 100 pixels have a value in both.
 * `normals` are RUB and of the depth's size.
 */
export function meanNormalsGap(depth: FloatMap, depthKind: DepthKind, normals: FloatMap): number | undefined {
  const stride = strideFor(depth, measuredPixels);
  const [thinDepth, thinNormals] = [thinnedMap(depth, stride), thinnedMap(normals, stride)];
  const pinholeAt = (fov: number): Pinhole => thinnedPinhole(pinholeFromFov(depth, fov), stride);
  const pixels = thinned(pixelsOf(thinDepth, thinNormals, pinholeAt(90), depthKind === "affine-disparity" ? -1 : 1));
  if (pixels.length < leastPixels * perPixel) return undefined;
  const [low, high] = endsOf(thinDepth.data);
  const shiftAt = (place: number): number => ((high - low || 1) * 10 ** place) - low;
  const placeOf = (fov: number): Least => {
    const { focal } = pinholeAt(fov);
    return depthKind === "metric-depth" ? { at: NaN, worth: meanAngle(pixels, focal, 0) } : least((place) => meanAngle(pixels, focal, shiftAt(place)), ...placeLimits);
  };
  const { at: fov } = least((candidate) => placeOf(candidate).worth, ...fovLimits);
  const place = placeOf(fov).at;
  const surface = normalsFromDepth(depthZMap(thinDepth, { depthKind, scale: 1, shift: Number.isNaN(place) ? 0 : shiftAt(place) }), pinholeAt(fov));
  return meanDegrees(surface, thinNormals);
}

/** `sign` is -1 for disparity. Pixels without two neighbours or without a value are left out. */
function pixelsOf({ width, height, data: d }: FloatMap, { data: n }: FloatMap, { centreX, centreY }: Pinhole, sign: 1 | -1): Float64Array {
  const pixels = new Float64Array(perPixel * width * height);
  let end = 0;
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const p = row * width + column;
      const du = smaller(d[p] - d[p - 1], d[p + 1] - d[p]);
      const dv = smaller(d[p] - d[p - width], d[p + width] - d[p]);
      const rest = d[p] + sign * ((column + 0.5 - centreX) * du + (row + 0.5 - centreY) * dv);
      const [x, y, z] = [n[3 * p], n[3 * p + 1], n[3 * p + 2]];
      if (!Number.isFinite(rest + x + y + z)) continue;
      pixels[end] = sign * du;
      pixels[end + 1] = -sign * dv;
      pixels[end + 2] = rest;
      pixels[end + 3] = x;
      pixels[end + 4] = y;
      pixels[end + 5] = z;
      end += perPixel;
    }
  }
  return pixels.subarray(0, end);
}

/** At the edge of an object the smaller difference is the object's own. */
function smaller(before: number, after: number): number {
  return Math.abs(before) < Math.abs(after) || Number.isNaN(after) ? before : after;
}

/** Pixels spread over all of them; all where they are few. */
function thinned(pixels: Float64Array): Float64Array {
  const count = pixels.length / perPixel;
  if (count <= searchedPixels) return pixels;
  const kept = new Float64Array(searchedPixels * perPixel);
  for (let k = 0; k < searchedPixels; k++) {
    const from = Math.floor(((k + 0.5) * count) / searchedPixels) * perPixel;
    kept.set(pixels.subarray(from, from + perPixel), k * perPixel);
  }
  return kept;
}

/** In radians. */
function meanAngle(pixels: Float64Array, f: number, t: number): number {
  let sum = 0;
  for (let i = 0; i < pixels.length; i += perPixel) {
    const x = f * pixels[i];
    const y = f * pixels[i + 1];
    const z = pixels[i + 2] + t;
    const cosine = (x * pixels[i + 3] + y * pixels[i + 4] + z * pixels[i + 5]) / Math.sqrt(x * x + y * y + z * z);
    sum += Math.acos(cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
  }
  return (sum * perPixel) / pixels.length;
}

interface Least {
  readonly at: number;
  readonly worth: number;
}

/** Where f is least: the best of 9 places, then of its neighbours at half the distance each time, four times. NaN counts as worst. */
function least(f: (x: number) => number, low: number, high: number): Least {
  const gap = (high - low) / 8;
  let best: Least = { at: low, worth: Infinity };
  const consider = (x: number): void => {
    const worth = x >= low && x <= high ? f(x) : NaN;
    if (worth < best.worth) best = { at: x, worth };
  };
  for (let k = 0; k <= 8; k++) consider(low + k * gap);
  for (let half = gap / 2; half > gap / 20; half /= 2) for (const x of [best.at - half, best.at + half]) consider(x);
  return best;
}

function endsOf(data: Float32Array): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of data) {
    if (value < low) low = value;
    if (value > high && Number.isFinite(value)) high = value;
  }
  return [low, high];
}

function meanDegrees(a: FloatMap, b: FloatMap): number | undefined {
  let [sum, count] = [0, 0];
  for (let i = 0; i < a.data.length; i += 3) {
    const angle = angleBetween(a.data, i, b.data, i);
    if (Number.isNaN(angle)) continue;
    sum += angle;
    count++;
  }
  return count >= leastPixels ? ((sum / count) * 180) / Math.PI : undefined;
}
