import { axisX, axisY, gridY, plot, rect } from "@observablehq/plot";
import { histogram } from "../../src/core/statistics";
import type { FloatMap } from "../../src/core/image";
import { attributes, el } from "../dom";
import { shortText } from "../rows/measures";
import "../plots/chart.css";

const bins = 48;
const margins = { marginTop: 6, marginRight: 10, marginBottom: 30, marginLeft: 44 };

interface Bin {
  readonly from: number;
  readonly to: number;
  /** Percent of the pixels that have a value. */
  readonly share: number;
  readonly title: string;
}

/** How often each value of a map occurs; pointing at a bar tells which values it holds. */
export class HistogramPlot {
  readonly element = el("div", "histogram");
  #inputs: readonly unknown[] = [];
  #draw?: (width: number, height: number) => void;

  constructor(private readonly onHover: (values: readonly [number, number] | undefined) => void) {
    new ResizeObserver(() => this.#redraw()).observe(this.element);
    this.element.addEventListener("pointerleave", () => this.onHover(undefined));
  }

  /** Drawn again only for another map or range. `label` names the values with their unit. */
  update(map: FloatMap, range: readonly [number, number], label: string): void {
    const inputs = [map, range[0], range[1], label];
    if (inputs.every((input, i) => input === this.#inputs[i])) return;
    this.#inputs = inputs;
    const data = binsOf(map, range);
    this.#draw = (width, height) => this.element.replaceChildren(this.#picture(data, label, width, height));
    this.#redraw();
  }

  #redraw(): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth > 120 && clientHeight > 60) this.#draw?.(clientWidth, clientHeight);
  }

  #picture(data: readonly Bin[], label: string, width: number, height: number): Element {
    const top = Math.max(1e-9, ...data.map(({ share }) => share));
    const picture = plot({
      width, height, ...margins, className: "chart-plot",
      x: { domain: [data[0].from, data[data.length - 1].to] }, y: { domain: [0, top] },
      marks: [
        axisX({ label, labelArrow: "none", labelAnchor: "center", tickSize: 4, ticks: Math.floor(width / 70), className: "chart-axis" }),
        axisY({ label: "% of pixels", labelArrow: "none", labelAnchor: "center", labelOffset: 38, tickSize: 4, ticks: Math.max(2, Math.floor(height / 34)), className: "chart-axis" }),
        gridY({ ticks: Math.max(2, Math.floor(height / 34)), className: "chart-grid" }),
        rect(data, { x1: "from", x2: "to", y1: 0, y2: "share", insetRight: 0.5, className: "histogram-bar" }),
        // As high as the plot, so that low bars can be pointed at too.
        rect(data, { x1: "from", x2: "to", y1: 0, y2: top, fill: "transparent", title: "title", className: "histogram-hit" }),
      ],
    });
    // Its own style sheet would be refused by the page's policy; chart.css says the same.
    for (const style of picture.querySelectorAll("style")) style.remove();
    attributes(picture, { role: "img", "aria-label": `Histogram: ${label}` });
    picture.querySelectorAll(".histogram-hit rect").forEach((bar, i) => bar.addEventListener("pointerenter", () => this.onHover([data[i].from, data[i].to])));
    return picture;
  }
}

function binsOf(map: FloatMap, [low, high]: readonly [number, number]): readonly Bin[] {
  const counts = histogram(map.data, { low, high }, bins);
  const total = Math.max(1, map.data.reduce((count, value) => count + (Number.isFinite(value) ? 1 : 0), 0));
  return Array.from(counts, (count, i) => {
    const [from, to] = [i, i + 1].map((edge) => low + ((high - low) * edge) / bins);
    const share = (100 * count) / total;
    return { from, to, share, title: `${shortText(from)} to ${shortText(to)}: ${shortText(share)} % of the pixels` };
  });
}
