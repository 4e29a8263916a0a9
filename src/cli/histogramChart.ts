import { axisX, binX, plot, rectY, ruleY } from "@observablehq/plot";
import { parseHTML } from "linkedom";

const size = { width: 270, height: 92 } as const;

/** How often values, which are not all the same, occur: SVG text that takes the colours and fonts of its page. */
export function histogramChart(values: readonly number[]): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const finite = values.filter(Number.isFinite);
  const [low, high] = finite.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const element = plot({
    document,
    ...size,
    marginTop: 4, marginLeft: 16, marginRight: 16, marginBottom: 22,
    style: { background: "none", overflow: "visible" },
    x: { domain: [low, high], label: null, nice: true },
    y: { axis: null },
    marks: [rectY(finite, binX({ y: "count" }, { x: (value: number) => value, thresholds: 30 })), ruleY([0], { stroke: "currentColor", strokeOpacity: 0.4 }), axisX({ ticks: 4, tickSize: 3, label: null })],
  });
  for (const style of element.querySelectorAll("style")) style.remove();
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  element.setAttribute("font-size", "10");
  element.removeAttribute("style");
  return element.outerHTML;
}
