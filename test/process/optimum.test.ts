import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { describeModel } from "../../src/catalogue/modelFolder";
import { encoderInput } from "../../src/core/latent";
import type { Tensor } from "../../src/core/tensor";
import type { ConvertOptions } from "../../src/graph/convert";
import { openOnnx } from "../../src/io/onnxFile";
import { FileHashes } from "../../src/inference/fileHash";
import { describeRun } from "../../src/inference/modelLoader";
import { componentAdapter } from "../../src/inference/onnxNetwork";
import { createNetwork } from "../../src/inference/session";
import type { BigIntTensor } from "../../src/pipeline/networks";
import { encode } from "../../src/pipeline/encode";
import { temporaryFolder } from "../unit/feedForwardGraphs";
import { writeOptimumFolder } from "./optimumFolder";
import { assertLatent, assertMap, atStep, marigoldCases, referenceDir, settingsOfCase, useReference } from "./pipelineReference";

const runs = marigoldCases();
/** A run of each kind is enough: the networks are the same ones. */
const cases = ["depth-trailing-1-zeros", "depth-trailing-4", "normals-trailing-1"].map((name) => runs.find((run) => run.name === name));
const folder = mkdtempSync(join(tmpdir(), "plumbline-optimum-"));

describe("a Marigold checkpoint exported by Optimum, against the E2E-FT code", function () {
  this.timeout(60_000);
  const [newer, older] = [join(folder, "newer"), join(folder, "older")];
  before(async () => {
    await writeOptimumFolder(referenceDir("marigold"), newer, { timestep: "int64" });
    await writeOptimumFolder(referenceDir("marigold"), older, { timestep: "scalar", latentSample: true });
  });
  after(() => rm(folder, { recursive: true }));

  for (const dir of [newer, older]) {
    describe(basename(dir), () => {
      const { stored, run: runReference } = useReference("marigold", dir);
      for (const run of cases) {
        assert.ok(run);
        it(run.name, async () => {
          const task = run.modality ?? "depth";
          const settings = settingsOfCase(run, run.noise === "zeros" ? { kind: "zeros" } : { kind: "file", path: "reference" });
          const { prediction, steps } = await runReference(task, settings, run.image, run.noise === "zeros" ? undefined : stored(`${run.name}.init_noise`));
          steps.forEach(({ latents }, k) => assertLatent(latents.predOriginalSample, atStep(stored(`${run.name}.pred_original_sample`), k), `step ${k}`));
          assertMap(prediction.map, stored(`${run.name}.output`), task, run.name);
        });
      }
    });
  }

  describe("its description", () => {
    it("says where each network comes from, and that older exports draw their latent", async () => {
      const [first, second] = [await describeModel(newer), await describeModel(older)];
      assert.ok(first.family === "marigold" && second.family === "marigold");
      assert.deepEqual([first.unet, first.vae.encoder, first.vae.decoder].map((source) => source.kind === "onnx" && relative(newer, source.path)), ["unet", "vae_encoder", "vae_decoder"].map((name) => join(name, "model.onnx")));
      assert.deepEqual([first.vae.scalingFactor, first.vae.downsamplingFactor], [0.18215, 8]);
      assert.ok(!first.assumptions.some((text) => /draws/.test(text)) && second.assumptions.some((text) => /draws a sample/.test(text)));
    });

    it("names the file that is missing", async () => {
      await rm(join(older, "vae_decoder", "model.onnx"));
      await assert.rejects(describeModel(older), { code: "not-found", message: /vae_decoder/ });
      await rm(join(newer, "unet", "model.onnx_data"));
      const request = { runId: "r", modelDir: newer, task: "depth", settings: { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: 0 } } as const;
      await assert.rejects(describeRun(request, new FileHashes(), new AbortController().signal), { code: "not-found", message: /unet.model\.onnx_data/ });
    });
  });
});

describe("components exported by Optimum, on the CPU", function () {
  this.timeout(60_000);
  let dir: string;
  const { stored, imageOf } = useReference("marigold");
  before(async () => {
    dir = await temporaryFolder();
    await writeOptimumFolder(referenceDir("marigold"), join(dir, "newer"), { timestep: "int64" });
    await writeOptimumFolder(referenceDir("marigold"), join(dir, "older"), { timestep: "scalar", latentSample: true });
  });
  after(() => rm(dir, { recursive: true }));

  async function open(component: string, options: ConvertOptions) {
    const path = join(dir, component, "model.onnx");
    const adapt = componentAdapter(await openOnnx(path), options);
    return adapt(await createNetwork({ path }, { device: "cpu", threads: 1 }));
  }

  for (const version of ["newer", "older"]) {
    it(`encodes and decodes as the reference: ${version} names`, async () => {
      const encoder = await open(`${version}/vae_encoder`, { part: "encoder" });
      assertLatent(await encode(encoder, encoderInput(imageOf("image")), 0.18215), stored("rgb_latent"), version);
      await encoder.release();
    });

    it(`takes the timestep and the prompt as constants too: ${version} type of timestep`, async () => {
      const prompt = stored("empty_text_embed");
      const inputs: Record<string, Tensor | BigIntTensor> = { sample: { dims: [1, 8, 6, 9], data: Float32Array.from({ length: 8 * 54 }, (_, i) => Math.sin(i)) } };
      const open1 = await open(`${version}/unet`, {});
      const asInputs = await open1.run({ ...inputs, timestep: { dims: [1], data: Float32Array.of(999) }, encoder_hidden_states: prompt });
      await open1.release();
      const fixed = await open(`${version}/unet`, { timestep: 999, encoderHiddenStates: prompt });
      const asConstants = await fixed.run(inputs);
      await fixed.release();
      assert.deepEqual(asConstants.out_sample.dims, [1, 4, 6, 9]);
      assert.deepEqual(asConstants.out_sample.data, asInputs.out_sample.data);
    });
  }

  it("names an input or output that an export lacks", async () => {
    await assert.rejects(open("newer/unet", { part: "decoder" }), { code: "bad-model", message: /"latent_sample".*sample float32.*timestep int64/ });
    await assert.rejects(open("newer/vae_decoder", { part: "encoder" }), { code: "bad-model" });
  });
});
