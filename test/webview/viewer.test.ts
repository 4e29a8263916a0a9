import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FloatFile } from "../../src/protocol/inference";
import type { FromViewer } from "../../src/protocol/viewer";
import { Stage, Theatre, type ThemeName } from "./stage";

const { tables } = JSON.parse(readFileSync(join(__dirname, "../reference/colormaps/tables.json"), "utf8")) as { tables: Record<string, number[][]> };

/** matplotlib's bytes for a value in 0..1. */
function reference(colormap: string, value: number): number[] {
  return [...tables[colormap][Math.min(255, Math.floor(value * 256))].map((part) => Math.floor(part * 255)), 255];
}

const [width, height] = [48, 32];

function fileOf(channels: number, value: (x: number, y: number, c: number) => number, more: { format?: string; notes?: readonly string[]; entries?: readonly string[]; entry?: string } = {}): FloatFile {
  const { format = "npy", notes = [], entries = [], entry } = more;
  const data = Float32Array.from({ length: width * height * channels }, (_, i) => value(Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels));
  return { image: { width, height, channels, data, format, notes }, entries, entry };
}

/** 0.5 at the left to 4 at the right, in steps that float32 holds exactly. */
const ramp = fileOf(1, (x) => 0.5 + 0.125 * x);
/** Millimetres; the first two columns have none. */
const millimetres = fileOf(1, (x) => (x < 2 ? 0 : x === 47 ? 65535 : 1000 + 25 * x), { format: "png" });
const normal = (x: number, y: number): number[] => {
  const [right, up] = [(x / 47) * 1.4 - 0.7, 0.7 - (y / 31) * 1.4];
  const norm = Math.hypot(right, up, 0.8);
  return [right / norm, up / norm, 0.8 / norm];
};
const normals = fileOf(3, (x, y, c) => normal(x, y)[c]);
const coded = fileOf(3, (x, y, c) => (x === 0 ? 0 : Math.round((normal(x, y)[c] + 1) * 127.5)), { format: "png", notes: ["alpha left out"] });

describe("the viewer of float images", () => {
  let theatre: Theatre;
  let stage: Stage;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  beforeEach(() => open());
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  async function open(theme: ThemeName = "darkModern"): Promise<void> {
    stage = await Stage.open(theatre, { program: "viewer", theme, width: 900, height: 640 });
  }

  const show = (file: FloatFile, name = "file.npy"): Promise<void> => stage.send({ type: "init", name, colormap: "viridis" }, { type: "reading" }, { type: "floats", file });
  const sent = async (): Promise<FromViewer[]> => (await stage.sent()) as unknown as FromViewer[];
  const text = async (selector: string): Promise<string> => (await stage.page.locator(selector).textContent()) ?? "";
  /** The chosen option of a dropdown. */
  const chosen = (label: string): Promise<string> => stage.page.locator(`vscode-dropdown[aria-label="${label}"]`).evaluate((element) => (element as HTMLInputElement).value);

  /** Where a pixel is in the tile's picture (0..1), which keeps its aspect in the middle of the room it has. */
  async function placeOf(x: number, y: number): Promise<[number, number]> {
    const box = await stage.tile("file").locator(".tile-area").boundingBox();
    assert.ok(box);
    const scale = Math.min(box.width / width, box.height / height);
    return [0.5 + ((x + 0.5 - width / 2) * scale) / box.width, 0.5 + ((y + 0.5 - height / 2) * scale) / box.height];
  }
  const colourAt = async (x: number, y: number): Promise<number[]> => stage.pixel("file", ...(await placeOf(x, y)));
  async function probeAt(x: number, y: number): Promise<string> {
    await stage.point("file", ...(await placeOf(x, y)));
    return (await stage.tile("file").locator(".chip").textContent()) ?? "";
  }
  const wholeRange = async (): Promise<void> => {
    await stage.fill("Lower percentile of the range", "0");
    await stage.fill("Upper percentile of the range", "100");
  };

  it("colours a ramp as matplotlib does, reads it exactly, and says that its kind is a guess", async () => {
    await show(ramp);
    await wholeRange();
    for (const x of [0, 5, 23, 31, 47]) assert.deepEqual(await colourAt(x, 16), reference("viridis", x / 47), `column ${x}`);
    assert.equal(await probeAt(9, 3), "1.625");
    assert.equal(await text(".probe-line"), "x 9  y 3");
    assert.equal(await chosen("Kind of the numbers"), "depth");
    assert.match(await text(".guess"), /^A guess \(one channel/);
    assert.match(await text(".tile-kind"), /unit and scale not known \(larger = farther\)/);
    assert.match(await text(".summary"), /^file\.npy48 × 32 · 1 channel · \.npy · 0\.5 to 6\.38 · every pixel has a value$/);
    await stage.choose("Colormap", "magma");
    assert.deepEqual(await colourAt(31, 16), reference("magma", 31 / 47));
  });

  it("turns stored numbers into metres, and marks those that mean no value", async () => {
    await show(millimetres);
    assert.equal(await chosen("Kind of the numbers"), "metric");
    assert.equal(await chosen("Unit of the stored numbers"), "1000");
    assert.equal(await chosen("Stored values that mean no value"), "0");
    assert.equal(await probeAt(20, 9), "1.5 m (stored 1500)");
    assert.equal(await probeAt(1, 9), "no value (stored 0)");
    assert.equal(await probeAt(47, 9), "65.535 m (stored 65535)");
    assert.match(await text(".summary"), /1\.05 to 65\.5 m · 4\.17 % without a value \(no-value code 64\)/);
    const hole = await colourAt(1, 9);
    assert.ok(hole[0] === hole[1] && hole[1] === hole[2], `${hole.join()} is a grey`);
    await stage.choose("Stored values that mean no value", "65535");
    assert.equal(await probeAt(47, 9), "no value (stored 65535)");
    assert.equal(await probeAt(1, 9), "0 m (stored 0)");
    assert.match(await text(".summary"), /0 to 2\.15 m/);
    await stage.choose("Unit of the stored numbers", "256");
    assert.equal(await probeAt(20, 9), "5.859375 m (stored 1500)");
    assert.match(await text(".guess"), /^As you chose/);
    await stage.choose("Stored values that mean no value", "none");
    assert.match(await text(".summary"), /every pixel has a value/);
    await stage.choose("Kind of the numbers", "plain");
    assert.equal(await probeAt(20, 9), "1500");
    assert.equal(await stage.page.locator('vscode-dropdown[aria-label="Unit of the stored numbers"]').isVisible(), false);
  });

  it("counts NaN and infinity apart", async () => {
    await show(fileOf(1, (x, y) => (y > 0 ? 2 + x : x < 12 ? NaN : x === 12 ? Infinity : 1)));
    assert.match(await text(".summary"), /0\.846 % without a value \(NaN 12, infinite 1\)/);
    assert.equal(await probeAt(3, 0), "no value (stored NaN)");
    assert.equal(await probeAt(12, 0), "no value (stored inf)");
  });

  it("draws normals as (n + 1) / 2, and mirrors x for the other frame", async () => {
    await show(normals);
    assert.equal(await chosen("Kind of the numbers"), "RUB");
    const [x, y, z] = normal(40, 9);
    const near = (pixel: number[], wanted: number[]): void => wanted.forEach((part, i) => assert.ok(Math.abs(pixel[i] - 255 * (0.5 + 0.5 * part)) <= 0.6, `${pixel.join()} is not ${wanted.join()}`));
    near(await colourAt(40, 9), [x, y, z]);
    const exact = (await probeAt(40, 9)).split(/\s+/).map(Number);
    assert.deepEqual(exact.map(Math.fround), [x, y, z].map(Math.fround));
    await stage.choose("Frame in which normals are shown", "LUB");
    near(await colourAt(40, 9), [-x, y, z]);
    assert.match(await text(".tile-kind"), /^LUB: x left, y up, z toward the camera, from RUB in the file$/);
    await stage.choose("Kind of the numbers", "LUB");
    near(await colourAt(40, 9), [x, y, z]);
    assert.equal(await stage.page.locator('vscode-dropdown[aria-label="Colormap"]').isVisible(), false);
  });

  it("decodes normals that are stored as codes, and says so with the reader's notes", async () => {
    await show(coded, "normals.png");
    assert.equal(await chosen("Kind of the numbers"), "RUB");
    assert.match(await text(".summary"), /stored 0\.\.255 taken for -1\.\.1 · alpha left out/);
    const codes = normal(40, 9).map((part) => Math.round((part + 1) * 127.5));
    assert.match(await probeAt(40, 9), new RegExp(`\\(stored ${codes.join("  ")}\\)$`));
    const pixel = await colourAt(40, 9);
    // The picture shows directions, and codes are a little off length 1.
    codes.forEach((code, c) => assert.ok(Math.abs(pixel[c] - code) <= 2, `${pixel.join()} is not ${codes.join()}`));
    await stage.choose("Stored values that mean no value", "0");
    assert.equal(await probeAt(0, 9), "no value (stored 0  0  0)");
  });

  it("shows one channel of several as plain numbers", async () => {
    await show(fileOf(3, (x, _y, c) => 10 * c + x));
    assert.equal(await chosen("Kind of the numbers"), "plain");
    assert.equal(await probeAt(7, 2), "7");
    await stage.choose("Channel", "2");
    assert.equal(await probeAt(7, 2), "27");
  });

  it("asks for another array of an .npz, and guesses anew for it", async () => {
    const entries = ["depth", "normals"];
    await show({ ...ramp, entries, entry: "depth" }, "both.npz");
    await stage.choose("Kind of the numbers", "disparity");
    await stage.choose("Array of the file", "normals");
    assert.deepEqual((await sent()).at(-1), { type: "entry", entry: "normals" });
    await stage.send({ type: "floats", file: { ...normals, entries, entry: "normals" } });
    assert.equal(await chosen("Kind of the numbers"), "RUB");
    assert.equal(await stage.tile("file").locator(".badge").textContent(), "normals");
  });

  it("says why a file cannot be read, and shows it when it can, with what was chosen before", async () => {
    await show(ramp);
    await stage.choose("Kind of the numbers", "disparity");
    await stage.send({ type: "failed", message: "Expected 6144 bytes for file.npy but received 12.", remedy: "Get the file again." });
    assert.equal(await text(".empty p"), "Expected 6144 bytes for file.npy but received 12. Get the file again.");
    assert.equal(await stage.tile("file").isVisible(), false);
    await stage.click("Read Again");
    assert.deepEqual((await sent()).at(-1), { type: "again" });
    await stage.send({ type: "floats", file: fileOf(1, (x) => x) });
    assert.equal(await stage.page.locator(".empty").isVisible(), false);
    assert.equal(await probeAt(11, 2), "11");
    assert.equal(await chosen("Kind of the numbers"), "disparity");
  });

  it("goes back to a guess when what was chosen does not fit the file any more", async () => {
    await show(normals);
    await stage.choose("Kind of the numbers", "LUB");
    await stage.send({ type: "floats", file: ramp });
    assert.equal(await chosen("Kind of the numbers"), "depth");
  });

  it("draws again when the graphics device was lost and is back", async () => {
    await show(ramp);
    await wholeRange();
    const before = await stage.uploads();
    await stage.page.evaluate(async () => {
      const [context] = window.plumblineTest.contexts;
      const extension = context.getExtension("WEBGL_lose_context");
      const back = new Promise((done) => context.canvas.addEventListener("webglcontextrestored", done));
      extension?.loseContext();
      await new Promise((done) => setTimeout(done, 50));
      extension?.restoreContext();
      await back;
    });
    await stage.settle();
    assert.ok((await stage.uploads()).length > before.length, "sent to the device again");
    assert.deepEqual(await colourAt(31, 16), reference("viridis", 31 / 47));
  });

  it("says why a file cannot be read that never could", async () => {
    await stage.send({ type: "init", name: "a.npy", colormap: "viridis" }, { type: "reading" }, { type: "failed", message: "Expected a file.", remedy: "" });
    assert.equal(await text(".empty p"), "Expected a file.");
    assert.equal(await stage.page.locator(".toolbar").isVisible(), false);
    await stage.send({ type: "floats", file: ramp });
    assert.equal(await probeAt(9, 3), "1.625");
  });

  it("keeps what was chosen when the page is loaded again", async () => {
    await show(ramp);
    await stage.choose("Kind of the numbers", "disparity");
    await stage.page.reload();
    await stage.waitForMessage("ready");
    await show(ramp);
    assert.equal(await chosen("Kind of the numbers"), "disparity");
    assert.match(await text(".tile-kind"), /larger = nearer/);
  });

  for (const theme of ["darkModern", "lightModern", "hcBlack"] as const) {
    it(`fits into the page in ${theme}`, async () => {
      await stage.close();
      await open(theme);
      for (const [name, file] of [["depth", millimetres], ["normals", normals]] as const) {
        await show(file, `${name}.png`);
        await probeAt(20, 9);
        const overflow = await stage.page.evaluate(() => document.documentElement.scrollHeight > window.innerHeight || document.documentElement.scrollWidth > window.innerWidth);
        assert.equal(overflow, false);
        await stage.screenshot(`viewer-${name}-${theme}`);
      }
    });
  }
});
