import { depthZMap, pinholeFromFov, strideFor, thinnedMap, thinnedPinhole, type DepthScaling } from "./camera";
import type { FloatMap } from "./image";
import { angleBetween } from "./normals";
import { normalsFromDepth } from "./normalsFromDepth";

/** What turns a prediction into points, and how far their normals then are from predicted ones. */
export interface ProjectionFit {
  readonly fovDegrees: number;
  readonly scale: number;
  readonly shift: number;
  /** Mean angle over the pixels looked at, in radians. */
  readonly meanAngle: number;
}

/** Pixels looked at: enough for a mean, few enough for a search of some hundred evaluations. */
const maxPixels = 12_000;
const fovLimits = [20, 120] as const;

/**
 * The field of view and the shift at which the normals of the unprojected depth come closest, in their mean angle, to
 * `normals` (RUB, same size). Normals do not depend on the size of a scene, so of scale and shift only their ratio
 * matters: `scaling.scale` is kept. Metric depth keeps its shift too. Both unknowns are searched in turn, on a coarse
 * row of candidates and then by halving intervals. Undefined where fewer than 100 pixels have a value in both.
 */
export function fitProjection(prediction: FloatMap, normals: FloatMap, scaling: DepthScaling, fovDegrees: number): ProjectionFit | undefined {
  const stride = strideFor(prediction, maxPixels);
  const [thinDepth, thinNormals] = [thinnedMap(prediction, stride), thinnedMap(normals, stride)];
  const angleAt = (fov: number, shift: number): number => {
    const pinhole = thinnedPinhole(pinholeFromFov(prediction, fov), stride);
    return meanAngle(normalsFromDepth(depthZMap(thinDepth, { ...scaling, shift }), pinhole), thinNormals);
  };
  const values = thinDepth.data.filter((value) => Number.isFinite(value)).sort();
  if (values.length < 100) return undefined;
  const [low, high] = [values[0], values[values.length - 1]];
  const extent = Math.abs(scaling.scale) * (high - low) || 1;
  // shift = nearest + extent * 10^place keeps scale * d + shift positive for every value.
  const nearest = -Math.min(scaling.scale * low, scaling.scale * high);
  const shiftAt = (place: number): number => nearest + extent * 10 ** place;
  let fov = fovDegrees;
  let place: number | undefined;
  const shift = (): number => (place === undefined ? scaling.shift : shiftAt(place));
  for (let round = 0; round < 3; round++) {
    if (scaling.depthKind !== "metric-depth") place = minimum((candidate) => angleAt(fov, shiftAt(candidate)), -2.5, 2);
    fov = minimum((candidate) => angleAt(candidate, shift()), ...fovLimits);
  }
  const best = angleAt(fov, shift());
  return Number.isFinite(best) ? { fovDegrees: fov, scale: scaling.scale, shift: shift(), meanAngle: best } : undefined;
}

/** Where f is smallest: the best of 13 places, then six times the better half around it. NaN counts as worst. */
function minimum(f: (x: number) => number, low: number, high: number): number {
  const worth = (x: number): number => {
    const value = f(x);
    return Number.isNaN(value) ? Infinity : value;
  };
  const gap = (high - low) / 12;
  let best = low;
  let bestWorth = Infinity;
  const consider = (x: number): void => {
    const found = worth(x);
    if (found < bestWorth) [best, bestWorth] = [x, found];
  };
  for (let k = 0; k <= 12; k++) consider(low + k * gap);
  for (let half = gap / 2, k = 0; k < 6; k++, half /= 2) for (const x of [best - half, best + half]) if (x >= low && x <= high) consider(x);
  return best;
}

function meanAngle(a: FloatMap, b: FloatMap): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < a.data.length; i += 3) {
    const angle = angleBetween(a.data, i, b.data, i);
    if (Number.isNaN(angle)) continue;
    sum += angle;
    count++;
  }
  return count >= 100 ? sum / count : NaN;
}
