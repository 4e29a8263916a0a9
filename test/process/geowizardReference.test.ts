import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mapFromTensor } from "../../src/core/image";
import { clipInput, decoderInput, encoderInput, minMaxNormalized } from "../../src/core/latent";
import { resizeRgbPillow } from "../../src/core/resize";
import type { Task } from "../../src/core/semantics";
import type { Domain, RunSettings } from "../../src/core/settings";
import type { Tensor } from "../../src/core/tensor";
import { encode } from "../../src/pipeline/encode";
import { classLabels } from "../../src/pipeline/families/geowizard";
import type { LatentEstimator, Prediction } from "../../src/pipeline/predict";
import type { ObservedStep } from "../../src/pipeline/work";
import { assertLatent, assertMap, atStep, distance, referenceDir, useReference } from "./pipelineReference";

interface RunCase {
  readonly name: string;
  readonly num_inference_steps: number;
  readonly timestep_spacing: "trailing";
  readonly noise: "gaussian" | "zeros";
  readonly domain: Domain;
  readonly timesteps: readonly number[];
}
interface Cases {
  readonly crop_size: number;
  readonly image_mean: readonly number[];
  readonly image_std: readonly number[];
  readonly runs: readonly RunCase[];
}
const cases = JSON.parse(readFileSync(join(referenceDir("geowizard"), "cases.json"), "utf8")) as Cases;

describe("GeoWizard pipeline on the CPU against the E2E-FT code", function () {
  this.timeout(30_000);
  const { stored, imageOf, load, run: runReference } = useReference("geowizard");
  const settingsOf = ({ num_inference_steps: steps, timestep_spacing: spacing, noise, domain }: RunCase): RunSettings => ({
    steps, spacing, domain, ensembleSize: 1, noise: noise === "zeros" ? { kind: "zeros" } : { kind: "file", path: "reference" }, seed: 0, processingResolution: 0,
  });

  it("encodes the image", async () => {
    const { encoder, scalingFactor } = await load("depth", settingsOf(cases.runs[0]));
    assertLatent(await encode(encoder, encoderInput(imageOf("image")), scalingFactor), stored("rgb_latent"), "rgb_latent");
  });

  it("makes CLIP's input of what the encoder sees: a square, aspect ratio not kept", () => {
    const { crop_size: side, image_mean: mean, image_std: std } = cases;
    const { dims, data } = clipInput(encoderInput(imageOf("image")), { width: side, height: side, mean, std });
    const expected = stored("clip_pixel_values");
    assert.deepEqual(dims, expected.dims);
    const { maxAbs } = distance(data, expected.data);
    // 1e-5 of the image in 0..1.
    assert.ok(maxAbs < 1e-5 / Math.min(...std), `max_abs ${maxAbs}`);
  });

  for (const run of cases.runs) {
    describe(run.name, () => {
      const named = (what: string): Tensor => stored(`${run.name}.${what}`);

      it("labels task and domain the same", () => {
        const { dims, data } = classLabels(run.domain);
        const expected = named("class_embedding");
        assert.deepEqual(dims, expected.dims);
        assert.ok(distance(data, expected.data).maxAbs < 1e-6);
      });

      for (const task of ["depth", "normals"] satisfies Task[]) {
        describe(task, () => {
          let estimator: LatentEstimator;
          let prediction: Prediction;
          let steps: readonly ObservedStep[];
          before(async () => {
            ({ estimator, prediction, steps } = await runReference(task, settingsOf(run), "image", named("init_noise")));
          });

          it("runs the same timesteps", () => assert.deepEqual(prediction.timesteps, run.timesteps));

          it("has the same joint latents after every step", () => {
            assert.equal(steps.length, run.num_inference_steps);
            steps.forEach(({ latents }, k) => {
              assertLatent(latents.modelOutput, atStep(named("model_output"), k), `model_output ${k}`);
              assertLatent(latents.prevSample, atStep(named("prev_sample"), k), `prev_sample ${k}`);
              assertLatent(latents.predOriginalSample, atStep(named("pred_original_sample"), k), `pred_original_sample ${k}`);
            });
          });

          it("gives the same map", async () => {
            assertMap(prediction.map, named(task), task, task);
            if (task === "depth") {
              assertMap(minMaxNormalized(prediction.map), named("depth_minmax"), task, "depth_minmax");
              return;
            }
            const latent = estimator.family.latentOf(steps[steps.length - 1].latents.predOriginalSample, task);
            const { image } = await estimator.decoder.run({ latent: decoderInput(latent, estimator.scalingFactor) });
            const { rmsRel } = distance(image.data, named("normals_raw_decoded").data);
            assert.ok(rmsRel < 5e-5, `rms_rel ${rmsRel}`);
            const towards = mapFromTensor(image).data.reduce((sum, value, i) => sum + value * prediction.map.data[i], 0);
            assert.ok(towards < 0, "normals are turned round");
          });
        });
      }
    });
  }

  it("makes no difference between indoor and a domain left out, and one to others", async () => {
    const [indoor, outdoor] = ["indoor", "outdoor"].map((domain) => cases.runs.find((run) => run.name === `trailing-1-zeros-${domain}`));
    assert.ok(indoor && outdoor);
    const settings = { ...settingsOf(indoor), domain: undefined };
    const { prediction } = await runReference("depth", settings, "image");
    assertMap(prediction.map, stored("trailing-1-zeros-indoor.depth"), "depth", "indoor");
    assert.ok(distance(prediction.map.data, stored("trailing-1-zeros-outdoor.depth").data).maxAbs > 1e-3);
  });

  it("denoises once for both tasks", async () => {
    const settings: RunSettings = { steps: 3, spacing: "trailing", ensembleSize: 2, noise: { kind: "gaussian" }, seed: 77, processingResolution: 0 };
    const depth = await runReference("depth", settings, "image");
    const normals = await runReference("normals", settings, "image");
    // The very same outputs, not equal ones: the network was not asked again.
    assert.deepEqual(normals.steps.map(({ latents }, i) => latents.modelOutput === depth.steps[i].latents.modelOutput), Array(6).fill(true));
    const other = await runReference("normals", { ...settings, seed: 78 }, "image");
    assert.ok(other.steps.every(({ latents }, i) => latents.modelOutput !== depth.steps[i].latents.modelOutput));
  });

  it("brings images to processing size by Pillow's bicubic", async () => {
    const settings: RunSettings = { ...settingsOf(cases.runs[0]), processingResolution: 32 };
    const { prediction, steps } = await runReference("depth", settings, "image");
    assert.deepEqual(prediction.processingSize, { width: 32, height: 24 });
    const small = resizeRgbPillow(imageOf("image"), { width: 32, height: 24 });
    const { encoder, scalingFactor, family, task } = await load("depth", settings);
    const image = encoderInput(small);
    const denoiser = await family.denoiserOf(() => image, await encode(encoder, image, scalingFactor));
    const first = family.firstSample({ dims: [1, 4, 3, 4], data: new Float32Array(48) }, { dims: [1, 4, 3, 4], data: new Float32Array(48) });
    assert.deepEqual([...(await denoiser.modelOutput(first, 999)).data], [...steps[0].latents.modelOutput.data]);
    assert.equal(task, "depth");
  });
});
