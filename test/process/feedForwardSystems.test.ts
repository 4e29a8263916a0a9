import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeModel, semanticsOf } from "../../src/catalogue/modelFolder";
import type { RgbImage } from "../../src/core/image";
import type { Task } from "../../src/core/semantics";
import { dataType } from "../../src/graph/onnx";
import { createNetwork } from "../../src/inference/session";
import { predictFeedForward } from "../../src/pipeline/families/feedForward";
import { temporaryFolder, weighted, writeNetwork, type TestNetwork } from "../unit/feedForwardGraphs";

/*
 * Every feed-forward system that the paper compares with, by a network of the published signature: names, layout, types and sizes. An image of one
 * colour stays so however it is resized, and padding is cut off again, so that the answer follows from the scaling alone.
 */

const colour: [number, number, number] = [200, 100, 50];
const weights: [number, number, number] = [0.5, 0.3, 0.2];
const directions: [number, number, number][] = [[0.6, 0, 0], [0, 0.3, 0], [0, 0, 0.9]];
const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const bytes = { range: [0, 255] };
const dpt = { do_normalize: true, do_rescale: true, do_resize: true, image_processor_type: "DPTImageProcessor", rescale_factor: 1 / 255 };
const depthAnything = { ...dpt, ensure_multiple_of: 14, image_mean: imageNet.mean, image_std: imageNet.std, keep_aspect_ratio: true, resample: 3, size: { height: 518, width: 518 } };
const dptLarge = { ...dpt, ensure_multiple_of: 1, image_mean: half.mean, image_std: half.std, keep_aspect_ratio: false, resample: 2, size: { height: 384, width: 384 } };
const metric3d = { do_normalize: false, do_rescale: false, do_resize: true, ensure_multiple_of: 14, image_processor_type: "DPTImageProcessor", keep_aspect_ratio: true, resample: 3, size: { height: 518, width: 518 } };

interface System {
  readonly name: string;
  /** Of the network; with a processor it lies in the folder `onnx` of a model of that name. */
  readonly file: string;
  readonly config?: object;
  readonly processor?: object;
  readonly network: TestNetwork;
  readonly task: Task;
  /** On the map's badge. */
  readonly meaning: string;
  /** Of an image of 640 x 480. */
  readonly size: string;
  readonly scaling: Parameters<typeof weighted>[2];
  /** Signs that take the network's vector to the frame that is shown. */
  readonly signs?: readonly [number, number, number];
}

const depth = (name: string, shape: "NHW" | "N1HW" | "HW"): TestNetwork["outputs"][number] => ({ name, shape, weights: [weights] });
const normals = (name: string): TestNetwork["outputs"][number] => ({ name, shape: "N3HW", weights: directions });

const systems: readonly System[] = [
  { name: "Depth Anything v1 (transformers.js)", file: "model.onnx", config: { model_type: "depth_anything" }, processor: depthAnything, network: { outputs: [depth("predicted_depth", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "686x518", scaling: imageNet },
  { name: "Depth Anything v2, fp16 (transformers.js)", file: "model_fp16.onnx", config: { model_type: "depth_anything" }, processor: depthAnything, network: { type: "float16", outputs: [depth("predicted_depth", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "686x518", scaling: imageNet },
  { name: "Depth Anything v2, exported for one size", file: "depth_anything_v2_vits.onnx", network: { inputName: "image", size: { height: 518, width: 518 }, outputs: [depth("depth", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "518x518", scaling: imageNet },
  { name: "DPT-Large (transformers.js)", file: "model.onnx", config: { model_type: "dpt" }, processor: dptLarge, network: { outputs: [depth("predicted_depth", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "384x384", scaling: half },
  { name: "MiDaS v3 (DPT)", file: "dpt_hybrid_384.onnx", network: { inputName: "0", outputs: [depth("1", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "512x384", scaling: half },
  { name: "MiDaS v2.1", file: "model-f6b98070.onnx", network: { inputName: "0", size: { height: 384, width: 384 }, outputs: [depth("797", "NHW")] }, task: "depth", meaning: "affine-disparity", size: "384x384", scaling: imageNet },
  { name: "MiDaS v2.1 small", file: "midas_v21_small_256.onnx", network: { outputs: [depth("depth", "HW")] }, task: "depth", meaning: "affine-disparity", size: "256x192", scaling: imageNet },
  { name: "Metric3D v2, depth (transformers.js)", file: "model.onnx", config: { model_type: "metric3d" }, processor: metric3d, network: { outputs: [depth("predicted_depth", "N1HW"), normals("predicted_normal"), depth("normal_confidence", "N1HW")] }, task: "depth", meaning: "affine-depth", size: "686x518", scaling: bytes },
  { name: "Metric3D v2, normals (transformers.js)", file: "model.onnx", config: { model_type: "metric3d" }, processor: metric3d, network: { outputs: [depth("predicted_depth", "N1HW"), normals("predicted_normal"), depth("normal_confidence", "N1HW")] }, task: "normals", meaning: "RUB", size: "686x518", scaling: bytes, signs: [1, -1, -1] },
  { name: "Metric3D v2 (the authors' export)", file: "metric3d_vit_small.onnx", network: { inputName: "image", size: { height: 616, width: 1064 }, outputs: [depth("pred_depth", "N1HW")] }, task: "depth", meaning: "affine-depth", size: "821x616", scaling: bytes },
  { name: "Metric3D v1 (the authors' export)", file: "metric3d_convnext_large.onnx", network: { inputName: "image", size: { height: 544, width: 1216 }, outputs: [depth("pred_depth", "N1HW")] }, task: "depth", meaning: "affine-depth", size: "725x544", scaling: bytes },
  { name: "Omnidata depth", file: "omnidata_dpt_depth_v2.onnx", network: { outputs: [depth("depth", "NHW")] }, task: "depth", meaning: "affine-depth", size: "512x384", scaling: half },
  { name: "DSINE", file: "dsine.onnx", network: { inputName: "img", outputs: [normals("normal")], otherInputs: [{ name: "intrins", type: dataType.FLOAT, dims: ["batch", 3, 3] }] }, task: "normals", meaning: "LUB", size: "640x480", scaling: imageNet, signs: [1, 1, 1] },
  { name: "LeReS", file: "leres_res50.onnx", network: { size: { height: 448, width: 448 }, outputs: [depth("depth", "N1HW")] }, task: "depth", meaning: "affine-depth", size: "448x448", scaling: imageNet },
];

describe("the feed-forward systems of the paper, by their signatures", function () {
  this.timeout(120_000);
  let dir: string;
  const image: RgbImage = { width: 640, height: 480, data: Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => colour[i % 3]) };
  beforeEach(async () => {
    dir = await temporaryFolder();
  });
  afterEach(() => rm(dir, { recursive: true }));

  for (const { name, file, config, processor, network, task, meaning, size, scaling, signs } of systems) {
    it(name, async () => {
      const path = await writeNetwork(join(dir, ...(processor ? ["onnx"] : []), file), network);
      if (processor) await mkdir(dir, { recursive: true });
      if (processor) await Promise.all([writeFile(join(dir, "config.json"), JSON.stringify(config)), writeFile(join(dir, "preprocessor_config.json"), JSON.stringify(processor))]);
      const model = await describeModel(processor ? dir : path);
      assert.equal(model.family, "feedforward");
      const semantics = semanticsOf(model, task);
      assert.equal(semantics.task === "depth" ? semantics.depthKind : semantics.frame, meaning);

      const loaded = await createNetwork(model.network, { device: "cpu", threads: 1 });
      const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: model.defaults.processingResolution } as const;
      const { map } = await predictFeedForward(image, { kind: "feedforward", network: loaded, task, spec: model.spec }, settings, { observer: { unitDone: async () => undefined, stepDone: async () => undefined } });
      await loaded.release();

      assert.equal(`${map.width}x${map.height}`, size);
      const answer = signs ? directions.map((row, c) => signs[c] * weighted(colour, row, scaling)) : [weighted(colour, weights, scaling)];
      const clipped = name.startsWith("Omnidata") ? answer.map((value) => Math.min(1, Math.max(0, value))) : answer;
      const expected = signs ? clipped.map((value) => value / Math.hypot(...clipped)) : clipped;
      const tolerance = network.type === "float16" ? 5e-3 : 1e-4 * Math.max(1, Math.abs(expected[0]));
      map.data.forEach((value, i) => assert.ok(Math.abs(value - expected[i % expected.length]) < tolerance, `value ${i}: ${value}, expected ${expected[i % expected.length]}`));
    });
  }
});
