import { dot, line, ruleX, ruleY } from "@observablehq/plot";
import { chartSheet, dashes, plotSvg, type LegendEntry } from "./chartSheet";

/** A point, and how far it reaches up and down where it is a mean. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** A series of points; lines that belong together share a colour. */
export interface ChartSeries {
  readonly name: string;
  /** Any CSS colour that every SVG program knows. */
  readonly colour: string;
  readonly dashed?: boolean;
  readonly points: readonly ChartPoint[];
}

/** One panel of a chart. */
export interface ChartPanel {
  readonly title: string;
  /** Quantity and unit. */
  readonly yLabel: string;
  readonly series: readonly ChartSeries[];
  /** A level that is the same for every x: a horizontal line. */
  readonly level?: { readonly name: string; readonly y: number };
}

const levelColour = "#777777";
const panelWidth = 350;
const panelHeight = 220;

/**
 * Panels, two a row, over the numbers of steps (logarithmic, named), as an SVG string on white with one legend under them.
 * A pale bar at a point says how far it reaches. The same numbers give the same bytes.
 */
export function stepsChart(panels: readonly ChartPanel[], steps: readonly number[]): string {
  const parts = panels.map((panel) => ({ title: panel.title, plot: panelSvg(panel, steps) }));
  return chartSheet(parts, legendOf(panels), { columns: Math.min(2, panels.length), panelWidth, panelHeight });
}

function panelSvg({ yLabel, series, level }: Omit<ChartPanel, "title">, steps: readonly number[]): string {
  const values = [...series.flatMap(({ points }) => points.flatMap(({ y, low = y, high = y }) => [low, high])), ...(level ? [level.y] : [])];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return plotSvg({
    width: panelWidth,
    height: panelHeight,
    marginLeft: 48,
    marginRight: 14,
    marginBottom: 36,
    x: { type: "log", domain: [steps[0], steps[steps.length - 1]], ticks: [...steps], tickFormat: (value: number) => String(value), label: "denoising steps", labelAnchor: "center", labelArrow: "none", inset: 8 },
    y: { grid: true, ticks: 5, domain: [low - room, high + room], label: yLabel, labelArrow: "none" },
    marks: [
      ...(level ? [ruleY([level.y], { stroke: levelColour, strokeDasharray: dashes })] : []),
      ...series.flatMap(({ points, colour, dashed }) => [
        line(points, { x: "x", y: "y", stroke: colour, strokeWidth: 1.8, ...(dashed && { strokeDasharray: dashes }) }),
        ruleX(points.filter((point) => point.low !== undefined), { x: "x", y1: "low", y2: "high", stroke: colour, strokeWidth: 4.5, strokeOpacity: 0.4 }),
        dot(points, { x: "x", y: "y", fill: colour, r: 2.6 }),
      ]),
    ],
  });
}

/** Names of all series once, with a piece of their line. */
function legendOf(panels: readonly ChartPanel[]): readonly LegendEntry[] {
  const entries = new Map<string, LegendEntry>();
  for (const { series, level } of panels) {
    for (const { name, colour, dashed } of series) entries.set(name, { name, colour, dashed });
    if (level) entries.set(level.name, { name: level.name, colour: levelColour, dashed: true });
  }
  return [...entries.values()];
}
