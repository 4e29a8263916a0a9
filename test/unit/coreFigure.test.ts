import assert from "node:assert/strict";
import { DOMParser } from "linkedom";
import { colormapTable } from "../../src/core/colormap";
import { PlumblineError } from "../../src/core/errors";
import { figureSvg, type Figure, type FigureTile } from "../../src/core/figure";
import { textWidth, tickText, ticksOf, wrapText } from "../../src/core/figureText";

/** One grey pixel. */
const url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
const image = { url, width: 4, height: 3 };
const bar = { colours: colormapTable("Spectral"), range: [0.0213, 0.871] as const, label: "depth, relative (larger = farther)" };
/** Data URLs that differ, as pictures do. */
const pictureOf = (seed: number): typeof image => ({ ...image, url: `data:image/png;base64,${Buffer.from(`picture ${seed}`).toString("base64")}` });
const tile = (heading: string, rest: Partial<FigureTile> = {}): FigureTile => ({ heading, image, ...rest });

const sample: Figure = {
  title: "A photograph under two schedules & what they do",
  rows: [
    { label: "Leading, 1 step", settings: "1 step, leading, Gaussian noise, seed 2024", tiles: [tile("RGB"), tile("depth", { bar, caption: "affine-invariant depth (unknown scale and shift)" }), tile("normals", { caption: "RUB" })] },
    { label: 'Trailing <"10">', tiles: [undefined, tile("depth with a heading that is far too long for the width of its tile, which must not be cut", { bar }), tile("std")] },
  ],
  footer: "Plumbline 0.1.0; coffee.jpg, sha256 0123456789abcdef; models plumbline-depth, plumbline-normals; cpu; seed 2024. ".repeat(3),
};

interface Box { readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly what: string }

function parse(svg: string): Document {
  return new DOMParser().parseFromString(svg, "image/svg+xml") as unknown as Document;
}

/** Boxes of everything drawn but the white ground. Letters reach from 0.95 above to 0.25 of their size below the baseline. */
function boxesOf(document: Document): Box[] {
  const number = (element: Element, name: string): number => Number(element.getAttribute(name));
  const texts = [...document.querySelectorAll("text")].map((element): Box => {
    const text = element.textContent ?? "";
    const fontSize = number(element, "font-size");
    const width = textWidth(text, fontSize);
    return { x: number(element, "x") - (element.getAttribute("text-anchor") === "middle" ? width / 2 : 0), y: number(element, "y") - 0.95 * fontSize, width, height: 1.2 * fontSize, what: text };
  });
  const images = [...document.querySelectorAll("image")];
  const uses = [...document.querySelectorAll("use")].map((element): Box => {
    const image = images.find(({ id }) => `#${id}` === element.getAttribute("xlink:href"));
    assert.ok(image, "a use of nothing");
    return { x: number(image, "x") + number(element, "x"), y: number(image, "y") + number(element, "y"), width: number(image, "width"), height: number(image, "height"), what: "use" };
  });
  const areas = [...images, ...document.querySelectorAll("rect[fill^=url]")].map((element): Box => ({ x: number(element, "x"), y: number(element, "y"), width: number(element, "width"), height: number(element, "height"), what: element.tagName }));
  return [...texts, ...areas, ...uses];
}

function assertNothingMeets(svg: string): void {
  const document = parse(svg);
  const [, , width, height] = (document.documentElement.getAttribute("viewBox") ?? "").split(" ").map(Number);
  const boxes = boxesOf(document);
  assert.ok(boxes.length > 0);
  for (const [i, a] of boxes.entries()) {
    assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width + 1e-6 && a.y + a.height <= height + 1e-6, `"${a.what}" leaves the sheet: ${JSON.stringify(a)}`);
    for (const b of boxes.slice(i + 1)) {
      const apart = a.x + a.width <= b.x + 1e-6 || b.x + b.width <= a.x + 1e-6 || a.y + a.height <= b.y + 1e-6 || b.y + b.height <= a.y + 1e-6;
      assert.ok(apart, `"${a.what}" meets "${b.what}": ${JSON.stringify([a, b])}`);
    }
  }
}

describe("core/figure", () => {
  it("is well-formed XML that holds every word, escaped, and every image", () => {
    const document = parse(figureSvg(sample));
    const words = [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "").join(" ");
    for (const text of [sample.title, ...sample.rows.flatMap(({ label, settings, tiles }) => [label, settings, ...tiles.flatMap((shown) => [shown?.heading, shown?.caption, shown?.bar?.label])])]) {
      if (text) assert.ok(words.includes(text), `"${text}" is not in the figure`);
    }
    assert.ok(words.includes(sample.footer?.trim() ?? ""));
    assert.deepEqual(["image", "use"].map((name) => document.querySelectorAll(name).length), [1, 4], "a picture that comes again is not repeated");
    assert.equal(document.querySelectorAll("linearGradient").length, 1, "equal bars share their colours");
    assert.equal(document.querySelectorAll("*[style]").length + document.querySelectorAll("script").length, 0);
  });

  it("lets nothing overlap or leave the sheet, for one to nine columns and long or missing texts", () => {
    assertNothingMeets(figureSvg(sample));
    for (let columns = 1; columns <= 9; columns++) {
      const tiles = Array.from({ length: columns }, (_, i) => tile(`Tile ${"very ".repeat(i)}${i}`, { bar: { ...bar, range: [-1e-7 * 10 ** i, 3.3e-7 * 10 ** (2 * i)] }, caption: i % 2 ? "Aveverylongwordwithoutanyspaceinitthatmustbebroken".repeat(2) : undefined }));
      assertNothingMeets(figureSvg({ rows: [{ label: "深度と法線".repeat(30), tiles }, { label: "", tiles: tiles.slice(0, 1) }] }));
    }
  });

  it("gives all tiles one width, keeps the images' shapes, and fits the width of a page's text", () => {
    const tiles = [1, 2, 3].map((seed) => tile("x", { image: pictureOf(seed) }));
    const document = parse(figureSvg({ ...sample, rows: [{ label: "", tiles }] }));
    const images = [...document.querySelectorAll("image")];
    assert.equal(images.length, 3);
    assert.equal(new Set(images.map((element) => element.getAttribute("width"))).size, 1);
    for (const element of images) assert.ok(Math.abs(Number(element.getAttribute("width")) / Number(element.getAttribute("height")) - 4 / 3) < 1e-3);
    assert.ok(Number(document.documentElement.getAttribute("width")) <= 720);
  });

  it("makes portraits narrower, so that a page has room for them", () => {
    const portrait = { ...pictureOf(1), width: 30, height: 60 };
    const [shown] = parse(figureSvg({ rows: [{ label: "", tiles: [tile("x", { image: portrait }), tile("y")].slice(0, 1) }] })).querySelectorAll("image");
    assert.deepEqual(["width", "height"].map((name) => Number(shown.getAttribute(name))), [105, 210]);
  });

  it("spreads the colours of the table over the bar", () => {
    const stops = [...parse(figureSvg(sample)).querySelectorAll("stop")];
    const table = colormapTable("Spectral");
    const colour = (row: number): string => `rgb(${[...table.subarray(3 * row, 3 * row + 3)].join(",")})`;
    assert.deepEqual([stops[0], stops[16], stops[32]].map((stop) => [stop.getAttribute("offset"), stop.getAttribute("stop-color")]), [["0", colour(0)], ["0.5", colour(128)], ["1", colour(255)]]);
  });

  it("leaves out control characters, which no XML can hold", () => {
    const svg = figureSvg({ rows: [{ label: "a\u0000b\u0007c", tiles: [tile("x")] }] });
    assert.ok(svg.includes(">abc<") && !Array.from(svg).some((letter) => letter < " " && letter !== "\n"));
  });

  it("refuses no tiles, images from elsewhere, and bars without a range", () => {
    const refused = (figure: Figure): void => assert.throws(() => figureSvg(figure), (error) => error instanceof PlumblineError && error.code === "bad-argument");
    refused({ rows: [] });
    refused({ rows: [{ label: "", tiles: [tile("x", { image: { ...image, url: "https://example.org/x.png" } })] }] });
    refused({ rows: [{ label: "", tiles: [tile("x", { image: { ...image, width: 0 } })] }] });
    refused({ rows: [{ label: "", tiles: [tile("x", { bar: { ...bar, range: [NaN, 1] } })] }] });
  });
});

describe("core/figureText", () => {
  it("breaks lines within the width and loses no letter", () => {
    const text = "Pixel-wise standard deviation over 50 steps, Incomprehensibilitiesareverylongwords of course";
    const lines = wrapText(text, 80, 10);
    assert.ok(lines.length > 3);
    for (const line of lines) assert.ok(textWidth(line, 10) <= 80, line);
    assert.equal(lines.join("").replace(/\s/g, ""), text.replace(/\s/g, ""));
    assert.deepEqual(wrapText("a\nb", 80, 10), ["a", "b"]);
  });

  it("finds round ticks within the range that have room", () => {
    for (const [low, high] of [[0.0213, 0.871], [-1, 1], [0, 1e-7], [123456, 123466], [3, 3], [-0.04, 12000], [0.5, 0.500001]]) {
      const { values, step } = ticksOf(low, high, 150, 8);
      assert.ok(values.length >= 1 && values.length <= 5, `${low}..${high}: ${values.join()}`);
      for (const value of values) assert.ok(value >= low - 1e-9 * Math.abs(low) && value <= high + 1e-9 * Math.abs(high), `${value} in ${low}..${high}`);
      const texts = values.map((value) => tickText(value, step));
      assert.equal(new Set(texts).size, texts.length, `${low}..${high}: ${texts.join()}`);
    }
    assert.deepEqual(ticksOf(0.0213, 0.871, 150, 8).values.map((value) => tickText(value, 0.2)), ["0.2", "0.4", "0.6", "0.8"]);
    assert.deepEqual(ticksOf(-1, 1, 400, 8).values.map((value) => tickText(value, 0.5)), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
  });
});
