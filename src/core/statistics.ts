import type { ValueRange } from "./colormap";
import { unexpected } from "./errors";

/*
 * Statistics over the S maps of a run, one map at a time: memory does not depend on S. P pixels.
 *   x_k(p)   value of map k at pixel p       mu(p), sigma(p)   mean and standard deviation over k
 */

/** `population` divides by S, `sample` by S - 1. */
export type Divisor = "population" | "sample";

/** Per-pixel mean and standard deviation of the maps as they are (Welford 1962, in float64). */
export class PixelStatistics {
  #count = 0;
  readonly #mean: Float64Array;
  /** Sum of squared distances from the mean. */
  readonly #squares: Float64Array;

  constructor(readonly length: number) {
    this.#mean = new Float64Array(length);
    this.#squares = new Float64Array(length);
  }

  get count(): number {
    return this.#count;
  }

  /** Takes one more map; its data is not kept. Throws `bad-argument` for another length. */
  add(values: ArrayLike<number>): void {
    this.addTransformed(values, 1, 0);
  }

  /** Takes scale * values + shift. */
  addTransformed(values: ArrayLike<number>, scale: number, shift: number): void {
    requireLength(values, this.length);
    this.#count++;
    for (let p = 0; p < this.length; p++) {
      const value = scale * values[p] + shift;
      const delta = value - this.#mean[p];
      this.#mean[p] += delta / this.#count;
      this.#squares[p] += delta * (value - this.#mean[p]);
    }
  }

  /** NaN before the first map. */
  mean(): Float32Array {
    return this.#count === 0 ? new Float32Array(this.length).fill(NaN) : Float32Array.from(this.#mean);
  }

  /** 0 for a single map with divisor `population`; NaN where the divisor is 0. */
  standardDeviation(divisor: Divisor): Float32Array {
    const n = divisor === "population" ? this.#count : this.#count - 1;
    const out = new Float32Array(this.length);
    for (let p = 0; p < this.length; p++) out[p] = n > 0 ? Math.sqrt(this.#squares[p] / n) : NaN;
    return out;
  }
}

/**
 * The same for affine-invariant depth, where scale and shift of each map mean nothing: every map is aligned to the last
 * one by matching mean and standard deviation over the pixels,
 *   a_k = m_S + s_S (x_k - m_k) / s_k,
 * so that sigma(p) = s_S * std over k of (x_k(p) - m_k) / s_k. This can be accumulated before the last map is known;
 * a least squares fit to it could not without keeping every map. To first order in 1 - rho (rho the correlation with
 * the last map) both give the same, and where a map is unrelated to the last one least squares would flatten it, which
 * would hide the disagreement that is to be shown. A flat map has no scale: it counts as the mean everywhere.
 */
export class AlignedStatistics {
  readonly #standardized: PixelStatistics;
  #last = { mean: 0, deviation: 0 };

  constructor(length: number) {
    this.#standardized = new PixelStatistics(length);
  }

  get count(): number {
    return this.#standardized.count;
  }

  /** Takes one more map, which becomes the one that the others are aligned to. */
  add(values: Float32Array): void {
    requireLength(values, this.#standardized.length);
    const { mean, deviation } = momentsOverPixels(values);
    const scale = deviation > 1e-9 * Math.abs(mean) ? 1 / deviation : 0;
    this.#standardized.addTransformed(values, scale, -mean * scale);
    this.#last = { mean, deviation };
  }

  /** Mean of the aligned maps, in units of the last one. */
  mean(): Float32Array {
    const { mean, deviation } = this.#last;
    return this.#standardized.mean().map((z) => mean + deviation * z);
  }

  /** Standard deviation of the aligned maps, in units of the last one. */
  standardDeviation(divisor: Divisor): Float32Array {
    return this.#standardized.standardDeviation(divisor).map((z) => this.#last.deviation * z);
  }
}

/**
 * Spread of unit vectors (interleaved P x 3) about their mean direction m = R / |R|, R = sum of n_k. The mean cosine
 * to m is |R| / S, so the spread is taken as
 *   arccos(|R| / S)   radians, 0..pi/2,
 * which is the common angle where all n_k are equally far from m, and the root mean squared angle for small spreads
 * (within 2 % up to 20 degrees). Vectors are brought to unit length first; a zero vector counts as 90 degrees off.
 */
export class DirectionStatistics {
  #count = 0;
  readonly #resultant: Float64Array;

  constructor(readonly length: number) {
    this.#resultant = new Float64Array(length);
  }

  get count(): number {
    return this.#count;
  }

  /** Takes one more map of normals. */
  add(normals: Float32Array): void {
    requireLength(normals, this.length);
    this.#count++;
    for (let i = 0; i < this.length; i += 3) {
      const norm = Math.sqrt(normals[i] ** 2 + normals[i + 1] ** 2 + normals[i + 2] ** 2);
      if (norm === 0) continue;
      for (let c = 0; c < 3; c++) this.#resultant[i + c] += normals[i + c] / norm;
    }
  }

  /** m, interleaved P x 3; zero where the vectors cancel out. */
  meanDirection(): Float32Array {
    const out = new Float32Array(this.length);
    for (let i = 0; i < out.length; i += 3) {
      const norm = this.#resultantNorm(i);
      if (norm > 0) for (let c = 0; c < 3; c++) out[i + c] = this.#resultant[i + c] / norm;
    }
    return out;
  }

  /** arccos(|R| / S), one angle in radians per pixel; NaN before the first map. */
  angularDeviation(): Float32Array {
    const out = new Float32Array(this.length / 3);
    for (let p = 0; p < out.length; p++) out[p] = Math.acos(Math.min(1, this.#resultantNorm(3 * p) / this.#count));
    return out;
  }

  #resultantNorm(i: number): number {
    const r = this.#resultant;
    return Math.sqrt(r[i] * r[i] + r[i + 1] * r[i + 1] + r[i + 2] * r[i + 2]);
  }
}

/**
 * Percentiles (0..100) of the finite values, with linear interpolation between ranks as numpy's default; exact.
 * NaN without any finite value. Throws `bad-argument` for a percentile outside 0..100.
 */
export function percentiles(values: Float32Array, ranks: readonly number[]): number[] {
  const bad = ranks.find((rank) => !(rank >= 0 && rank <= 100));
  if (bad !== undefined) throw unexpected("bad-argument", "percentile", "a number from 0 to 100", bad);
  const finite = new Float32Array(values.length);
  let count = 0;
  for (const value of values) if (Number.isFinite(value)) finite[count++] = value;
  const sorted = finite.subarray(0, count).sort();
  return ranks.map((rank) => {
    if (sorted.length === 0) return NaN;
    const position = (rank / 100) * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
  });
}

/**
 * A range to display values in: between two percentiles, never without extent. A flat map gets its value in the middle
 * of a small interval, a map without finite values 0..1.
 */
export function displayRange(values: Float32Array, lowRank = 0, highRank = 100): ValueRange {
  const [low, high] = percentiles(values, [lowRank, highRank]);
  if (Number.isNaN(low)) return { low: 0, high: 1 };
  if (high - low > 1e-7 * Math.max(Math.abs(low), Math.abs(high))) return { low, high };
  const half = Math.max(Math.abs(low) * 1e-3, 1e-6);
  return { low: low - half, high: low + half };
}

/** Counts of the finite values in `bins` equal intervals of the range; the last includes its upper end, values outside are left out. */
export function histogram(values: Float32Array, { low, high }: ValueRange, bins: number): Uint32Array {
  if (!(high > low)) throw unexpected("bad-argument", "histogram range", "a low end below the high end", `${low} to ${high}`);
  const counts = new Uint32Array(bins);
  for (const value of values) {
    if (value >= low && value <= high) counts[Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins))]++;
  }
  return counts;
}

function momentsOverPixels(values: Float32Array): { mean: number; deviation: number } {
  let mean = 0;
  for (const value of values) mean += value;
  mean /= values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

function requireLength(values: ArrayLike<number>, length: number): void {
  if (values.length !== length) throw unexpected("bad-argument", "map", `${length} values like the first`, values.length);
}
