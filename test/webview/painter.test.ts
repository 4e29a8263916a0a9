import assert from "node:assert/strict";
import { build } from "esbuild";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { halfFromFloats } from "../../src/core/half";
import { diverging } from "../../webview/gl/diverging";
import { splitPixel } from "../../webview/gl/painter";
import { Theatre } from "./stage";

/** A gray ramp: value v in 0..1 becomes the byte floor(256 v). */
const gray = { name: "gray", lut: Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)) };
const whole = { u0: 0, v0: 0, du: 1 / 6, dv: 1 / 2 };

type Plain = Readonly<Record<string, unknown>>;

describe("painter", () => {
  let theatre: Theatre;
  let page: Page;

  before(async () => {
    theatre = await Theatre.open();
    page = await theatre.browser.newPage();
    const { outputFiles } = await build({ stdin: { contents: 'import { Painter } from "./webview/gl/painter"; globalThis.painter = new Painter(() => undefined);', resolveDir: join(__dirname, "../..") }, bundle: true, write: false, format: "iife", target: "es2022" });
    await page.addScriptTag({ content: outputFiles[0].text });
    await page.evaluate("globalThis.__name = (value) => value;");
  });
  after(() => theatre.close());

  /** The pixels of a 6 x 2 canvas on which a picture was drawn, as RGBA by row. `floats` and `halves` become typed arrays. */
  const painted = (picture: Plain, span = whole): Promise<number[][]> =>
    page.evaluate(([text, view]) => {
      const revived = JSON.parse(text, (key, value: unknown) => {
        if (key === "halves") return new Uint16Array(value as number[]);
        if (key === "floats") return Float32Array.from(value as (number | null)[], (part) => part ?? NaN);
        if (key === "lut" && Array.isArray(value)) return new Uint8Array(value as number[]);
        if (typeof value === "object" && value !== null && ("halves" in value || "floats" in value)) return { ...value, data: (value as { halves?: unknown; floats?: unknown }).halves ?? (value as { floats?: unknown }).floats };
        return value;
      }) as unknown;
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [6, 2];
      const { painter } = globalThis as unknown as { painter: { paint(...values: unknown[]): boolean } };
      if (!painter.paint(canvas, revived, view)) throw new Error("not painted");
      const data = canvas.getContext("2d")?.getImageData(0, 0, 6, 2).data ?? [];
      return Array.from({ length: 12 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
    }, [JSON.stringify(picture), span] as const);

  const map = (values: readonly (number | null)[], channels = 1, height = 1): Plain => ({ width: values.length / channels / height, height, channels, floats: values });
  const scalar = (values: readonly (number | null)[], more: Plain = {}): Plain => ({ kind: "scalar", map: map(values), lut: gray, range: [0, 1], ...more });
  const reds = (pixels: number[][]): number[] => pixels.slice(0, 6).map(([red]) => red);

  it("draws halves as it draws floats, holes too", async () => {
    const values = [0, 0.25, 0.5, 0.75, NaN, 1];
    const halves = { width: 6, height: 1, channels: 1, halves: [...halfFromFloats(Float32Array.from(values))] };
    const asHalves = await painted({ kind: "scalar", map: halves, lut: gray, range: [0, 1] });
    assert.deepEqual(asHalves, await painted(scalar(values.map((value) => (Number.isNaN(value) ? null : value)))));
    assert.deepEqual(reds(asHalves).filter((_, i) => i !== 4), [0, 64, 128, 192, 255]);
    assert.ok([107, 148].includes(asHalves[4][0]), "no value is a checkerboard");
    // A row of three channels of halves is no multiple of four bytes.
    const vectors = [0, 0, 1, 1, 0, 0, 0, 1, 0];
    const normals = { kind: "normals", map: { width: 3, height: 1, channels: 3, halves: [...halfFromFloats(Float32Array.from(vectors))] }, signX: 1 };
    const pixels = await painted(normals);
    assert.deepEqual([0, 2, 4].map((i) => pixels[i].map((part) => Math.round(part / 127.5))), [[1, 1, 2, 2], [2, 1, 1, 2], [1, 2, 1, 2]]);
  });

  it("applies scale and shift before colours", async () => {
    assert.deepEqual(reds(await painted(scalar([1, 1.5, 2, 2.5, 3, 5], { align: [0.5, -0.5] }))), [0, 64, 128, 192, 255, 255]);
    assert.deepEqual(reds(await painted(scalar([0, 0.25, 0.5, 0.75, 1, 2], { align: [-1, 1] }))), [255, 192, 128, 64, 0, 0]);
  });

  it("takes the colour from values outside the marked ones", async () => {
    const lut = { name: "red", lut: Array.from({ length: 768 }, (_, i) => (i % 3 === 0 ? 200 : 0)) };
    const pixels = await painted(scalar([-1, 0.1, 0.5, 0.50001, 0.8, 1.5], { lut, marked: [0.5, 1] }));
    assert.deepEqual(pixels.slice(0, 6).map(([red, green, blue]) => (red === green && green === blue ? "grey" : [red, green, blue].join())), ["grey", "grey", "grey", "200,0,0", "200,0,0", "grey"]);
  });

  it("draws the left picture up to the split of what is seen of the image, and the right one beyond", async () => {
    const wipe = (split: number): Plain => ({ kind: "wipe", left: scalar([0.25]), right: scalar([0.75]), split });
    assert.deepEqual(reds(await painted(wipe(0.5))), [64, 64, 64, 192, 192, 192]);
    assert.deepEqual(reds(await painted(wipe(0))), [192, 192, 192, 192, 192, 192]);
    assert.deepEqual(reds(await painted(wipe(1))), [64, 64, 64, 64, 64, 64]);
    const narrow = await painted(wipe(0.5), { u0: -0.25, v0: 0, du: 0.25, dv: 0.5 });
    assert.deepEqual(narrow.slice(0, 6).map(([red, , , alpha]) => (alpha === 0 ? "none" : red)), ["none", 64, 64, 192, 192, "none"]);
    assert.deepEqual([0, 0.5, 1].map((split) => splitPixel(split, { u0: 0.4, v0: 0, du: 0.01, dv: 0.01 }, 40)), [0, 20, 40], "of a magnified image all of the canvas");
  });

  it("has a diverging colormap whose ends are blue and red and whose middle is neutral", () => {
    const at = (i: number): number[] => [...diverging.lut.subarray(3 * i, 3 * i + 3)];
    assert.deepEqual([at(0), at(255)], [[0x05, 0x30, 0x61], [0x67, 0x00, 0x1f]]);
    for (const i of [127, 128]) assert.ok(Math.max(...at(i)) - Math.min(...at(i)) < 6 && Math.min(...at(i)) > 240, at(i).join());
    for (let i = 0; i < 127; i++) assert.ok(at(i)[2] >= at(i)[0] && at(255 - i)[0] >= at(255 - i)[2], `row ${i}`);
  });
});
