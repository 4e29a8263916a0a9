import assert from "node:assert/strict";
import { describeModel } from "../../src/catalogue/modelFolder";
import { mapFromTensor, type FloatMap } from "../../src/core/image";
import { decoderInput, encoderInput, minMaxNormalized } from "../../src/core/latent";
import { normalized } from "../../src/core/normals";
import { cropMap, padEdge, paddedSize } from "../../src/core/resize";
import { parseSchedulerConfig } from "../../src/core/schedulers/config";
import { samplerOf } from "../../src/core/schedulers/sampler";
import type { Task } from "../../src/core/semantics";
import { PixelStatistics, type Divisor } from "../../src/core/statistics";
import type { Tensor } from "../../src/core/tensor";
import { emptyPromptEmbedding } from "../../src/inference/modelLoader";
import { decode } from "../../src/pipeline/decode";
import { denoise, type DenoisingStep } from "../../src/pipeline/denoise";
import { encode } from "../../src/pipeline/encode";
import { marigoldMap } from "../../src/pipeline/families/marigold";
import type { LatentEstimator, Prediction } from "../../src/pipeline/predict";
import type { ObservedStep } from "../../src/pipeline/work";
import { assertLatent, assertMap, atStep, distance, marigoldCases, referenceDir, settingsOfCase, useReference, type MarigoldCase } from "./pipelineReference";

const dir = referenceDir("marigold");
const runs = marigoldCases();
const casesNamed = (pattern: RegExp): MarigoldCase[] => runs.filter(({ name }) => pattern.test(name));

const noNoise = (): never => assert.fail("DDIM asked for noise");

describe("Marigold pipeline on the CPU against the E2E-FT and diffusers code", function () {
  this.timeout(30_000);
  const { store, stored, imageOf, load, run: runReference } = useReference("marigold");

  it("encodes the image, sides that are no multiples of 8 included", async () => {
    const { encoder, scalingFactor } = await load("depth", settingsOfCase(runs[0], { kind: "zeros" }));
    for (const [image, latent] of [["image", "rgb_latent"], ["image_odd", "rgb_latent.image_odd"]]) {
      assertLatent(await encode(encoder, encoderInput(imageOf(image)), scalingFactor), stored(latent), latent);
    }
  });

  it("makes the empty prompt with the checkpoint's own tokenizer and text encoder", async () => {
    const model = await describeModel(dir);
    assert.equal(model.family, "marigold");
    const embedding = await emptyPromptEmbedding(model.emptyPrompt, async (part) => (await store.load({ ...part, device: "cpu" })).network);
    const { dims, data } = stored("empty_text_embed");
    assert.deepEqual(embedding.dims, dims);
    const { maxAbs } = distance(embedding.data, data);
    assert.ok(maxAbs < 2e-5, `max_abs ${maxAbs}`);
  });

  for (const run of casesNamed(/^(depth|normals)-/)) {
    describe(run.name, () => {
      const task = run.modality as Task;
      let estimator: LatentEstimator;
      let prediction: Prediction;
      let steps: readonly ObservedStep[];
      const named = (what: string): Tensor => stored(`${run.name}.${what}`);
      const lastLatents = (): DenoisingStep => steps[steps.length - 1].latents;

      before(async () => {
        const settings = settingsOfCase(run, run.noise === "zeros" ? { kind: "zeros" } : { kind: "file", path: "reference" });
        ({ prediction, steps, estimator } = await runReference(task, settings, run.image, named("init_noise")));
      });

      it("runs the same timesteps from the same noise", () => {
        assert.deepEqual(prediction.timesteps, run.timesteps);
        assert.ok(prediction.initialNoise);
        assertLatent(prediction.initialNoise, named("init_noise"), "init_noise");
      });

      it("has the same latents and map after every step", () => {
        assert.equal(steps.length, run.num_inference_steps);
        steps.forEach(({ latents, map }, k) => {
          assertLatent(latents.modelOutput, atStep(named("model_output"), k), `model_output ${k}`);
          assertLatent(latents.prevSample, atStep(named("prev_sample"), k), `prev_sample ${k}`);
          assertLatent(latents.predOriginalSample, atStep(named("pred_original_sample"), k), `pred_original_sample ${k}`);
          assert.ok(map, `no map for step ${k}`);
          assertMap(map, atStep(named(`${task}_per_step`), k), task, `map ${k}`);
        });
      });

      it("gives the same map, from the last predicted original or the last sample", async () => {
        assertMap(prediction.map, named("output"), task, "output");
        const fromSample = marigoldMap(await decode(estimator.decoder, lastLatents().prevSample, estimator.scalingFactor), task);
        assertMap(fromSample, named("output_from_last_prev_sample"), task, "output_from_last_prev_sample");
        if (task === "depth") assertMap(minMaxNormalized(prediction.map), named("output_minmax"), task, "output_minmax");
      });

      it("decodes the same values before clipping and normalising", async () => {
        const { image } = await estimator.decoder.run({ latent: decoderInput(lastLatents().predOriginalSample, estimator.scalingFactor) });
        const plane = image.data.length / 3;
        const raw = task === "normals" ? image.data : Float32Array.from({ length: plane }, (_, p) => (image.data[p] + image.data[plane + p] + image.data[2 * plane + p]) / 3);
        const { rmsRel } = distance(raw, named("decoded_raw").data);
        assert.ok(rmsRel < 5e-5, `rms_rel ${rmsRel}`);
      });

      if (run.num_inference_steps > 1) {
        it("has the same pixel-wise standard deviation over the steps, unaligned", () => {
          const statistics = new PixelStatistics(prediction.map.data.length);
          for (const { map } of steps) statistics.add((map as FloatMap).data);
          for (const divisor of ["population", "sample"] satisfies Divisor[]) {
            const map: FloatMap = { ...prediction.map, data: statistics.standardDeviation(divisor) };
            assertMap(map, named(`std_over_steps_${divisor}`), task, divisor);
          }
          assert.equal(prediction.stdOverSteps?.data.length, prediction.map.width * prediction.map.height);
        });
      } else {
        it("has no standard deviation over one step", () => assert.equal(prediction.stdOverSteps, undefined));
      }
    });
  }

  // diffusers pads to a multiple of 8, takes the last sample, and cuts the padding off.
  for (const run of casesNamed(/^diffusers-/)) {
    for (const task of ["depth", "normals"] satisfies Task[]) {
      it(`${run.name}: ${task} as diffusers' own pipeline`, async () => {
        const settings = settingsOfCase(run, { kind: "zeros" });
        const { encoder, decoder, family, scheduler, scalingFactor } = await load(task, settings);
        const image = imageOf(run.image);
        const size = paddedSize(image, 8);
        const padded = encoderInput({ ...size, data: padEdge(Float32Array.from(image.data), image, 3, size) });
        const imageLatent = await encode(encoder, padded, scalingFactor);
        let last: DenoisingStep | undefined;
        const denoiser = await family.denoiserOf(() => padded, imageLatent);
        for await (const step of denoise(denoiser, samplerOf(scheduler, settings), stored(`${run.name}.init_noise`), { stepNoise: noNoise })) last = step;
        assert.ok(last);
        // Both tasks share one set of weights and one noise here, and the stored latent is of both.
        assertLatent(last.prevSample, stored(`${run.name}.final_latent`), "final_latent");
        const { image: decoded } = await decoder.run({ latent: decoderInput(last.prevSample, scalingFactor) });
        const map = task === "depth" ? marigoldMap(decoded, task) : normalized(mapFromTensor(decoded), "diffusers");
        assertMap(cropMap(map, image), stored(`${run.name}.${task}`), task, task);
      });
    }
  }

  for (const run of casesNamed(/^lcm-/)) {
    it(`${run.name}: the loop of the LCM scheduler`, async () => {
      const { encoder, decoder, family, scalingFactor } = await load("depth", settingsOfCase({ num_inference_steps: 1, timestep_spacing: "leading" }, { kind: "zeros" }));
      const scheduler = parseSchedulerConfig({ _class_name: "LCMScheduler", ...run.scheduler });
      const sampler = samplerOf(scheduler, { steps: run.num_inference_steps, spacing: "leading" });
      assert.deepEqual(sampler.timesteps, run.timesteps);
      const image = encoderInput(imageOf("image"));
      const imageLatent = await encode(encoder, image, scalingFactor);
      const stepNoise = (index: number): Float32Array => atStep(stored(`${run.name}.injected_noise`), index).data;
      let last: DenoisingStep | undefined;
      for await (const step of denoise(await family.denoiserOf(() => image, imageLatent), sampler, stored(`${run.name}.init_noise`), { stepNoise })) {
        assertLatent(step.prevSample, atStep(stored(`${run.name}.prev_sample`), step.index), `prev_sample ${step.index}`);
        assertLatent(step.predOriginalSample, atStep(stored(`${run.name}.denoised`), step.index), `denoised ${step.index}`);
        last = step;
      }
      assert.ok(last);
      assertMap(marigoldMap(await decode(decoder, last.prevSample, scalingFactor), "depth"), stored(`${run.name}.output`), "depth", "output");
    });
  }
});
