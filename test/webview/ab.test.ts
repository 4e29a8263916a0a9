import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { halfFromMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { AbMode, PanelState, ShownRef, ToWebview } from "../../src/protocol/panel";
import { event, init, mapOf, multi, ramp, resultOf, settingsOf, single, stateOf, wholeRun } from "./scenario";
import { rows as realisticRows, runOn } from "./realistic";
import { Stage, Theatre, type ThemeName } from "./stage";

const { tables } = JSON.parse(readFileSync(join(__dirname, "../reference/colormaps/tables.json"), "utf8")) as { tables: Record<string, number[][]> };

/** matplotlib's bytes for a value in 0..1. */
function reference(colormap: string, value: number): number[] {
  return [...tables[colormap][Math.min(255, Math.max(0, Math.floor(value * 256)))].map((part) => Math.floor(part * 255)), 255];
}

const [width, height] = [48, 32];
const result = (rowId: string, task: "depth" | "normals" = "depth"): ShownRef => ({ kind: "result", rowId, task });

function compared(state: PanelState, a: ShownRef, b: ShownRef, mode: AbMode = "wipe", split = 0.5): PanelState {
  return { ...state, view: { ...state.view, stage: { kind: "ab", a, b, mode, split } } };
}

describe("A and B", () => {
  const settings = settingsOf(multi, single);
  const state = stateOf(settings);
  let theatre: Theatre;
  let stage: Stage;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  const open = async (options: Parameters<typeof Stage.open>[1] = {}): Promise<void> => void (stage = await Stage.open(theatre, options));
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  /** Both rows' depth, replaced by these maps. */
  const depths = (ofMulti: FloatMap, ofSingle: FloatMap): ToWebview[] => [...wholeRun(1, settings), event(1, { type: "result", result: resultOf(multi, "depth", ofMulti) }), event(1, { type: "result", result: resultOf(single, "depth", ofSingle) })];

  /** RGBA at an image point of a tile that is wider or higher than the image. */
  const at = async (key: string, u: number, v: number): Promise<number[]> => {
    const box = await stage.tile(key).locator(".tile-area > canvas").evaluate((canvas) => [(canvas as HTMLCanvasElement).width, (canvas as HTMLCanvasElement).height]);
    const scale = Math.min(box[0] / 1.5, box[1]);
    return stage.pixel(key, 0.5 + ((u - 0.5) * 1.5 * scale) / box[0], 0.5 + ((v - 0.5) * scale) / box[1]);
  };
  const column = (x: number): number => (x + 0.5) / width;
  const text = async (selector: string): Promise<string> => (await stage.page.locator(selector).textContent()) ?? "";
  const numbers = (): Promise<string[]> => stage.page.locator(".ab-number dd").allTextContents();
  const saved = (): Promise<PanelState> => stage.page.waitForTimeout(350).then(() => stage.page.evaluate(() => JSON.parse(sessionStorage.getItem("plumbline-state") ?? "") as PanelState));
  const split = async (): Promise<number> => {
    const shown = (await saved()).view.stage;
    return shown?.kind === "ab" ? shown.split : NaN;
  };
  /** The last question of a name; answered when a result is given. */
  const answer = async (name: string, reply: (params: unknown) => unknown): Promise<void> => {
    const ask = (await stage.sentOf("ask")).filter((question) => question.name === name).at(-1);
    assert.ok(ask, `${name} was asked`);
    await stage.send({ type: "answer", id: ask.id, result: reply(ask.params) } as ToWebview);
  };

  it("finds scale and shift, and no difference where there is none but these", async () => {
    await open();
    const doubled = mapOf(width, height, 1, (x) => 2 * (x / 47) + 1);
    await stage.send(init(compared(state, result("single"), result("multi"))), ...depths(ramp(width, height), doubled));
    assert.equal(await text(".ab-fit"), "A aligned to B: s = 0.5, t = -0.5");
    assert.deepEqual(await numbers(), ["0", "0", "0", "0 %"]);
    for (const x of [0, 10, 40]) {
      assert.deepEqual(await at("ab:over", column(x), 0.5), reference("Spectral", x / 47), `column ${x}, A left of 50 %, B right of it, on one scale`);
      const [red, green, blue] = await at("ab:difference", column(x), 0.5);
      assert.ok(Math.min(red, green, blue) > 225, `no colour where nothing differs: ${red} ${green} ${blue}`);
    }
  });

  it("wipes at 30 %: A's colours left of it, B's right", async () => {
    await open();
    const upright = mapOf(width, height, 1, (_x, y) => y / 31);
    await stage.send(init(compared(state, result("single"), result("multi"), "wipe", 0.3)), ...depths(ramp(width, height), upright));
    assert.equal(await text(".ab-fit"), "A aligned to B: s = 0, t = 0.5", "a ramp down says nothing of a ramp across");
    for (const x of [2, 13]) assert.deepEqual(await at("ab:over", column(x), 0.2), reference("Spectral", 0.5), `A at ${x}`);
    for (const x of [15, 40]) assert.deepEqual(await at("ab:over", column(x), 0.2), reference("Spectral", x / 47), `B at ${x}`);
    const difference = await at("ab:difference", column(47), 0.5);
    assert.ok(difference[2] > difference[0] + 40, `A less than B is blue: ${difference.join()}`);
    const other = await at("ab:difference", column(0), 0.5);
    assert.ok(other[0] > other[2] + 40, `A more than B is red: ${other.join()}`);
  });

  it("moves the wipe by keys and by the pointer", async () => {
    await open();
    const normals = (vector: readonly number[]): FloatMap => mapOf(width, height, 3, (_x, _y, c) => vector[c]);
    const flat = (row: typeof multi, vector: readonly number[]): ToWebview => event(1, { type: "result", result: resultOf(row, "normals", normals(vector)) });
    await stage.send(init(compared(state, result("single", "normals"), result("multi", "normals"))), ...wholeRun(1, settings), flat(single, [0, 0, 1]), flat(multi, [1, 0, 0]));
    const isA = async (u: number): Promise<boolean> => (await at("ab:over", u, 0.5))[2] > 200;
    assert.deepEqual([await isA(0.49), await isA(0.51)], [true, false]);
    await stage.page.locator(".ab-handle").focus();
    await stage.page.keyboard.press("ArrowLeft");
    await stage.page.keyboard.press("Shift+ArrowLeft");
    await stage.settle();
    assert.equal(await stage.page.locator(".ab-handle").getAttribute("aria-valuenow"), "39");
    assert.deepEqual([await isA(0.38), await isA(0.4)], [true, false]);
    const grip = await stage.page.locator(".ab-grip").boundingBox();
    assert.ok(grip);
    await stage.page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
    await stage.page.mouse.down();
    await stage.page.mouse.move(grip.x + grip.width / 2 + 60, grip.y + grip.height / 2, { steps: 3 });
    await stage.page.mouse.up();
    await stage.settle();
    const moved = await split();
    assert.ok(moved > 0.42 && moved < 0.7, `${moved}`);
    assert.deepEqual([await isA(moved - 0.02), await isA(moved + 0.02)], [true, false]);
    assert.doesNotMatch(await text(".probe-line"), /pinned/, "a drag of the line pins nothing");
  });

  it("measures normals by their angle in degrees, in a common frame", async () => {
    await open();
    const turned = mapOf(width, height, 3, (_x, _y, c) => [Math.sin(Math.PI / 6), 0, Math.cos(Math.PI / 6)][c]);
    const ahead = mapOf(width, height, 3, (_x, _y, c) => [0, 0, 1][c]);
    const mirrored = mapOf(width, height, 3, (_x, _y, c) => [-Math.sin(Math.PI / 6), 0, Math.cos(Math.PI / 6)][c]);
    const show = (map: FloatMap, frame: "RUB" | "LUB"): ToWebview => event(1, { type: "result", result: resultOf(single, "normals", map, { frame }) });
    await stage.send(init(compared(state, result("single", "normals"), result("multi", "normals"))), ...wholeRun(1, settings), event(1, { type: "result", result: resultOf(multi, "normals", ahead) }), show(turned, "RUB"));
    assert.deepEqual(await numbers(), ["30°", "30°", "30°"]);
    await stage.send(event(1, { type: "result", result: resultOf(multi, "normals", turned) }), show(mirrored, "LUB"));
    assert.ok(parseFloat((await numbers())[0]) < 0.01, "the same direction in two frames");
    assert.match(await text('.tile[data-key="ab:over"] .tile-kind'), /RUB.*A estimated in LUB/);
    assert.deepEqual((await at("ab:over", 0.2, 0.5)).map((part, i) => Math.abs(part - [191, 127, 238, 255][i]) < 2), [true, true, true, true], "A is drawn in the frame of B");
  });

  it("flips by hand where motion is not wanted, and by itself otherwise until Space", async () => {
    const maps = depths(ramp(width, height), mapOf(width, height, 1, (_x, y) => y / 31));
    await open({ reducedMotion: true });
    await stage.send(init(compared(state, result("single"), result("multi"), "flicker")), ...maps);
    const badge = (): Promise<string> => text('.tile[data-key="ab:over"] .badge');
    assert.equal(await badge(), "A");
    assert.deepEqual(await at("ab:over", column(40), 0.5), reference("Spectral", 0.5));
    await stage.page.waitForTimeout(1200);
    assert.equal(await badge(), "A", "nothing moves by itself");
    await stage.page.keyboard.press(" ");
    await stage.settle();
    assert.equal(await badge(), "B");
    assert.deepEqual(await at("ab:over", column(40), 0.5), reference("Spectral", 40 / 47));
    await stage.close();
    await open({ reducedMotion: false });
    await stage.send(init(compared(state, result("single"), result("multi"), "flicker")), ...maps);
    const flips = await stage.tile("ab:over").locator(".badge").evaluate((shown) => new Promise<number>((done) => {
      let count = 0;
      new MutationObserver(() => count++).observe(shown, { childList: true, characterData: true, subtree: true });
      setTimeout(() => done(count), 2600);
    }));
    assert.ok(flips >= 3 && flips <= 6, `about two flips a second: ${flips} in 2.6 s`);
    await stage.tile("ab:over").focus();
    await stage.page.keyboard.press(" ");
    await stage.settle();
    const paused = await badge();
    await stage.page.waitForTimeout(1100);
    assert.equal(await badge(), paused);
  });

  it("asks nothing and sends nothing again for another mode, split, side or difference", async () => {
    await open();
    const third = { ...single, rowId: "third", label: "Third" };
    const three = settingsOf(multi, single, third);
    const bent = mapOf(width, height, 1, (x, y) => x / 47 + (y > 20 ? 0.2 : 0));
    await stage.send(init(compared(stateOf(three), result("single"), result("multi"))), ...wholeRun(1, three), event(1, { type: "result", result: resultOf(single, "depth", bent) }));
    for (const kind of ["absolute", "relative", "signed"]) await stage.choose("Difference", kind);
    await stage.choose("Map A", "third");
    await stage.choose("Map A", "single");
    const before = { uploads: (await stage.uploads()).length, asks: (await stage.sentOf("ask")).length, textures: await stage.liveTextures() };
    for (const kind of ["absolute", "relative", "signed"]) await stage.choose("Difference", kind);
    await stage.choose("A over B", "flicker");
    await stage.page.keyboard.press(" ");
    await stage.choose("A over B", "wipe");
    await stage.page.locator(".ab-handle").press("End");
    await stage.choose("Map A", "third");
    await stage.choose("Map A", "single");
    await stage.settle();
    assert.deepEqual({ uploads: (await stage.uploads()).length, asks: (await stage.sentOf("ask")).length, textures: await stage.liveTextures() }, before);
    assert.equal(before.asks, 0);
  });

  it("swaps the sides, and with them the sign", async () => {
    await open();
    const bent = mapOf(width, height, 1, (x, y) => x / 47 + (x === 24 && y === 16 ? 0.4 : 0));
    await stage.send(init(compared(state, result("single"), result("multi"))), ...depths(ramp(width, height), bent));
    const sign = async (): Promise<number> => {
      const [red, , blue] = await at("ab:difference", column(24), 16.5 / height);
      return Math.sign(red - blue);
    };
    assert.equal(await sign(), 1);
    await stage.page.locator('vscode-button[aria-label="Swap A and B"]').click();
    await stage.settle();
    assert.equal(await sign(), -1);
    assert.equal(await text(".ab-name-a"), "A Multi-step");
  });

  it("compares steps, which it asks for, and says what it waits for", async () => {
    await open();
    await stage.send(init(compared(state, { kind: "step", rowId: "multi", task: "depth", step: 1 }, result("multi"))));
    const overlay = (): Promise<string> => text('.tile[data-key="ab:over"] .overlay span');
    assert.match(await overlay(), /A: “Multi-step, step 2 of 4” has not been run yet\nB: “Multi-step” has not been run yet/);
    await stage.send(...wholeRun(1, settings));
    const steps = [0, 1, 2, 3].map((index) => event(1, { type: "step", runId: "multi:depth", member: 0, step: index, steps: 4, timestep: 999 - 250 * index, thumbnail: ramp(12, 8) }));
    await stage.send(...steps);
    assert.match(await overlay(), /^A: Loading Multi-step, step 2 of 4$/);
    assert.equal(await text('.tile[data-key="ab:difference"] .overlay span'), "The difference needs both");
    await answer("map", (params) => {
      assert.deepEqual(params, { kind: "step", runKey: "key-multi-depth", step: 1 });
      return { map: halfFromMap(mapOf(24, 16, 1, (x) => 4 * (x / 23) - 1)) };
    });
    assert.match(await text(".ab-fit"), /s = 0.2[45]\d*, t = 0.2[45]\d*/);
    assert.match(await text(".ab-note"), /Compared at 24 × 16: B, 48 × 32, was made smaller/);
    await stage.page.getByLabel("Step of A").fill("2");
    await stage.settle();
    assert.match(await overlay(), /Loading Multi-step, step 3 of 4/);
    await stage.send(init(compared(state, { kind: "member", rowId: "multi", task: "depth", member: 1 }, { kind: "result", rowId: "lost", task: "depth" })));
    assert.equal(await overlay(), "A: There is no “Multi-step, member 2”: choose another\nB: “lost” was removed: choose another");
  });

  it("holds a run against a ground-truth file", async () => {
    await open();
    await stage.send(init(compared(state, result("single"), result("multi"))), ...depths(ramp(width, height), ramp(width, height, 0.2, 0.9)));
    await stage.choose("Map B", " choose");
    await answer("chooseTruth", (params) => {
      assert.deepEqual(params, { task: "depth" });
      return { path: "/truth/room.npy" };
    });
    await answer("map", (params) => {
      assert.deepEqual(params, { kind: "file", path: "/truth/room.npy", task: "depth" });
      return { map: mapOf(width, height, 1, (x, y) => (y < 4 ? NaN : 2 + 3 * (x / 47))) };
    });
    const [, scale, shift] = /s = ([\d.-]+), t = ([\d.-]+)/.exec(await text(".ab-fit")) ?? [];
    assert.ok(Math.abs(Number(scale) - 3 / 0.7) < 0.01 && Math.abs(Number(shift) - (2 - 0.2 * (3 / 0.7))) < 0.01, `${scale} ${shift}`);
    assert.equal(await text(".ab-name-b"), "B room.npy");
    assert.deepEqual((await saved()).view.truth, { kind: "file", path: "/truth/room.npy", task: "depth" });
    const hole = await at("ab:difference", 0.5, 0.05);
    assert.ok(hole[0] === hole[1] && (hole[0] === 107 || hole[0] === 148), "no value is a checkerboard");
    assert.match(await text('.tile[data-key="ab:over"] .tile-kind'), /A: affine-invariant depth.*B: metric depth in metres/);
  });

  const disparityOf = (map: ReturnType<typeof ramp>) => {
    const found = resultOf(single, "depth", map);
    return event(1, { type: "result", result: { ...found, provenance: { ...found.provenance, semantics: { task: "depth" as const, depthKind: "affine-disparity" as const } } } });
  };

  it("inverts disparity to compare it with depth, and says how", async () => {
    await open();
    const inverse = ramp(width, height);
    await stage.send(init(compared(state, result("single"), result("multi"))), ...wholeRun(1, settings), disparityOf({ ...inverse, data: inverse.data.map((value) => 1 / (0.5 + value)) }));
    assert.match(await text(".ab-fit"), /^A aligned to B: inverted, for one is disparity and the other depth without a zero of its own, so that 1 \/ depth is not defined: A′ = 1 \/ \(s·A \+ t\) \+ c/);
    assert.match(await text('.tile[data-key="ab:difference"] .tile-kind'), /^A′ − B, in the units of B/);
    assert.match(await text('.tile[data-key="ab:over"] .tile-kind'), /^A: affine-invariant disparity .*drawn on the scale of B · B: affine-invariant depth/);
    const drawn = await at("ab:over", column(10), 0.5);
    reference("Spectral", 10 / 47).forEach((value, c) => assert.ok(Math.abs(value - drawn[c]) <= 4, `${drawn.join()}: equal colours mean equal depth`));
  });

  it("says why two maps of which neither can be the other's inverse are not compared", async () => {
    await open();
    await stage.send(init(compared(state, result("single"), result("multi"))), ...wholeRun(1, settings), disparityOf(ramp(width, height)));
    assert.match(await text('.tile[data-key="ab:difference"] .overlay span'), /values that fall as those of B grow.*disparity, the inverse of depth/);
    assert.ok(await stage.page.locator(".ab-foot").isHidden());
    assert.deepEqual(await at("ab:over", column(10), 0.5), reference("Spectral", 10 / 47), "both are still shown");
  });

  it("reads both maps under the crosshair and shares zoom with the tiles", async () => {
    await open();
    await stage.send(init(compared(state, result("single"), result("multi"))), ...depths(ramp(width, height), mapOf(width, height, 1, () => 0.25)));
    const box = await stage.tile("ab:over").locator(".tile-area").boundingBox();
    assert.ok(box);
    await stage.page.mouse.click(box.x + box.width * 0.25, box.y + box.height / 2);
    await stage.settle();
    const chip = (await text('.tile[data-key="ab:over"] .chip')).split("\n");
    assert.equal(chip[0], "A 0.25");
    assert.match(chip[1], /^B 0\.\d+$/);
    assert.equal(await stage.page.locator('.tile[data-key="ab:difference"] .chip').isVisible(), true, "the same point in the difference");
    await stage.page.mouse.wheel(0, -500);
    await stage.settle();
    await stage.click("Back to tiles");
    assert.equal((await saved()).view.stage, undefined);
    assert.ok(((await saved()).view.viewpoint?.zoom ?? 1) > 1.5, "the tiles look where the comparison looked");
    assert.ok(await stage.tile("multi:depth").isVisible());
  });

  it("leaves with Escape", async () => {
    await open();
    await stage.send(init(compared(state, result("single"), result("multi"))), ...wholeRun(1, settings));
    assert.ok(await stage.tile("ab:over").isVisible());
    await stage.page.keyboard.press("Escape");
    await stage.settle();
    assert.ok(await stage.page.locator(".ab-stage").isHidden());
  });

  it("draws how often each difference occurs, and where those of a bar are", async () => {
    await open();
    const steps = mapOf(width, height, 1, (x) => x / 47);
    const bent = mapOf(width, height, 1, (x, y) => x / 47 + (y < 6 ? 0.3 : 0));
    await stage.send(init(compared(state, result("multi"), result("single"), "absolute")), ...depths(steps, bent));
    const titles = await stage.page.locator(".histogram-hit title").allTextContents();
    const shares = titles.map((title) => Number(/: ([\d.e-]+) %/.exec(title)?.[1]));
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100) < 1, "every pixel is in a bar");
    // 6 rows of 32 are 0.3 off; the fit takes off the mean, 0.3 * 6 / 32.
    assert.deepEqual([shares[11], shares[47]], [81.3, 18.8], "26 rows are 0.056 off, 6 are 0.244");
    const [from, to] = (/^([\d.e-]+) to ([\d.e-]+):/.exec(titles[47]) ?? []).slice(1).map(Number);
    assert.ok(from < to);
    const coloured = async (v: number): Promise<boolean> => new Set((await at("ab:difference", 0.5, v)).slice(0, 3)).size > 1;
    assert.deepEqual([await coloured(0.1), await coloured(0.8)], [true, true]);
    await stage.page.locator(".histogram-hit rect").nth(47).hover();
    await stage.settle();
    assert.deepEqual([await coloured(0.1), await coloured(0.8)], [true, false], "only the top strip differs that much");
    await stage.page.mouse.move(5, 5);
    await stage.settle();
    assert.deepEqual([await coloured(0.1), await coloured(0.8)], [true, true]);
  });

  it("is fit to be looked at in every theme", async () => {
    const run = await runOn("room.jpg", 1, 0, realisticRows);
    for (const theme of ["darkModern", "lightModern", "hcBlack"] as const satisfies readonly ThemeName[]) {
      await open({ theme, width: 1280, height: 860 });
      await stage.send(init(compared(stateOf(realisticRows), result("leading"), result("multi"), "wipe", 0.45)), ...run);
      await stage.screenshot(`ab-${theme}`);
      // Text is told from what is behind it.
      const contrast = await stage.page.locator(".ab-number dd").first().evaluate((line) => [getComputedStyle(line).color, getComputedStyle(document.body).backgroundColor]);
      assert.notEqual(contrast[0], contrast[1]);
      if (theme !== "hcBlack") await stage.close();
    }
    await stage.send(init(compared(stateOf(realisticRows), { ...result("single", "normals") }, result("multi", "normals"))));
    await stage.screenshot("ab-normals");
    await stage.page.setViewportSize({ width: 620, height: 900 });
    await stage.settle();
    await stage.screenshot("ab-narrow");
    for (const key of ["ab:over", "ab:difference"]) {
      const box = await stage.tile(key).boundingBox();
      assert.ok(box && box.x >= 0 && box.x + box.width <= 620, `${key} fits a narrow panel`);
    }
  });
});
