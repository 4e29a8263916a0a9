import assert from "node:assert/strict";
import { appendFile, cp, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeFeedForward, isFeedForward } from "../../src/catalogue/families/feedForward";
import { manifestName, manifestSchema } from "../../src/catalogue/feedForward/manifest";
import { openOnnx } from "../../src/io/onnxFile";
import { dataType } from "../../src/graph/onnx";
import { temporaryFolder, writeNetwork, type TestNetwork } from "./feedForwardGraphs";

const mean: [number, number, number] = [1 / 3, 1 / 3, 1 / 3];
const identity: [number, number, number][] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
const depthOutput = { name: "predicted_depth", shape: "NHW", weights: [mean] } as const;
const normalsOutput = { name: "predicted_normal", shape: "N3HW", weights: identity } as const;

/** As published with depth-anything-v2-base of onnx-community. */
const depthAnythingProcessor = {
  do_normalize: true, do_pad: false, do_rescale: true, do_resize: true, ensure_multiple_of: 14, image_mean: [0.485, 0.456, 0.406], image_processor_type: "DPTImageProcessor",
  image_std: [0.229, 0.224, 0.225], keep_aspect_ratio: true, resample: 3, rescale_factor: 0.00392156862745098, size: { height: 518, width: 518 }, size_divisor: null,
};
/** As published with dpt-large of Xenova. */
const dptProcessor = {
  do_normalize: true, do_rescale: true, do_resize: true, ensure_multiple_of: 1, feature_extractor_type: "DPTFeatureExtractor", image_mean: [0.5, 0.5, 0.5],
  image_processor_type: "DPTFeatureExtractor", image_std: [0.5, 0.5, 0.5], keep_aspect_ratio: false, resample: 2, rescale_factor: 0.00392156862745098, size: { height: 384, width: 384 },
};
/** As published with metric3d-vit-small of onnx-community. */
const metric3dProcessor = { do_normalize: false, do_pad: false, do_rescale: false, do_resize: true, ensure_multiple_of: 14, image_processor_type: "DPTImageProcessor", keep_aspect_ratio: true, resample: 3, size: { height: 518, width: 518 }, size_divisor: null };

describe("feed-forward models", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
  });
  afterEach(() => rm(dir, { recursive: true }));

  const network = (fields: Partial<TestNetwork> = {}, name = "model.onnx"): Promise<string> => writeNetwork(join(dir, name), { outputs: [depthOutput], ...fields });
  const manifest = (fields: object): Promise<void> => writeFile(join(dir, manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name: "Test", size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-depth" }], ...fields }));
  const transformersFolder = async (name: string, config: object, processor: object, fields: Partial<TestNetwork> = {}, file = "model.onnx"): Promise<string> => {
    const folder = join(dir, name);
    await mkdir(join(folder, "onnx"), { recursive: true });
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    await writeFile(join(folder, "preprocessor_config.json"), JSON.stringify(processor));
    await writeNetwork(join(folder, "onnx", file), { outputs: [depthOutput], ...fields });
    return folder;
  };

  describe("in the layout of transformers.js", () => {
    it("reads Depth Anything's processor: closest size in multiples of 14, Pillow's bicubic, ImageNet scaling; disparity", async () => {
      const model = await describeFeedForward(await transformersFolder("depth-anything-v2-small", { model_type: "depth_anything" }, depthAnythingProcessor));
      assert.deepEqual([model.family, model.id, model.tasks, model.defaults.processingResolution, model.defaults.steps], ["feedforward", "depth-anything-v2-small", ["depth"], 518, 1]);
      assert.deepEqual(model.spec.size, { kind: "closest", width: 518, height: 518, multiple: 14 });
      const { name, layout, filter, rounding, mean: means, std, range } = model.spec.input;
      assert.deepEqual([name, layout, filter, rounding, means, std], ["pixel_values", "NCHW", "bicubic", "pillow", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]);
      assert.ok(Math.abs(range[1] - 1) < 1e-9);
      assert.deepEqual(model.spec.outputs.map(({ kind }) => kind), ["affine-disparity"]);
      assert.equal(await isFeedForward(model.dir), true);
    });

    it("calls the metric variants metric, with what that rests on", async () => {
      const model = await describeFeedForward(await transformersFolder("da-metric", { model_type: "depth_anything", depth_estimation_type: "metric", max_depth: 20 }, depthAnythingProcessor));
      assert.deepEqual([model.spec.outputs[0].kind, model.assumptions.length], ["metric-depth", 1]);
      assert.match(model.assumptions[0], /20 m.*cameras like/);
    });

    it("reads DPT's processor: stretched to a square, bilinear", async () => {
      const model = await describeFeedForward(await transformersFolder("dpt-large", { model_type: "dpt" }, dptProcessor, {}, "model_quantized.onnx"));
      assert.deepEqual([model.spec.size, model.spec.input.filter], [{ kind: "fixed", width: 384, height: 384, keepAspect: false }, "bilinear"]);
      assert.match(model.assumptions[0], /quantised/);
    });

    it("takes fp32 before fp16, and any file that is chosen", async () => {
      const folder = await transformersFolder("both", { model_type: "dpt" }, dptProcessor, {}, "model_fp16.onnx");
      assert.match((await describeFeedForward(folder)).network.path, /model_fp16\.onnx$/);
      await cp(join(folder, "onnx", "model_fp16.onnx"), join(folder, "onnx", "model.onnx"));
      assert.match((await describeFeedForward(folder)).network.path, /onnx.model\.onnx$/);
      const chosen = await describeFeedForward(join(folder, "onnx", "model_fp16.onnx"));
      assert.deepEqual([chosen.id, chosen.dir], ["both model_fp16", folder]);
      assert.match(chosen.network.path, /model_fp16\.onnx$/);
    });

    it("reads Metric3D: samples of 0..255, depth up to the focal length, normals x right, y down, z forward shown as RUB", async () => {
      const model = await describeFeedForward(await transformersFolder("metric3d-vit-small", { model_type: "metric3d" }, metric3dProcessor, { outputs: [depthOutput, normalsOutput, { ...depthOutput, name: "normal_confidence" }] }));
      assert.deepEqual([model.tasks, model.normalsFrame, model.spec.input.range, model.spec.input.mean], [["depth", "normals"], "RUB", [0, 255], [0, 0, 0]]);
      assert.deepEqual(model.spec.outputs.map(({ name }) => name), ["predicted_depth", "predicted_normal"]);
      assert.match(model.assumptions[0], /not known.*up to a scale/);
    });

    it("stretches to the size that a network was exported with, and says so", async () => {
      const model = await describeFeedForward(await transformersFolder("fixed", { model_type: "depth_anything" }, depthAnythingProcessor, { size: { height: 280, width: 420 } }));
      assert.deepEqual(model.spec.size, { kind: "fixed", width: 420, height: 280, keepAspect: false });
      assert.match(model.assumptions[0], /420 x 280 only/);
    });

    it("refuses models whose output it cannot vouch for, and processors that it does not know", async () => {
      await assert.rejects(describeFeedForward(await transformersFolder("dpt-dinov2-base-nyu", { model_type: "dpt" }, dptProcessor)), { code: "unsupported", remedy: /plumbline\.model\.json/ });
      await assert.rejects(describeFeedForward(await transformersFolder("glpn", { model_type: "glpn" }, dptProcessor)), { code: "unsupported", message: /"glpn"/ });
      await assert.rejects(describeFeedForward(await transformersFolder("other", { model_type: "dpt" }, { ...dptProcessor, image_processor_type: "GLPNImageProcessor" })), { code: "unsupported", message: /GLPNImageProcessor/ });
    });
  });

  describe("known by the name of their file", () => {
    it("runs what authors export: MiDaS, Metric3D, DSINE, LeReS, Omnidata's depth", async () => {
      await network({}, "dpt_large_384.onnx");
      assert.deepEqual((await describeFeedForward(join(dir, "dpt_large_384.onnx"))).spec.size, { kind: "closest", width: 384, height: 384, multiple: 32 });
      await network({ inputName: "image", outputs: [{ ...depthOutput, name: "pred_depth", shape: "N1HW" }], size: { height: 616, width: 1064 } }, "metric3d_vit_small.onnx");
      const metric3d = await describeFeedForward(join(dir, "metric3d_vit_small.onnx"));
      assert.deepEqual(metric3d.spec.size, { kind: "fixed", width: 1064, height: 616, keepAspect: true });
      await network({ outputs: [normalsOutput], otherInputs: [{ name: "intrins", type: dataType.FLOAT, dims: [1, 3, 3] }] }, "dsine.onnx");
      const dsine = await describeFeedForward(join(dir, "dsine.onnx"));
      assert.deepEqual([dsine.tasks, dsine.normalsFrame, dsine.spec.intrinsics], [["normals"], "LUB", { name: "intrins", fieldOfViewDegrees: 60 }]);
      await network({}, "leres_resnext101.onnx");
      assert.deepEqual((await describeFeedForward(join(dir, "leres_resnext101.onnx"))).spec.outputs[0].kind, "affine-depth");
      await network({}, "omnidata_dpt_depth_v2.onnx");
      assert.deepEqual((await describeFeedForward(join(dir, "omnidata_dpt_depth_v2.onnx"))).spec.input.mean, [0.5, 0.5, 0.5]);
    });

    it("does not take the metric variant of a known network for the relative one", async () => {
      await network({}, "depth_anything_v2_vits_indoor_dynamic.onnx");
      await assert.rejects(describeFeedForward(join(dir, "depth_anything_v2_vits_indoor_dynamic.onnx")), { code: "unsupported" });
    });

    it("says what an unknown network takes and gives, and what to write", async () => {
      await network({ size: { height: 12, width: 16 } }, "secret.onnx");
      await assert.rejects(describeFeedForward(join(dir, "secret.onnx")), { code: "unsupported", message: /pixel_values float32 \[batch, 3, 12, 16\].*predicted_depth float32 \[batch, 12, 16\]/, remedy: /plumbline\.model\.json/ });
      await network({}, "other.onnx");
      await assert.rejects(describeFeedForward(dir), { code: "bad-argument", message: /other\.onnx, secret\.onnx/ });
      await assert.rejects(describeFeedForward(join(dir, "absent.onnx")), { code: "not-found" });
    });
  });

  describe("with plumbline.model.json", () => {
    it("fills in what the manifest leaves out", async () => {
      await network({ layout: "NHWC", inputName: "img" });
      await manifest({ licence: "MIT", input: { channels: "BGR", range: [-1, 1] } });
      const { spec, licence, name, files } = await describeFeedForward(dir);
      assert.deepEqual([licence, name, files], ["MIT", "Test", [join(dir, manifestName)]]);
      assert.deepEqual([spec.input.name, spec.input.layout, spec.input.channels, spec.input.std, spec.outputs[0].name], ["img", "NHWC", "BGR", [1, 1, 1], "predicted_depth"]);
    });

    it("names every wrong field, and refuses a manifest of a newer version", async () => {
      await network();
      await manifest({ size: { kind: "shortest", edge: 0 }, outputs: [{ kind: "normals", frame: "XYZ" }], inputs: {} });
      await assert.rejects(describeFeedForward(dir), { code: "bad-model", message: /size\.edge.*outputs\.0\.frame.*inputs/s });
      await manifest({ version: 2 });
      await assert.rejects(describeFeedForward(dir), { code: "protocol-mismatch" });
      await manifest({ outputs: [{ kind: "affine-depth" }, { kind: "affine-disparity" }] });
      await assert.rejects(describeFeedForward(dir), { code: "bad-model", message: /one output of depth/ });
    });

    it("holds the schema file to the one that is checked", async () => {
      assert.deepEqual(JSON.parse(await readFile("models/feedForward.schema.json", "utf8")), manifestSchema(), "write manifestSchema() to models/feedForward.schema.json");
    });

    const mismatches: [what: string, network: Partial<TestNetwork>, manifest: object, message: RegExp][] = [
      ["another fixed size", { size: { height: 280, width: 420 } }, { size: { kind: "fixed", width: 384, height: 384 } }, /420 x 280.*384 x 384/],
      ["a size rule for a fixed network", { size: { height: 280, width: 420 } }, { size: { kind: "longest", edge: 384 } }, /420 x 280.*"longest"/],
      ["a missing output", {}, { outputs: [{ kind: "affine-depth", name: "depth" }] }, /an output "depth".*predicted_depth float32/],
      ["a missing input", {}, { input: { name: "image" } }, /an input "image".*pixel_values/],
      ["normals of one channel", {}, { outputs: [{ kind: "normals", frame: "RUB", name: "predicted_depth" }] }, /\[N, 3, H, W\].*normals.*predicted_depth float32/],
      ["depth of three channels", { outputs: [normalsOutput] }, { outputs: [{ kind: "affine-depth" }] }, /\[N, 1, H, W\].*affine-depth.*predicted_normal/],
      ["another layout", { layout: "NHWC" }, { input: { layout: "NCHW" } }, /NCHW.*\[batch, height, width, 3\]/],
      ["two images", { otherInputs: [{ name: "second", type: dataType.FLOAT, dims: [1, 3, 8, 8] }] }, {}, /one input.*second/],
      ["an input that is no image", { otherInputs: [{ name: "second", type: dataType.FLOAT, dims: [1] }] }, { input: { name: "pixel_values" } }, /no input besides "pixel_values"/],
      ["two outputs that would do", { outputs: [depthOutput, { ...depthOutput, name: "other_depth" }] }, {}, /one output.*other_depth/],
    ];
    for (const [what, net, fields, message] of mismatches) {
      it(`names a mismatch: ${what}`, async () => {
        await network(net);
        await manifest(fields);
        await assert.rejects(describeFeedForward(dir), (error: { code: string; message: string; remedy: string }) => {
          assert.deepEqual([error.code, message.test(error.message), error.remedy.length > 0], ["bad-model", true, true], error.message);
          return true;
        });
      });
    }

    it("names a batch, a rank and a type that do not fit", async () => {
      const path = await network();
      await manifest({});
      const bytes = await readFile(path);
      // FLOAT becomes INT64 in the declaration of the first input: elem_type is field 1 of the tensor type.
      const at = bytes.indexOf(Buffer.from("pixel_values"), bytes.lastIndexOf(Buffer.from("pixel_values"))) + "pixel_values".length;
      assert.deepEqual([...bytes.subarray(at + 4, at + 6)], [8, 1]);
      bytes[at + 5] = 7;
      await writeFile(path, bytes);
      await assert.rejects(describeFeedForward(dir), { code: "bad-model", message: /float32 or float16 or uint8.*int64/ });
    });
  });

  describe("files in ONNX format", () => {
    it("reads names, types and shapes without the weights, and finds external weights", async () => {
      const path = await network({ externalFile: "model.onnx_data", type: "float16", outputs: [depthOutput, normalsOutput] });
      const { inputs, outputs, files } = await openOnnx(path);
      assert.deepEqual(inputs, [{ name: "pixel_values", type: "float16", dims: ["batch", 3, "height", "width"] }]);
      assert.deepEqual(outputs.map(({ name, type, dims }) => [name, type, dims.length]), [["predicted_depth", "float16", 3], ["predicted_normal", "float16", 4]]);
      assert.deepEqual(files, [path, join(dir, "model.onnx_data")]);
      await rm(join(dir, "model.onnx_data"));
      await assert.rejects(openOnnx(path), { code: "not-found", message: /model\.onnx_data/, remedy: /Download/ });
    });

    it("refuses what is no model or is cut off, wherever it is cut", async () => {
      const path = await network();
      const { length } = await readFile(path);
      for (let size = 0; size < length; size += 7) {
        await network();
        await truncate(path, size);
        await assert.rejects(openOnnx(path), { code: "bad-model" }, `cut after ${size} of ${length} bytes`);
      }
      await writeFile(path, "<!DOCTYPE html><html>Not found</html>");
      await assert.rejects(openOnnx(path), { code: "bad-model", message: /does not begin like one/ });
      await appendFile(await network(), Buffer.from([0x0f]));
      await assert.rejects(openOnnx(path), { code: "bad-model" });
    });
  });
});
