import { mean } from "./studyScenes";

/** A figure over seeds: the mean over the scenes is taken for each seed, then the mean, the lowest and the highest of these. */
export interface OverSeeds {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly values: readonly number[];
}

/** Errors by seed, then scene, times `scale`. */
export function overSeeds(bySeed: readonly (readonly number[])[], scale = 1): OverSeeds {
  const values = bySeed.map((ofSeed) => scale * mean(ofSeed));
  return { mean: mean(values), low: Math.min(...values), high: Math.max(...values), values };
}

/** Whether every seed of `a` is below, or above, every seed of `b`; "alike" where their ranges overlap: no difference that the seeds bear out. */
export function compareSeeds(a: OverSeeds, b: OverSeeds): "below" | "above" | "alike" {
  if (a.high < b.low) return "below";
  return a.low > b.high ? "above" : "alike";
}

/** "22.01 (21.95 to 22.10)", or the mean alone where there is one value. */
export function spreadText({ mean: middle, low, high, values }: OverSeeds, digits: number): string {
  return values.length > 1 ? `${middle.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})` : middle.toFixed(digits);
}

/** Means over the seeds, by scene: what is counted in "better in 10 of 12 scenes". */
export function sceneMeans(bySeed: readonly (readonly number[])[]): readonly number[] {
  return bySeed[0].map((_, scene) => mean(bySeed.map((ofSeed) => ofSeed[scene])));
}

/** "1", "1 and 2", "1, 2 and 4" */
export function listed(items: readonly (string | number)[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}
