import { csvFrom } from "../../src/core/csv";
import { angleBetween } from "../../src/core/normals";
import type { Task } from "../../src/core/semantics";
import type { MapRef } from "../../src/protocol/inference";
import { Answers, type Answer } from "../answers";
import { Chart, type ChartView } from "./chart";
import { button, dropdown, iconButton } from "../controls";
import { attributes, el, setChildren, setText } from "../dom";
import { semanticsOf } from "../maps";
import { shortText } from "../rows/measures";
import type { Page } from "../page";
import { depthUnitOf, plottedRuns, showPicked, shownRules, stepAxis, stepText, timestepOf, type PlottedRun } from "./plottedRuns";
import type { PlotTab, PlotTools } from "./plotTab";
import { runClass, swatch } from "./runMarks";

type Point = { readonly u: number; readonly v: number };

/** By map: the steps, then the result; the channels there, null where there is no value. */
type Series = readonly (readonly (number | null)[])[];

/** Which number of a normal is drawn. */
const quantities = [["angle", "Angle to the last step"], ["x", "x"], ["y", "y"], ["z", "z"]] as const;
type Quantity = (typeof quantities)[number][0];

const mostProbes = 6;

/** One number a step of a run at a probe, and that of the map on show. */
interface Track {
  readonly run: PlottedRun;
  readonly values: readonly number[];
  readonly shown: number;
  /** What the numbers are made from. */
  readonly series: Series;
}

/** The values at each pinned probe over the steps of every run. */
export class ProbePlot implements PlotTab {
  readonly element = el("div", "probe-plots");
  readonly controls: readonly HTMLElement[];
  readonly perTask = true;
  readonly answers = new Answers<Series>(512);
  readonly #note = el("p", "hint");
  readonly #cards = new Map<string, ProbeCard>();
  readonly #quantityChoice = dropdown("Number of a normal", quantities, "angle", (quantity) => {
    this.#quantity = quantity as Quantity;
    this.#page?.refresh();
  });
  #quantity: Quantity = "angle";
  #page?: Page;
  #runs: readonly PlottedRun[] = [];
  #tracks: readonly { readonly point: Point; readonly tracks: readonly Track[] }[] = [];
  #unit = "";

  constructor() {
    this.controls = [this.#quantityChoice.element, button("Clear", () => this.#page?.changeView({ probes: [] })).element];
  }

  update(page: Page, { slots, task }: PlotTools): string | undefined {
    this.#page = page;
    const probes = (page.state.view.probes ?? []).slice(0, mostProbes);
    this.#runs = plottedRuns(page, slots, task);
    this.#quantityChoice.element.hidden = task !== "normals";
    if (probes.length === 0) return "Mark a place to follow its value over the steps: Shift+click on a tile, or M at the crosshair.";
    if (this.#runs.length === 0) return `Values are listed once a ${task} run has begun.`;
    this.#unit = task === "depth" ? depthUnitOf(this.#runs) : this.#quantity === "angle" ? "degrees" : `${this.#quantity}, ${frameOf(page, this.#runs)}`;
    const answers = this.#runs.map((run) => this.#ask(page, run, probes));
    this.#tracks = probes.map((point, p) => ({ point, tracks: this.#runs.flatMap((run, r) => this.#track(page, run, answers[r][p].value) ?? []) }));
    const failed = answers.findIndex((ofRun) => ofRun.some(({ failure }) => failure !== undefined));
    setText(this.#note, failed < 0 ? "" : `${this.#runs[failed].label}: ${answers[failed].find(({ failure }) => failure !== undefined)?.failure ?? ""}`);
    this.#note.hidden = failed < 0;
    this.#showCards(page, task);
    return undefined;
  }

  legend(): readonly PlottedRun[] {
    return this.#runs;
  }

  csv(): string {
    const size = this.#page?.generation?.photo;
    const rows = this.#tracks.flatMap(({ point, tracks }, p) => tracks.flatMap(({ run, values }) => values.map((value, i) => [
      p + 1, size ? Math.floor(point.u * size.width) : point.u, size ? Math.floor(point.v * size.height) : point.v, run.label, run.task, i + 1, run.steps, timestepOf(run, i), value,
    ])));
    return csvFrom(["probe", size ? "x (pixels)" : "u (0..1)", size ? "y (pixels)" : "v (0..1)", "run", "task", "step", "steps", "timestep (0-based)", `value (${this.#unit})`], rows);
  }

  #showCards(page: Page, task: Task): void {
    const keys = this.#tracks.map(({ point }) => keyOf(point));
    for (const key of this.#cards.keys()) if (!keys.includes(key)) this.#cards.delete(key);
    const cards = this.#tracks.map(({ point, tracks }, number) => {
      const key = keyOf(point);
      const card = this.#cards.get(key) ?? new ProbeCard((picked) => showPicked(this.#page, this.#runs, picked), () => this.#remove(key));
      this.#cards.set(key, card);
      const size = page.generation?.photo;
      const place = size ? `${Math.floor(point.u * size.width)}, ${Math.floor(point.v * size.height)}` : "";
      card.update(number + 1, place, task === "depth" ? `Depth (${this.#unit})` : `Normals (${this.#unit})`, tracks);
      return card.element;
    });
    setChildren(this.element, [...cards, this.#note]);
  }

  #remove(key: string): void {
    const page = this.#page;
    page?.changeView({ probes: page.state.view.probes?.filter((point) => keyOf(point) !== key) });
  }

  /** Asks for all points of a run that are not known yet at once: every map is read once. */
  #ask(page: Page, { rowId, task, steps, run }: PlottedRun, points: readonly Point[]): readonly Answer<Series>[] {
    const result = page.refOf({ kind: "result", rowId, task });
    // Before its result is there, the cache does not hold the whole run.
    if (result?.kind !== "result" || !run.result) return points.map(() => ({}));
    const { runKey } = result;
    const keyAt = (point: Point): string => `${runKey} ${steps} ${keyOf(point)}`;
    const missing = points.filter((point) => !this.answers.has(page, keyAt(point)));
    const refs = [...Array.from({ length: steps > 1 ? steps : 0 }, (_, step): MapRef => ({ kind: "step", runKey, step })), result];
    const asked = missing.length > 0 ? page.ask("series", { refs, points: missing }) : undefined;
    asked?.catch(() => undefined); // told by each of the answers below, which wait for each other
    return points.map((point) => this.answers.get(page, keyAt(point), async () => (await asked)?.values.map((channels) => channels[missing.indexOf(point)]) ?? []));
  }

  /** The values of one run at one probe, once they are here. */
  #track(page: Page, run: PlottedRun, series: Series | undefined): Track | undefined {
    if (!series?.length) return undefined;
    const numbers = this.#numbersOf(page, run, series);
    const values = run.steps > 1 ? numbers.slice(0, -1) : numbers;
    return { run, series, values, shown: run.shown === undefined ? numbers[numbers.length - 1] : numbers[run.shown] };
  }

  #numbersOf(page: Page, { task, run }: PlottedRun, series: Series): readonly number[] {
    // NaN does not survive the way from the host: it arrives as null.
    const vectors = series.map((channels) => channels.map((value) => value ?? NaN));
    if (task === "depth") return vectors.map(([depth]) => depth);
    const quantity = this.#quantity;
    if (quantity === "angle") {
      const last = vectors[Math.max(0, vectors.length - 2)];
      return vectors.map((vector) => (angleBetween(vector, 0, last, 0) * 180) / Math.PI);
    }
    const semantics = semanticsOf(task, run);
    const flip = quantity === "x" && semantics.task === "normals" && semantics.frame !== frameOf(page, this.#runs) ? -1 : 1;
    return vectors.map((vector) => flip * vector["xyz".indexOf(quantity)]);
  }
}

function keyOf({ u, v }: Point): string {
  return `${u} ${v}`;
}

/** In which normals are read out. */
function frameOf(page: Page, runs: readonly PlottedRun[]): string {
  const semantics = semanticsOf("normals", runs[0]?.run);
  return page.state.view.normalsFrame ?? (semantics.task === "normals" ? semantics.frame : "RUB");
}

/** One probe: a small chart, and the numbers of what is on show. */
class ProbeCard {
  readonly element = el("section", "probe-card");
  /** Coloured as the mark on the tiles. */
  readonly #number = el("span");
  readonly #place = el("span", "number");
  readonly #chart: Chart;
  readonly #values = attributes(el("ul", "probe-values"), { "aria-label": "Values on show" });

  constructor(pick: (point: { readonly rowId?: string; readonly step?: number }) => void, remove: () => void) {
    this.#chart = new Chart({ pick });
    const side = el("div", "probe-side", el("header", "probe-head", el("h3", "", this.#number, this.#place), iconButton("Remove this probe", "remove", remove).element), this.#values);
    this.element.append(this.#chart.element, side);
  }

  update(number: number, place: string, unit: string, tracks: readonly Track[]): void {
    setText(this.#number, String(number));
    this.#number.className = `probe-number probe-${number}`;
    setText(this.#place, place);
    const runs = tracks.map(({ run }) => run);
    const axis = stepAxis(runs);
    const inputs = tracks.flatMap(({ run, series }) => [run.label, run.slot, run.steps, series]);
    this.#chart.update([...inputs, unit, number], () => viewOf(`${number} at ${place}`, unit, tracks));
    this.#chart.rule(shownRules(runs, axis));
    while (this.#values.childElementCount > tracks.length) this.#values.lastElementChild?.remove();
    tracks.forEach(({ run, shown }, i) => showValue(this.#values, i, run, shown));
  }
}

function showValue(list: Element, at: number, { slot, label, shown: step, steps }: PlottedRun, value: number): void {
  const item = list.children[at] ?? list.appendChild(el("li", "", el("span", "visually-hidden"), el("span", "number")));
  if (item.className !== runClass(slot) || item.querySelector("svg") === null) {
    item.className = runClass(slot);
    item.querySelector("svg")?.remove();
    item.prepend(swatch(slot));
  }
  const [name, number] = item.querySelectorAll("span");
  setText(name, label);
  attributes(item, { title: step === undefined ? label : `${label}, step ${step + 1} of ${steps}` });
  setText(number, Number.isFinite(value) ? shortText(value) : "no value");
}

function viewOf(title: string, unit: string, tracks: readonly Track[]): ChartView {
  const axis = stepAxis(tracks.map(({ run }) => run));
  const lines = tracks.map(({ run, values }) => ({
    slot: run.slot,
    points: values.map((y, step) => ({ x: axis.at(step, run.steps), y, rowId: run.rowId, step, text: `${stepText(run, step)}\n${shortText(y)}` })),
  }));
  const ends = tracks.map(({ run, values }) => `${run.label}: from ${shortText(values[0])} to ${shortText(values[values.length - 1])}`);
  return { title: unit, lines, x: axis, y: { label: "" }, summary: `Probe ${title}. ${unit}, by step. ${ends.join("; ")}.` };
}
