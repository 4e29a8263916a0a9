import type { Preset } from "../src/core/presets";
import type { RowSettings, ShownRef, StageView, ViewState } from "../src/protocol/panel";
import type { Letters } from "./rows/letters";
import { isSameRef } from "./maps";
import type { Scene, TileView } from "./rows/scene";
import { defaultProjection } from "./space/controls";
import { nearestStep, stepRef, stopsOf, type TimelineView } from "./rows/stops";

/** A step chosen for a row, the result when undefined; when linked, of every other row the step at the nearest noise level. */
export function withStep(view: ViewState, timelines: readonly TimelineView[], rowId: string, step: number | undefined, linked: boolean): Partial<ViewState> {
  const chosen: Record<string, number> = { ...view.shownSteps };
  const choose = (row: string, at: number | undefined): void => {
    if (at === undefined) delete chosen[row];
    else chosen[row] = at;
  };
  choose(rowId, step);
  const from = timelines.find((timeline) => timeline.rowId === rowId);
  if (from && linked) {
    for (const to of timelines) if (to !== from && stopsOf(to) > 1) choose(to.rowId, step === undefined ? undefined : nearestStep(from, step, to));
  }
  return { shownSteps: chosen };
}

/** Pins what is shown as the reference, with the column of differences to it, or frees it when it is the reference. */
export function withPinned(view: ViewState, ref: ShownRef): Partial<ViewState> {
  return isSameRef(view.pinned, ref) ? { pinned: undefined } : { pinned: ref, showStd: true };
}

/** What shows that in which the runs of a preset vary: their seeds, their members or their steps; single steps show nothing. */
export function viewOfPreset({ runs }: Preset): Partial<ViewState> {
  const over = runs.some(({ seedOffset = 0 }) => seedOffset > 0) ? "seeds" : runs.some(({ ensembleSize }) => ensembleSize > 1) ? "members" : runs.some(({ steps }) => steps > 1) ? "steps" : undefined;
  return over ? { showStd: true, variation: { spread: "std", over } } : {};
}

/**
 * The comparison to begin with: what was chosen, else the first and the second row that have the task of the
 * first tile with a map, else the first step and the result of the only one. Undefined while there is nothing.
 */
export function comparisonOf(letters: Letters, { rows }: Scene): StageView | undefined {
  const shown = rows.flatMap(({ tiles }) => tiles.find(({ ref }) => ref !== undefined)?.ref ?? []);
  const a = letters.a ?? shown[0];
  if (!a) return undefined;
  const other = shown.find((ref) => ref.task === a.task && !isSameRef(ref, a));
  const timeline = rows.map((row) => row.timeline).find(({ rowId }) => "rowId" in a && rowId === a.rowId);
  const firstStep = timeline && timeline.count > 1 && timeline.steps[0] && "rowId" in a ? stepRef(a.rowId, a.task, 0) : undefined;
  const b = letters.b?.task === a.task ? letters.b : (other ?? firstStep);
  return b && { kind: "ab", a, b, mode: "wipe", split: 0.5 };
}

/** The view in space of a depth tile. */
export function spaceOf(tile: TileView): StageView | undefined {
  if (!tile.ref || !tile.depthKind) return undefined;
  return { kind: "space", of: tile.ref, shape: "points", colour: "rgb", ...defaultProjection[tile.depthKind] };
}

/** Without what names rows that are gone. */
export function withoutRows(view: ViewState, rows: readonly RowSettings[]): ViewState {
  const exists = (rowId: string): boolean => rows.some((row) => row.rowId === rowId);
  const isThere = (ref: ShownRef): boolean => ref.kind === "file" || exists(ref.rowId);
  const { shownSteps = {}, pinned, stage } = view;
  const stageIsThere = !stage || (stage.kind === "ab" ? isThere(stage.a) && isThere(stage.b) : isThere(stage.of));
  return {
    ...view,
    shownSteps: Object.fromEntries(Object.entries(shownSteps).filter(([rowId]) => exists(rowId))),
    pinned: pinned && isThere(pinned) ? pinned : undefined,
    stage: stageIsThere ? stage : undefined,
  };
}
