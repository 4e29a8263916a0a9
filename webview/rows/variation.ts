import type { FloatMap } from "../../src/core/image";
import type { Task } from "../../src/core/semantics";
import type { RowSettings, ShownRef, Variation } from "../../src/protocol/panel";
import { marking } from "./changeMask";
import { alignmentText, comparisonOf, type Comparison } from "./difference";
import { isSameRef, shownRun as runOnShow } from "../maps";
import { percentile, roundedText } from "./measures";
import type { ShownMap } from "../page";
import { blank, heat, isBusy, shownRun, tasksOf, waitingText, type Context, type TileView } from "./scene";
import { spreadOf } from "./spreads";
import { chosenStep, stepRef } from "./stops";

const taskName: Record<Task, string> = { depth: "Depth", normals: "Normals" };
const spreadName: Record<Variation["spread"], { readonly short: string; readonly full: string }> = {
  std: { short: "std", full: "Standard deviation" },
  mad: { short: "MAD", full: "Median absolute deviation" },
  range: { short: "range", full: "Range (largest less smallest)" },
};

/** The task whose variation a row shows. */
export function variationTask(row: RowSettings, { view }: Context): Task {
  const wanted = view.pinned?.task ?? view.variationOf ?? "depth";
  return row.models[wanted] === undefined && !view.pinned ? (tasksOf(row)[0] ?? wanted) : wanted;
}

/** The last column: the difference to the pinned map; else the spread over steps, members or seeds; else, of a single map, the difference to the row that has several. */
export function variationTile(row: RowSettings, context: Context): TileView {
  const tile = context.view.pinned ? pinnedTile(row, context.view.pinned, context) : spreadTile(row, context);
  return { ...tile, ...marking(tile, context.view.variation?.threshold) };
}

function baseTile(row: RowSettings, task: Task, title: string, context: Context): TileView {
  const { stale } = shownRun(row, task, context);
  return { ...blank(row, "variation", title), task, stale, busy: isBusy(row, task, context), waiting: waitingText(row, task, context) };
}

function spreadTile(row: RowSettings, context: Context): TileView {
  const task = variationTask(row, context);
  const chosen = context.view.variation;
  const spread = chosen?.spread ?? "std";
  if (chosen?.over === "seeds") return seedsTile(row, task, spread, context);
  const over = chosen?.over !== "members" && row.steps > 1 ? "steps" : "members";
  const count = over === "steps" ? row.steps : row.ensembleSize;
  if (count < 2 && row.steps > 1) return { ...baseTile(row, task, `${taskName[task]} ${spreadName[spread].short} over members`, context), nothing: "One member: nothing to vary." };
  if (count < 2) return rowDifferenceTile(row, task, context);
  const { run } = shownRun(row, task, context);
  const base = { ...baseTile(row, task, `${taskName[task]} ${spreadName[spread].short} over ${over}`, context), ...spreadText(task, spread, `the ${over === "steps" ? "denoising steps" : "ensemble's members"}`) };
  if (spread === "std") {
    const map = over === "steps" ? (run?.result?.stdOverSteps ?? run?.stdSoFar) : run?.result?.stdOverMembers;
    const exportable: TileView["exportable"] = run?.result && { generation: run.generation, quantity: over === "steps" ? "std" : "stdOverMembers" };
    return { ...base, ...heat(shownAs(task, map), context), exportable };
  }
  const { rowId } = row;
  const refs = Array.from({ length: count }, (_, i): ShownRef => (over === "steps" ? stepRef(rowId, task, i) : { kind: "member", rowId, task, member: i }));
  return run?.result ? askedTile(base, refs, spread, context) : base;
}

/** Rows that differ in their seed alone show one map: how much of the result is chance. */
function seedsTile(row: RowSettings, task: Task, spread: Variation["spread"], context: Context): TileView {
  const group = sameButSeed(row, task, context);
  const text = spreadText(task, spread, `the seeds of ${group.map(({ label }) => `“${label}”`).join(", ")}`);
  const base = { ...baseTile(row, task, `${taskName[task]} ${spreadName[spread].short} over ${group.length} seeds`, context), ...text };
  if (group.length < 2) return { ...base, title: `${taskName[task]} ${spreadName[spread].short} over seeds`, nothing: "No other run differs in its seed alone." };
  const missing = group.find(({ rowId }) => !runOnShow(rowId, task, context.generation).run?.result);
  if (missing) return { ...base, waiting: missing.rowId === row.rowId ? base.waiting : `Waiting for “${missing.label}”` };
  return askedTile(base, group.map(({ rowId }) => ({ kind: "result", rowId, task })), spread, context);
}

/** Computed by the engine from the maps that it has kept. */
function askedTile(base: TileView, refs: readonly ShownRef[], spread: Variation["spread"], context: Context): TileView {
  const kept = refs.flatMap((ref) => context.page.refOf(ref) ?? []);
  if (kept.length < refs.length) return { ...base, nothing: "These maps were not kept: run again with a cache." };
  const { value: map, failure } = spreadOf(context.page, kept, spread);
  if (failure !== undefined) return { ...base, nothing: failure };
  return map ? { ...base, ...heat(shownAs(refs[0].task, map), context) } : { ...base, busy: true, waiting: `Computing the ${spreadName[spread].short} of ${refs.length} maps` };
}

const inDegrees = new WeakMap<FloatMap, FloatMap>();

/** Spreads of normals come in radians; all angles of the page are degrees. */
function shownAs(task: Task, map: FloatMap | undefined): FloatMap | undefined {
  if (task === "depth" || !map) return map;
  const known = inDegrees.get(map) ?? { ...map, data: map.data.map((angle) => (angle * 180) / Math.PI) };
  inDegrees.set(map, known);
  return known;
}

function spreadText(task: Task, spread: Variation["spread"], over: string): Pick<TileView, "kind" | "kindInFull"> {
  const unit = task === "normals" ? "angle in degrees" : "in the depth's own units";
  return { kind: `per pixel, ${unit}`, kindInFull: `${spreadName[spread].full} of every pixel over ${over}, ${unit}` };
}

/** The row itself and those that would give the same but for their seed, one of each seed. */
export function sameButSeed(row: RowSettings, task: Task, { rows, page: { state } }: Pick<Context, "rows"> & { readonly page: Pick<Context["page"], "state"> }): readonly RowSettings[] {
  const { settings } = state;
  const seedOf = (other: RowSettings): number => other.seed ?? settings.seed;
  const rest = ({ models, steps, spacing, ensembleSize, noise, processingResolution, device, domain, decoder }: RowSettings): string =>
    JSON.stringify([models[task], steps, spacing, ensembleSize, noise, processingResolution ?? settings.processingResolution, device, domain, decoder]);
  const alike = rows.filter((other) => rest(other) === rest(row));
  return alike.filter((other, i) => alike.findIndex((first) => seedOf(first) === seedOf(other)) === i);
}

function pinnedTile(row: RowSettings, pinned: ShownRef, context: Context): TileView {
  const { task } = pinned;
  const label = context.page.labelOf(pinned);
  const base = { ...baseTile(row, task, `${taskName[task]} vs. ${label}`, context), ...differenceKindText(task, label) };
  if (row.models[task] === undefined) return { ...base, nothing: `This row has no ${task} model.` };
  const mine = shownRef(row, task, context);
  if (isSameRef(mine, pinned)) return { ...base, nothing: "This is the pinned reference." };
  const reference = context.page.mapOf(pinned);
  if (!reference) return { ...base, waiting: `Loading ${label}` };
  const shown = mine && context.page.mapOf(mine);
  if (!shown) return mine ? { ...base, waiting: `Loading ${context.page.labelOf(mine)}` } : base;
  const others = context.rows.filter((other) => other.models[task] !== undefined).flatMap((other) => {
    const ref = shownRef(other, task, context);
    const map = ref && !isSameRef(ref, pinned) ? context.page.mapOf(ref) : undefined;
    return map ? [map] : [];
  });
  return comparedTile(base, shown, reference, others, context);
}

/** Of a row without steps and members: how far it is from the row that has them. */
function rowDifferenceTile(row: RowSettings, task: Task, context: Context): TileView {
  const reference = context.rows.find(({ steps }) => steps > 1) ?? context.rows[0];
  const base = { ...baseTile(row, task, `${taskName[task]} vs. ${reference.label}`, context), ...differenceKindText(task, reference.label) };
  if (reference.rowId === row.rowId || reference.models[task] === undefined) return { ...base, title: `${taskName[task]} variation`, nothing: "One step, one member: nothing to vary." };
  const resultOf = ({ rowId }: RowSettings): ShownMap | undefined => context.page.mapOf({ kind: "result", rowId, task });
  const [mine, theirs] = [resultOf(row), resultOf(reference)];
  if (!mine || !theirs) return base;
  const alike = context.rows.filter((other) => other.rowId !== reference.rowId && other.steps === 1 && other.ensembleSize === 1);
  return comparedTile(base, mine, theirs, alike.flatMap((other) => resultOf(other) ?? []), context);
}

/** All differences share one scale: a row that is far off shows how close the others are. */
function comparedTile(base: TileView, mine: ShownMap, reference: ShownMap, others: readonly ShownMap[], context: Context): TileView {
  const comparison = tryCompare(mine, reference);
  if (typeof comparison === "string") return { ...base, nothing: comparison };
  const kind = base.task === "normals" ? "angle" : "absolute";
  const tops = [mine, ...others].flatMap((map) => {
    const other = tryCompare(map, reference);
    return typeof other === "string" ? [] : percentile(other.difference(kind).map, context.view.rangePercentiles[1]);
  });
  const difference = comparison.difference(kind);
  const alignment = alignmentText(comparison.pair);
  const tooltip = alignment ? `${base.kindInFull}: ${alignment}` : base.kindInFull;
  const note = comparison.pair.inverse ? { kind: `absolute, ${alignment}` } : {};
  const mean = `mean ${roundedText(difference.mean)}${kind === "angle" ? "°" : ""}`;
  return { ...base, ...heat(difference.map, context, Math.max(0, ...tops.filter(Number.isFinite))), badge: mean, kindInFull: tooltip, ...note };
}

function tryCompare(a: ShownMap, b: ShownMap): Comparison | string {
  try {
    return comparisonOf(a, b);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function differenceKindText(task: Task, label: string): Pick<TileView, "kind" | "kindInFull"> {
  return task === "depth"
    ? { kind: "absolute, after scale and shift", kindInFull: `Absolute difference to “${label}” after the best scale and shift, in its units` }
    : { kind: "angle in degrees", kindInFull: `Angle to the normals of “${label}” in degrees` };
}

/** What the row's own tile of the task shows: a chosen step, the result, or the latest step of a run under way. */
function shownRef(row: RowSettings, task: Task, context: Context): ShownRef | undefined {
  const { run } = shownRun(row, task, context);
  // A cached run races through its steps: their maps are not worth a question each.
  if (!run || (run.cached && !run.result)) return undefined;
  const step = chosenStep(row.rowId, run, context) ?? (run.result ? undefined : run.steps.at(-1));
  return step ? stepRef(row.rowId, task, step.step) : run.result && { kind: "result", rowId: row.rowId, task };
}

/** The largest value that any tile of the column shows in colour; undefined while there is none. */
export function variationTop(tiles: readonly TileView[]): number | undefined {
  const tops = tiles.flatMap(({ column, picture }) => (column === "variation" && picture?.kind === "scalar" ? [picture.range[1]] : []));
  return tops.length > 0 ? Math.max(...tops) : undefined;
}

