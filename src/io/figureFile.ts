import { existsSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { PlumblineError } from "../core/errors";
import { writeFileAtomically } from "./atomicFile";

/** Pixels of the PNG for one of the SVG's units: fit for print at the width of a column. */
const pixelsPerUnit = 2;

/** The family that `media/fonts` holds. It is as wide as any common one, so that what fits in it fits everywhere. */
const ownFamily = "DejaVu Sans";

/**
 * Writes `NAME.svg` (the figure with text as text), `NAME.png` (the same at twice its size) and `NAME.json` (where every
 * number comes from) into `dir`, made if missing. Returns the file names.
 *
 * In the PNG all text is set in the font that Plumbline brings along: it looks the same on every machine, also on one
 * without fonts; letters that it lacks come from the machine's own. Throws `write-failed`, and `unsupported` rather than
 * leave labels empty where no font can be found.
 *
 * `compact` is for a page that is kept in a repository: pictures in the SVG become JPEG, the PNG gets a palette.
 */
export async function writeFigure(dir: string, name: string, svg: string, provenance: unknown, { compact = false } = {}): Promise<readonly string[]> {
  await writeFileAtomically(join(dir, `${name}.svg`), compact ? await withJpegs(svg) : svg);
  await writeFileAtomically(join(dir, `${name}.json`), `${JSON.stringify(provenance, null, 2)}\n`);
  const png = await renderSvg(svg);
  await writeFileAtomically(join(dir, `${name}.png`), compact ? await sharp(png).png({ palette: true, effort: 10, compressionLevel: 9 }).toBuffer() : png);
  return [`${name}.svg`, `${name}.png`, `${name}.json`];
}

/** PNG bytes of an SVG of 96 units an inch. Throws `unsupported` where no font can be found. */
export async function renderSvg(svg: string): Promise<Buffer> {
  findFonts();
  if (!(await drawsLetters())) {
    throw new PlumblineError("unsupported", "Expected a font for the labels of a figure but found none.", "Install a font, for example DejaVu Sans; the SVG does not need one.");
  }
  const inOwnFont = svg.replace(/font-family="[^"]*"/g, `font-family="${ownFamily}, sans-serif"`);
  return sharp(Buffer.from(inOwnFont), { density: 72 * pixelsPerUnit, unlimited: true }).flatten({ background: "white" }).png({ compressionLevel: 9 }).toBuffer();
}

/** The same SVG with every embedded PNG as a JPEG of high quality, without chroma subsampling. */
async function withJpegs(svg: string): Promise<string> {
  const urls = [...new Set(svg.match(/data:image\/png;base64,[A-Za-z0-9+/]+=*/g))];
  const jpegs = await Promise.all(urls.map(async (url) => sharp(Buffer.from(url.slice(url.indexOf(",") + 1), "base64")).jpeg({ quality: 90, chromaSubsampling: "4:4:4", mozjpeg: true }).toBuffer()));
  return urls.reduce((text, url, i) => text.replaceAll(url, `data:image/jpeg;base64,${jpegs[i].toString("base64")}`), svg);
}

/** Tells fontconfig, before it reads anything, of the fonts that lie beside the programs (dist/) or the sources (src/io). */
function findFonts(): void {
  const places = [join(__dirname, "..", "media", "fonts"), join(__dirname, "..", "..", "media", "fonts")];
  const found = places.map((place) => join(place, "fonts.conf")).find((file) => existsSync(file));
  if (found) process.env["FONTCONFIG_FILE"] ??= found;
}

let lettersDrawn: Promise<boolean> | undefined;

/** Whether text leaves ink; without any font it is left out without a word. */
function drawsLetters(): Promise<boolean> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text x="2" y="16" font-size="16" font-family="${ownFamily}, sans-serif">H</text></svg>`;
  lettersDrawn ??= sharp(Buffer.from(svg)).extractChannel("alpha").raw().toBuffer().then((alpha) => alpha.some((value) => value > 128));
  return lettersDrawn;
}
