import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { halfFromMap } from "../../src/core/half";
import type { RgbImage } from "../../src/core/image";
import type { Task } from "../../src/core/semantics";
import type { RunSettings } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import type { PredictEvent, PredictParams, RunResult } from "../../src/protocol/inference";
import { pixel, temporaryFolder, testImage, weighted, writeNetwork } from "../unit/feedForwardGraphs";
import { buildInferenceChild } from "./inferenceChild";

const settings: RunSettings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: 28 };
const weights: [number, number, number] = [0.2, 0.3, 0.4];
const scaling = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const processor = { do_normalize: true, do_rescale: true, do_resize: true, ensure_multiple_of: 14, image_mean: scaling.mean, image_processor_type: "DPTImageProcessor", image_std: scaling.std, keep_aspect_ratio: true, resample: 3, size: { height: 28, width: 28 } };

describe("feed-forward models in the engine", function () {
  this.timeout(60_000);
  let dir: string;
  let photo: string;
  let model: string;
  let image: RgbImage;
  let engine: EngineClient;
  before(async () => {
    dir = await temporaryFolder();
    // The processor's size: no resizing, so that every value is known.
    image = testImage(42, 28);
    photo = join(dir, "photo.png");
    await sharp(image.data, { raw: { width: 42, height: 28, channels: 3 } }).png().toFile(photo);
    model = join(dir, "models--someone--depth-anything-tiny", "snapshots", "abc");
    await mkdir(join(model, "onnx"), { recursive: true });
    await writeFile(join(model, "config.json"), JSON.stringify({ model_type: "depth_anything" }));
    await writeFile(join(model, "preprocessor_config.json"), JSON.stringify(processor));
    await writeNetwork(join(model, "onnx", "model.onnx"), { outputs: [{ name: "predicted_depth", shape: "NHW", weights: [weights] }], externalFile: "model.onnx_data" });
    engine = startEngine({ childPath: await buildInferenceChild("feedForwardEngine") });
  });
  after(async () => {
    await engine.dispose();
    await rm(dir, { recursive: true });
  });

  async function run(changes: Partial<RunSettings> = {}, rest: Partial<PredictParams> = {}, task: Task = "depth"): Promise<{ events: PredictEvent[]; result: RunResult }> {
    const events: PredictEvent[] = [];
    const params: PredictParams = { imagePath: photo, runs: [{ runId: "r", modelDir: model, task, settings: { ...settings, ...changes } }], device: "cpu", stepMaps: true, recordSteps: false, mapSize: "source", ...rest };
    await engine.predict(params, { onEvent: (event) => events.push(event) });
    const result = events.find((event) => event.type === "result");
    assert.ok(result?.type === "result");
    return { events, result: result.result };
  }

  it("answers in one step whose map is the result, with disparity on its badge and no noise to tell of", async () => {
    const { events, result } = await run();
    assert.deepEqual([result.map.width, result.map.height, result.map.channels], [42, 28, 1]);
    result.map.data.forEach((value, p) => assert.ok(Math.abs(value - weighted(pixel(image, p), weights, scaling)) < 1e-4, `pixel ${p}`));
    const { provenance } = result;
    assert.deepEqual(provenance.semantics, { task: "depth", depthKind: "affine-disparity" });
    assert.deepEqual([provenance.model.id, provenance.timesteps, provenance.processingSize], ["someone/depth-anything-tiny", [], { width: 42, height: 28 }]);
    assert.deepEqual(Object.keys(provenance.model.files).sort(), ["config.json", "onnx/model.onnx", "onnx/model.onnx_data", "preprocessor_config.json"]);
    const steps = events.filter((event) => event.type === "step");
    assert.equal(steps.length, 1);
    assert.deepEqual(steps[0].map, halfFromMap(result.map));
    const planned = events.find((event) => event.type === "planned");
    assert.ok(planned?.type === "planned" && planned.steps.length === 1 && planned.steps[0].toldNoise === undefined);
    const fractions = events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
    assert.deepEqual([fractions, fractions.at(-1)], [[...fractions].sort((a, b) => a - b), 1]);
  });

  it("is found in the cache again, until a file of the model changes", async () => {
    const cache = { dir: join(dir, "cache"), maxBytes: 1e9 };
    const isCached = ({ events }: { events: PredictEvent[] }): boolean => events.some((event) => event.type === "planned" && event.cached);
    const first = await run({}, { cache });
    const second = await run({}, { cache });
    assert.deepEqual([isCached(first), isCached(second)], [false, true]);
    assert.deepEqual(second.result.map, first.result.map);
    await writeFile(join(model, "onnx", "model.onnx_data"), Buffer.from(Float32Array.from([1, 0, 0]).buffer));
    const changed = await run({}, { cache });
    assert.equal(isCached(changed), false);
    assert.ok(Math.abs(changed.result.map.data[0] - weighted(pixel(image, 0), [1, 0, 0], scaling)) < 1e-4);
  });

  it("looks at a part of an image, and brings the map to the size of the part", async () => {
    const crop = { left: 3, top: 5, width: 20, height: 10 };
    const { result } = await run({}, { crop });
    assert.deepEqual([result.map.width, result.map.height], [20, 10]);
  });

  it("refuses more than one step, more than one member, and a task that it was not made for", async () => {
    await assert.rejects(run({ steps: 4 }), { code: "bad-argument", message: /1 for the steps of a feed-forward network but received 4/ });
    await assert.rejects(run({ ensembleSize: 3, noise: { kind: "gaussian" } }), { code: "bad-argument", message: /ensemble size of a feed-forward network/ });
    await assert.rejects(run({}, {}, "normals"), { code: "bad-argument", message: /task of model someone\/depth-anything-tiny/ });
  });
});
