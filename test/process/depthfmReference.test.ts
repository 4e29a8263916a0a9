import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeModel } from "../../src/catalogue/modelFolder";
import { encoderInput, meanOverChannels } from "../../src/core/latent";
import { cosineAlphaBar } from "../../src/core/schedulers/flow";
import type { RunSettings } from "../../src/core/settings";
import type { Tensor } from "../../src/core/tensor";
import { openSafetensors, readTensor, writeSafetensors, type WritableTensor } from "../../src/io/safetensors";
import { decode } from "../../src/pipeline/decode";
import { encode } from "../../src/pipeline/encode";
import type { LatentEstimator, Prediction } from "../../src/pipeline/predict";
import type { ObservedStep } from "../../src/pipeline/work";
import { assertLatent, assertMap, atStep, distance, referenceDir, useReference } from "./pipelineReference";

const { cases } = JSON.parse(readFileSync(join(referenceDir("depthfm"), "cases.json"), "utf8")) as { cases: readonly { name: string; num_steps: number; start: "image_latent" | "noised"; t: readonly number[] }[] };
const weights = join(referenceDir("depthfm"), "unet_ldm_layout.safetensors");
const folder = join(tmpdir(), `plumbline-depthfm-${process.pid}`);

describe("DepthFM pipeline on the CPU against the published code", function () {
  this.timeout(30_000);
  const { stored, imageOf, load, run: runReference } = useReference("depthfm", folder);
  before(async () => {
    await cp(join(referenceDir("depthfm"), "vae"), join(folder, "vae"), { recursive: true });
    await copyFile(join(referenceDir("depthfm"), "config.json"), join(folder, "config.json"));
    await copyFile(weights, join(folder, "unet_ldm_layout.safetensors"));
    const io = await openSafetensors(join(referenceDir("depthfm"), "io.safetensors"));
    await writeSafetensors(join(folder, "empty_prompt.safetensors"), { empty_text_embed: await readTensor(io, "empty_text_embedding") });
  });
  after(() => rm(folder, { recursive: true }));
  const settings: RunSettings = { steps: 2, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: 0 };

  it("encodes the image", async () => {
    const { encoder, scalingFactor } = await load("depth", settings);
    assertLatent(await encode(encoder, encoderInput(imageOf("image")), scalingFactor), stored("image_latent"), "image_latent");
  });

  it("noises by the cosine schedule at its step 400", () => {
    assert.ok(Math.abs(cosineAlphaBar(0.4) - stored("alpha_bar_step400").data[0]) < 1e-6);
  });

  for (const { name, num_steps: steps, start, t } of cases) {
    describe(name, () => {
      const named = (what: string): Tensor => stored(`${name}.${what}`);
      let prediction: Prediction;
      let observed: readonly ObservedStep[];
      let estimator: LatentEstimator;
      before(async () => {
        const noise = start === "noised" ? ({ kind: "file", path: "reference" } as const) : ({ kind: "zeros" } as const);
        ({ prediction, steps: observed, estimator } = await runReference("depth", { ...settings, steps, noise }, "image", stored("noise")));
      });

      it("has the same velocities and states", () => {
        assert.deepEqual(prediction.timesteps, t);
        observed.forEach(({ latents }, k) => {
          assertLatent(latents.modelOutput, atStep(named("velocities"), k), `velocity ${k}`);
          assertLatent(latents.prevSample, atStep(named("states"), k), `state ${k}`);
        });
        assert.equal(observed.length, steps);
      });

      it("starts from the same latent", () => {
        const { family } = estimator;
        assertLatent(family.firstSample(stored("noise"), stored("image_latent")), stored(start === "noised" ? "noised_start_step400" : "image_latent"), start);
      });

      it("sees the end of the flow from each step", () => {
        // z_1 = z_t + (1 - t) v from the reference's own states.
        observed.forEach(({ latents }, k) => {
          const before = k === 0 ? stored(start === "noised" ? "noised_start_step400" : "image_latent") : atStep(named("states"), k - 1);
          const velocity = atStep(named("velocities"), k);
          const data = before.data.map((z, i) => z + (1 - t[k]) * velocity.data[i]);
          assertLatent(latents.predOriginalSample, { dims: before.dims, data }, `end seen from ${k}`);
        });
      });

      it("gives the same depth", async () => {
        assertMap(prediction.map, named("depth"), "depth", "depth");
        const decoded = await decode(estimator.decoder, observed[steps - 1].latents.prevSample, estimator.scalingFactor);
        const { rmsRel } = distance(meanOverChannels(decoded).data, named("decoded_mean").data);
        assert.ok(rmsRel < 5e-5, `rms_rel ${rmsRel}`);
      });
    });
  }

  it("cuts images down to sizes that its UNet can take", async () => {
    const { sizeMultiple } = await load("depth", settings);
    assert.equal(sizeMultiple, 16);
    const { prediction } = await runReference("depth", { ...settings, processingResolution: 50 }, "image");
    assert.deepEqual(prediction.processingSize, { width: 48, height: 32 });
    await assert.rejects(runReference("depth", { ...settings, processingResolution: 20 }, "image"), { code: "bad-image", message: /at least 16 pixels .*received 20 x 15/ });
  });

  it("draws noise for each seed, and none from zeros", async () => {
    const first = async (changes: Partial<RunSettings>): Promise<string> => (await runReference("depth", { ...settings, ...changes }, "image")).steps[0].latents.prevSample.data.join();
    assert.equal(await first({ seed: 1 }), await first({ seed: 2 }));
    assert.notEqual(await first({ noise: { kind: "gaussian" }, seed: 1 }), await first({ noise: { kind: "gaussian" }, seed: 2 }));
  });
});

describe("a folder of DepthFM", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-depthfm-"));
    await cp(join(referenceDir("depthfm"), "vae"), join(dir, "vae"), { recursive: true });
    const file = await openSafetensors(weights);
    const tensors: Record<string, WritableTensor> = { empty_text_embedding: { dims: [2, 24], data: new Float32Array(48) } };
    for (const name of file.tensors.keys()) tensors[name] = await readTensor(file, name);
    await writeSafetensors(join(dir, "depthfm-v1.safetensors"), tensors, { "ldm_hparams.channel_mult": "[1, 2, 4, 4]", noising_step: "400" });
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("is described from what the checkpoint itself states", async () => {
    const model = await describeModel(dir);
    assert.equal(model.family, "depthfm");
    assert.deepEqual(model.tasks, ["depth"]);
    assert.deepEqual(model.unet, { kind: "component", dir, weightsFile: "depthfm-v1.safetensors" });
    assert.deepEqual(model.emptyPrompt, { kind: "stored", path: join(dir, "depthfm-v1.safetensors"), tensor: "empty_text_embedding" });
    assert.deepEqual([model.defaults.steps, model.defaults.noise, model.sizeMultiple, model.assumptions], [2, "gaussian", 64, []]);
  });

  it("is started without noise where config.json says so", async () => {
    await writeFile(join(dir, "config.json"), await readFile(join(referenceDir("depthfm"), "config.json")));
    const model = await describeModel(dir);
    assert.deepEqual([model.defaults.noise, model.family === "depthfm" && model.sizeMultiple], ["zeros", 16]);
  });

  it("says what is missing", async () => {
    await rm(join(dir, "vae"), { recursive: true });
    await assert.rejects(describeModel(dir), { code: "not-found", message: /folder for vae/, remedy: /Stable Diffusion 1\.5/ });
    await cp(join(referenceDir("depthfm"), "vae"), join(dir, "vae"), { recursive: true });
    await copyFile(weights, join(dir, "depthfm-v1.safetensors"));
    await assert.rejects(describeModel(dir), { code: "not-found", message: /ldm_hparams/ });
    await copyFile(join(referenceDir("depthfm"), "config.json"), join(dir, "config.json"));
    await assert.rejects(describeModel(dir), { code: "not-found", message: /empty_text_embedding/ });
  });
});
