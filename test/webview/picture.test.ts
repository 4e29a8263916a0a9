import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FloatMap } from "../../src/core/image";
import { directions, event, init, mapOf, multi, ramp, resultOf, settingsOf, single, stateOf, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

const { tables } = JSON.parse(readFileSync(join(__dirname, "../reference/colormaps/tables.json"), "utf8")) as { tables: Record<string, number[][]> };

/** matplotlib's bytes for a value in 0..1. */
function reference(colormap: string, value: number): number[] {
  return [...tables[colormap][Math.min(255, Math.floor(value * 256))].map((part) => Math.floor(part * 255)), 255];
}

describe("pictures of the panel", () => {
  const settings = settingsOf(multi, single);
  const state = stateOf(settings);
  const [width, height] = [48, 32];
  let stage: Stage;

  stageForEach(async (opened) => {
    stage = opened;
    await stage.send(init(state));
  });

  const column = (x: number): number => (x + 0.5) / width;

  it("colours depth as matplotlib does, value by value", async () => {
    await stage.send(...wholeRun(1, settings));
    for (const x of [0, 1, 11, 23, 24, 40, 47]) {
      assert.deepEqual(await stage.pixel("multi:depth", column(x), 0.5), reference("Spectral", x / 47), `column ${x}`);
    }
  });

  it("draws normals as (n + 1) / 2 and mirrors x when the other frame is chosen", async () => {
    await stage.send(...wholeRun(1, settings));
    const map = directions(width, height);
    const [x, y] = [40, 9];
    const normal = [...map.data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
    const expected = (sign: number): number[] => [sign * normal[0], normal[1], normal[2]].map((part) => 255 * (0.5 + 0.5 * part));
    const near = (pixel: number[], wanted: number[]): void => wanted.forEach((part, i) => assert.ok(Math.abs(pixel[i] - part) <= 0.6, `${pixel.join()} is not ${wanted.join()}`));
    near(await stage.pixel("multi:normals", column(x), (y + 0.5) / height), expected(1));
    await stage.choose("Frame of normals", "LUB");
    near(await stage.pixel("multi:normals", column(x), (y + 0.5) / height), expected(-1));
    assert.match((await stage.tile("multi:normals").locator(".tile-kind").textContent()) ?? "", /LUB: x left/);
  });

  it("shows the photograph byte for byte, and brighter by an exposure", async () => {
    await stage.send(...wholeRun(1, settings));
    const at = 3 * (10 * width + 20);
    const expected = [0, 1, 2].map((c) => ((at + c) * 7) % 251);
    assert.deepEqual(await stage.pixel("multi:photo", column(20), 10.5 / height), [...expected, 255]);
    await stage.page.getByLabel("Exposure of the photograph in stops").fill("1");
    await stage.settle();
    const brighter = await stage.pixel("multi:photo", column(20), 10.5 / height);
    for (const c of [0, 1, 2]) assert.ok(brighter[c] >= expected[c]);
    assert.notDeepEqual(brighter.slice(0, 3), expected);
  });

  it("never sends a map again for another colormap or range", async () => {
    await stage.send(...wholeRun(1, settings));
    const before = (await stage.uploads()).filter((size) => size === `${width}x${height}`).length;
    await stage.choose("Colormap", "viridis");
    await stage.fill("Lower percentile of the range", "25");
    await stage.fill("Upper percentile of the range", "75");
    assert.equal((await stage.uploads()).filter((size) => size === `${width}x${height}`).length, before);
    assert.deepEqual(await stage.pixel("multi:depth", column(30), 0.5), reference("viridis", (30 / 47 - 0.25) / 0.5));
  });

  it("takes its range from percentiles and says it on the colour bar", async () => {
    const map = mapOf(width, height, 1, (x, y) => (y * width + x === 5 ? 1000 : x + 100));
    await stage.send(...wholeRun(1, settings), event(1, { type: "result", result: resultOf(multi, "depth", map) }));
    const numbers = (): Promise<string[]> => stage.tile("multi:depth").locator(".color-bar .number").allTextContents();
    assert.deepEqual(await numbers(), ["100", "1000"], "all of it with 0 and 100 %");
    await stage.fill("Upper percentile of the range", "98");
    assert.deepEqual(await numbers(), ["100", "147"], "one outlier is left out");
    assert.deepEqual(await stage.pixel("multi:depth", column(5), 0.5 / height), reference("Spectral", 1));
    await stage.fill("Lower percentile of the range", "99");
    assert.deepEqual(await numbers(), ["100", "147"], "an empty range is refused");
  });

  it("marks what has no value, and gives a flat map a range", async () => {
    const holes = mapOf(width, height, 1, (x) => (x < 10 ? NaN : x));
    const flat = mapOf(width, height, 1, () => 0.25);
    await stage.send(...wholeRun(1, settings), event(1, { type: "result", result: resultOf(multi, "depth", holes) }), event(1, { type: "result", result: resultOf(single, "depth", flat) }));
    const [red, green, blue] = await stage.pixel("multi:depth", column(4), 0.5);
    assert.ok(red === green && green === blue && (red === 107 || red === 148), "a grey checkerboard");
    assert.deepEqual(await stage.pixel("multi:depth", column(10), 0.5), reference("Spectral", 0));
    assert.deepEqual(await stage.pixel("single:depth", 0.5, 0.5), reference("Spectral", 0.5));
    assert.deepEqual(await stage.tile("single:depth").locator(".color-bar .number").allTextContents(), ["-0.25", "0.75"]);
  });

  it("averages values where many lie under one pixel", async () => {
    const fine = mapOf(4000, 2, 1, (x) => x % 2);
    await stage.send({ type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: { width: 48, height: 32, rgb: new Uint8Array(48 * 32 * 3) } }), event(1, { type: "result", result: resultOf(multi, "depth", fine) }));
    for (const u of [0.2, 0.41, 0.77]) {
      const pixel = await stage.pixel("multi:depth", u, 0.5);
      const nearest = Math.min(...[0.4, 0.45, 0.5, 0.55, 0.6].map((value) => Math.hypot(...reference("Spectral", value).map((part, i) => part - pixel[i]))));
      assert.ok(nearest < 40, `${pixel.join()} is a colour of the middle`);
    }
  });

  it("survives the loss of the graphics context", async () => {
    await stage.send(...wholeRun(1, settings));
    const loss = await stage.page.evaluateHandle(() => window.plumblineTest.contexts[0].getExtension("WEBGL_lose_context"));
    await loss.evaluate((extension) => extension?.loseContext());
    await stage.settle();
    assert.deepEqual(await stage.pixel("multi:depth", column(30), 0.5), reference("Spectral", 30 / 47), "the last picture stays");
    await stage.choose("Colormap", "magma");
    await loss.evaluate((extension) => new Promise((done) => {
      window.plumblineTest.contexts[0].canvas.addEventListener("webglcontextrestored", done);
      extension?.restoreContext();
    }));
    await stage.settle();
    assert.deepEqual(await stage.pixel("multi:depth", column(30), 0.5), reference("magma", 30 / 47));
  });

  it("uses one graphics context and frees what is no longer shown", async () => {
    const several = stateOf(settings, ["room.jpg", "coffee.jpg"]);
    await stage.send(init(several), ...wholeRun(1, settings, 0));
    const one = await stage.liveTextures();
    await stage.send(init({ ...several, current: 1 }), ...wholeRun(2, settings, 1));
    await stage.send(...wholeRun(3, settings, 1));
    assert.equal(await stage.liveTextures(), one);
    assert.equal(await stage.page.evaluate(() => window.plumblineTest.contexts.length), 1);
  });

  it("shows how far a single step is from the multi-step row, after scale and shift", async () => {
    const bent = mapOf(width, height, 1, (x, y) => 3 + 2 * (x / 47) + (x === 20 && y === 7 ? 0.5 : 0));
    await stage.send(...wholeRun(1, settings), event(1, { type: "result", result: resultOf(single, "depth", bent) }));
    await stage.point("single:variation", column(20), 7.5 / height);
    const [outlier] = await stage.chip("single:variation");
    await stage.point("single:variation", column(30), 7.5 / height);
    const [other] = await stage.chip("single:variation");
    assert.ok(Math.abs(outlier - 0.25) < 0.01, `half the outlier, since the scale is 1/2: ${outlier}`);
    assert.ok(other < 0.002, `elsewhere the ramps agree: ${other}`);
  });

  it("shows all differences on one scale, so that a row that is far off stands out", async () => {
    const flawed = { ...single, rowId: "leading", spacing: "leading" as const };
    const three = settingsOf(multi, single, flawed);
    const noisy = (amount: number): FloatMap => mapOf(width, height, 1, (x, y) => x / 47 + amount * (((x * 7 + y * 13) % 5) - 2));
    const results = [event(1, { type: "result", result: resultOf(single, "depth", noisy(0.001)) }), event(1, { type: "result", result: resultOf(flawed, "depth", noisy(0.3)) })];
    await stage.send(init(stateOf(three)), ...wholeRun(1, three), ...results);
    const bars = await Promise.all(["single", "leading"].map((row) => stage.tile(`${row}:variation`).locator(".color-bar .number").allTextContents()));
    assert.deepEqual(bars[0], bars[1]);
    const [red, green, blue] = await stage.pixel("single:variation", 0.3, 0.3);
    assert.ok(red + green + blue < 60, "the good row is nearly black");
  });

  it("keeps each pixel sharp when magnified", async () => {
    const steps = ramp(width, height).data.map((value, i) => (i % width === 24 ? 0 : value));
    await stage.send(...wholeRun(1, settings), event(1, { type: "result", result: resultOf(multi, "depth", { width, height, channels: 1, data: steps }) }));
    await stage.tile("multi:depth").focus();
    for (let i = 0; i < 8; i++) await stage.page.keyboard.press("+");
    await stage.settle();
    const colours = new Set<string>();
    for (let u = 0.02; u < 1; u += 0.04) colours.add((await stage.pixel("multi:depth", u, 0.5)).join());
    const allowed = new Set(Array.from({ length: 48 }, (_, x) => reference("Spectral", x / 47).join()));
    const foreign = [...colours].filter((colour) => !allowed.has(colour));
    assert.ok(colours.size > 4 && foreign.length <= 3, `only pixels on an edge may mix: ${foreign.join(" ")}`);
  });
});
