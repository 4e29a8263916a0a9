import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { colormapTable } from "../../src/core/colormap";
import { figureSvg, type Figure } from "../../src/core/figure";
import { encodePng } from "../../src/io/export";
import { renderSvg, writeFigure } from "../../src/io/figureFile";

const red = Uint8Array.from({ length: 8 * 6 * 3 }, (_, i) => (i % 3 === 0 ? 200 : 0));

async function sample(heading = "depth", label = "Trailing, 10 steps"): Promise<Figure> {
  const url = `data:image/png;base64,${(await encodePng(red, 8, 6)).toString("base64")}`;
  const bar = { colours: colormapTable("Spectral"), range: [0, 1] as const, label: "depth, relative & more" };
  return { rows: [{ label, tiles: [{ heading, image: { url, width: 8, height: 6 }, bar }] }], footer: "α = 0.5 ± 1°, “é” ≤ 3" };
}

interface Pixels { readonly width: number; readonly height: number; at(x: number, y: number): number[] }

async function pixelsOf(png: Buffer): Promise<Pixels> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, at: (x, y) => [...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3)] };
}

/** Share of pixels in a box (in SVG units) that are not white. */
function inkIn(pixels: Pixels, x0: number, y0: number, x1: number, y1: number): number {
  let [ink, all] = [0, 0];
  for (let y = 2 * y0; y < 2 * y1; y++) for (let x = 2 * x0; x < 2 * x1; x++) {
    all++;
    if (pixels.at(x, y).some((value) => value < 200)) ink++;
  }
  return ink / all;
}

describe("io/figureFile", () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-figure-")); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("writes SVG, PNG and provenance, and names them", async () => {
    const svg = figureSvg(await sample());
    const written = await writeFigure(join(dir, "new"), "comparison", svg, { runs: [{ seed: 7 }] });
    assert.deepEqual(written, ["comparison.svg", "comparison.png", "comparison.json"]);
    assert.deepEqual((await readdir(join(dir, "new"))).sort(), [...written].sort());
    assert.equal(await readFile(join(dir, "new", "comparison.svg"), "utf8"), svg);
    assert.deepEqual(JSON.parse(await readFile(join(dir, "new", "comparison.json"), "utf8")), { runs: [{ seed: 7 }] });
  });

  it("draws the PNG at twice the size, with the image, its bar, and letters in every place for them", async () => {
    const svg = figureSvg(await sample());
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)" viewBox/.exec(svg) ?? [];
    const pixels = await pixelsOf(await renderSvg(svg));
    assert.deepEqual([pixels.width, pixels.height], [Math.round(2 * Number(width)), Math.round(2 * Number(height))]);
    const [, x, y, w, h] = (/<image id="image0" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? []).map(Number);
    assert.deepEqual(pixels.at(Math.round(2 * x + w), Math.round(2 * y + h)), [200, 0, 0]);
    const [, barX, barY, barWidth] = (/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" [^>]*url/.exec(svg) ?? []).map(Number);
    const table = colormapTable("Spectral");
    for (const row of [20, 128, 240]) {
      const colour = pixels.at(Math.round(2 * (barX + (barWidth * row) / 255)), Math.round(2 * (barY + 3)));
      colour.forEach((value, c) => assert.ok(Math.abs(value - table[3 * row + c]) <= 6, `bar at ${row}: ${colour.join()}`));
    }
    for (const [, left, base, fontSize, text] of svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)" font-size="([\d.]+)" fill="[^"]*">([^<]*)/g)) {
      const ink = inkIn(pixels, Math.floor(Number(left)), Math.floor(Number(base) - Number(fontSize)), Math.floor(Number(left) + 30), Math.ceil(Number(base)));
      assert.ok(ink > 0.03, `"${text}" has left no ink: ${ink}`);
    }
    for (let at = 0; at < pixels.height; at++) assert.deepEqual(pixels.at(3, at), [255, 255, 255]);
  });

  it("sets different letters differently: no boxes in place of Greek, accents and signs", async () => {
    const render = async (letter: string): Promise<string> => (await renderSvg(figureSvg(await sample("depth", letter)))).toString("base64");
    const pictures = await Promise.all([..."αßéĀ≤±°√−…“×"].map(render));
    assert.equal(new Set(pictures).size, pictures.length);
  });

  it("is XML that a strict reader takes, whatever the texts are", async () => {
    const svg = figureSvg(await sample(`a <b> & "c" 'd' ]]> -- \u0001 \uFFFE 深 😀`));
    assert.ok((await sharp(Buffer.from(svg)).metadata()).width > 0);
    await assert.rejects(sharp(Buffer.from(svg.replace("&amp;", "&"))).metadata(), "the reader is not strict");
  });
});
