import { noisePlan } from "../../src/core/schedulers/noiseLevels";
import type { Task } from "../../src/core/semantics";
import type { StepPlan } from "../../src/protocol/inference";
import type { RowSettings, ShownRef } from "../../src/protocol/panel";
import { isSameRef, semanticsOf, shownRun } from "../maps";
import { lutOf } from "./colormaps";
import type { Lut } from "../gl/texture";
import { percentile, widened } from "./measures";
import { tasksOf, type Context } from "./scene";
import type { RunView, StepView } from "../session";
import { isEndToEnd, isOnePass, modelsOf } from "../state";

/** How thumbnails are coloured: all of a strip alike. */
export type ThumbnailLook =
  | { readonly kind: "scalar"; readonly lut: Lut; readonly range: readonly [number, number] }
  | { readonly kind: "normals"; readonly signX: 1 | -1 };

/** The steps of a row as places to stop at; a row of several members has one more, for the map of all of them. */
export interface TimelineView {
  readonly rowId: string;
  readonly label: string;
  /** Of the thumbnails. */
  readonly task: Task;
  /** Steps of the run, S. */
  readonly count: number;
  readonly members: number;
  /** By step, 0..S-1; absent where it was not observed yet. */
  readonly steps: readonly (StepView | undefined)[];
  /** By step; empty until the run is planned. */
  readonly plan: readonly StepPlan[];
  /** Whether the model was fine-tuned to be told of noise and be given none: its gap is no flaw. */
  readonly gapIsMeant: boolean;
  /** Nothing is denoised: the only step has no timestep. */
  readonly isOnePass: boolean;
  /** The stop on show, 0..stops-1; absent while there is nothing. */
  readonly shown?: number;
  readonly pinnedStep?: number;
  readonly look: ThumbnailLook;
}

/** Places to stop at: the steps, and the map of all members where there are several. */
export function stopsOf({ count, members }: Pick<TimelineView, "count" | "members">): number {
  return count + (members > 1 ? 1 : 0);
}

export function timelineOf(row: RowSettings, context: Context): TimelineView {
  const tasks = tasksOf(row);
  const wanted = context.view.variationOf ?? "depth";
  const task = tasks.includes(wanted) ? wanted : (tasks[0] ?? "depth");
  const { run } = shownRun(row.rowId, task, context.generation);
  const observed = run?.steps ?? [];
  const count = run?.plan.length || run?.latest?.steps || row.steps;
  const steps = Array.from({ length: count }, (_, index) => observed.find(({ step }) => step === index));
  const { pinned } = context.view;
  const base = { rowId: row.rowId, label: row.label, task, count, members: row.ensembleSize, steps, plan: run?.plan ?? [] };
  return {
    ...base,
    gapIsMeant: row.noise.kind === "zeros" && isEndToEnd(row, context.page.session.models),
    isOnePass: isOnePass(modelsOf(row, context.page.session.models)),
    shown: chosenStep(row.rowId, run, context)?.step ?? (run?.result ? stopsOf(base) - 1 : observed.at(-1)?.step),
    pinnedStep: pinned?.kind === "step" && isSameRef(pinned, stepRef(row.rowId, task, pinned.step)) ? pinned.step : undefined,
    look: lookOf(task, run, context),
  };
}

/** The step chosen by hand, when it was observed; the last one of a single member is the result itself. */
export function chosenStep(rowId: string, run: RunView | undefined, { view }: Context): StepView | undefined {
  const chosen = view.shownSteps?.[rowId];
  return run?.steps.find(({ step }) => step === chosen);
}

export function stepRef(rowId: string, task: Task, step: number): ShownRef {
  return { kind: "step", rowId, task, step };
}

/** One range for all thumbnails of a strip, so that a change of colour is a change of value. */
function lookOf(task: Task, run: RunView | undefined, { view }: Context): ThumbnailLook {
  if (task === "normals") {
    const semantics = semanticsOf(task, run);
    return { kind: "normals", signX: semantics.task === "normals" && view.normalsFrame && view.normalsFrame !== semantics.frame ? -1 : 1 };
  }
  const maps = run?.steps.flatMap(({ thumbnail }) => thumbnail ?? []) ?? [];
  const [low, high] = view.rangePercentiles;
  const finite = (values: readonly number[]): readonly number[] => values.filter(Number.isFinite);
  const lows = finite(maps.map((map) => percentile(map, low)));
  const highs = finite(maps.map((map) => percentile(map, high)));
  const range = lows.length > 0 ? widened(Math.min(...lows), Math.max(...highs)) : ([0, 1] as const);
  return { kind: "scalar", lut: lutOf(view.colormap), range };
}

/** The step of another run at the noise level nearest to that of a step; by its place in the run while a plan is missing. */
export function nearestStep(from: TimelineView, step: number, to: TimelineView): number {
  const level = from.plan[step]?.toldNoise;
  const plan = noisePlan(to.plan);
  if (level === undefined || plan.length === 0) return Math.round((step / Math.max(1, from.count - 1)) * (to.count - 1));
  const gaps = plan.map(({ toldNoise }) => Math.abs(toldNoise - level));
  return gaps.indexOf(Math.min(...gaps));
}
