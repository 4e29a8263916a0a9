import type { FloatMap } from "../src/core/image";
import type { Task } from "../src/core/semantics";
import type { RowSettings } from "../src/protocol/panel";
import { differenceTo } from "./difference";
import { percentile } from "./measures";
import { blank, heat, isBusy, shownRun, tasksOf, waitingText, type Context, type TileView } from "./scene";

/** Std over steps or members where there are several, else the difference to the row that has. */
export function variationTile(row: RowSettings, context: Context): TileView {
  const wanted = context.view.variationOf ?? "depth";
  const task = row.models[wanted] === undefined ? (tasksOf(row)[0] ?? wanted) : wanted;
  const name = task === "depth" ? "Depth" : "Normals";
  const { run, stale } = shownRun(row, task, context);
  const busy = isBusy(row, task, context);
  const base = { ...blank(row, "variation", `${name} std over steps`), task, stale, busy, waiting: waitingText(row, task, context) };
  const unit = task === "normals" ? "angle in radians" : "in the depth's own units";
  const exportOf = (quantity: "std" | "stdOverMembers"): TileView["exportable"] => run?.result && { generation: run.generation, quantity };
  if (row.steps > 1) {
    const map = run?.result?.stdOverSteps ?? run?.stdSoFar;
    return { ...base, ...heat(map, context), exportable: exportOf("std"), kind: `per pixel, ${unit}`, kindInFull: `Standard deviation of every pixel over the denoising steps, ${unit}` };
  }
  if (row.ensembleSize > 1) {
    return { ...base, ...heat(run?.result?.stdOverMembers, context), title: `${name} std over members`, exportable: exportOf("stdOverMembers"), kind: `per pixel, ${unit}`, kindInFull: `Standard deviation of every pixel over the ensemble's members, ${unit}` };
  }
  const reference = referenceOf(context);
  if (reference.rowId === row.rowId || reference.models[task] === undefined) {
    return { ...base, nothing: "One step, one member: nothing to vary." };
  }
  // All differences share one scale: a row that is far off shows how close the others are.
  const differences = context.rows.map((other) => differenceOf(other, task, context)).filter((map) => map !== undefined);
  const top = Math.max(0, ...differences.map((map) => percentile(map, context.view.rangePercentiles[1])).filter(Number.isFinite));
  return {
    ...base,
    ...heat(differenceOf(row, task, context), context, top),
    title: `${name} vs. ${reference.label}`,
    kind: task === "depth" ? "absolute, after scale and shift" : "angle in radians",
    kindInFull: task === "depth" ? `Absolute difference to “${reference.label}” after the best scale and shift, in its units` : `Angle to the normals of “${reference.label}” in radians`,
  };
}

/** The row that single-step rows are compared with. */
function referenceOf({ rows }: Context): RowSettings {
  return rows.find(({ steps }) => steps > 1) ?? rows[0];
}

/** How far a row with neither steps nor members is from the reference; undefined until both are done. */
function differenceOf(row: RowSettings, task: Task, context: Context): FloatMap | undefined {
  const reference = referenceOf(context);
  if (row.rowId === reference.rowId || row.steps > 1 || row.ensembleSize > 1) return undefined;
  const mine = shownRun(row, task, context).run?.result;
  const theirs = shownRun(reference, task, context).run?.result;
  return mine && theirs && differenceTo(mine, theirs);
}
