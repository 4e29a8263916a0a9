import { dot, ruleY, tickX } from "@observablehq/plot";
import { chartSheet, plotSvg } from "./chartSheet";
import type { OverSeeds } from "./studySpread";

/** A row of a chart: a setting and its figure over seeds. */
export interface IntervalRow {
  /** Unique in its panel. */
  readonly label: string;
  /** Any CSS colour that every SVG program knows. */
  readonly colour: string;
  readonly figure: OverSeeds;
}

/** One panel of a chart. */
export interface IntervalPanel {
  readonly title: string;
  /** Quantity and unit. */
  readonly xLabel: string;
  readonly rows: readonly IntervalRow[];
}

const rowHeight = 30;
const letterWidth = 6.2;

/**
 * Panels below each other, a row for each setting: a dot for each seed, a line from the lowest to the highest, and a tick at their mean, as an SVG
 * string on white. The axis does not begin at zero.
 */
export function intervalChart(panels: readonly IntervalPanel[]): string {
  const mostRows = Math.max(...panels.map(({ rows }) => rows.length));
  const labels = panels.flatMap(({ rows }) => rows.map(({ label }) => label.length));
  const [panelWidth, panelHeight] = [700, mostRows * rowHeight + 50];
  const parts = panels.map((panel) => ({ title: panel.title, plot: panelSvg(panel, Math.ceil(Math.max(...labels) * letterWidth) + 20, panelWidth, panel.rows.length * rowHeight + 50) }));
  return chartSheet(parts, [], { columns: 1, panelWidth, panelHeight });
}

function panelSvg({ xLabel, rows }: IntervalPanel, marginLeft: number, width: number, height: number): string {
  const [low, high] = [Math.min(...rows.map(({ figure }) => figure.low)), Math.max(...rows.map(({ figure }) => figure.high))];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  const seeds = rows.flatMap(({ label, colour, figure }) => figure.values.map((value) => ({ label, colour, value })));
  const means = rows.map(({ label, colour, figure }) => ({ label, colour, ...figure }));
  return plotSvg({
    width,
    height,
    marginLeft,
    marginRight: 24,
    marginTop: 8,
    marginBottom: 38,
    x: { grid: true, ticks: Math.floor((width - marginLeft) / 80), domain: [low - room, high + room], label: xLabel, labelAnchor: "center", labelArrow: "none" },
    y: { type: "band", domain: rows.map(({ label }) => label), label: null, tickSize: 0 },
    marks: [
      ruleY(means.filter((row) => row.values.length > 1), { y: "label", x1: "low", x2: "high", stroke: "colour", strokeWidth: 1.8 }),
      tickX(means, { x: "mean", y: "label", stroke: "colour", strokeWidth: 2.4, insetTop: 6, insetBottom: 6 }),
      dot(seeds, { x: "value", y: "label", fill: "colour", stroke: "#ffffff", strokeWidth: 0.6, r: 3.4 }),
    ],
    color: { type: "identity" },
  });
}
