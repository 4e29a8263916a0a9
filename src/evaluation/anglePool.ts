import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { NormalsMetrics } from "../core/metrics";

/*
 * DSINE pools the angles of all pixels of a set. Mean, RMSE and the parts below a limit add up exactly from one image to the next; for the median every image
 * leaves counts of its angles in bins of 0.01 degrees, so that the pooled median is exact to half a bin.
 */

const binsPerDegree = 100;
const bins = 180 * binsPerDegree + 1;
const limits = ["5", "7.5", "11.25", "22.5", "30"] as const;

interface Sums {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
  readonly below: readonly number[];
  /** Deflated uint32 counts, base64. */
  readonly bins: string;
}

/** One image's angles (degrees) as text for its journal line: some kilobytes, whatever the image's size. */
export function anglesText(errorsDegrees: Float32Array): string {
  const counts = new Uint32Array(bins);
  const below = limits.map(() => 0);
  let [sum, squares] = [0, 0];
  for (const error of errorsDegrees) {
    sum += error;
    squares += error * error;
    counts[Math.min(bins - 1, Math.max(0, Math.floor(error * binsPerDegree)))]++;
    for (let i = 0; i < limits.length; i++) if (error < Number(limits[i])) below[i]++;
  }
  const sums: Sums = { count: errorsDegrees.length, sum, squares, below, bins: deflateRawSync(counts).toString("base64") };
  return JSON.stringify(sums);
}

/** The pooled metrics of many images, one after another; memory does not grow with them. */
export class AnglePool {
  readonly #counts = new Float64Array(bins);
  readonly #below = limits.map(() => 0);
  #count = 0;
  #sum = 0;
  #squares = 0;

  add(text: string): void {
    const { count, sum, squares, below, bins: packed } = JSON.parse(text) as Sums;
    const bytes = inflateRawSync(Buffer.from(packed, "base64"));
    const counts = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    counts.forEach((value, i) => (this.#counts[i] += value));
    below.forEach((value, i) => (this.#below[i] += value));
    this.#count += count;
    this.#sum += sum;
    this.#squares += squares;
  }

  /** NaN without a pixel. */
  metrics(): NormalsMetrics {
    const percent = (i: number): number => (100 * this.#below[i]) / this.#count;
    return {
      mean: this.#sum / this.#count,
      median: this.#median(),
      rmse: Math.sqrt(this.#squares / this.#count),
      below: { "5": percent(0), "7.5": percent(1), "11.25": percent(2), "22.5": percent(3), "30": percent(4) },
    };
  }

  #median(): number {
    if (this.#count === 0) return NaN;
    let before = 0;
    for (let bin = 0; bin < bins; bin++) {
      const within = this.#counts[bin];
      if (before + within >= this.#count / 2 && within > 0) return (bin + (this.#count / 2 - before) / within) / binsPerDegree;
      before += within;
    }
    return NaN;
  }
}
