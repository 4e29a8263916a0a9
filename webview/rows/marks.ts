import type { ViewState } from "../../src/protocol/panel";
import { attributes, el, setChildren } from "../dom";
import type { Page } from "../page";
import type { Span } from "./viewport";
import "./marks.css";

export interface Point {
  readonly u: number;
  readonly v: number;
}

/** Colours that tell probes apart; a mark and its plot have the class `probe-${number}`, which sets --probe. */
export const mostProbes = 6;

/** What is drawn on every tile, and the gestures that change it. */
export interface MarkActions {
  readonly probes: readonly Point[];
  readonly line?: readonly [Point, Point];
  /** A plain drag draws the line. */
  readonly drawsLine: boolean;
  addProbe(point: Point): void;
  removeProbe(index: number): void;
  /** A line while it is drawn, and when it is `done`; one without a length takes the line away. */
  drawLine(from: Point, to: Point, done: boolean): void;
}

/** Marks as the page's state has them. */
export function marksOf(page: Page): MarkActions {
  const view = (): ViewState => page.state.view;
  return {
    get probes() { return view().probes ?? []; },
    get line() { return view().line; },
    get drawsLine() { return page.look.drawsLine; },
    addProbe({ u, v }) {
      const probes = view().probes ?? [];
      if (!isInside({ u, v })) return;
      if (probes.length >= mostProbes) return page.inform(`There are ${mostProbes} marks already; a click on one removes it.`);
      page.changeView({ probes: [...probes, { u, v }], dock: "probes" });
    },
    removeProbe(index) {
      page.changeView({ probes: (view().probes ?? []).filter((_, i) => i !== index) });
    },
    drawLine(from, to, done) {
      const [a, b] = [within(from), within(to)];
      const isLine = Math.hypot(a.u - b.u, a.v - b.v) > 0.005;
      page.changeView({ line: isLine ? [a, b] : undefined, ...(isLine && done ? { dock: "profile" } : {}) });
      if (done) page.look.drawLines(false);
    },
  };
}

function isInside({ u, v }: Point): boolean {
  return u >= 0 && u < 1 && v >= 0 && v < 1;
}

function within({ u, v }: Point): Point {
  const clip = (value: number): number => Math.min(1 - 1e-7, Math.max(0, value));
  return { u: clip(u), v: clip(v) };
}

/** Numbered probes and the line of the profile over a picture. */
export class Marks {
  readonly element = el("div", "marks");
  readonly #svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  readonly #lines = ["line-halo", "line-core"].map((name) => attributes(document.createElementNS("http://www.w3.org/2000/svg", "line"), { class: name }));
  readonly #ends = ["from", "to"].map((name) => el("span", `line-end line-${name}`));
  #probes: readonly HTMLButtonElement[] = [];

  constructor(private readonly actions: MarkActions) {
    this.#svg.append(...this.#lines);
    attributes(this.#svg, { class: "marks-line", "aria-hidden": "true" });
    this.element.append(this.#svg);
  }

  /** Puts the marks where they belong; `span` is in CSS pixels of the picture. */
  update(span: Span): void {
    const { probes, line } = this.actions;
    const place = ({ u, v }: Point): readonly [number, number] => [(u - span.u0) / span.du, (v - span.v0) / span.dv];
    while (this.#probes.length < probes.length) this.#probes = [...this.#probes, this.#mark(this.#probes.length)];
    setChildren(this.element, [this.#svg, ...(line ? this.#ends : []), ...this.#probes.slice(0, probes.length)]);
    probes.forEach((probe, i) => move(this.#probes[i], place(probe)));
    this.#svg.toggleAttribute("hidden", line === undefined);
    if (!line) return;
    const [[x1, y1], [x2, y2]] = line.map(place);
    for (const element of this.#lines) attributes(element, { x1: x1.toFixed(1), y1: y1.toFixed(1), x2: x2.toFixed(1), y2: y2.toFixed(1) });
    this.#ends.forEach((end, i) => move(end, place(line[i])));
  }

  #mark(index: number): HTMLButtonElement {
    const mark = attributes(el("button", `probe-mark probe-${index + 1}`, String(index + 1)), { type: "button", tabindex: "-1", "aria-label": `Remove mark ${index + 1}`, title: `Mark ${index + 1}: a click removes it` });
    // Not the beginning of a drag of the picture, nor a click on it.
    for (const type of ["pointerdown", "dblclick"] as const) mark.addEventListener(type, (event) => event.stopPropagation());
    mark.addEventListener("click", () => this.actions.removeProbe(index));
    return mark;
  }
}

function move(element: HTMLElement, [x, y]: readonly [number, number]): void {
  element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px) translate(-50%, -50%)`;
}
