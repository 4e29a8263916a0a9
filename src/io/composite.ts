import { extname, join } from "node:path";
import sharp, { type OverlayOptions } from "sharp";
import { writeFileAtomically } from "./atomicFile";

/** One picture of a grid: RGB bytes, interleaved H x W x 3, or nothing, with the text above it. */
export interface GridCell {
  readonly label: string;
  readonly picture?: { readonly rgb: Uint8Array; readonly width: number; readonly height: number };
}

/** Pixels. */
const gap = 8;
const labelHeight = 22;
const titleHeight = 30;
const ink = "#1f1f1f";
const paper = "#ffffff";

/**
 * Writes rows of labelled pictures as one picture with a title, a JPEG or PNG by the name of `path`; every picture is scaled to fit
 * `cellSize` pixels on both sides.
 * `fontsDir` holds PlumblineLabels.ttf and fonts.conf. Throws `write-failed`.
 */
export async function writeGrid(path: string, title: string, rows: readonly (readonly GridCell[])[], cellSize: number, fontsDir: string): Promise<void> {
  // Read by fontconfig when the first text is drawn: without it a machine without fonts complains on stderr.
  process.env["FONTCONFIG_FILE"] ??= join(fontsDir, "fonts.conf");
  const sizes = rows.map((row) => row.map(({ picture }) => fittedSize(picture, cellSize)));
  const cellWidth = Math.max(...sizes.flat().map((size) => size.width));
  const columns = Math.max(...rows.map((row) => row.length));
  const width = gap + columns * (cellWidth + gap);
  const rowHeights = sizes.map((row) => labelHeight + Math.max(...row.map((size) => size.height)) + gap);
  const overlays: OverlayOptions[] = [{ input: await renderText(title, 13, width - 2 * gap, fontsDir), left: gap, top: gap }];
  let top = titleHeight;
  for (const [y, row] of rows.entries()) {
    for (const [x, { label, picture }] of row.entries()) {
      const left = gap + x * (cellWidth + gap);
      if (label) overlays.push({ input: await renderText(label, 10, cellWidth, fontsDir), left, top: top + 4 });
      if (!picture) continue;
      const input = sharp(picture.rgb, { raw: { width: picture.width, height: picture.height, channels: 3 } });
      const { width: ownWidth, height: ownHeight } = sizes[y][x];
      overlays.push({ input: await input.resize(ownWidth, ownHeight, { fit: "fill" }).png().toBuffer(), left, top: top + labelHeight });
    }
    top += rowHeights[y];
  }
  const canvas = sharp({ create: { width, height: top, channels: 3, background: paper } }).composite(overlays);
  await writeFileAtomically(path, await (extname(path) === ".jpg" ? canvas.jpeg({ quality: 82, mozjpeg: true }) : canvas.png()).toBuffer());
}

/** Pictures one below another as a single one, each cut about its middle and scaled to `width` x `height`. */
export async function stackPictures(pictures: readonly NonNullable<GridCell["picture"]>[], width: number, height: number): Promise<NonNullable<GridCell["picture"]>> {
  const parts = pictures.map(({ rgb, ...size }) => sharp(rgb, { raw: { ...size, channels: 3 } }).resize(width, height, { fit: "cover" }).raw().toBuffer());
  return { rgb: Uint8Array.from(Buffer.concat(await Promise.all(parts))), width, height: height * pictures.length };
}

function fittedSize(picture: GridCell["picture"], side: number): { width: number; height: number } {
  if (!picture) return { width: 1, height: 1 };
  const scale = side / Math.max(picture.width, picture.height);
  return { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) };
}

/** One line of text on transparent ground, shrunk where it would be wider than `maxWidth`. */
async function renderText(text: string, points: number, maxWidth: number, fontsDir: string): Promise<Buffer> {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  // The picture is cut to the ink: an invisible bar as high as any letter keeps all baselines at one height.
  const markup = `<span foreground="${ink}">${escaped}<span alpha="1">|</span></span>`;
  const image = sharp({ text: { text: markup, font: `DejaVu Sans ${points}`, fontfile: join(fontsDir, "PlumblineLabels.ttf"), rgba: true, dpi: 96 } });
  const png = await image.png().toBuffer();
  const { width = 0 } = await sharp(png).metadata();
  return width <= maxWidth ? png : sharp(png).resize(maxWidth).png().toBuffer();
}
