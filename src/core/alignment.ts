import { unexpected } from "./errors";

/** y is approximated by scale * x + shift. */
export interface ScaleShift {
  readonly scale: number;
  readonly shift: number;
}

/**
 * Least squares fit of scale * source + shift to target over the pixels where `mask` is not 0 (all without one).
 * Where the system is rank deficient it is the solution of least norm, as LAPACK's: for a constant source c that is
 * (c, 1) * mean(target) / (c^2 + 1), and 0, 0 without any pixel. Sums in float64.
 * Throws `bad-argument` when the lengths differ. NaN in a pixel that counts gives NaN.
 */
export function fitScaleShift(source: Float32Array, target: Float32Array, mask?: ArrayLike<number>): ScaleShift {
  if (source.length !== target.length || (mask && mask.length !== source.length)) {
    throw unexpected("bad-argument", "alignment", `${source.length} target and mask values`, `${target.length} and ${mask?.length ?? "no mask"}`);
  }
  let count = 0;
  let sourceSum = 0;
  let targetSum = 0;
  for (let i = 0; i < source.length; i++) {
    if (mask && !mask[i]) continue;
    count++;
    sourceSum += source[i];
    targetSum += target[i];
  }
  if (count === 0) return { scale: 0, shift: 0 };
  const sourceMean = sourceSum / count;
  const targetMean = targetSum / count;
  let variation = 0;
  let covariation = 0;
  for (let i = 0; i < source.length; i++) {
    if (mask && !mask[i]) continue;
    const centred = source[i] - sourceMean;
    variation += centred * centred;
    covariation += centred * (target[i] - targetMean);
  }
  return solution({ count, sourceMean, targetMean, variation, covariation });
}

/** Centred sums of pairs (x, y): enough for a fit. variation = sum (x - mean x)^2, covariation with y likewise. */
export interface PairSums {
  readonly count: number;
  readonly sourceMean: number;
  readonly targetMean: number;
  readonly variation: number;
  readonly covariation: number;
}

/** The fit of `fitScaleShift` from the sums. */
export function solution({ count, sourceMean, targetMean, variation, covariation }: PairSums): ScaleShift {
  // Rank 1 where the smaller singular value of [x 1] is below eps * count times the larger one (numpy's default):
  // their product squared is count * variation, the sum of their squares is the trace.
  const trace = variation + count * (sourceMean * sourceMean + 1);
  const tolerance = Number.EPSILON * Math.max(count, 2) * trace;
  if (count * variation <= tolerance * tolerance) {
    const norm = sourceMean * sourceMean + 1;
    return { scale: (sourceMean * targetMean) / norm, shift: targetMean / norm };
  }
  const scale = covariation / variation;
  return { scale, shift: targetMean - scale * sourceMean };
}

/** scale * source + shift. */
export function applyScaleShift(source: Float32Array, { scale, shift }: ScaleShift): Float32Array {
  return source.map((value) => value * scale + shift);
}

/**
 * Aligns a prediction to ground truth the way its kind asks for. `depth`: fits depth. `disparity`: fits 1 / truth
 * where prediction and truth are positive, then clips the fitted disparity at 1e-3 and inverts it: the result is depth
 * in either case (Marigold's evaluation protocol).
 */
export function alignDepth(kind: "depth" | "disparity", prediction: Float32Array, truth: Float32Array, mask: ArrayLike<number>): ScaleShift & { readonly depth: Float32Array } {
  if (kind === "depth") {
    const fit = fitScaleShift(prediction, truth, mask);
    return { ...fit, depth: applyScaleShift(prediction, fit) };
  }
  const usable = Uint8Array.from(prediction, (value, i) => (mask[i] && value > 0 && truth[i] > 0 ? 1 : 0));
  const fit = fitScaleShift(prediction, truth.map((depth) => 1 / depth), usable);
  return { ...fit, depth: applyScaleShift(prediction, fit).map((disparity) => 1 / Math.max(disparity, 1e-3)) };
}
