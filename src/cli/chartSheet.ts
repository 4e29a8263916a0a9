import { plot, type PlotOptions } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** One plot of a sheet, and its title above it. */
export interface SheetPanel {
  readonly title: string;
  /** SVG. */
  readonly plot: string;
}

/** A sample of a line, and its name. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
}

export interface SheetSize {
  readonly columns: number;
  readonly panelWidth: number;
  readonly panelHeight: number;
}

export const dashes = "4 3";
const titleHeight = 26;
const legendRowHeight = 20;
const fontFamily = "Helvetica, Arial, 'DejaVu Sans', sans-serif";
/** A generous guess at the width of a letter at the legend's size: fonts differ. */
const letterWidth = 6.6;

/** Panels side by side and below each other, as an SVG string on white with one legend under them. The same input gives the same bytes. */
export function chartSheet(panels: readonly SheetPanel[], legend: readonly LegendEntry[], { columns, panelWidth, panelHeight }: SheetSize): string {
  const width = columns * panelWidth;
  const bottom = Math.ceil(panels.length / columns) * (titleHeight + panelHeight);
  const rows = legendRows(legend, width - 24);
  const height = bottom + rows.length * legendRowHeight + 8;
  const place = (i: number): string => `${(i % columns) * panelWidth},${Math.floor(i / columns) * (titleHeight + panelHeight)}`;
  const parts = panels.map((panel, i) => `<g transform="translate(${place(i)})"><text x="12" y="18" font-size="12" fill="#111111">${escaped(panel.title)}</text><g transform="translate(0,${titleHeight})">${panel.plot}</g></g>`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${fontFamily}" color="#111111">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${parts.join("\n")}
${rows.map((row, i) => `<g transform="translate(12,${bottom + 12 + i * legendRowHeight})" font-size="10.5">${row}</g>`).join("\n")}
</svg>
`;
}

/** Observable Plot as an SVG string, drawn in a document of linkedom. */
export function plotSvg(options: PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const element = plot({ document, style: { fontSize: "10.5px", fontFamily }, ...options });
  // Its own style sheet is for pages, and its minus sign and fonts come from the SVG around it.
  for (const style of element.querySelectorAll("style")) style.remove();
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  element.removeAttribute("style");
  element.setAttribute("font-size", "10.5");
  element.setAttribute("font-family", fontFamily);
  return element.outerHTML;
}

/** A legend that is wider than the sheet goes on in a further row. */
function legendRows(entries: readonly LegendEntry[], width: number): readonly string[] {
  const rows: string[][] = [];
  let x = Infinity;
  for (const { name, colour, dashed } of entries) {
    const entryWidth = 27 + name.length * letterWidth;
    if (x + entryWidth > width) {
      rows.push([]);
      x = 0;
    }
    rows[rows.length - 1].push(`<path d="M${x} 0h22" stroke="${colour}" stroke-width="1.8"${dashed ? ` stroke-dasharray="${dashes}"` : ""}/><text x="${x + 27}" y="4" fill="#111111">${escaped(name)}</text>`);
    x += entryWidth + 22;
  }
  return rows.map((row) => row.join(""));
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
