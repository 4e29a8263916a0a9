import type { DifferenceKind, MapDifference } from "../../src/core/difference";
import { PlumblineError } from "../../src/core/errors";
import { depthKindText, normalsFrameText, type Semantics } from "../../src/core/semantics";
import type { ShownRef, StageView, ViewState } from "../../src/protocol/panel";
import { rowOf } from "./abPicker";
import { lutOf } from "../rows/colormaps";
import { alignmentText, comparisonOf, kindsOf, type Comparison } from "../rows/difference";
import { diverging } from "../gl/diverging";
import type { PlainPicture, Range } from "../gl/painter";
import { percentile, rangeOf, roundedText, shortText } from "../rows/measures";
import type { Page, ShownMap } from "../page";
import { runIdOf } from "../session";

export type AbView = Extract<StageView, { kind: "ab" }>;

/** Two maps ready to be drawn over each other; the same object as long as nothing of it changes. */
export interface AbPictures {
  readonly a: ShownMap;
  readonly b: ShownMap;
  readonly left: PlainPicture;
  readonly right: PlainPicture;
  /** Absent where the two cannot be compared; `refusal` then says why. */
  readonly comparison?: Comparison;
  readonly refusal?: string;
}

/** Depth A is drawn on the scale of B, so that equal colours mean equal depth. */
export function picturesOf(a: ShownMap, b: ShownMap, view: ViewState): AbPictures {
  const compared = tryCompare(a, b);
  return { a, b, ...compared, ...sidesOf(a, b, compared.comparison, view) };
}

function tryCompare(a: ShownMap, b: ShownMap): Pick<AbPictures, "comparison" | "refusal"> {
  try {
    return { comparison: comparisonOf(a, b) };
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error;
    return { refusal: `${error.message} ${error.remedy}` };
  }
}

function sidesOf(a: ShownMap, b: ShownMap, comparison: Comparison | undefined, view: ViewState): Pick<AbPictures, "left" | "right"> {
  if (a.semantics.task === "normals" && b.semantics.task === "normals") {
    const frame = view.normalsFrame ?? b.semantics.frame;
    const side = (map: ShownMap["map"], own: string): PlainPicture => ({ kind: "normals", map, signX: own === frame ? 1 : -1 });
    return { left: side(a.map, a.semantics.frame), right: side(b.map, b.semantics.frame) };
  }
  const lut = lutOf(view.colormap);
  const range = rangeOf(b.map, view.rangePercentiles);
  const { fit, inverse } = comparison?.pair ?? {};
  if (comparison && inverse) return { left: { kind: "scalar", map: comparison.aligned, lut, range }, right: { kind: "scalar", map: b.map, lut, range } };
  const left: PlainPicture = fit
    ? { kind: "scalar", map: a.map, lut, range, align: [fit.scale, fit.shift] }
    : { kind: "scalar", map: a.map, lut, range: rangeOf(a.map, view.rangePercentiles) };
  return { left, right: { kind: "scalar", map: b.map, lut, range } };
}

/** The difference that is shown: as chosen where the task has it, else its first. */
export function shownDifference({ mode, difference, b }: AbView): DifferenceKind {
  const kinds = kindsOf(b.task);
  const wanted = mode === "wipe" || mode === "flicker" ? difference : mode;
  return kinds.find((kind) => kind === wanted) ?? kinds[0];
}

/** Colours of a difference: signed about 0, others from 0. Rounding alone (1e-5 of what B spans) stays without colour. */
export function differencePicture({ map, kind, pair }: MapDifference, [, high]: ViewState["rangePercentiles"], marked: Range | undefined): Extract<PlainPicture, { kind: "scalar" }> {
  const spanned = kind === "angle" ? 90 : kind === "relative" ? 1 : percentile(pair.b, 98) - percentile(pair.b, 2);
  const floor = 1e-5 * (spanned > 0 ? spanned : 1);
  const end = (percent: number): number => Math.abs(percentile(map, percent)) || 0;
  const top = Math.max(floor, end(high), kind === "signed" ? end(100 - high) : 0);
  return { kind: "scalar", map, lut: kind === "signed" ? diverging : lutOf("magma"), range: [kind === "signed" ? -top : 0, top], marked };
}

export const differenceText: Record<DifferenceKind, { readonly title: string; readonly formula: string; readonly unit: string }> = {
  signed: { title: "Signed difference", formula: "s·A + t − B", unit: "in the units of B" },
  absolute: { title: "Absolute difference", formula: "|s·A + t − B|", unit: "in the units of B" },
  relative: { title: "Relative error", formula: "|s·A + t − B| / B", unit: "as a part of B; none where B is near 0" },
  angle: { title: "Angle between normals", formula: "∠(A, B)", unit: "in degrees" },
};

/** What both maps are, in one line. */
export function kindLine(a: Semantics, b: Semantics, view: ViewState, isAligned: boolean): string {
  const text = (semantics: Semantics): string => (semantics.task === "depth" ? depthKindText[semantics.depthKind] : `normals ${semantics.frame}: ${normalsFrameText[semantics.frame]}`);
  if (b.task === "normals" && a.task === "normals") {
    const shown = view.normalsFrame ?? b.frame;
    const converted = a.frame !== shown || b.frame !== shown ? ` (A estimated in ${a.frame}, B in ${b.frame})` : "";
    return `Both as ${text({ task: "normals", frame: shown })}${converted}`;
  }
  if (text(a) === text(b)) return `Both ${text(a)}; A drawn on the scale of B`;
  return `A: ${text(a)}${isAligned ? ", drawn on the scale of B" : ""} · B: ${text(b)}`;
}

/** "A aligned to B: s = 0.97, t = 0.02". */
export function fitLine({ pair }: Comparison): string {
  const text = alignmentText(pair);
  return text && `A aligned to B: ${text}`;
}

/** What a difference is, with A′ for A where more than a scale and a shift was applied. */
export function formulaOf({ kind, pair }: MapDifference): string {
  const { formula } = differenceText[kind];
  return pair.inverse ? formula.replace("s·A + t", "A′") : formula;
}

/** The numbers of a difference with their names. */
export function summaryOf({ kind, summary, absRel }: MapDifference): readonly (readonly [name: string, value: string])[] {
  const value = (number: number): string => (Number.isNaN(number) ? "no value" : kind === "angle" ? `${roundedText(number)}°` : kind === "relative" ? percentText(number) : roundedText(number));
  const error = absRel === undefined || kind === "relative" ? [] : [["AbsRel", percentText(absRel)] as const];
  return [[kind === "signed" ? "mean magnitude" : "mean", value(summary.mean)], ["median", value(summary.median)], ["95th percentile", value(summary.p95)], ...error];
}

function percentText(fraction: number): string {
  return Number.isNaN(fraction) ? "no value" : `${Math.abs(fraction) < 1e-6 ? 0 : shortText(100 * fraction)} %`;
}

/** At which size the difference was taken, where the maps have two. */
export function sizeLine({ a, b, comparison }: AbPictures): string {
  const size = ({ width, height }: { readonly width: number; readonly height: number }): string => `${width} × ${height}`;
  const resized = comparison?.pair.resized;
  if (!comparison || !resized) return `Compared at ${size(b.map)}`;
  return `Compared at ${size(comparison.pair.b)}: ${resized === "a" ? "A" : "B"}, ${size((resized === "a" ? a : b).map)}, was made smaller`;
}

/** Why a map is not here, and what to do. */
export function absenceOf(ref: ShownRef, page: Page): string {
  const name = page.labelOf(ref);
  if (ref.kind === "file") return `Reading ${name}`;
  const { generation, state } = page;
  if (!state.settings.rows.some(({ rowId }) => rowId === ref.rowId)) return `“${name}” was removed: choose another`;
  const row = rowOf(page, ref.rowId);
  if ((ref.kind === "step" && ref.step >= (row?.steps ?? 1)) || (ref.kind === "member" && ref.member >= (row?.ensembleSize ?? 1))) return `There is no “${name}”: choose another`;
  const run = generation?.runs.get(runIdOf(ref.rowId, ref.task));
  if (run?.result && ref.kind !== "result") return page.refOf(ref) ? `Loading ${name}` : `“${name}” was not kept: run again with a cache to look at single steps and members`;
  if (generation?.status === "running") return `“${name}” is being estimated`;
  return `“${name}” has not been run yet`;
}
