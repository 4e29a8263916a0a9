import { alignedMap, alignMaps, MapDifference, type AlignedPair, type DifferenceKind } from "../../src/core/difference";
import type { FloatMap } from "../../src/core/image";
import type { ShownMap } from "../page";
import { roundedText } from "./measures";

/** Two maps held against each other; differences are computed when first asked for. */
export class Comparison {
  readonly #differences = new Map<DifferenceKind, MapDifference>();

  #aligned?: FloatMap;

  constructor(readonly pair: AlignedPair) {}

  /** A on the scale of B. */
  get aligned(): FloatMap {
    return (this.#aligned ??= alignedMap(this.pair));
  }

  difference(kind: DifferenceKind): MapDifference {
    const known = this.#differences.get(kind);
    if (known) return known;
    const difference = new MapDifference(this.pair, kind);
    this.#differences.set(kind, difference);
    return difference;
  }
}

/** Lives as long as both maps do. */
const comparisons = new WeakMap<FloatMap, WeakMap<FloatMap, Comparison>>();

/** A held against B: the same object for the same maps. Throws where they cannot be compared, as core/difference says. */
export function comparisonOf(a: ShownMap, b: ShownMap): Comparison {
  const ofA = comparisons.get(a.map) ?? new WeakMap<FloatMap, Comparison>();
  comparisons.set(a.map, ofA);
  const known = ofA.get(b.map);
  if (known) return known;
  const comparison = new Comparison(alignMaps(a, b));
  ofA.set(b.map, comparison);
  return comparison;
}

/** How A was brought onto B: "s = 0.97, t = 0.02", or how its inverse was taken; nothing for normals. */
export function alignmentText({ fit, inverse }: AlignedPair): string {
  if (fit) return `s = ${roundedText(fit.scale)}, t = ${roundedText(fit.shift)}`;
  if (!inverse) return "";
  const [s, t, c] = [inverse.scale, inverse.shift, inverse.offset].map(roundedText);
  switch (inverse.fitted) {
    case "scale and shift":
      return `inverted, for A is disparity: A′ = 1 / (s·A + t), s = ${s}, t = ${t}, fitted to 1 / B where A and B are above 0`;
    case "scale and offset":
      return `inverted, for B is disparity: A′ = 1 / (s·A) + c, s = ${s}, c = ${c}`;
    case "all three":
      return `inverted, for one is disparity and the other depth without a zero of its own, so that 1 / depth is not defined: A′ = 1 / (s·A + t) + c with all three fitted, s = ${s}, t = ${t}, c = ${c}`;
  }
}

/** The kinds of a task that can be chosen, and the one that is meant without a choice. */
export function kindsOf(task: "depth" | "normals"): readonly DifferenceKind[] {
  return task === "depth" ? ["signed", "absolute", "relative"] : ["angle"];
}
