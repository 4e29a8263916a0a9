import assert from "node:assert/strict";
import { HeldRuns } from "../../src/extension/heldRuns";
import { findModels, shippedModelsDir, type Model } from "../../src/extension/models";
import { compareRows, estimateRows, initialState, multiSteps, predictParams } from "../../src/extension/runs";
import type { Settings } from "../../src/extension/settings";
import type { PredictEvent } from "../../src/protocol/inference";
import type { PanelSettings } from "../../src/protocol/panel";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const settings: Settings = { device: "auto", models: [], defaultSteps: 0, processingResolution: null, seed: 7, colormap: "Spectral" };
const model = (id: string, task: Model["task"], endToEnd: boolean, processingResolution = 768): Model => ({ id, name: id, task, endToEnd, dir: `/models/${id}`, processingResolution });
const models = [model("d", "depth", false), model("n", "normals", false), model("de", "depth", true, 192), model("ne", "normals", true, 192)];

describe("rows of a panel", () => {
  it("estimates with the end-to-end models, in one step from zeros", () => {
    const [row, ...others] = estimateRows(models);
    assert.deepEqual(others, []);
    assert.deepEqual(row.models, { depth: "de", normals: "ne" });
    assert.deepEqual([row.steps, row.spacing, row.noise.kind, row.ensembleSize], [1, "trailing", "zeros", 1]);
  });

  it("falls back to one step from noise where no model was fine-tuned end to end, and leaves out a task without a model", () => {
    const [row] = estimateRows([models[0]]);
    assert.deepEqual(row.models, { depth: "d" });
    assert.equal(row.noise.kind, "gaussian");
  });

  it("compares many trailing steps with one, on the same diffusion models and the same noise", () => {
    const rows = compareRows(models, 10);
    assert.deepEqual(rows.map(({ steps }) => steps), [10, 1]);
    for (const row of rows) {
      assert.deepEqual(row.models, { depth: "d", normals: "n" });
      assert.equal(row.spacing, "trailing");
      assert.equal(row.noise.kind, "gaussian");
    }
    assert.notEqual(rows[0].rowId, rows[1].rowId);
  });

  it("takes 10 steps on a CPU, 50 on a GPU, and what the user set on both", () => {
    assert.equal(multiSteps(settings, "cpu"), 10);
    assert.equal(multiSteps(settings, "cuda"), 50);
    for (const device of ["cpu", "cuda"] as const) assert.equal(multiSteps({ ...settings, defaultSteps: 25 }, device), 25);
  });

  it("runs at the models' own resolution until the user sets another; 0 keeps the image's own size", () => {
    const resolutionOf = (processingResolution: number | null) => initialState(estimateRows(models), ["file:///a.png"], models, { ...settings, processingResolution }).settings.processingResolution;
    assert.deepEqual([resolutionOf(null), resolutionOf(512), resolutionOf(0)], [192, 512, 0]);
  });
});

describe("what the engine is asked", () => {
  const panel: PanelSettings = { rows: compareRows(models, 10), seed: 3, processingResolution: 384 };

  it("is one run for every task of every row, named after both", () => {
    const { runs, imagePath, stepMaps } = predictParams("/a.png", panel, models, "cpu");
    assert.equal(imagePath, "/a.png");
    assert.equal(stepMaps, true);
    assert.deepEqual(runs.map(({ runId }) => runId), ["multi:depth", "multi:normals", "single:depth", "single:normals"]);
    assert.deepEqual(runs.map(({ modelDir }) => modelDir), ["/models/d", "/models/n", "/models/d", "/models/n"]);
    for (const run of runs) assert.deepEqual([run.settings.seed, run.settings.processingResolution], [3, 384]);
  });

  it("is only the rows named, and no step maps where every row has one step", () => {
    const { runs, stepMaps } = predictParams("/a.png", panel, models, "cpu", { only: ["single"] });
    assert.deepEqual(runs.map(({ runId }) => runId), ["single:depth", "single:normals"]);
    assert.equal(stepMaps, false);
  });

  it("is maps at the image's size, at processing size for the very large", () => {
    const sizeOf = (width: number, height: number) => predictParams("/a.png", panel, models, "cpu", { size: { width, height } }).mapSize;
    assert.deepEqual([sizeOf(1024, 768), sizeOf(2000, 2000), sizeOf(4000, 3000)], ["source", "source", "processing"]);
  });

  it("names the models that there are when a row names one that is gone", () => {
    assert.throws(() => predictParams("/a.png", panel, [models[2], models[1]], "cpu"), /Expected one of de for the depth model but received "d"/);
  });
});

describe("models that can be chosen", () => {
  it("are those that ship, each for its task, and the readable folders of the user", async () => {
    const shipped = shippedModelsDir(root);
    const { models: found, problems } = await findModels(shipped, [join(shipped, "plumbline-depth"), "/nowhere"]);
    assert.deepEqual(found.slice(0, 4).map(({ id }) => id).sort(), ["plumbline-depth", "plumbline-e2e-depth", "plumbline-e2e-normals", "plumbline-normals"]);
    assert.equal(found.length, 5);
    assert.equal(found[4].id, join(shipped, "plumbline-depth"));
    assert.equal(problems.length, 1);
    assert.match(String(problems[0]), /nowhere/);
  });
});

describe("runs that are held for a page that was hidden", () => {
  const panel: PanelSettings = { rows: [], seed: 0, processingResolution: 0 };
  const progress = (fraction: number): PredictEvent => ({ type: "progress", runId: "a:depth", stage: "denoise", fraction });
  const step = (index: number, floats: number): PredictEvent => ({ type: "step", runId: "a:depth", member: 0, step: index, steps: 99, timestep: 0, map: { width: floats, height: 1, channels: 1, data: new Uint16Array(floats) } });

  it("come back in order, with the last progress only", () => {
    const held = new HeldRuns();
    held.hold({ type: "started", generation: 1, image: 0, settings: panel });
    for (const fraction of [0.1, 0.2, 0.3]) held.hold({ type: "event", generation: 1, event: progress(fraction) });
    held.hold({ type: "finished", generation: 1, elapsedMillis: 5 });
    assert.deepEqual(held.messages().map(({ type }) => type), ["started", "event", "finished"]);
    const [, event] = held.messages();
    assert.ok(event.type === "event" && event.event.type === "progress" && event.event.fraction === 0.3);
  });

  it("drop an image's earlier run when all its rows are run again, and keep it when only some are", () => {
    const held = new HeldRuns();
    held.hold({ type: "started", generation: 1, image: 0, settings: panel });
    held.hold({ type: "started", generation: 2, image: 0, settings: panel, only: ["b"] });
    assert.deepEqual(held.messages().map(({ generation }) => generation), [1, 2]);
    held.hold({ type: "started", generation: 3, image: 0, settings: panel });
    assert.deepEqual(held.messages().map(({ generation }) => generation), [3]);
    held.hold({ type: "finished", generation: 1, elapsedMillis: 5 });
    assert.equal(held.messages().length, 1, "what belongs to a dropped run is dropped");
  });

  it("are those of the last few images", () => {
    const held = new HeldRuns();
    for (let image = 0; image < 10; image++) held.hold({ type: "started", generation: image + 1, image, settings: panel });
    assert.deepEqual([0, 5, 6, 9].map((image) => held.has(image)), [false, false, true, true]);
  });

  it("keep step maps within a fixed memory, however many steps there are", () => {
    const held = new HeldRuns();
    held.hold({ type: "started", generation: 1, image: 0, settings: panel });
    for (let i = 0; i < 60; i++) held.hold({ type: "event", generation: 1, event: step(i, 1e6) });
    const steps = held.messages().flatMap((message) => (message.type === "event" && message.event.type === "step" ? [message.event] : []));
    assert.equal(steps.at(-1)?.step, 59);
    assert.ok(steps.length * 4e6 <= 104e6, `${steps.length} maps of 4 MB are held`);
  });
});
