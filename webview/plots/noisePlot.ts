import { csvFrom } from "../../src/core/csv";
import { noisePlan, type StepNoise } from "../../src/core/schedulers/noiseLevels";
import type { Task } from "../../src/core/semantics";
import { Chart, type ChartGap, type ChartLine, type ChartPoint, type ChartView } from "./chart";
import { el, setText } from "../dom";
import { noiseStory } from "../../src/core/noiseStory";
import type { Page } from "../page";
import type { PlotTab, PlotTools } from "./plotTab";
import { plottedRuns, showPicked, shownRules, stepAxis, stepText, type PlottedRun, type StepAxis } from "./plottedRuns";

/** The noise level that the network is told beside the one that its input has, step by step: where they part is the flaw. */
export class NoisePlot implements PlotTab {
  readonly element = el("div", "noise-plot");
  readonly controls: readonly HTMLElement[] = [];
  readonly perTask = false;
  readonly sorts = ["told", "in the input"] as const;
  #page?: Page;
  #runs: readonly PlottedRun[] = [];
  readonly #pick = { pick: (point: ChartPoint): void => showPicked(this.#page, this.#runs, point) };
  readonly #singles = new Chart(this.#pick);
  readonly #multis = new Chart(this.#pick);
  readonly #story = el("div", "noise-story");

  constructor() {
    this.#singles.element.classList.add("noise-singles");
    this.element.append(this.#singles.element, this.#multis.element, this.#story);
  }

  update(page: Page, tools: PlotTools): string | undefined {
    this.#page = page;
    this.#runs = distinctRuns(page, tools);
    const singles = this.#runs.filter(({ steps }) => steps === 1);
    const multis = this.#runs.filter(({ steps }) => steps > 1);
    this.#singles.element.hidden = singles.length === 0;
    this.#multis.element.hidden = multis.length === 0;
    this.element.style.setProperty("--singles", String(Math.max(2, singles.length)));
    const inputs = (runs: readonly PlottedRun[]): unknown[] => runs.flatMap(({ run, label, slot }) => [run.plan, label, slot]);
    if (singles.length > 0) this.#singles.update(inputs(singles), () => singlesView(singles));
    const axis = stepAxis(multis);
    if (multis.length > 0) this.#multis.update(inputs(multis), () => multisView(multis, axis));
    this.#multis.rule(shownRules(multis, axis));
    this.#tell(noiseStory(this.#runs.map((run) => storyOf(run, page))));
    return this.#runs.length === 0 ? "The noise levels of a run are shown as soon as it begins." : undefined;
  }

  legend(): readonly PlottedRun[] {
    return this.#runs;
  }

  csv(): string {
    const rows = this.#runs.flatMap(({ label, steps, run }) =>
      noisePlan(run.plan).map(({ timestep, alphaBar, toldNoise, inputNoise }, i) => [label, i + 1, steps, timestep, alphaBar, toldNoise, inputNoise]));
    return csvFrom(["run", "step", "steps", "timestep (0-based)", "alpha-bar", "told noise level (0..1)", "input noise level (0..1)"], rows);
  }

  #tell(sentences: readonly string[]): void {
    while (this.#story.childElementCount > sentences.length) this.#story.lastElementChild?.remove();
    sentences.forEach((sentence, i) => setText(this.#story.children[i] ?? this.#story.appendChild(el("p")), sentence));
  }
}

/** A run a row where depth and normals have the same schedule, else both. */
function distinctRuns(page: Page, { slots }: PlotTools): readonly PlottedRun[] {
  const of = (task: Task): readonly PlottedRun[] => plottedRuns(page, slots, task).filter(({ run }) => noisePlan(run.plan).length > 0);
  const depth = of("depth");
  const normals = of("normals");
  return page.scene.rows.flatMap(({ rowId }) => {
    const [a, b] = [depth, normals].map((runs) => runs.find((run) => run.rowId === rowId));
    if (!a || !b) return a ?? b ?? [];
    return sameNoise(noisePlan(a.run.plan), noisePlan(b.run.plan)) ? [a] : [a, b].map((run) => ({ ...run, label: `${run.label} (${run.task})` }));
  });
}

function sameNoise(a: readonly StepNoise[], b: readonly StepNoise[]): boolean {
  return a.length === b.length && a.every(({ toldNoise, inputNoise }, i) => toldNoise === b[i].toldNoise && inputNoise === b[i].inputNoise);
}

function storyOf({ label, run, row, task }: PlottedRun, { session }: Page): Parameters<typeof noiseStory>[0][number] {
  return { label, plan: run.plan, zeros: row.noise.kind === "zeros", endToEnd: session.models.find(({ id }) => id === row.models[task])?.endToEnd ?? false };
}

/** Of one run: told, in the input, and what lies between. */
function linesOf(run: PlottedRun, at: (step: number) => number): { lines: ChartLine[]; gap: ChartGap } {
  const { rowId, slot } = run;
  const plan = noisePlan(run.run.plan);
  const points = (noise: (step: StepNoise) => number): ChartPoint[] => plan.map((step, i) => ({
    x: at(i), y: noise(step), rowId, step: i,
    text: `${stepText(run, i)}\ntold ${step.toldNoise.toFixed(3)}, in the input ${step.inputNoise.toFixed(3)}`,
  }));
  const between = plan.map(({ toldNoise, inputNoise }, i) => ({ x: at(i), low: Math.min(toldNoise, inputNoise), high: Math.max(toldNoise, inputNoise) }));
  return { lines: [{ slot, second: true, points: points(({ inputNoise }) => inputNoise) }, { slot, points: points(({ toldNoise }) => toldNoise) }], gap: { slot, between } };
}

const levels = { label: "Noise level √(1 − ᾱ), 0 to 1", domain: [0, 1] as const, ticks: [0, 0.25, 0.5, 0.75, 1], format: String };

function singlesView(runs: readonly PlottedRun[]): ChartView {
  const parts = runs.map((run, i) => linesOf(run, () => i));
  const format = (i: number): string => `t = ${runs[i]?.run.plan[0].timestep ?? ""}`;
  return {
    title: "Single-step runs",
    lines: parts.flatMap(({ lines }) => lines),
    gaps: parts.map(({ gap }) => ({ ...gap, label: gapLabel(gap.between[0]) })),
    x: { label: "Timestep told", domain: [-0.5, runs.length - 0.5], ticks: runs.map((_, i) => i), format },
    y: levels,
    summary: summaryOf(runs),
  };
}

function gapLabel({ low, high }: ChartGap["between"][number]): string | undefined {
  return high - low > 0.01 ? `gap ${(high - low).toFixed(2)}` : undefined;
}

function multisView(runs: readonly PlottedRun[], axis: StepAxis): ChartView {
  const parts = runs.map((run) => linesOf(run, (step) => axis.at(step, run.steps)));
  return { title: "Told and real noise over the steps", lines: parts.flatMap(({ lines }) => lines), gaps: parts.map(({ gap }) => gap), x: axis, y: levels, summary: summaryOf(runs) };
}

function summaryOf(runs: readonly PlottedRun[]): string {
  const of = ({ label, run: { plan } }: PlottedRun): string => {
    const [{ toldNoise, inputNoise }] = noisePlan(plan);
    return `${label}: first step told ${toldNoise.toFixed(2)}, in the input ${inputNoise.toFixed(2)}`;
  };
  return `Noise level told to the model and noise level of its input, by step. ${runs.map(of).join("; ")}.`;
}
