import { unexpected } from "./errors";
import { textWidth, tickText, ticksOf, wrapText } from "./figureText";

/** A colour bar under a tile: evenly spread colours from low to high. */
export interface FigureBar {
  /** Interleaved RGB, at least two colours. */
  readonly colours: Uint8Array;
  /** Values of the first and the last colour. */
  readonly range: readonly [number, number];
  /** Quantity and unit, e.g. "depth, relative". */
  readonly label: string;
}

export interface FigureTile {
  readonly heading: string;
  readonly caption?: string;
  /** A base64 data URL of a PNG, JPEG or WebP, and its size in pixels. */
  readonly image: { readonly url: string; readonly width: number; readonly height: number };
  readonly bar?: FigureBar;
}

export interface FigureRow {
  readonly label: string;
  /** "10 steps, trailing, Gaussian noise" */
  readonly settings?: string;
  /** Undefined leaves its column empty. */
  readonly tiles: readonly (FigureTile | undefined)[];
}

export interface Figure {
  readonly title?: string;
  readonly rows: readonly FigureRow[];
  /** Where the numbers come from, in small print. */
  readonly footer?: string;
}

/** The family is a common one everywhere; DejaVu Sans, the widest of them, is what the text is measured by. */
const fontFamily = "Helvetica, Arial, 'DejaVu Sans', sans-serif";

/** SVG units (96 an inch): the width is that of a page's text, 7.5 inch, so that no letter is set in less than 6 points. */
const pageWidth = 720;
const margin = 8;
const gap = 10;
const rowGap = 16;
const barHeight = 7;
const widestTile = 264;
const narrowestTile = 96;
/** Portraits are made narrower, so that a page has room for more than two of them. */
const tallestImage = 210;

const size = { title: 14, row: 11.5, text: 9.5, small: 8 } as const;
const ink = "#111111";
const grey = "#555555";

/** Height of a line relative to its letters, and of the letters' part above the baseline. */
const lineHeight = 1.3;
const ascent = 0.95;

/**
 * A figure fit for a paper as an SVG string: rows of tiles with headings, captions and colour bars on white, in columns of
 * one width, text as text. Texts are broken into lines where they would be wider than their tile; nothing is cut off.
 * Throws `bad-argument` for no tile, an image that is not embedded, or a bar without colours or with an infinite range.
 */
export function figureSvg({ title, rows, footer }: Figure): string {
  const columns = Math.max(0, ...rows.map(({ tiles }) => tiles.length));
  if (columns === 0) throw unexpected("bad-argument", "the tiles of a figure", "at least one", 0);
  const aspect = Math.max(0, ...rows.flatMap(({ tiles }) => tiles.map((tile) => (tile ? tile.image.width / tile.image.height : 0))));
  const tileWidth = Math.max(narrowestTile, Math.min(widestTile, tallestImage * aspect, (pageWidth - 2 * margin - (columns - 1) * gap) / columns));
  const inner = columns * tileWidth + (columns - 1) * gap;
  const sheet = new Sheet(inner + 2 * margin);
  if (title) sheet.skip(sheet.text(title, margin, 0, inner, size.title, ink) + 6);
  for (const [i, row] of rows.entries()) {
    if (i > 0) sheet.skip(rowGap);
    drawRow(sheet, row, tileWidth, inner);
  }
  if (footer) {
    sheet.skip(gap);
    sheet.skip(sheet.text(footer, margin, 0, inner, size.small, grey));
  }
  return sheet.finish(title ?? rows[0].label);
}

function drawRow(sheet: Sheet, { label, settings, tiles }: FigureRow, tileWidth: number, inner: number): void {
  if (label) sheet.skip(sheet.text(label, margin, 0, inner, size.row, ink));
  if (settings) sheet.skip(sheet.text(settings, margin, 0, inner, size.text, grey));
  if (label || settings) sheet.skip(2);
  const columns = tiles.map((tile, i) => ({ tile, x: margin + i * (tileWidth + gap) }));
  // Headings stand on their last line, right above the images; all images of a row begin at one height.
  const headingHeight = Math.max(0, ...tiles.map((tile) => (tile ? sheet.heightOf(tile.heading, tileWidth, size.text) : 0)));
  for (const { tile, x } of columns) {
    if (tile) sheet.text(tile.heading, x, headingHeight - sheet.heightOf(tile.heading, tileWidth, size.text), tileWidth, size.text, ink);
  }
  sheet.skip(headingHeight + 2);
  const imageHeight = Math.max(0, ...tiles.map((tile) => (tile ? heightAt(tile, tileWidth) : 0)));
  for (const { tile, x } of columns) if (tile) sheet.image(tile.image.url, x, 0, tileWidth, heightAt(tile, tileWidth));
  sheet.skip(imageHeight + 3);
  const below = columns.map(({ tile, x }) => {
    if (!tile) return 0;
    const bar = tile.bar ? drawBar(sheet, tile.bar, x, tileWidth) : 0;
    return bar + (tile.caption ? sheet.text(tile.caption, x, bar, tileWidth, size.small, grey) : 0);
  });
  sheet.skip(Math.max(0, ...below));
}

function heightAt({ image: { width, height } }: FigureTile, tileWidth: number): number {
  return (tileWidth * height) / width;
}

/** The bar with its ticks and label at the sheet's place; returns its height. */
function drawBar(sheet: Sheet, { colours, range: [low, high], label }: FigureBar, x: number, width: number): number {
  if (!Number.isFinite(low) || !Number.isFinite(high) || colours.length < 6) {
    throw unexpected("bad-argument", "a colour bar", "two colours and a finite range", `${colours.length / 3} colours from ${low} to ${high}`);
  }
  sheet.gradient(colours, x, 0, width, barHeight);
  const ticks = ticksOf(low, high, width, size.small);
  for (const value of ticks.values) {
    const place = high > low ? (value - low) / (high - low) : 0.5;
    const text = tickText(value, ticks.step);
    const half = textWidth(text, size.small) / 2;
    // Near the ends the number stays above its bar, so that it never meets that of the next tile.
    const at = Math.min(x + width - half, Math.max(x + half, x + place * width));
    sheet.tick(x + place * width, barHeight);
    sheet.label(text, at, barHeight + 3, size.small);
  }
  const top = barHeight + 3 + size.small * lineHeight;
  return top + sheet.text(label, x, top, width, size.small, ink) + 2;
}

/** Elements of an SVG, from the top down; `y` of what is drawn counts from what was skipped so far. */
class Sheet {
  readonly #parts: string[] = [];
  readonly #gradients = new Map<string, string>();
  /** By URL, where they were drawn first. */
  readonly #images = new Map<string, { readonly id: string; readonly x: number; readonly y: number }>();
  #top = margin;

  constructor(private readonly width: number) {}

  skip(height: number): void {
    this.#top += height;
  }

  heightOf(text: string, width: number, fontSize: number): number {
    return wrapText(text, width, fontSize).length * fontSize * lineHeight;
  }

  /** Lines of text in a box that is `width` wide; returns their height. */
  text(text: string, x: number, y: number, width: number, fontSize: number, fill: string): number {
    const lines = wrapText(text, width, fontSize);
    lines.forEach((line, i) => this.#line(line, x, y + (i * lineHeight + ascent) * fontSize, fontSize, fill, "start"));
    return lines.length * fontSize * lineHeight;
  }

  /** One line about a middle. */
  label(text: string, x: number, y: number, fontSize: number): void {
    this.#line(text, x, y + ascent * fontSize, fontSize, ink, "middle");
  }

  image(url: string, x: number, y: number, width: number, height: number): void {
    if (!/^data:image\/(png|jpeg|webp);base64,[A-Za-z0-9+/]+=*$/.test(url)) throw unexpected("bad-argument", "an image of a figure", "a base64 data URL of a PNG, JPEG or WebP", url);
    if (!(width > 0 && height > 0 && Number.isFinite(height))) throw unexpected("bad-argument", "the size of an image of a figure", "at least 1 x 1", `${width} x ${height}`);
    const drawn = this.#images.get(url);
    const place = { x, y: this.#top + y };
    // xlink:href is the old name of the attribute, which every program knows. A picture that comes again is not repeated.
    if (drawn) this.#parts.push(`<use x="${n(place.x - drawn.x)}" y="${n(place.y - drawn.y)}" xlink:href="#${drawn.id}"/>`);
    else {
      const id = `image${this.#images.size}`;
      this.#images.set(url, { ...place, id });
      this.#parts.push(`<image id="${id}" x="${n(place.x)}" y="${n(place.y)}" width="${n(width)}" height="${n(height)}" preserveAspectRatio="none" xlink:href="${url}"/>`);
    }
  }

  gradient(colours: Uint8Array, x: number, y: number, width: number, height: number): void {
    const stops = stopsOf(colours);
    const id = this.#gradients.get(stops) ?? `bar${this.#gradients.size}`;
    this.#gradients.set(stops, id);
    this.#parts.push(`<rect x="${n(x)}" y="${this.#y(y)}" width="${n(width)}" height="${n(height)}" fill="url(#${id})"/>`);
  }

  tick(x: number, y: number): void {
    this.#parts.push(`<path d="M${n(x)} ${this.#y(y)}v2.5" stroke="${ink}" stroke-width="0.6"/>`);
  }

  finish(name: string): string {
    const [width, height] = [n(this.width), n(this.#top + margin)];
    const gradients = [...this.#gradients].map(([stops, id]) => `<linearGradient id="${id}">${stops}</linearGradient>`).join("");
    return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${fontFamily}">
<title>${escaped(name)}</title>
${gradients && `<defs>${gradients}</defs>\n`}<rect width="${width}" height="${height}" fill="#ffffff"/>
${this.#parts.join("\n")}
</svg>
`;
  }

  #line(text: string, x: number, y: number, fontSize: number, fill: string, anchor: "start" | "middle"): void {
    this.#parts.push(`<text x="${n(x)}" y="${this.#y(y)}" font-size="${fontSize}" fill="${fill}"${anchor === "middle" ? ' text-anchor="middle"' : ""}>${escaped(text)}</text>`);
  }

  #y(y: number): string {
    return n(this.#top + y);
  }
}

/** At most 33 stops of a table of colours, which is smooth between them. */
function stopsOf(colours: Uint8Array): string {
  const count = colours.length / 3;
  const stops = Math.min(33, count);
  return Array.from({ length: stops }, (_, i) => {
    const part = i / (stops - 1);
    const row = 3 * Math.round(part * (count - 1));
    return `<stop offset="${n(part)}" stop-color="rgb(${colours[row]},${colours[row + 1]},${colours[row + 2]})"/>`;
  }).join("");
}

/** A number with at most three decimals. */
function n(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

/** Text that XML can hold: markup is escaped, and control characters, which have no place in XML 1.0, are left out. */
function escaped(text: string): string {
  const printable = Array.from(text).filter((letter) => letter >= " " && !/[\uFFFE\uFFFF\uD800-\uDFFF]/.test(letter.length === 1 ? letter : "")).join("");
  return printable.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
