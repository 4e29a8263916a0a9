import { minimizeBfgs } from "./bfgs";
import { unexpected } from "./errors";
import type { FloatMap } from "./image";
import { maxEdgeSizeExact, resizeMap } from "./resize";

/*
 * Ensembling of affine-invariant depth (Marigold section 3.3).
 *   E members d_e of P pixels, aligned a_e = s_e d_e + t_e; prediction m = median or mean over members
 *   r_ij = sqrt mean (a_i - a_j)^2 for i < j
 *   cost = D + lambda (|min m| + |1 - max m|), D = sum of r_ij (diffusers) or sqrt mean r_ij^2 (original Marigold)
 */

/** How members are brought together. */
export interface DepthEnsembleOptions {
  /** Which code's cost: diffusers' `ensemble_depth` or the original Marigold's `ensemble_depths`. */
  readonly cost: "diffusers" | "marigold";
  /** `affine` fits scale and shift of each member, `scale` the scale only. */
  readonly alignment: "affine" | "scale";
  readonly reduction: "median" | "mean";
  /** Members are fitted at most this large (longest side, nearest-exact). */
  readonly maxResolution: number;
  /** lambda: keeps the prediction near 0..1. */
  readonly regularizerStrength: number;
  readonly maxIterations: number;
  readonly tolerance: number;
}

export const defaultDepthEnsemble: DepthEnsembleOptions = {
  cost: "diffusers",
  alignment: "affine",
  reduction: "median",
  maxResolution: 1024,
  regularizerStrength: 0.02,
  // Not to convergence: the cost has a collapsed minimum where all scales go to 0.
  maxIterations: 2,
  tolerance: 1e-3,
};

/** Scales and shifts, one per member. */
export interface EnsembleParameters {
  readonly scales: Float64Array;
  readonly shifts: Float64Array;
}

/** Prediction in 0..1; uncertainty is the median absolute deviation or the sample standard deviation, on that scale. */
export interface DepthEnsemble {
  readonly prediction: FloatMap;
  readonly uncertainty: FloatMap;
  /** max - min of the reduced members before they were rescaled to 0..1. */
  readonly range: number;
}

/** Aligns and combines members (at least one, all of one size). Throws `bad-argument` otherwise. */
export function ensembleDepth(members: readonly FloatMap[], options: DepthEnsembleOptions = defaultDepthEnsemble): DepthEnsemble {
  return combineDepth(members, alignMembers(members, options).parameters, options);
}

/** The fit alone, with the cost before and after. */
export function alignMembers(members: readonly FloatMap[], options: DepthEnsembleOptions): { readonly parameters: EnsembleParameters; readonly initialCost: number; readonly cost: number } {
  requireMembers(members);
  const [{ width, height }] = members;
  const large = Math.max(width, height) > options.maxResolution;
  const size = maxEdgeSizeExact(members[0], options.maxResolution);
  const depths = members.map((member) => (large ? resizeMap(member, size, "nearest-exact") : member).data);
  const start = packed(initialParameters(depths, options.alignment), options.alignment);
  const cost = ensembleCost(depths, options);
  const objective = (x: Float64Array) => cost(unpacked(x, depths.length));
  // Steps are kept well below the parameters' size (about 1), away from the collapsed minimum.
  const minimum = minimizeBfgs((x) => pick(objective(x), options.alignment), start, options.maxIterations, options.tolerance, 0.05);
  return { parameters: unpacked(minimum.x, depths.length), initialCost: objective(start).value, cost: minimum.value };
}

/** Applies the parameters, reduces over members and rescales to 0..1. A flat prediction becomes 0. */
export function combineDepth(members: readonly FloatMap[], { scales, shifts }: EnsembleParameters, options: Pick<DepthEnsembleOptions, "alignment" | "reduction">): DepthEnsemble {
  requireMembers(members);
  const count = members.length;
  const prediction = new Float32Array(members[0].data.length);
  const uncertainty = new Float32Array(prediction.length);
  const values = new Float64Array(count);
  const deviations = new Float64Array(count);
  let low = Infinity;
  let high = -Infinity;
  for (let p = 0; p < prediction.length; p++) {
    for (let e = 0; e < count; e++) values[e] = scales[e] * members[e].data[p] + shifts[e];
    const centre = options.reduction === "mean" ? mean(values) : lowerMedian(values);
    for (let e = 0; e < count; e++) deviations[e] = Math.abs(values[e] - centre);
    uncertainty[p] = options.reduction === "mean" ? sampleDeviation(deviations) : lowerMedian(deviations);
    prediction[p] = centre;
    low = Math.min(low, centre);
    high = Math.max(high, centre);
  }
  if (options.alignment === "scale") low = 0;
  const range = Math.max(high - low, 1e-6);
  const map = (data: Float32Array): FloatMap => ({ ...members[0], data });
  return { prediction: map(prediction.map((v) => (v - low) / range)), uncertainty: map(uncertainty.map((v) => v / range)), range };
}

/** Each member by itself to 0..1 (affine) or to a maximum of 1 (scale). */
function initialParameters(depths: readonly Float32Array[], alignment: "affine" | "scale"): EnsembleParameters {
  const scales = new Float64Array(depths.length);
  const shifts = new Float64Array(depths.length);
  depths.forEach((depth, e) => {
    const low = depth.reduce((a, b) => Math.min(a, b), Infinity);
    const high = depth.reduce((a, b) => Math.max(a, b), -Infinity);
    scales[e] = 1 / Math.max(alignment === "affine" ? high - low : high, 1e-6);
    shifts[e] = alignment === "affine" ? -scales[e] * low : 0;
  });
  return { scales, shifts };
}

/** mean d_i and mean d_i d_j: all that the distances need, however many pixels there are. */
interface Moments {
  readonly first: Float64Array;
  readonly second: Float64Array;
}

function momentsOf(depths: readonly Float32Array[]): Moments {
  const count = depths.length;
  const first = Float64Array.from(depths, (depth) => mean(depth));
  const second = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = i; j < count; j++) {
      let sum = 0;
      for (let p = 0; p < depths[i].length; p++) sum += depths[i][p] * depths[j][p];
      second[i * count + j] = second[j * count + i] = sum / depths[i].length;
    }
  }
  return { first, second };
}

export interface Cost {
  readonly value: number;
  /** Derivatives by s_0..s_E-1, t_0..t_E-1. */
  readonly gradient: Float64Array;
}

/** The cost of the header and its gradient, as a function of the parameters. */
export function ensembleCost(depths: readonly Float32Array[], options: Pick<DepthEnsembleOptions, "cost" | "reduction" | "regularizerStrength">): (parameters: EnsembleParameters) => Cost {
  const moments = momentsOf(depths);
  const strength = options.regularizerStrength;
  return (parameters) => {
    const { value, gradient } = distances(moments, parameters, options.cost);
    const { low, high } = extremes(depths, parameters, options.reduction);
    const add = ({ pixel, members }: Extreme, weight: number) => {
      for (const e of members) {
        gradient[e] += (weight * depths[e][pixel]) / members.length;
        gradient[depths.length + e] += weight / members.length;
      }
    };
    add(low, strength * Math.sign(low.value));
    add(high, strength * Math.sign(high.value - 1));
    return { value: value + strength * (Math.abs(low.value) + Math.abs(1 - high.value)), gradient };
  };
}

/** D and its gradient, from the moments. */
function distances({ first, second }: Moments, { scales: s, shifts: t }: EnsembleParameters, cost: "diffusers" | "marigold"): Cost {
  const count = first.length;
  const pairs = (count * (count - 1)) / 2;
  const gradient = new Float64Array(2 * count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const shift = t[i] - t[j];
      const cross = second[i * count + j];
      // Derivatives of r^2 / 2 by s_i, -s_j and t_i = -t_j.
      const bySi = s[i] * second[i * count + i] - s[j] * cross + shift * first[i];
      const bySj = s[i] * cross - s[j] * second[j * count + j] + shift * first[j];
      const byShift = s[i] * first[i] - s[j] * first[j] + shift;
      const square = Math.max(0, s[i] * bySi - s[j] * bySj + shift * byShift);
      const root = Math.sqrt(square);
      const weight = cost === "marigold" ? 1 : root > 0 ? 1 / root : 0;
      total += cost === "marigold" ? square : root;
      gradient[i] += weight * bySi;
      gradient[j] -= weight * bySj;
      gradient[count + i] += weight * byShift;
      gradient[count + j] -= weight * byShift;
    }
  }
  if (cost === "diffusers") return { value: total, gradient };
  const value = Math.sqrt(total / Math.max(1, pairs));
  return { value, gradient: gradient.map((g) => (value > 0 ? g / (pairs * value) : 0)) };
}

/** An extreme of the prediction, where it is, and the members that determine it there. */
interface Extreme {
  readonly value: number;
  readonly pixel: number;
  readonly members: readonly number[];
}

function extremes(depths: readonly Float32Array[], { scales, shifts }: EnsembleParameters, reduction: "median" | "mean"): { low: Extreme; high: Extreme } {
  const values = new Float64Array(depths.length);
  const alignedAt = (e: number, pixel: number) => scales[e] * depths[e][pixel] + shifts[e];
  let low = { value: Infinity, pixel: 0 };
  let high = { value: -Infinity, pixel: 0 };
  for (let pixel = 0; pixel < depths[0].length; pixel++) {
    for (let e = 0; e < values.length; e++) values[e] = alignedAt(e, pixel);
    const value = reduction === "mean" ? mean(values) : lowerMedian(values);
    if (value < low.value) low = { value, pixel };
    if (value > high.value) high = { value, pixel };
  }
  const withMembers = ({ value, pixel }: { value: number; pixel: number }): Extreme => {
    const all = Array.from(depths.keys());
    return { value, pixel, members: reduction === "mean" ? all : all.filter((e) => alignedAt(e, pixel) === value).slice(0, 1) };
  };
  return { low: withMembers(low), high: withMembers(high) };
}

function packed({ scales, shifts }: EnsembleParameters, alignment: "affine" | "scale"): Float64Array {
  return alignment === "scale" ? scales : Float64Array.of(...scales, ...shifts);
}

function unpacked(x: Float64Array, count: number): EnsembleParameters {
  return { scales: x.slice(0, count), shifts: x.length > count ? x.slice(count) : new Float64Array(count) };
}

/** Drops the derivatives by the shifts where they are fixed at 0. */
function pick({ value, gradient }: Cost, alignment: "affine" | "scale"): Cost {
  return { value, gradient: alignment === "scale" ? gradient.subarray(0, gradient.length / 2) : gradient };
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Sample standard deviation from the distances to the mean; 0 for a single value, where torch gives NaN. */
function sampleDeviation(deviations: Float64Array): number {
  let squares = 0;
  for (let e = 0; e < deviations.length; e++) squares += deviations[e] * deviations[e];
  return deviations.length > 1 ? Math.sqrt(squares / (deviations.length - 1)) : 0;
}

/** torch.median: the lower of the middle two for an even count. Sorts `values` in place (few of them: by insertion). */
function lowerMedian(values: Float64Array): number {
  for (let i = 1; i < values.length; i++) {
    const value = values[i];
    let k = i;
    for (; k > 0 && values[k - 1] > value; k--) values[k] = values[k - 1];
    values[k] = value;
  }
  return values[(values.length - 1) >> 1];
}

function requireMembers(members: readonly FloatMap[]): void {
  if (members.length === 0) throw unexpected("bad-argument", "ensemble", "at least one member", "none");
  const odd = members.find((m) => m.channels !== 1 || m.width !== members[0].width || m.height !== members[0].height);
  if (odd) throw unexpected("bad-argument", "ensemble member", `${members[0].width} x ${members[0].height} x 1`, `${odd.width} x ${odd.height} x ${odd.channels}`);
}
