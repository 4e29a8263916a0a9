import { csvFrom } from "../../src/core/csv";
import type { Task } from "../../src/core/semantics";
import type { MapRef, StepCurves } from "../../src/protocol/inference";
import { Answers } from "../answers";
import { Chart, type ChartPoint, type ChartView } from "./chart";
import { button, iconButton } from "../controls";
import { el, setChildren, setText } from "../dom";
import { shortText } from "../rows/measures";
import type { Page } from "../page";
import { depthUnitOf, plottedRuns, showPicked, shownRules, stepAxis, stepText, timestepOf, type PlottedRun, type StepAxis } from "./plottedRuns";
import type { PlotTab, PlotTools } from "./plotTab";

/** A number a step, and the chart that shows it. */
interface Quantity {
  readonly name: keyof StepCurves;
  readonly title: string;
  /** Of the axis. */
  readonly unit: string;
  /** Numbers are shown times this. */
  readonly factor: number;
}

/** What is known of a run's curves; NaN at steps that are still waited for. */
interface RunCurves {
  readonly curves?: StepCurves;
  readonly failure?: string;
  /** Steps whose numbers are here; undefined while none can be asked for. */
  readonly known?: number;
}

/** Steps asked about at once: the first numbers are here soon, and the engine hears soon that nobody wants the rest. */
const stepsAtOnce = 10;

/** How far each step of every run is from the step before, the last, the pinned reference and the ground truth. */
export class ChangePlot implements PlotTab {
  readonly element = el("div", "change-plot");
  readonly controls: readonly HTMLElement[];
  readonly perTask = true;
  readonly answers = new Answers<StepCurves>();
  /** Last curves of each run: they stay while those to another reference are on their way. */
  readonly #latest = new Map<string, StepCurves>();
  readonly #joined = new Map<string, { readonly parts: readonly (StepCurves | undefined)[]; readonly curves: StepCurves }>();
  readonly #charts = new Map<keyof StepCurves, Chart>();
  readonly #note = el("p", "change-note hint");
  readonly #truth = button("Ground truth…", () => void this.#chooseTruth());
  readonly #noTruth = iconButton("Remove the ground truth", "remove", () => this.#page?.changeView({ truth: undefined }));
  #page?: Page;
  #task: Task = "depth";
  #runs: readonly PlottedRun[] = [];
  #curves: readonly (StepCurves | undefined)[] = [];
  #quantities: readonly Quantity[] = [];

  constructor() {
    this.controls = [this.#truth.element, this.#noTruth.element];
    this.#truth.element.title = "Choose depth (.npy, 16-bit PNG) or normals (.npy) of this image";
  }

  update(page: Page, { slots, task }: PlotTools): string | undefined {
    this.#page = page;
    this.#task = task;
    const { pinned, truth } = page.state.view;
    const [reference, truthRef] = [pinned, truth].map((ref) => (ref?.task === task ? page.refOf(ref) : undefined));
    this.#noTruth.element.hidden = truth?.task !== task;
    // A single step has nothing to change from: it is shown where runs are compared with something else.
    this.#runs = plottedRuns(page, slots, task).filter(({ steps }) => steps > 1 || reference || truthRef);
    const answers = this.#runs.map((run) => this.#ask(page, run, reference, truthRef));
    this.#curves = answers.map(({ curves }) => curves);
    this.#quantities = quantitiesOf(page, task, this.#runs);
    const axis = stepAxis(this.#runs);
    const inputs = this.#runs.flatMap(({ label, slot, steps }, i) => [label, slot, steps, this.#curves[i]]);
    const shown = this.#quantities.filter(({ name }) => this.#curves.some((curves) => curves?.[name]?.length));
    setChildren(this.element, [...shown.map(({ name }) => this.#chart(name).element), this.#note]);
    const rules = shownRules(this.#runs, axis);
    for (const quantity of shown) {
      const chart = this.#chart(quantity.name);
      chart.update([...inputs, quantity.title, quantity.unit], () => viewOf(quantity, this.#runs, this.#curves, axis));
      chart.rule(rules);
    }
    setText(this.#note, this.#noteText(page, answers));
    this.#note.hidden = this.#note.textContent === "";
    return this.#runs.length === 0 ? `Run two or more steps of a ${task} model to see what each of them changes.` : undefined;
  }

  legend(): readonly PlottedRun[] {
    return this.#runs;
  }

  csv(): string {
    const header = ["run", "task", "step", "steps", "timestep (0-based)", ...this.#quantities.map(({ title, unit }) => `${title} (${unit})`)];
    const rows = this.#runs.flatMap((run, r) => Array.from({ length: run.steps }, (_, i) => [
      run.label, run.task, i + 1, run.steps, timestepOf(run, i),
      ...this.#quantities.map(({ name, factor }) => valueOf(this.#curves[r]?.[name], i, factor)),
    ]));
    return csvFrom(header, rows);
  }

  /** Curves of a run, once all its steps are in the cache, a few steps at a time. */
  #ask(page: Page, { rowId, task, steps, run }: PlottedRun, reference: MapRef | undefined, truth: MapRef | undefined): RunCurves {
    const result = page.refOf({ kind: "result", rowId, task });
    if (result?.kind !== "result" || !run.result) return {};
    const { runKey } = result;
    const refs = steps > 1 ? Array.from({ length: steps }, (_, step): MapRef => ({ kind: "step", runKey, step })) : [result];
    const firsts = Array.from({ length: Math.ceil(refs.length / stepsAtOnce) }, (_, i) => i * stepsAtOnce);
    const answers = firsts.map((first) => {
      const end = Math.min(refs.length, first + stepsAtOnce);
      const before = Math.min(first, 1);
      return this.answers.get(page, JSON.stringify([runKey, steps, first, reference, truth]), async (signal) => {
        // The step before the first one is what it changed from, the last step what all are measured to.
        const wanted = [...refs.slice(first - before, end), ...(end < refs.length ? refs.slice(-1) : [])];
        return partOf(await page.ask("curves", { refs: wanted, reference, truth }, signal), before, end - first);
      });
    });
    const failure = answers.find((answer) => answer.failure !== undefined)?.failure;
    const parts = answers.map(({ value }) => value);
    const known = Math.min(refs.length, stepsAtOnce * parts.filter((part) => part !== undefined).length);
    const curves = known > 0 ? this.#join(runKey, parts, refs.length) : this.#latest.get(runKey);
    if (known > 0 && curves) this.#latest.set(runKey, curves);
    return { curves, failure, known };
  }

  /** The same object for the same parts, so that nothing is drawn again. */
  #join(runKey: string, parts: readonly (StepCurves | undefined)[], count: number): StepCurves {
    const last = this.#joined.get(runKey);
    if (last && last.parts.length === parts.length && last.parts.every((part, i) => part === parts[i])) return last.curves;
    const curves = joined(parts, count);
    this.#joined.set(runKey, { parts, curves });
    return curves;
  }

  #chart(name: keyof StepCurves): Chart {
    const known = this.#charts.get(name);
    if (known) return known;
    const chart = new Chart({ pick: (point) => showPicked(this.#page, this.#runs, point) });
    this.#charts.set(name, chart);
    return chart;
  }

  async #chooseTruth(): Promise<void> {
    const page = this.#page;
    const task = this.#task;
    try {
      const chosen = await page?.ask("chooseTruth", { task });
      if (chosen?.path !== undefined) page?.changeView({ truth: { kind: "file", path: chosen.path, task } });
    } catch (error) {
      page?.complain(error);
    }
  }

  #noteText({ state: { view } }: Page, answers: readonly RunCurves[]): string {
    const failure = answers.findIndex((answer) => answer.failure !== undefined);
    if (failure >= 0) return `${this.#runs[failure].label}: ${answers[failure].failure}`;
    const waiting = answers.findIndex(({ known }, i) => known !== undefined && known < this.#runs[i].steps);
    if (waiting >= 0) return `Comparing the steps of ${this.#runs[waiting].label}: ${answers[waiting].known ?? 0} of ${this.#runs[waiting].steps} …`;
    if (answers.some(({ curves }) => curves === undefined)) return "Curves are drawn when all steps of a run are there.";
    return view.pinned?.task === this.#task ? "" : "Pin a reference (P on a tile) to see how far every step is from it.";
  }
}

const curveNames = ["changeToPrevious", "distanceToLast", "distanceToReference", "errorToTruth"] as const;

/** `count` of the numbers of every curve from the one at `first` on. */
function partOf(curves: StepCurves, first: number, count: number): StepCurves {
  const part = { ...curves };
  for (const name of curveNames) if (part[name]) part[name] = part[name].slice(first, first + count);
  return part;
}

/** Parts of `stepsAtOnce` of `count` steps one after another, NaN where one is missing. A single step has nothing to change from. */
function joined(parts: readonly (StepCurves | undefined)[], count: number): StepCurves {
  const whole = (name: keyof StepCurves): readonly number[] => parts.flatMap((part, i) => part?.[name] ?? Array<number>(Math.min(stepsAtOnce, count - i * stepsAtOnce)).fill(NaN));
  const has = (name: keyof StepCurves): boolean => parts.some((part) => part?.[name] !== undefined);
  return {
    changeToPrevious: count > 1 ? whole("changeToPrevious") : [],
    distanceToLast: count > 1 ? whole("distanceToLast") : [],
    ...(has("distanceToReference") && { distanceToReference: whole("distanceToReference") }),
    ...(has("errorToTruth") && { errorToTruth: whole("errorToTruth") }),
  };
}

function quantitiesOf(page: Page, task: Task, runs: readonly PlottedRun[]): readonly Quantity[] {
  const { pinned, truth } = page.state.view;
  const unit = task === "normals" ? "mean angle, degrees" : `mean |Δ|, ${depthUnitOf(runs)}`;
  const fitted = task === "depth" ? ", after scale and shift" : "";
  const quantities: Quantity[] = [
    { name: "changeToPrevious", title: `Change to the step before${fitted}`, unit, factor: 1 },
    { name: "distanceToLast", title: `Distance to the last step${fitted}`, unit, factor: 1 },
  ];
  if (pinned?.task === task) quantities.push({ name: "distanceToReference", title: `Distance to ${page.labelOf(pinned)}${fitted}`, unit, factor: 1 });
  if (truth?.task === task) quantities.push({ name: "errorToTruth", title: `Error to ${page.labelOf(truth)}`, unit: task === "depth" ? "AbsRel, %" : "mean angle, degrees", factor: task === "depth" ? 100 : 1 });
  return quantities;
}

/** NaN does not survive the way from the host: it arrives as null. */
function valueOf(values: readonly (number | null)[] | undefined, step: number, factor: number): number {
  return factor * (values?.[step] ?? NaN);
}

function viewOf({ name, title, unit, factor }: Quantity, runs: readonly PlottedRun[], curves: readonly (StepCurves | undefined)[], axis: StepAxis): ChartView {
  const measured = runs.map((run, r) => ({ run, values: curves[r]?.[name] ?? [] })).filter(({ values }) => values.length > 0);
  const lines = measured.map(({ run, values }) => ({
    slot: run.slot,
    points: Array.from({ length: run.steps }, (_, step): ChartPoint => {
      const y = valueOf(values, step, factor);
      return { x: axis.at(step, run.steps), y, rowId: run.rowId, step, text: `${stepText(run, step)}\n${shortText(y)} (${unit})` };
    }),
  }));
  const most = Math.max(0, ...lines.flatMap(({ points }) => points.map(({ y }) => (Number.isFinite(y) ? y : 0))));
  const ends = lines.map(({ points }, r) => {
    const known = points.filter(({ y }) => Number.isFinite(y)).map(({ y }) => shortText(y));
    const { label } = measured[r].run;
    return known.length > 1 ? `${label}: from ${known[0]} to ${known[known.length - 1]}` : `${label}: ${known[0] ?? "no values"}`;
  });
  return { title, lines, x: axis, y: { label: unit, domain: [0, most > 0 ? 1.05 * most : 1] }, summary: `${title}, ${unit}, by step. ${ends.join("; ")}.` };
}
