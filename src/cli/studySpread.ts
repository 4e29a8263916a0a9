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

/**
 * Whether `a` is below or above `b`: where their ranges over the seeds do not overlap, or where, seed by seed (a figure that no seed changes is held
 * against each), the mean of the differences is larger than their spread, the highest less the lowest. "alike" otherwise, and where there is only one
 * seed: no difference that the seeds bear out.
 */
export function compareSeeds({ values: a }: OverSeeds, { values: b }: OverSeeds): "below" | "above" | "alike" {
  const count = a.length === 1 || b.length === 1 ? Math.max(a.length, b.length) : Math.min(a.length, b.length);
  const differences = Array.from({ length: count }, (_, i) => a[i % a.length] - b[i % b.length]);
  const middle = mean(differences);
  const isApart = Math.max(...a) < Math.min(...b) || Math.min(...a) > Math.max(...b);
  const isSteady = Math.abs(middle) > Math.max(...differences) - Math.min(...differences);
  if (count < 2 || !(isApart || isSteady)) return "alike";
  return middle < 0 ? "below" : "above";
}

/** The same in words, for a page. */
export const comparisonText = "A difference counts where the ranges over the seeds do not overlap, or where, seed by seed, its mean is larger than its spread (the highest less the lowest); else the seeds bear out no difference. With three seeds and no difference at all that happens in 8 to 14 of 100 comparisons by chance, so a lone small difference means little.";

/** "22.01 % (21.95 to 22.10)", or the mean alone where there is one value. */
export function spreadText({ mean: middle, low, high, values }: OverSeeds, digits: number, unit = ""): string {
  return values.length > 1 ? `${middle.toFixed(digits)}${unit} (${low.toFixed(digits)} to ${high.toFixed(digits)})` : `${middle.toFixed(digits)}${unit}`;
}

/** Means over the seeds, by scene: what is counted in "better in 10 of 12 scenes". */
export function sceneMeans(bySeed: readonly (readonly number[])[]): readonly number[] {
  return bySeed[0].map((_, scene) => mean(bySeed.map((ofSeed) => ofSeed[scene])));
}

/** "1", "1 and 2", "1, 2 and 4" */
export function listed(items: readonly (string | number)[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}
