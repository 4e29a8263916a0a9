import { line, dot, plot, ruleY } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** A series of points; lines that belong together share a colour. */
export interface ChartSeries {
  readonly name: string;
  /** Any CSS colour that every SVG program knows. */
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
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
const titleHeight = 26;
const legendHeight = 28;
const fontFamily = "Helvetica, Arial, 'DejaVu Sans', sans-serif";

/**
 * Panels, two a row, over the numbers of steps (logarithmic, named), as an SVG string on white with one legend under them.
 * Drawn by Observable Plot in a document of linkedom: the same numbers give the same bytes.
 */
export function stepsChart(panels: readonly ChartPanel[], steps: readonly number[]): string {
  const columns = Math.min(2, panels.length);
  const width = columns * panelWidth;
  const bottom = Math.ceil(panels.length / columns) * (titleHeight + panelHeight);
  const height = bottom + legendHeight;
  const place = (i: number): string => `${(i % columns) * panelWidth},${Math.floor(i / columns) * (titleHeight + panelHeight)}`;
  const parts = panels.map(({ title, ...panel }, i) => `<g transform="translate(${place(i)})"><text x="12" y="18" font-size="12" fill="#111111">${escaped(title)}</text><g transform="translate(0,${titleHeight})">${panelSvg(panel, steps)}</g></g>`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${fontFamily}" color="#111111">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${parts.join("\n")}
<g transform="translate(12,${bottom + 12})" font-size="10.5">${legend(panels)}</g>
</svg>
`;
}

function panelSvg({ yLabel, series, level }: Omit<ChartPanel, "title">, steps: readonly number[]): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const values = [...series.flatMap(({ points }) => points.map(({ y }) => y)), ...(level ? [level.y] : [])];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  const element = plot({
    document,
    width: panelWidth,
    height: panelHeight,
    marginLeft: 48,
    marginRight: 14,
    marginBottom: 36,
    style: { fontSize: "10.5px", fontFamily },
    x: { type: "log", domain: [steps[0], steps[steps.length - 1]], ticks: [...steps], tickFormat: (value: number) => String(value), label: "denoising steps", labelAnchor: "center", labelArrow: "none", inset: 8 },
    y: { grid: true, ticks: 5, domain: [low - room, high + room], label: yLabel, labelArrow: "none" },
    marks: [
      ...(level ? [ruleY([level.y], { stroke: levelColour, strokeDasharray: "4 3" })] : []),
      ...series.flatMap(({ points, colour }) => [line(points, { x: "x", y: "y", stroke: colour, strokeWidth: 1.8 }), dot(points, { x: "x", y: "y", fill: colour, r: 3 })]),
    ],
  });
  // Its own style sheet is for pages, and its minus sign and fonts come from the SVG around it.
  for (const style of element.querySelectorAll("style")) style.remove();
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  element.removeAttribute("style");
  element.setAttribute("font-size", "10.5");
  element.setAttribute("font-family", fontFamily);
  return element.outerHTML;
}

/** Names of all series once, with a piece of their line. */
function legend(panels: readonly ChartPanel[]): string {
  const entries = new Map<string, { colour: string; dashed: boolean }>();
  for (const { series, level } of panels) {
    for (const { name, colour } of series) entries.set(name, { colour, dashed: false });
    if (level) entries.set(level.name, { colour: levelColour, dashed: true });
  }
  let x = 0;
  return [...entries].map(([name, { colour, dashed }]) => {
    const entry = `<path d="M${x} 0h22" stroke="${colour}" stroke-width="1.8"${dashed ? ' stroke-dasharray="4 3"' : ""}/><text x="${x + 27}" y="4" fill="#111111">${escaped(name)}</text>`;
    x += 27 + name.length * 6.6 + 22;
    return entry;
  }).join("");
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
