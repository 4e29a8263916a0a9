import { applyScaleShift } from "../../src/core/alignment";
import { csvFrom } from "../../src/core/csv";
import type { FloatMap } from "../../src/core/image";
import { fitBetween, profileAlong, type ImagePoint } from "../../src/core/profile";
import type { DepthKind } from "../../src/core/semantics";
import { Chart, type ChartPoint, type ChartView } from "./chart";
import { button, checkbox } from "../controls";
import { el, setText } from "../dom";
import { shortText } from "../rows/measures";
import type { Page, ShownMap } from "../page";
import { depthUnits, plottedRuns, shownRefOf } from "./plottedRuns";
import type { PlotTab, PlotTools } from "./plotTab";
import type { LegendEntry } from "./runMarks";

/** Depth along the line, from one map. */
interface Profile extends LegendEntry {
  readonly map: FloatMap;
  readonly kind: DepthKind;
}

/** Samples of a line; as many as it has pixels, up to this. */
const mostSamples = 2048;

const fits = new WeakMap<FloatMap, WeakMap<FloatMap, ReturnType<typeof fitBetween>>>();

/** Depth along the line that was drawn on a tile, for every visible run. */
export class ProfilePlot implements PlotTab {
  readonly element = el("div", "profile-plot");
  readonly controls: readonly HTMLElement[];
  readonly perTask = false;
  readonly #chart = new Chart({ hover: (point) => this.#hover(point) });
  readonly #note = el("p", "hint profile-note");
  readonly #align = checkbox("Aligned", true, (aligned) => {
    this.#aligned = aligned;
    this.#page?.refresh();
  });
  #aligned = true;
  #page?: Page;
  #line?: readonly [ImagePoint, ImagePoint];
  #pixels = 1;
  #profiles: readonly Profile[] = [];
  #values: readonly (readonly number[])[] = [];
  #unit = "";

  constructor() {
    this.#align.element.title = "Fits scale and shift of every depth to the pinned one, the ground truth or the first run, so that the lines can be compared";
    this.controls = [this.#align.element, button("Remove Line", () => this.#page?.changeView({ line: undefined })).element];
    this.element.append(this.#chart.element, this.#note);
  }

  update(page: Page, tools: PlotTools): string | undefined {
    this.#page = page;
    const { line } = page.state.view;
    this.#line = line;
    if (!line) return "Draw a line on a tile to see depth along it, for every run: Alt+drag, or the line button of the toolbar.";
    const target = targetOf(page);
    const all = profilesOf(page, tools);
    const base = target ? { map: target.map, kind: depthKindOf(target), label: target.label } : all[0];
    if (!base) return "Depth along the line is drawn once a run has some.";
    this.#profiles = this.#aligned ? all.filter(({ kind }) => isDisparity(kind) === isDisparity(base.kind)) : all;
    const left = all.filter((profile) => !this.#profiles.includes(profile)).map(({ label }) => label);
    setText(this.#note, left.length > 0 ? `${left.join(", ")}: cannot be aligned, one is depth and the other disparity.` : "");
    this.#note.hidden = left.length === 0;
    const photo = page.generation?.photo ?? all[0].map;
    const inputs = [line, photo.width, photo.height, this.#aligned && base.map, ...this.#profiles.flatMap(({ map, slot, label }) => [map, slot, label])];
    this.#chart.update(inputs, () => this.#view(line, photo, base));
    this.#chart.rule(this.#probeRule(page, line, photo));
    return undefined;
  }

  legend(): readonly LegendEntry[] {
    return this.#profiles;
  }

  csv(): string {
    const [from, to] = this.#line ?? [];
    const count = this.#values[0]?.length ?? 0;
    if (!from || !to) return "";
    const rows = Array.from({ length: count }, (_, i) => {
      const part = i / (count - 1);
      return [part * this.#pixels, from.u + part * (to.u - from.u), from.v + part * (to.v - from.v), ...this.#values.map((values) => values[i])];
    });
    return csvFrom(["distance along the line (pixels)", "u (0..1)", "v (0..1)", ...this.#profiles.map(({ label }) => `${label} (${this.#unit})`)], rows);
  }

  #view([from, to]: readonly [ImagePoint, ImagePoint], photo: { readonly width: number; readonly height: number }, base: Omit<Profile, "slot">): ChartView {
    const pixels = Math.hypot((to.u - from.u) * photo.width, (to.v - from.v) * photo.height);
    this.#pixels = pixels;
    const count = Math.min(mostSamples, Math.max(2, Math.ceil(pixels) + 1));
    this.#values = this.#profiles.map(({ map }) => {
      const values = profileAlong(map, from, to, count);
      return [...(this.#aligned ? applyScaleShift(Float32Array.from(values), fitOf(map, base.map)) : values)];
    });
    const kinds = new Set(this.#profiles.map(({ kind }) => depthUnits[kind]));
    this.#unit = this.#aligned ? `${depthUnits[base.kind]}, aligned to ${base.label}` : kinds.size === 1 ? [...kinds][0] : "each in its own unit";
    const lines = this.#profiles.map(({ slot, label }, p) => ({
      slot,
      points: this.#values[p].map((y, i): ChartPoint => ({ x: (pixels * i) / (count - 1), y, text: `${label}\n${shortText(y)} at ${Math.round((pixels * i) / (count - 1))} px` })),
    }));
    const ends = this.#profiles.map(({ label }, p) => `${label}: from ${shortText(this.#values[p][0])} to ${shortText(this.#values[p][count - 1])}`);
    const title = `Depth along the line, ${this.#unit}`;
    return { title, lines, x: { label: "Distance from A to B, pixels", domain: [0, pixels] }, y: { label: kinds.has("m") ? "Depth, m" : "Depth" }, summary: `${title}. ${ends.join("; ")}.` };
  }

  /** The crosshair of the tiles goes along the line. */
  #hover(point: ChartPoint | undefined): void {
    const [from, to] = this.#line ?? [];
    if (!from || !to) return;
    const part = (point?.x ?? 0) / this.#pixels;
    const within = (value: number): number => Math.min(1 - 1e-7, Math.max(0, value));
    this.#page?.look.hover(point && { u: within(from.u + part * (to.u - from.u)), v: within(from.v + part * (to.v - from.v)) });
  }

  /** Where the crosshair is, when it is on the line. */
  #probeRule({ look: { probe } }: Page, [from, to]: readonly [ImagePoint, ImagePoint], { width, height }: { readonly width: number; readonly height: number }): readonly { readonly x: number }[] {
    if (!probe) return [];
    const [dx, dy] = [(to.u - from.u) * width, (to.v - from.v) * height];
    const [px, py] = [(probe.u - from.u) * width, (probe.v - from.v) * height];
    const length = Math.hypot(dx, dy);
    const along = (px * dx + py * dy) / length;
    const beside = Math.abs(px * dy - py * dx) / length;
    return beside < 0.01 * Math.hypot(width, height) && along >= -1 && along <= length + 1 ? [{ x: Math.min(length, Math.max(0, along)) }] : [];
  }
}

/** What depths are aligned to when it is not the first run. */
function targetOf(page: Page): ShownMap | undefined {
  const { pinned, truth } = page.state.view;
  const wanted = [pinned, truth].find((ref) => ref?.task === "depth");
  return wanted && page.mapOf(wanted);
}

/** Of every visible run the step on show or the result, and the ground truth. */
function profilesOf(page: Page, { slots }: PlotTools): readonly Profile[] {
  const { truth } = page.state.view;
  const runs = plottedRuns(page, slots, "depth").map((run) => ({ slot: run.slot, label: run.label, shown: page.mapOf(shownRefOf(run)) }));
  const files = truth?.task === "depth" ? [{ slot: slots.of(truth.path), label: page.labelOf(truth), shown: page.mapOf(truth) }] : [];
  return [...runs, ...files].flatMap(({ slot, label, shown }) => (shown?.map.channels === 1 ? [{ slot, label, map: shown.map, kind: depthKindOf(shown) }] : []));
}

function depthKindOf({ semantics }: ShownMap): DepthKind {
  return semantics.task === "depth" ? semantics.depthKind : "affine-depth";
}

function isDisparity(kind: DepthKind): boolean {
  return kind === "affine-disparity";
}

/** Computed once for two maps. */
function fitOf(map: FloatMap, target: FloatMap): ReturnType<typeof fitBetween> {
  if (map === target) return { scale: 1, shift: 0 };
  const known = fits.get(map)?.get(target);
  if (known) return known;
  const fit = fitBetween(map, target);
  const ofMap = fits.get(map) ?? new WeakMap<FloatMap, typeof fit>();
  fits.set(map, ofMap.set(target, fit));
  return fit;
}
