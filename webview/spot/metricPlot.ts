import { axisX, plot, rect, ruleX } from "@observablehq/plot";
import type { Column } from "../../src/evaluation/columns";
import { attributes, el, setText } from "../dom";
import { optionalNumberField, type Control } from "../controls";
import "../plots/chart.css";

const bins = 40;
const margins = { marginTop: 4, marginRight: 10, marginBottom: 22, marginLeft: 10 };
const height = 96;

export type Range = readonly [number, number];

/** What is plotted. Numbers are as stored; shown ones are multiplied by the column's factor. */
export interface MetricData {
  readonly column: Column;
  readonly values: readonly number[];
  readonly range?: Range;
  /** Of the selected image. */
  readonly selected?: number;
}

/** How often the values of a metric occur; dragging over it, or two fields, choose which images are shown. */
export class MetricPlot {
  readonly element = el("div", "metric-plot");
  readonly #area = attributes(el("div", "metric-area"), { title: "Drag to show only images with these values; a click shows all" });
  readonly #brush = el("div", "metric-brush");
  readonly #about = el("p", "hint");
  readonly #from: Control<number | undefined>;
  readonly #to: Control<number | undefined>;
  #data?: MetricData;
  #domain: Range = [0, 1];
  #drawn: readonly unknown[] = [];
  #start?: number;

  /** `onRange` is told stored numbers; undefined for all. */
  constructor(private readonly onRange: (range: Range | undefined) => void) {
    const limits = { min: -Infinity, max: Infinity };
    this.#from = optionalNumberField("From", undefined, "lowest", limits, (value) => this.#type(value, undefined));
    this.#to = optionalNumberField("To", undefined, "highest", limits, (value) => this.#type(undefined, value));
    this.#area.append(this.#brush);
    const fields = el("div", "metric-fields", el("span", "field-label", "From"), this.#from.element, el("span", "field-label", "to"), this.#to.element);
    this.element.append(this.#area, fields, this.#about);
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.#area);
  }

  update(data: MetricData | undefined): void {
    this.#data = data;
    this.element.hidden = data === undefined;
    if (!data) return;
    setText(this.#about, data.column.meaning);
    const shown = (value: number | undefined): number | undefined => (value === undefined || !Number.isFinite(value) ? undefined : rounded(value * data.column.shownFactor));
    this.#from.set(shown(data.range?.[0]));
    this.#to.set(shown(data.range?.[1]));
    this.#draw();
  }

  #draw(): void {
    const width = this.#area.clientWidth;
    if (!this.#data || width < 60) return;
    const { column, values, selected, range } = this.#data;
    const inputs = [column.id, values, selected, width];
    if (inputs.some((input, i) => input !== this.#drawn[i])) {
      this.#drawn = inputs;
      this.#area.querySelector("svg, figure")?.remove();
      this.#area.prepend(this.#picture(column, values, selected, width));
    }
    this.#place(range && [range[0] * column.shownFactor, range[1] * column.shownFactor]);
  }

  #picture(column: Column, values: readonly number[], selected: number | undefined, width: number): Element {
    const shown = values.map((value) => value * column.shownFactor);
    const counts = countsOf(shown);
    this.#domain = [counts[0].from, counts[counts.length - 1].to];
    const label = `${column.title}${column.unit ? ` (${column.unit})` : ""}`;
    const picture = plot({
      width, height, ...margins, className: "chart-plot",
      // A square root keeps single outliers visible beside thousands.
      x: { domain: [...this.#domain] }, y: { type: "sqrt", axis: null },
      marks: [
        axisX({ label: null, tickSize: 3, ticks: Math.max(2, Math.floor(width / 60)), className: "chart-axis" }),
        rect(counts, { x1: "from", x2: "to", y1: 0, y2: "count", insetRight: 0.5, className: "histogram-bar" }),
        ...(selected === undefined ? [] : [ruleX([selected * column.shownFactor], { className: "chart-rule" })]),
      ],
    });
    // Its own style sheet would be refused by the page's policy; chart.css says the same.
    for (const style of picture.querySelectorAll("style")) style.remove();
    return attributes(picture, { role: "img", "aria-label": `Histogram: ${label}` });
  }

  #place(range: Range | undefined): void {
    this.#brush.hidden = range === undefined;
    if (!range) return;
    const [left, right] = range.map((value) => Math.min(this.#area.clientWidth - margins.marginRight, Math.max(margins.marginLeft, this.#x(value))));
    this.#brush.style.left = `${left}px`;
    this.#brush.style.width = `${Math.max(1, right - left)}px`;
  }

  #x(value: number): number {
    const inner = this.#area.clientWidth - margins.marginLeft - margins.marginRight;
    return margins.marginLeft + ((value - this.#domain[0]) / (this.#domain[1] - this.#domain[0])) * inner;
  }

  #valueAt(event: PointerEvent): number {
    const { left, width } = this.#area.getBoundingClientRect();
    const inner = width - margins.marginLeft - margins.marginRight;
    const part = Math.min(1, Math.max(0, (event.clientX - left - margins.marginLeft) / inner));
    return this.#domain[0] + part * (this.#domain[1] - this.#domain[0]);
  }

  #listen(): void {
    this.#area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#area.setPointerCapture(event.pointerId);
      this.#start = this.#valueAt(event);
    });
    this.#area.addEventListener("pointermove", (event) => {
      if (this.#start !== undefined) this.#place(sorted(this.#start, this.#valueAt(event)));
    });
    this.#area.addEventListener("pointerup", (event) => {
      if (this.#start === undefined || !this.#data) return;
      const [from, to] = sorted(this.#start, this.#valueAt(event));
      this.#start = undefined;
      const { shownFactor } = this.#data.column;
      const isClick = to - from < (this.#domain[1] - this.#domain[0]) / 200;
      // Whoever drags into the last bar means the image at its very end too.
      const [low, high] = this.#domain;
      const bin = (high - low) / bins;
      this.onRange(isClick ? undefined : [from < low + bin ? -Infinity : from / shownFactor, to > high - bin ? Infinity : to / shownFactor]);
    });
  }

  #type(from: number | undefined, to: number | undefined): void {
    if (!this.#data) return;
    const { column: { shownFactor }, range = [-Infinity, Infinity] } = this.#data;
    const typed: Range = [from === undefined ? range[0] : from / shownFactor, to === undefined ? range[1] : to / shownFactor];
    this.onRange(typed);
  }
}

function countsOf(shown: readonly number[]): { from: number; to: number; count: number }[] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of shown) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high > low)) [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
  const step = (high - low) / bins;
  const counts = Array.from({ length: bins }, (_, i) => ({ from: low + i * step, to: low + (i + 1) * step, count: 0 }));
  for (const value of shown) counts[Math.min(bins - 1, Math.floor((value - low) / step))].count++;
  return counts;
}

function sorted(a: number, b: number): Range {
  return a < b ? [a, b] : [b, a];
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
