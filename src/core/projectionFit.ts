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
const maxPixels = 6_000;
const fovLimits = [20, 120] as const;
/** log10 of how far in front of the nearest point the camera is, in extents of the scene. */
const placeLimits = [-2.5, 2] as const;

/**
 * The field of view and the shift at which the normals of the unprojected depth come closest, in their mean angle, to
 * `normals` (RUB, same size). Normals do not depend on the size of a scene, so of scale and shift only their ratio
 * matters: `scaling.scale` is kept. Metric depth keeps its shift too. Each field of view is judged with the shift that
 * suits it best, since the two can stand in for each other. Undefined where fewer than 100 pixels have a value in both.
 */
export function fitProjection(prediction: FloatMap, normals: FloatMap, scaling: DepthScaling): ProjectionFit | undefined {
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
  const best = (fov: number): { readonly at: number; readonly worth: number } =>
    scaling.depthKind === "metric-depth" ? { at: NaN, worth: angleAt(fov, scaling.shift) } : minimum((place) => angleAt(fov, shiftAt(place)), ...placeLimits);
  const { at: fov, worth } = minimum((candidate) => best(candidate).worth, ...fovLimits);
  const place = best(fov).at;
  return Number.isFinite(worth) ? { fovDegrees: fov, scale: scaling.scale, shift: Number.isNaN(place) ? scaling.shift : shiftAt(place), meanAngle: worth } : undefined;
}

/** Where f is smallest: the best of 11 places, then of its neighbours at half the distance each time. NaN counts as worst. */
function minimum(f: (x: number) => number, low: number, high: number): { readonly at: number; readonly worth: number } {
  const gap = (high - low) / 10;
  let best = { at: low, worth: Infinity };
  const consider = (x: number): void => {
    const worth = x >= low && x <= high ? f(x) : NaN;
    if (worth < best.worth) best = { at: x, worth };
  };
  for (let k = 0; k <= 10; k++) consider(low + k * gap);
  for (let half = gap / 2; half > gap / 200; half /= 2) for (const x of [best.at - half, best.at + half]) consider(x);
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
