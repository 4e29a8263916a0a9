import { areaY, axisX, axisY, dot, gridY, line, plot, ruleX, text, type Markish } from "@observablehq/plot";
import { attributes, el, setText } from "../dom";
import { dashOf, runClass, symbolOf } from "./runMarks";
import "./chart.css";

/** A value that can be pointed at; a row and a step where choosing it means something. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Said where the pointer is. */
  readonly text: string;
  readonly rowId?: string;
  readonly step?: number;
}

/** Points of one run, joined by a line; NaN leaves a gap. */
export interface ChartLine {
  /** Colour and marker of the run. */
  readonly slot: number;
  /** Dashed, with hollow markers: the second of two quantities of one run. */
  readonly second?: boolean;
  /** Joined when absent; else only markers. */
  readonly loose?: boolean;
  readonly points: readonly ChartPoint[];
}

/** What lies between two lines of a run: an area over many points, a bar at one. */
export interface ChartGap {
  readonly slot: number;
  readonly between: readonly { readonly x: number; readonly low: number; readonly high: number }[];
  /** Written beside a bar. */
  readonly label?: string;
}

export interface ChartAxis {
  /** With the unit. */
  readonly label: string;
  readonly domain?: readonly [number, number];
  readonly ticks?: readonly number[];
  readonly format?: (value: number) => string;
}

export interface ChartView {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  readonly gaps?: readonly ChartGap[];
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  /** The same in words. */
  readonly summary: string;
}

/** A vertical line, in the colour of a run where it is the step of one. */
export interface ChartRule {
  readonly x: number;
  readonly slot?: number;
}

export interface ChartActions {
  /** A point was pressed, or dragged to. */
  pick?(point: ChartPoint): void;
  /** The pointer is nearest to a point, or has left. */
  hover?(point: ChartPoint | undefined): void;
}

interface Drawn {
  readonly svg: SVGSVGElement;
  readonly across: (x: number) => number;
  readonly top: number;
  readonly bottom: number;
  readonly placed: readonly { readonly point: ChartPoint; readonly px: number; readonly py: number }[];
}

/** Lines with more points than this are marked at some of them only. */
const mostMarkers = 16;
const margins = { marginTop: 12, marginRight: 30, marginBottom: 34, marginLeft: 60 };

/** One SVG chart that fills its element and is drawn again only when its inputs or its size are others. */
export class Chart {
  readonly element = el("figure", "chart");
  readonly #title = el("figcaption", "chart-title");
  readonly #area = el("div", "chart-area");
  readonly #tip = attributes(el("output", "chart-tip"), { "aria-hidden": "true" });
  #inputs: readonly unknown[] = [];
  #view?: ChartView;
  #drawn?: Drawn;
  #rules: readonly ChartRule[] = [];
  #held?: string;

  constructor(private readonly actions: ChartActions = {}) {
    this.element.append(this.#title, this.#area);
    this.#tip.hidden = true;
    this.#area.classList.toggle("pickable", actions.pick !== undefined);
    new ResizeObserver(() => this.#redraw()).observe(this.#area);
    this.#area.addEventListener("pointermove", (event) => this.#moved(event));
    this.#area.addEventListener("pointerleave", () => this.#point(undefined));
    this.#area.addEventListener("pointerdown", (event) => this.#pressed(event));
    for (const end of ["pointerup", "pointercancel"] as const) this.#area.addEventListener(end, () => (this.#held = undefined));
  }

  /** `build` is called only when one of the inputs is another object than at the last call. */
  update(inputs: readonly unknown[], build: () => ChartView): void {
    if (this.#view && inputs.length === this.#inputs.length && inputs.every((input, i) => Object.is(input, this.#inputs[i]))) return;
    this.#inputs = inputs;
    this.#view = build();
    setText(this.#title, this.#view.title);
    attributes(this.#title, { title: this.#view.title });
    this.#redraw();
  }

  /** Moves the vertical lines; nothing is drawn again. */
  rule(rules: readonly ChartRule[]): void {
    if (rules.length === this.#rules.length && rules.every(({ x, slot }, i) => x === this.#rules[i].x && slot === this.#rules[i].slot)) return;
    this.#rules = rules;
    this.#showRules();
  }

  #redraw(): void {
    const { clientWidth: width, clientHeight: height } = this.#area;
    this.#tip.hidden = true;
    this.#drawn = this.#view && width > margins.marginLeft + 40 && height > 60 ? drawn(this.#view, width, height) : undefined;
    this.#area.replaceChildren(...(this.#drawn ? [this.#drawn.svg, this.#tip] : []));
    this.#showRules();
  }

  #showRules(): void {
    if (!this.#drawn) return;
    const { svg, across, top, bottom } = this.#drawn;
    for (const old of svg.querySelectorAll(".chart-rule")) old.remove();
    for (const { x, slot } of this.#rules) {
      const at = String(across(x));
      svg.append(attributes(svgElement("line"), { class: slot === undefined ? "chart-rule" : `chart-rule ${runClass(slot)}`, x1: at, x2: at, y1: String(top), y2: String(bottom) }));
    }
  }

  #pressed(event: PointerEvent): void {
    const point = this.#nearest(event);
    if (event.button !== 0 || !this.actions.pick || point?.rowId === undefined) return;
    this.#held = point.rowId;
    this.#area.setPointerCapture(event.pointerId);
    this.actions.pick(point);
  }

  #moved(event: PointerEvent): void {
    const point = this.#nearest(event, this.#held);
    this.#point(point);
    if (this.#held !== undefined && point) this.actions.pick?.(point);
  }

  /** Says what is under the pointer. */
  #point(point: ChartPoint | undefined): void {
    this.actions.hover?.(point);
    const at = this.#drawn?.placed.find((placed) => placed.point === point);
    this.#tip.hidden = at === undefined;
    this.#drawn?.svg.querySelector(".chart-cursor")?.remove();
    if (!at || !point || !this.#drawn) return;
    setText(this.#tip, point.text);
    this.#drawn.svg.append(attributes(svgElement("circle"), { class: "chart-cursor", cx: String(at.px), cy: String(at.py), r: "6" }));
    const { clientWidth, clientHeight } = this.#area;
    const left = at.px > clientWidth / 2 ? at.px - 10 - this.#tip.offsetWidth : at.px + 10;
    const top = Math.min(clientHeight - this.#tip.offsetHeight, Math.max(0, at.py - 26));
    this.#tip.style.transform = `translate(${Math.max(0, left)}px, ${top}px)`;
  }

  /** The nearest point; of a row that is being dragged along, the nearest across. */
  #nearest(event: PointerEvent, rowId?: string): ChartPoint | undefined {
    const box = this.#area.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best: ChartPoint | undefined;
    let least = Infinity;
    for (const { point, px, py } of this.#drawn?.placed ?? []) {
      if (rowId !== undefined && point.rowId !== rowId) continue;
      const distance = rowId === undefined ? Math.hypot(px - x, py - y) : Math.abs(px - x);
      if (distance < least) [best, least] = [point, distance];
    }
    return best;
  }
}

function drawn(view: ChartView, width: number, height: number): Drawn {
  const { x, y, lines, gaps = [] } = view;
  const marks: Markish[] = [gridY({ ticks: y.ticks ? thinned(y.ticks, tickCount(height) + 1) : tickCount(height), className: "chart-grid" }), ...gaps.flatMap(gapMarks), ...lines.flatMap(lineMarks)];
  const axes = [axis(axisX, x, Math.max(2, Math.floor((width - margins.marginLeft) / 60))), axis(axisY, y, tickCount(height) + (y.ticks ? 1 : 0))];
  const picture = plot({ width, height, ...margins, className: "chart-plot", x: { type: "linear", domain: x.domain }, y: { type: "linear", domain: y.domain, nice: y.domain === undefined }, marks: [...axes, ...marks] });
  const [across, up] = [scaleOf(picture, "x"), scaleOf(picture, "y")];
  // Its own style sheet would be refused by the page's policy; chart.css says the same.
  for (const style of picture.querySelectorAll("style")) style.remove();
  attributes(picture, { role: "img", "aria-label": view.summary });
  const placed = lines.flatMap(({ points }) => points.filter((point) => Number.isFinite(point.y)).map((point) => ({ point, px: across(point.x), py: up(point.y) })));
  return { svg: picture as SVGSVGElement, across, top: margins.marginTop, bottom: height - margins.marginBottom, placed };
}

function axis(mark: typeof axisX, { label, ticks, format }: ChartAxis, count: number): Markish {
  return mark({ label, labelArrow: "none", ticks: ticks ? thinned(ticks, count) : count, tickFormat: format, tickSize: 4, className: "chart-axis", ...(mark === axisX ? { labelAnchor: "center" } : { labelAnchor: "center", labelOffset: 54 }) });
}

/** Every so many of them, the first among them, so that at most `count` stay. */
function thinned(ticks: readonly number[], count: number): number[] {
  const every = Math.ceil((ticks.length - 1) / Math.max(1, count - 1)) || 1;
  return ticks.filter((_, i) => i % every === 0);
}

function tickCount(height: number): number {
  return Math.max(2, Math.floor((height - margins.marginTop - margins.marginBottom) / 34));
}

function gapMarks({ slot, between, label }: ChartGap): Markish[] {
  const look = { className: `chart-gap ${runClass(slot)}`, x: "x", y1: "low", y2: "high" };
  if (between.length > 1) return [areaY(between, { ...look, fill: "currentColor" })];
  const middle = between.map(({ x, low, high }) => [x, (low + high) / 2] as const);
  return [ruleX(between, { ...look, stroke: "currentColor" }), ...(label === undefined ? [] : [text(middle, { text: [label], dx: 12, textAnchor: "start", className: "chart-label" })])];
}

function lineMarks({ slot, second, loose, points }: ChartLine): Markish[] {
  const every = Math.ceil(points.length / mostMarkers);
  const marked = points.filter((_, i) => i % every === 0 || i === points.length - 1);
  const at = { x: "x", y: "y" };
  return [
    ...(loose ? [] : [line(points, { ...at, className: `chart-line ${runClass(slot)}`, stroke: "currentColor", strokeDasharray: second ? "5 4" : dashOf(slot) })]),
    dot(marked, { ...at, className: `chart-dot ${second ? "hollow" : "filled"} ${runClass(slot)}`, symbol: symbolOf(slot), r: second ? 5 : 3.5, stroke: "currentColor" }),
  ];
}

function scaleOf(picture: ReturnType<typeof plot>, name: "x" | "y"): (value: number) => number {
  const scale = picture.scale(name);
  return (value) => Number(scale?.apply(value));
}

function svgElement<K extends keyof SVGElementTagNameMap>(name: K): SVGElementTagNameMap[K] {
  return document.createElementNS("http://www.w3.org/2000/svg", name);
}
