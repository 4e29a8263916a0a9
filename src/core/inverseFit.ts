import { fitScaleShift } from "./alignment";
import { unexpected } from "./errors";
import type { DepthKind } from "./semantics";

/*
 * Disparity d and depth z of one scene: 1 / z = s d + t with unknown s and t where the disparity is affine-invariant, and B = k z + c
 * where the depth is. One is brought onto the other by the same formula,
 *   A' = offset + 1 / (scale A + shift),
 *   A disparity, B metric depth   offset = 0; scale, shift = argmin sum (1 / B - scale A - shift)^2 where A > 0 and B > 0, and
 *                                 scale A + shift is at least 1e-3: Marigold's evaluation protocol
 *   A metric depth, B disparity   shift = 0; 1 / scale, offset = argmin sum (B - offset - 1 / (scale A))^2 where A > 0
 *   both affine-invariant         all three: the zero of the depth is arbitrary, so that it has no inverse before its offset is known.
 *                                 argmin sum (B - A')^2 with scale A + shift above 0
 */

/** A' = offset + 1 / (scale A + shift). */
export interface InverseFit {
  readonly scale: number;
  readonly shift: number;
  readonly offset: number;
  /** Which of the three were fitted; the other is 0. */
  readonly fitted: "scale and shift" | "scale and offset" | "all three";
}

/** Least disparity after the fit, in 1 / m. */
const leastDisparity = 1e-3;
/** Pixels by which the place of the pole is found. */
const searchedPixels = 8192;
/** The distance of the pole from the nearest value, as a part of what the values span: powers of ten. */
const poleRange = { from: -3, to: 3, step: 0.25 } as const;

/**
 * Brings disparity onto depth, or depth onto disparity, over the pixels that are finite in both. Throws `bad-argument` for two of one
 * sort, and where A does not fall as B grows, so that one cannot be the inverse of the other.
 */
export function fitInverse(a: Float32Array, aKind: DepthKind, b: Float32Array, bKind: DepthKind): InverseFit {
  if ((aKind === "affine-disparity") === (bKind === "affine-disparity")) throw unexpected("bad-argument", "the maps of an inverse fit", "one disparity and one depth", `${aKind} and ${bKind}`);
  const count = (i: number): boolean => Number.isFinite(a[i]) && Number.isFinite(b[i]);
  if (bKind === "metric-depth") {
    const { scale, shift } = fitScaleShift(a, b.map((depth) => 1 / depth), maskOf(a, (i) => count(i) && a[i] > 0 && b[i] > 0));
    if (!(scale > 0)) throw notInverse();
    return { scale, shift, offset: 0, fitted: "scale and shift" };
  }
  if (aKind === "metric-depth") return { ...hyperbola(a, b, maskOf(a, (i) => count(i) && a[i] > 0), 0), fitted: "scale and offset" };
  const mask = maskOf(a, count);
  return { ...hyperbola(a, b, mask, bestPole(a, b, mask)), fitted: "all three" };
}

/** A'; where scale A + shift is too near 0 it counts as 1e-3 for metric depth, and else has no inverse (NaN). */
export function applyInverse(values: Float32Array, { scale, shift, offset, fitted }: InverseFit): Float32Array {
  const least = fitted === "scale and shift" ? leastDisparity : 0;
  return values.map((value) => {
    const below = scale * value + shift;
    return below > least ? offset + 1 / below : least > 0 && !Number.isNaN(below) ? offset + 1 / least : NaN;
  });
}

function maskOf(values: Float32Array, counts: (i: number) => boolean): Uint8Array {
  return new Uint8Array(values.length).map((_, i) => (counts(i) ? 1 : 0));
}

/** offset + k / (A - pole), the least squares fit for a given pole. */
function hyperbola(a: Float32Array, b: Float32Array, mask: Uint8Array, pole: number): { readonly scale: number; readonly shift: number; readonly offset: number } {
  const inverse = new Float32Array(a.length);
  for (let i = 0; i < inverse.length; i++) if (mask[i]) inverse[i] = 1 / (a[i] - pole);
  const { scale: k, shift: offset } = fitScaleShift(inverse, b, mask);
  if (!(k > 0)) throw notInverse();
  return { scale: 1 / k, shift: -pole / k, offset };
}

/** The pole below all values of A with the least squares; beyond a thousand times their span the curve is a straight line. */
function bestPole(a: Float32Array, b: Float32Array, mask: Uint8Array): number {
  const used = mask.reduce((count, counts) => count + counts, 0);
  const every = Math.max(1, Math.ceil(used / searchedPixels)) | 1;
  const [x, y]: [number[], number[]] = [[], []];
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0, nth = 0; i < a.length; i++) {
    if (!mask[i]) continue;
    low = Math.min(low, a[i]);
    high = Math.max(high, a[i]);
    if (nth++ % every !== 0) continue;
    x.push(a[i]);
    y.push(b[i]);
  }
  if (!(high > low)) throw notInverse();
  const poleAt = (power: number): number => low - (high - low) * 10 ** power;
  const error = (power: number): number => squaresLeft(x, y, poleAt(power));
  const powers = Array.from({ length: 1 + (poleRange.to - poleRange.from) / poleRange.step }, (_, i) => poleRange.from + i * poleRange.step);
  const errors = powers.map(error);
  const best = powers[errors.indexOf(Math.min(...errors))];
  return poleAt(leastBetween(error, best - poleRange.step, best + poleRange.step));
}

/** Of the straight line through (1 / (x - pole), y). */
function squaresLeft(x: readonly number[], y: readonly number[], pole: number): number {
  const inverse = x.map((value) => 1 / (value - pole));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [inverseMean, yMean] = [mean(inverse), mean(y)];
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < y.length; i++) {
    const [u, v] = [inverse[i] - inverseMean, y[i] - yMean];
    xx += u * u;
    xy += u * v;
    yy += v * v;
  }
  // A curve that grows with A is no inverse.
  return xy > 0 ? yy - (xy * xy) / xx : yy;
}

/** Golden section search: where a function with one valley between `from` and `to` is least. */
function leastBetween(value: (at: number) => number, from: number, to: number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  for (let i = 0; i < 40; i++) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (value(left) < value(right)) high = right;
    else low = left;
  }
  return (low + high) / 2;
}

function notInverse(): Error {
  return unexpected("bad-argument", "map A", "values that fall as those of B grow", "values that do not", "One of the two is disparity, the inverse of depth: these two do not show one scene. Compare each of them with ground truth instead.");
}
