import { dot, line, plot } from "@observablehq/plot";
import { attributes, el } from "../dom";

/** As many as chart.css has colours. */
const colours = 6;
const symbols = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"] as const;
const dashes = [undefined, "9 3", "2 3"] as const;

/** Class that gives a run its colour, as `currentColor`. */
export function runClass(slot: number): string {
  return `run-colour-${slot % colours}`;
}

/** Colour and marker together name 42 runs, to those too who cannot tell the colours apart. */
export function symbolOf(slot: number): (typeof symbols)[number] {
  return symbols[slot % symbols.length];
}

/** Each round of colours has a dash of its own. */
export function dashOf(slot: number): string | undefined {
  return dashes[Math.floor(slot / colours) % dashes.length];
}

/** Which colour and marker a row has: its own for as long as the page lives, whatever other rows come and go. */
export class Slots {
  readonly #slots = new Map<string, number>();

  of(rowId: string): number {
    const known = this.#slots.get(rowId);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    this.#slots.set(rowId, slot);
    return slot;
  }
}

export interface LegendEntry {
  readonly slot: number;
  readonly label: string;
}

/** Runs by colour and marker, and, where lines of two sorts are drawn, what solid and dashed mean. */
export class ChartLegend {
  readonly element = attributes(el("ul", "chart-legend"), { "aria-label": "Legend" });
  #shown = "";

  update(entries: readonly LegendEntry[], sorts: readonly [solid: string, dashed: string] | undefined): void {
    const wanted = JSON.stringify([entries, sorts]);
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const runs = entries.map(({ slot, label }) => el("li", runClass(slot), swatch(slot), el("span", "chart-legend-label", label)));
    const kinds = (sorts ?? []).map((text, i) => el("li", "chart-legend-sort", swatch(0, i === 1), el("span", "chart-legend-label", text)));
    this.element.replaceChildren(...kinds, ...runs);
  }
}

/** A short piece of a run's line; of a sort of line when `second` is given. */
export function swatch(slot: number, second?: boolean): Element {
  const dash = second === undefined ? dashOf(slot) : second ? "5 4" : undefined;
  const picture = plot({
    width: 30, height: 12, margin: 0, axis: null, className: "chart-plot", x: { domain: [0, 1] }, y: { domain: [0, 1] },
    marks: [
      line([[0.05, 0.5], [0.95, 0.5]], { stroke: "currentColor", strokeDasharray: dash, className: "chart-line" }),
      dot([[0.5, 0.5]], { stroke: "currentColor", symbol: symbolOf(slot), r: 3.5, className: `chart-dot ${second ? "hollow" : "filled"}` }),
    ],
  });
  for (const style of picture.querySelectorAll("style")) style.remove();
  return attributes(picture, { "aria-hidden": "true" });
}
