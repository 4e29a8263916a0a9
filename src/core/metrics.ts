import { alignDepth, type ScaleShift } from "./alignment";
import { unexpected } from "./errors";
import { angleBetween } from "./normals";

/*
 * Depth: Marigold's evaluation protocol, one image at a time, then the mean over images.
 *   d   aligned prediction in metres      g   ground truth in metres      n   valid pixels
 * Normals: the protocol of DSINE, statistics over the errors of all images pooled.
 */

/** Depth errors of one image; all NaN without a valid pixel. */
export interface DepthMetrics {
  /** mean |d - g| / g */
  readonly absRel: number;
  /** mean (d - g)^2 / g */
  readonly sqRel: number;
  /** sqrt mean (d - g)^2, metres */
  readonly rmse: number;
  /** sqrt mean (ln d - ln g)^2 */
  readonly rmseLog: number;
  /** mean |log10 d - log10 g| */
  readonly log10: number;
  /** Share of pixels with max(d / g, g / d) strictly below 1.25, its square, its cube. */
  readonly delta1: number;
  readonly delta2: number;
  readonly delta3: number;
  /** sqrt mean (1/d - 1/g)^2, 1/metres */
  readonly irmse: number;
  /** 100 sqrt (mean e^2 - (mean e)^2), e = ln d - ln g */
  readonly silog: number;
}

/** Angular errors in degrees; `below` are percentages of pixels strictly below so many degrees. NaN without a pixel. */
export interface NormalsMetrics {
  readonly mean: number;
  readonly median: number;
  readonly rmse: number;
  readonly below: Readonly<Record<"5" | "7.5" | "11.25" | "22.5" | "30", number>>;
}

/** How a prediction becomes comparable with ground truth. */
export interface DepthEvaluation {
  /** `none` for metric depth. */
  readonly alignment: "depth" | "disparity" | "none";
  /** Valid range of the data set in metres; the aligned prediction is clipped to it. */
  readonly minDepth: number;
  readonly maxDepth: number;
  /**
   * Fits on every few columns only, where the map is larger than this. As in the official code, which means to shrink
   * the map but reduces its width alone.
   */
  readonly alignmentMaxResolution?: number;
}

/** The result of `evaluateDepth`. `aligned` is depth in metres after clipping; scale and shift are absent without alignment. */
export interface EvaluatedDepth extends Partial<ScaleShift> {
  readonly aligned: Float32Array;
  readonly metrics: DepthMetrics;
}

/** Aligns, clips to the range and to at least 1e-6, and measures over the pixels where `mask` is not 0. */
export function evaluateDepth(prediction: Float32Array, truth: Float32Array, mask: ArrayLike<number>, width: number, how: DepthEvaluation): EvaluatedDepth {
  if (prediction.length !== truth.length || mask.length !== truth.length) {
    throw unexpected("bad-argument", "depth to evaluate", `${truth.length} prediction and mask values`, `${prediction.length} and ${mask.length}`);
  }
  const { depth, ...fit } = alignedDepth(prediction, truth, mask, width, how);
  const aligned = depth.map((value) => Math.max(1e-6, Math.min(how.maxDepth, Math.max(how.minDepth, value))));
  return { ...fit, aligned, metrics: depthMetrics(aligned, truth, mask) };
}

function alignedDepth(prediction: Float32Array, truth: Float32Array, mask: ArrayLike<number>, width: number, how: DepthEvaluation): Partial<ScaleShift> & { depth: Float32Array } {
  if (how.alignment === "none") return { depth: prediction };
  const factor = (how.alignmentMaxResolution ?? Infinity) / Math.max(width, truth.length / width);
  if (factor >= 1) return alignDepth(how.alignment, prediction, truth, mask);
  const chosen = new Uint8Array(width);
  for (let x = 0; x < Math.floor(width * factor); x++) chosen[Math.min(width - 1, Math.floor(Math.fround(x * Math.fround(1 / factor))))] = 1;
  const some = new Uint8Array(mask.length).map((_, i) => (mask[i] ? chosen[i % width] : 0));
  return alignDepth(how.alignment, prediction, truth, some);
}

/** Errors of a depth map in metres, without alignment or clipping. */
export function depthMetrics(depth: Float32Array, truth: Float32Array, mask: ArrayLike<number>): DepthMetrics {
  const sums = { n: 0, absRel: 0, sqRel: 0, square: 0, log: 0, logSquare: 0, log10: 0, inverseSquare: 0, delta: [0, 0, 0] };
  for (let i = 0; i < depth.length; i++) {
    if (!mask[i]) continue;
    const d = depth[i];
    const g = truth[i];
    const log = Math.log(d) - Math.log(g);
    sums.n++;
    sums.absRel += Math.abs(d - g) / g;
    sums.sqRel += (d - g) ** 2 / g;
    sums.square += (d - g) ** 2;
    sums.log += log;
    sums.logSquare += log * log;
    sums.log10 += Math.abs(log) / Math.LN10;
    sums.inverseSquare += (1 / d - 1 / g) ** 2;
    const ratio = Math.max(d / g, g / d);
    for (let k = 0; k < 3; k++) if (ratio < 1.25 ** (k + 1)) sums.delta[k]++;
  }
  const { n } = sums;
  return {
    absRel: sums.absRel / n,
    sqRel: sums.sqRel / n,
    rmse: Math.sqrt(sums.square / n),
    rmseLog: Math.sqrt(sums.logSquare / n),
    log10: sums.log10 / n,
    delta1: sums.delta[0] / n,
    delta2: sums.delta[1] / n,
    delta3: sums.delta[2] / n,
    irmse: Math.sqrt(sums.inverseSquare / n),
    silog: 100 * Math.sqrt(atLeastZero(sums.logSquare / n - (sums.log / n) ** 2)),
  };
}

/** The mean over images of each metric. */
export function meanDepthMetrics(images: readonly DepthMetrics[]): DepthMetrics {
  const mean = (key: keyof DepthMetrics) => images.reduce((sum, image) => sum + image[key], 0) / images.length;
  return {
    absRel: mean("absRel"),
    sqRel: mean("sqRel"),
    rmse: mean("rmse"),
    rmseLog: mean("rmseLog"),
    log10: mean("log10"),
    delta1: mean("delta1"),
    delta2: mean("delta2"),
    delta3: mean("delta3"),
    irmse: mean("irmse"),
    silog: mean("silog"),
  };
}

/**
 * Angles in degrees between interleaved normals (any length) at the pixels where `mask` is not 0, in their order.
 * A zero vector counts as 90 degrees off, as a cosine similarity of 0 does. Concatenate the results of several images
 * to pool them.
 */
export function normalsErrors(prediction: Float32Array, truth: Float32Array, mask: ArrayLike<number>): Float32Array {
  if (prediction.length !== truth.length || prediction.length !== 3 * mask.length) {
    throw unexpected("bad-argument", "normals to evaluate", `${3 * mask.length} values each`, `${prediction.length} and ${truth.length}`);
  }
  const errors: number[] = [];
  for (let p = 0; p < mask.length; p++) {
    if (!mask[p]) continue;
    const zero = isZero(prediction, 3 * p) || isZero(truth, 3 * p);
    errors.push(zero ? 90 : (angleBetween(prediction, 3 * p, truth, 3 * p) * 180) / Math.PI);
  }
  return Float32Array.from(errors);
}

/** Statistics of angular errors in degrees. */
export function normalsMetrics(errorsDegrees: Float32Array): NormalsMetrics {
  const sorted = errorsDegrees.slice().sort();
  const n = sorted.length;
  let sum = 0;
  let squares = 0;
  for (const error of sorted) {
    sum += error;
    squares += error * error;
  }
  const middle = (n - 1) / 2;
  const below = (limit: number) => (100 * sorted.reduce((count, error) => count + (error < limit ? 1 : 0), 0)) / n;
  return {
    mean: sum / n,
    median: n === 0 ? NaN : (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    rmse: Math.sqrt(squares / n),
    below: { "5": below(5), "7.5": below(7.5), "11.25": below(11.25), "22.5": below(22.5), "30": below(30) },
  };
}

/** Rounding may leave a tiny negative; NaN stays. */
function atLeastZero(value: number): number {
  return value < 0 ? 0 : value;
}

function isZero(vectors: Float32Array, i: number): boolean {
  return vectors[i] === 0 && vectors[i + 1] === 0 && vectors[i + 2] === 0;
}
