import assert from "node:assert/strict";
import type { FloatMap } from "../../src/core/image";
import type { RowSettings, ToWebview, ViewState } from "../../src/protocol/panel";
import { sameButSeed } from "../../webview/rows/variation";
import { event, init, mapOf, multi, ramp, resultOf, settingsOf, single, stateOf, step, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

const [width, height] = [48, 32];

describe("variation column", () => {
  const settings = settingsOf(multi, single);
  let stage: Stage;

  stageForEach((opened) => void (stage = opened));

  const show = (rows = settings, view: Partial<ViewState> = {}): Promise<void> => {
    const state = stateOf(rows);
    return stage.send(init({ ...state, view: { ...state.view, ...view } }), ...wholeRun(1, rows));
  };
  const depth = (row: RowSettings, map: FloatMap): ToWebview => event(1, { type: "result", result: resultOf(row, "depth", map) });
  const asks = async (name: string) => (await stage.sentOf("ask")).filter((ask) => ask.name === name);
  const part = async (rowId: string, selector: string): Promise<string> => (await stage.tile(`${rowId}:variation`).locator(selector).textContent()) ?? "";
  const reply = (id: number, map: FloatMap): Promise<void> => stage.send({ type: "answer", id, result: { map } });
  const isGrey = async (rowId: string, u: number, v: number): Promise<boolean> => new Set((await stage.pixel(`${rowId}:variation`, u, v)).slice(0, 3)).size === 1;

  it("asks once for the MAD over the steps, says that it waits, and shows the answer", async () => {
    await show();
    assert.equal(await part("multi", ".tile-title"), "Depth std over steps");
    assert.equal((await asks("spread")).length, 0, "the std came with the result");
    await stage.choose("Spread", "mad");
    assert.equal(await part("multi", ".overlay span"), "Computing the MAD of 4 maps");
    const [ask, ...more] = await asks("spread");
    assert.deepEqual(ask.params, { refs: [0, 1, 2, 3].map((index) => ({ kind: "step", runKey: "key-multi-depth", step: index })), kind: "mad" });
    assert.equal(more.length, 0);
    await reply(ask.id, mapOf(width, height, 1, (x) => x / 100));
    assert.equal(await part("multi", ".tile-title"), "Depth MAD over steps");
    assert.equal(await part("multi", ".badge"), "median 0.235");
    assert.match((await stage.tile("multi:variation").locator(".tile-kind").getAttribute("title")) ?? "", /^Median absolute deviation of every pixel over the denoising steps, in the depth's own units$/);
    await stage.choose("Spread", "std");
    await stage.choose("Spread", "mad");
    await stage.choose("Variation", "none");
    await stage.choose("Variation", "depth");
    assert.equal((await asks("spread")).length, 1, "what is known is not asked again");
    assert.equal(await part("multi", ".badge"), "median 0.235");
  });

  it("asks for the range over members, and takes their std from the result", async () => {
    const three = { ...multi, rowId: "three", label: "Three members", steps: 1, ensembleSize: 3 };
    await show(settingsOf(three, single), { variation: { spread: "range", over: "members" } });
    assert.deepEqual((await asks("spread"))[0].params, { refs: [0, 1, 2].map((member) => ({ kind: "member", runKey: "key-three-depth", member })), kind: "range" });
    await stage.choose("Spread", "std");
    await stage.send(event(1, { type: "result", result: resultOf(three, "depth", ramp(width, height), { stdOverMembers: mapOf(width, height, 1, () => 0.125) }) }));
    assert.equal(await part("three", ".badge"), "median 0.125");
    assert.equal((await asks("spread")).length, 1);
  });

  it("shows why the engine refused, and lets another run try again", async () => {
    await show(settings, { variation: { spread: "mad", over: "steps" } });
    const [ask] = await asks("spread");
    await stage.send({ type: "refused", id: ask.id, message: "The run is no longer in the cache.", remedy: "Run it again." });
    assert.equal(await part("multi", ".overlay span"), "The run is no longer in the cache. Run it again.");
    await stage.settle();
    assert.equal((await asks("spread")).length, 1, "not over and over");
    await stage.send(...wholeRun(2, settings));
    assert.equal((await asks("spread")).length, 2);
  });

  it("compares rows that differ in their seed alone", async () => {
    const seeds = [7, 8, 9].map((seed) => ({ ...single, rowId: `seed${seed}`, label: `Seed ${seed}`, seed }));
    await show(settingsOf(multi, ...seeds), { variation: { spread: "std", over: "seeds" } });
    const sent = await asks("spread");
    assert.equal(sent.length, 1, "one question for the three of them");
    assert.deepEqual(sent[0].params, { refs: seeds.map(({ rowId }) => ({ kind: "result", runKey: `key-${rowId}-depth` })), kind: "std" });
    assert.equal(await part("multi", ".overlay span"), "No other run differs in its seed alone.");
    await reply(sent[0].id, mapOf(width, height, 1, () => 0.5));
    for (const { rowId } of seeds) assert.deepEqual([await part(rowId, ".tile-title"), await part(rowId, ".badge")], ["Depth std over 3 seeds", "median 0.5"]);
  });

  it("shows the spread of normals in degrees", async () => {
    await show(settings, { variationOf: "normals", variation: { spread: "mad", over: "steps" } });
    const [ask] = await asks("spread");
    await reply(ask.id, mapOf(width, height, 1, () => Math.PI / 6));
    assert.equal(await part("multi", ".badge"), "median 30");
    assert.equal(await part("multi", ".tile-kind"), "per pixel, angle in degrees");
    await stage.choose("Spread over", "members");
    assert.equal(await part("multi", ".overlay span"), "One member: nothing to vary.");
  });

  it("takes rows for the same but for their seed only when nothing else differs", () => {
    const rows = [{ ...single, rowId: "a" }, { ...single, rowId: "b", seed: 5 }, { ...single, rowId: "c", seed: 2024 }, { ...single, rowId: "d", seed: 6, steps: 2 }, { ...single, rowId: "e", seed: 7, processingResolution: 512 }, { ...single, rowId: "f", seed: 8, processingResolution: 768 }];
    const context = { rows, page: { state: stateOf(settingsOf(...rows)) } };
    assert.deepEqual(sameButSeed(rows[0], "depth", context).map(({ rowId }) => rowId), ["a", "b", "f"], "c has the seed of the panel too");
    assert.deepEqual(sameButSeed(rows[3], "depth", context).map(({ rowId }) => rowId), ["d"]);
  });

  it("marks what changed more than the threshold and says how much of the picture that is", async () => {
    await show();
    const slider = stage.page.getByLabel("Mark pixels that changed more than");
    assert.deepEqual([await isGrey("multi", 0.5, 0.1), await isGrey("multi", 0.5, 0.9)], [false, false]);
    const uploads = (await stage.uploads()).length;
    // Rows are y / 310, the colours end at 0.1; the slider is quadratic. The single row's difference is 0.
    await slider.fill("100");
    await stage.settle();
    assert.equal(await part("multi", ".badge"), "75 % above 0.025", "rows 8 to 31 of 32");
    assert.deepEqual([await isGrey("multi", 0.5, 0.1), await isGrey("multi", 0.5, 0.9)], [true, false]);
    await slider.fill("173");
    await stage.settle();
    assert.equal(await part("multi", ".badge"), "25 % above 0.0748", "rows 24 to 31");
    assert.deepEqual([await isGrey("multi", 0.5, 0.7), await isGrey("multi", 0.5, 0.9)], [true, false]);
    assert.equal(await slider.inputValue(), "173");
    assert.equal((await stage.uploads()).length, uploads, "a threshold is a uniform");
    await slider.fill("0");
    await stage.settle();
    assert.equal(await part("multi", ".badge"), "median 0.05");
    assert.equal(await isGrey("multi", 0.5, 0.1), false);
  });

  it("shows every row's difference to the pinned map on one scale, with scale and shift in the tooltip", async () => {
    const third = { ...single, rowId: "third", label: "Third" };
    const rows = settingsOf(multi, single, third);
    const bump = (amount: number): FloatMap => mapOf(width, height, 1, (x, y) => 2 * (x / 47 + amount * (y % 2 ? 1 : -1)) + 1);
    await show(rows, { pinned: { kind: "result", rowId: "single", task: "depth" } });
    await stage.send(depth(single, ramp(width, height)), depth(multi, bump(0)), depth(third, bump(0.05)));
    assert.equal(await part("third", ".tile-title"), "Depth vs. Single step");
    assert.equal(await part("single", ".overlay span"), "This is the pinned reference.");
    assert.match((await stage.tile("multi:variation").locator(".tile-kind").getAttribute("title")) ?? "", /Absolute difference to “Single step” .*: s = 0\.5, t = -0\.5$/);
    assert.equal(await part("multi", ".badge"), "mean 0");
    const mean = Number((await part("third", ".badge")).replace("mean ", ""));
    assert.ok(Math.abs(mean - 0.05) < 0.003, `the fit takes little off the stripes: ${mean}`);
    const bars = await Promise.all(["multi", "third"].map((row) => stage.tile(`${row}:variation`).locator(".color-bar .number").allTextContents()));
    assert.deepEqual(bars[0], bars[1]);
    assert.equal((await stage.sentOf("ask")).length, 0, "results are here already");
    await stage.page.locator('vscode-button[aria-label="Compare with the pinned map no longer"]').click();
    await stage.settle();
    assert.equal(await part("multi", ".tile-title"), "Depth std over steps");
  });

  it("holds the step on show against the pinned map, and normals by their angle in degrees", async () => {
    const tilted = (degrees: number): FloatMap => mapOf(width, height, 3, (_x, _y, c) => [Math.sin((degrees * Math.PI) / 180), 0, Math.cos((degrees * Math.PI) / 180)][c]);
    const normals = (row: RowSettings, map: FloatMap, extra = {}): ToWebview => event(1, { type: "result", result: resultOf(row, "normals", map, extra) });
    await show(settings, { pinned: { kind: "result", rowId: "single", task: "normals" }, shownSteps: {} });
    await stage.send(...[0, 1, 2, 3].map((index) => event(1, step(multi, "normals", index, tilted(60 - 10 * index)))), normals(single, tilted(0)), normals(multi, tilted(20)));
    assert.equal(await part("multi", ".tile-title"), "Normals vs. Single step");
    const degrees = async (): Promise<number> => Number(/^mean ([\d.]+)°$/.exec(await part("multi", ".badge"))?.[1]);
    assert.ok(Math.abs((await degrees()) - 20) < 0.01, "the result");
    const state = stateOf(settings);
    await stage.send(init({ ...state, view: { ...state.view, pinned: { kind: "result", rowId: "single", task: "normals" }, shownSteps: { multi: 1 } } }));
    assert.ok(Math.abs((await degrees()) - 50) < 0.1, `the second step: ${await degrees()}`);
    await stage.send(normals(single, tilted(-10), { frame: "LUB" }));
    assert.ok(Math.abs((await degrees()) - 40) < 0.1, `-10 degrees in LUB are 10 in RUB: ${await degrees()}`);
  });
});
