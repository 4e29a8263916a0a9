import { alignMaps, MapDifference, type AlignedPair, type DifferenceKind } from "../../src/core/difference";
import type { FloatMap } from "../../src/core/image";
import type { ShownMap } from "../page";

/** Two maps held against each other; differences are computed when first asked for. */
export class Comparison {
  readonly #differences = new Map<DifferenceKind, MapDifference>();

  constructor(readonly pair: AlignedPair) {}

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

/** The kinds of a task that can be chosen, and the one that is meant without a choice. */
export function kindsOf(task: "depth" | "normals"): readonly DifferenceKind[] {
  return task === "depth" ? ["signed", "absolute", "relative"] : ["angle"];
}
