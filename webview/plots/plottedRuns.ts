import type { DepthKind, Task } from "../../src/core/semantics";
import type { RowSettings, ShownRef } from "../../src/protocol/panel";
import { semanticsOf, shownRun } from "../maps";
import type { Page } from "../page";
import type { Slots } from "./runMarks";
import type { RunView } from "../session";

/** A run as the plots see it: one task of one visible row. */
export interface PlottedRun {
  readonly rowId: string;
  readonly task: Task;
  readonly label: string;
  readonly slot: number;
  /** What it was run with. */
  readonly row: RowSettings;
  readonly run: RunView;
  /** S. */
  readonly steps: number;
  /** 0-based step on show; the result when undefined. */
  readonly shown?: number;
}

/** The runs of a task of which something has arrived, in the order of the rows. */
export function plottedRuns(page: Page, slots: Slots, task: Task): readonly PlottedRun[] {
  return page.scene.rows.flatMap(({ rowId, label }) => {
    // Every row takes its colour at once, so that it does not depend on which run comes first.
    const slot = slots.of(rowId);
    const row = page.generation?.settings.rows.find((candidate) => candidate.rowId === rowId);
    const { run } = shownRun(rowId, task, page.generation);
    if (!row || !run) return [];
    const steps = run.plan.length || run.result?.provenance.timesteps.length || row.steps;
    return [{ rowId, task, label, slot, row, run, steps, shown: page.state.view.shownSteps?.[rowId] }];
  });
}

/** The step on show, or the result. */
export function shownRefOf({ rowId, task, shown }: PlottedRun): ShownRef {
  return shown === undefined ? { kind: "result", rowId, task } : { kind: "step", rowId, task, step: shown };
}

/** Shows the step that was picked; the last one of a single member is the result itself. */
export function showPicked(page: Page | undefined, runs: readonly PlottedRun[], { rowId, step }: { readonly rowId?: string; readonly step?: number }): void {
  const run = runs.find((candidate) => candidate.rowId === rowId);
  if (!page || !run || step === undefined) return;
  const wanted = step < run.steps - 1 || run.row.ensembleSize > 1 ? step : undefined;
  if (wanted !== page.state.view.shownSteps?.[run.rowId]) page.showStep(run.rowId, wanted);
}

/** Where the steps on show are, in the colours of their runs. */
export function shownRules(runs: readonly PlottedRun[], axis: StepAxis): readonly { readonly x: number; readonly slot: number }[] {
  return runs.flatMap(({ shown, steps, slot }) => (shown === undefined || steps < 2 ? [] : [{ x: axis.at(shown, steps), slot }]));
}

/** How runs of different lengths share an axis: by the number of the step where all have as many, else by the part of the run. */
export interface StepAxis {
  readonly label: string;
  readonly domain: readonly [number, number];
  readonly ticks?: readonly number[];
  readonly format?: (value: number) => string;
  /** Where step i (0-based) of S lies; a single step lies where runs end. */
  at(step: number, steps: number): number;
}

export function stepAxis(runs: readonly PlottedRun[]): StepAxis {
  const lengths = new Set(runs.map(({ steps }) => steps).filter((steps) => steps > 1));
  const most = Math.max(2, ...lengths);
  if (lengths.size === 0) return { label: "Step", domain: [0.5, 1.5], ticks: [1], format: String, at: () => 1 };
  if (lengths.size === 1) {
    const ticks = most <= 12 ? Array.from({ length: most }, (_, i) => i + 1) : undefined;
    return { label: "Step", domain: [1, most], ticks, format: String, at: (step, steps) => (steps > 1 ? step + 1 : most) };
  }
  const format = (part: number): string => (part === 0 ? "first step" : part === 1 ? "last step" : `${Math.round(100 * part)} %`);
  return { label: "Part of the run", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format, at: (step, steps) => (steps > 1 ? step / (steps - 1) : 1) };
}

/** t of a step; undefined while it is not known. */
export function timestepOf({ run }: PlottedRun, step: number): number | undefined {
  return run.plan[step]?.timestep ?? run.result?.provenance.timesteps[step];
}

/** "Leading, 4 steps, step 2 of 4, t = 500". */
export function stepText(run: PlottedRun, step: number): string {
  const timestep = timestepOf(run, step);
  return `${run.label}, step ${step + 1} of ${run.steps}${timestep === undefined ? "" : `, t = ${timestep}`}`;
}

export const depthUnits: Readonly<Record<DepthKind, string>> = { "affine-depth": "relative depth", "affine-disparity": "relative disparity", "metric-depth": "m" };

/** In which all of these runs give depth. */
export function depthUnitOf(runs: readonly PlottedRun[]): string {
  const kinds = new Set(runs.map(({ run }) => semanticsOf("depth", run)).flatMap((semantics) => (semantics.task === "depth" ? [semantics.depthKind] : [])));
  const [kind, other] = kinds;
  return kind !== undefined && other === undefined ? depthUnits[kind] : "depth, each in its own unit";
}
