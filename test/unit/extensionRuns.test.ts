import assert from "node:assert/strict";
import { listModels, type LibraryModel } from "../../src/catalogue/library";
import type { ModelDefaults, ModelDescription } from "../../src/catalogue/modelFolder";
import { shippedModelsDir, usableModels, type Model } from "../../src/extension/models";
import { compareRows, estimateRows, initialState, inspectRows, modelRow, multiSteps, predictRequests, restoredState, withModel, type RequestOptions } from "../../src/extension/runs";
import { cacheOf } from "../../src/extension/services";
import type { Settings } from "../../src/extension/settings";
import { presets } from "../../src/core/presets";
import type { PanelSettings, RowSettings } from "../../src/protocol/panel";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
const settings: Settings = { device: "auto", models: [], defaultSteps: 0, processingResolution: null, seed: 7, colormap: "Spectral", "cache.sizeGB": 4 };
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
  const ask = (settings: PanelSettings, options: Partial<RequestOptions> = {}) => predictRequests("/a.png", settings, { models, device: "cpu", ...options });
  const withRow = (index: number, change: Partial<RowSettings>): PanelSettings => ({ ...panel, rows: panel.rows.map((row, i) => (i === index ? { ...row, ...change } : row)) });

  it("asks of each family what it has: a domain, the tiny decoder of its latents, one run of a feed-forward network", () => {
    const families: Model[] = [{ ...model("g", "depth", false), family: "geowizard", tinyDecoder: true, tinyDecoderDir: "/models/taesd" }, { ...model("m", "normals", false), family: "marigold" }, { ...model("f", "depth", false), family: "feedforward" }];
    const row: RowSettings = { rowId: "a", label: "A", models: { depth: "g", normals: "m" }, steps: 10, spacing: "trailing", ensembleSize: 2, noise: { kind: "gaussian" }, domain: "outdoor", decoder: "tiny" };
    const settingsOf = (...rows: RowSettings[]): PanelSettings => ({ rows, seed: 1, processingResolution: 768 });
    const [first] = ask(settingsOf(row), { models: families }).requests;
    assert.deepEqual(first.runs.map(({ settings: { domain, decoder, steps } }) => [domain, decoder, steps]), [["outdoor", "tiny", 10], [undefined, "tiny", 10]]);
    assert.equal(first.tinyDecoderDir, "/models/taesd");
    const [second] = ask(settingsOf({ ...row, models: { depth: "f", normals: "m" } }), { models: families }).requests;
    assert.deepEqual(second.runs.map(({ settings: { domain, decoder, steps, ensembleSize } }) => [domain, decoder, steps, ensembleSize]), [[undefined, undefined, 1, 1], [undefined, "tiny", 10, 2]]);
    assert.equal(second.tinyDecoderDir, undefined, "the engine says that none is known");
  });

  it("is one run for every task of every row, named after both", () => {
    const { requests, missing } = ask(panel);
    assert.deepEqual(missing, []);
    assert.equal(requests.length, 1);
    const [{ runs, imagePath, stepMaps, device }] = requests;
    assert.deepEqual([imagePath, stepMaps, device], ["/a.png", true, "cpu"]);
    assert.deepEqual(runs.map(({ runId }) => runId), ["multi:depth", "multi:normals", "single:depth", "single:normals"]);
    assert.deepEqual(runs.map(({ modelDir }) => modelDir), ["/models/d", "/models/n", "/models/d", "/models/n"]);
    for (const run of runs) assert.deepEqual([run.settings.seed, run.settings.processingResolution], [3, 384]);
  });

  it("is only the rows named, and no step maps where every row has one step", () => {
    const [{ runs, stepMaps }] = ask(panel, { only: ["single"] }).requests;
    assert.deepEqual(runs.map(({ runId }) => runId), ["single:depth", "single:normals"]);
    assert.equal(stepMaps, false);
  });

  it("is maps at the image's size, at processing size for the very large", () => {
    const sizeOf = (width: number, height: number) => ask(panel, { size: { width, height } }).requests[0].mapSize;
    assert.deepEqual([sizeOf(1024, 768), sizeOf(2000, 2000), sizeOf(4000, 3000)], ["source", "source", "processing"]);
  });

  it("is a row's own seed and resolution where it has them, also when they are 0", () => {
    const [{ runs }] = ask(withRow(1, { seed: 0, processingResolution: 0 })).requests;
    assert.deepEqual(runs.map((run) => [run.settings.seed, run.settings.processingResolution]), [[3, 384], [3, 384], [0, 0], [0, 0]]);
  });

  it("is a request for each device", () => {
    const { requests } = ask(withRow(0, { device: "cuda" }));
    assert.deepEqual(requests.map(({ device, runs }) => [device, runs.map(({ runId }) => runId)]), [["cuda", ["multi:depth", "multi:normals"]], ["cpu", ["single:depth", "single:normals"]]]);
  });

  it("is to keep the runs where they are kept", () => {
    const cache = { dir: "/cache", maxBytes: 1e9 };
    assert.deepEqual(ask(panel, { cache }).requests[0].cache, cache);
    assert.deepEqual(cacheOf("/cache", settings), { dir: "/cache", maxBytes: 4e9 });
  });

  it("leaves out a run whose model is gone, and names the model; the others are run", () => {
    const { requests, missing } = ask(withRow(0, { models: { depth: "gone", normals: "n" } }));
    assert.deepEqual(missing.map(({ id, task, row }) => [id, task, row.label]), [["gone", "depth", "Multi-step"]]);
    assert.deepEqual(requests[0].runs.map(({ runId }) => runId), ["multi:normals", "single:depth", "single:normals"]);
    assert.deepEqual(ask(panel, { models: [] }).requests, []);
  });
});

describe("what is inspected", () => {
  it("is a preset's rows; without any model that fits it says so", () => {
    const [flaw] = presets;
    assert.deepEqual(inspectRows(flaw, models, settings).map(({ label }) => label), flaw.runs.map(({ label }) => label));
    assert.throws(() => inspectRows(flaw, [], settings), /Expected a model for "Paper: leading vs trailing, 1 step"/);
  });
});

describe("the state of a panel that was restored", () => {
  const state = initialState(estimateRows(models), ["file:///a.png"], models, settings);

  it("is as it was saved; one of another version or without images is refused", () => {
    assert.deepEqual(restoredState(JSON.parse(JSON.stringify(state))), state);
    for (const saved of [undefined, {}, { ...state, version: 99 }, { ...state, images: [] }]) assert.throws(() => restoredState(saved), /Expected a panel saved by this version/);
  });
});

describe("models that can be chosen", () => {
  it("are those that ship, each for its task, and the readable folders of the user", async () => {
    const shipped = shippedModelsDir(root);
    const environment = { PLUMBLINE_HOME: "/nowhere", HF_HOME: "/nowhere" };
    const library = await listModels({ modelsDir: shipped, folders: [join(shipped, "plumbline-depth"), "/nowhere"], environment });
    const found = usableModels(library);
    assert.deepEqual(found.slice(0, 4).map(({ id }) => id).sort(), ["plumbline-depth", "plumbline-e2e-depth", "plumbline-e2e-normals", "plumbline-normals"]);
    assert.equal(found.length, 5);
    assert.equal(found[4].id, join(shipped, "plumbline-depth"));
    assert.match(library.find(({ id }) => id === "/nowhere")?.problem ?? "", /nowhere/);
  });
});

describe("a row of one model", () => {
  const model = (defaults: Partial<ModelDefaults>): LibraryModel => ({
    id: "prs-eth/marigold-depth-lcm-v1-0", name: "Marigold LCM", state: "cached", family: "marigold", semantics: [],
    description: { defaults: { steps: 4, spacing: "trailing", noise: "gaussian", processingResolution: 768, ...defaults } } as ModelDescription,
  });

  it("has the settings that the model was made for, and an id of its own", () => {
    const [estimate] = estimateRows(models);
    const first = modelRow(model({}), "depth", [estimate]);
    assert.deepEqual({ ...first, rowId: "" }, { rowId: "", label: "Marigold LCM", models: { depth: "prs-eth/marigold-depth-lcm-v1-0" }, steps: 4, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, processingResolution: 768 });
    const second = modelRow(model({}), "depth", [first]);
    assert.equal(new Set([estimate.rowId, first.rowId, second.rowId]).size, 3);
  });

  it("takes the place of a model with its settings only where the row shows nothing else", () => {
    const [both] = estimateRows(models);
    const added = modelRow(model({}), "depth", []);
    const beside = withModel(both, added, "depth");
    assert.equal(beside.models.depth, added.models.depth);
    assert.deepEqual([beside.models.normals, beside.steps, beside.noise, beside.label], [both.models.normals, both.steps, both.noise, both.label]);
    const alone = withModel({ ...both, models: { depth: "plumbline-e2e-depth" } }, added, "depth");
    assert.deepEqual(alone, { ...added, rowId: both.rowId });
  });

  it("is refused for a model that cannot be used", () => {
    assert.throws(() => modelRow({ ...model({}), description: undefined, problem: "Its download has not finished." }, "depth", []), /Its download has not finished/);
  });
});
