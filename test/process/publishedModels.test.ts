import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { ModelDefaults } from "../../src/catalogue/modelFolder";
import { describeModel, semanticsOf } from "../../src/catalogue/modelFolder";
import type { NormalsFrame, Task } from "../../src/core/semantics";
import type { RunSettings } from "../../src/core/settings";
import { FileHashes } from "../../src/inference/fileHash";
import { LatentStore } from "../../src/inference/imageLatents";
import { describeRun, loadModel } from "../../src/inference/modelLoader";
import { NetworkStore } from "../../src/inference/networkStore";
import { predict } from "../../src/pipeline/predict";
import { referenceDir } from "./pipelineReference";

// Folders as the Hugging Face cache holds the published checkpoints: their names, their index, their scheduler and their file
// names, around the reference's tiny random weights.

interface Published {
  readonly repository: string;
  readonly from: "marigold" | "geowizard";
  readonly index: Readonly<Record<string, unknown>>;
  readonly scheduler?: Readonly<Record<string, unknown>>;
  /** New names of files. */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly family: "marigold" | "geowizard";
  readonly tasks: readonly Task[];
  readonly frame?: NormalsFrame;
  readonly endToEnd: boolean;
  readonly defaults: ModelDefaults;
  readonly timesteps: readonly number[];
  /** How many things had to be assumed. */
  readonly assumed: number;
}

/** Of the checkpoints that were saved before diffusers wrote all fields. */
const scheduler10 = { _class_name: "DDIMScheduler", _diffusers_version: "0.8.0", beta_end: 0.012, beta_schedule: "scaled_linear", beta_start: 0.00085, clip_sample: false, num_train_timesteps: 1000, prediction_type: "v_prediction", set_alpha_to_one: false, skip_prk_steps: true, steps_offset: 1, trained_betas: null };
const schedulerE2e = { ...scheduler10, _diffusers_version: "0.31.0.dev0", clip_sample_range: 1, dynamic_thresholding_ratio: 0.995, rescale_betas_zero_snr: false, sample_max_value: 1, thresholding: false, timestep_spacing: "trailing" };
const scheduler11 = { ...schedulerE2e, rescale_betas_zero_snr: true };
const schedulerLcm = { _class_name: "LCMScheduler", _diffusers_version: "0.25.0", beta_end: 0.012, beta_schedule: "scaled_linear", beta_start: 0.00085, clip_sample: false, clip_sample_range: 1, dynamic_thresholding_ratio: 0.995, num_train_timesteps: 1000, original_inference_steps: 50, prediction_type: "v_prediction", rescale_betas_zero_snr: false, sample_max_value: 1, set_alpha_to_one: false, skip_prk_steps: true, steps_offset: 1, thresholding: false, timestep_scaling: 10, timestep_spacing: "leading", trained_betas: null };

const affine = { scale_invariant: true, shift_invariant: true, default_processing_resolution: 768 };
const diffusion = (steps: number): ModelDefaults => ({ steps, spacing: "trailing", noise: "gaussian", processingResolution: 768 });
const endToEnd: ModelDefaults = { steps: 1, spacing: "trailing", noise: "zeros", processingResolution: 768 };
const fp16 = { "unet/diffusion_pytorch_model.safetensors": "unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.safetensors": "vae/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.safetensors": "text_encoder/model.fp16.safetensors" };

const published: readonly Published[] = [
  { repository: "prs-eth/marigold-depth-v1-0", from: "marigold", index: { _class_name: "MarigoldDepthPipeline", _diffusers_version: "0.24.0", prediction_type: "depth", ...affine, default_denoising_steps: 10 }, scheduler: scheduler10, renamed: fp16, family: "marigold", tasks: ["depth"], endToEnd: false, defaults: diffusion(10), timesteps: [999, 899, 799, 699, 599, 499, 399, 299, 199, 99], assumed: 0 },
  { repository: "prs-eth/marigold-depth-v1-1", from: "marigold", index: { _class_name: "MarigoldDepthPipeline", _diffusers_version: "0.37.0.dev0", ...affine, default_denoising_steps: 4 }, scheduler: scheduler11, family: "marigold", tasks: ["depth"], endToEnd: false, defaults: diffusion(4), timesteps: [999, 749, 499, 249], assumed: 0 },
  { repository: "prs-eth/marigold-depth-lcm-v1-0", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.25.0", ...affine, default_denoising_steps: 1 }, scheduler: schedulerLcm, family: "marigold", tasks: ["depth"], endToEnd: false, defaults: diffusion(1), timesteps: [999], assumed: 0 },
  { repository: "prs-eth/marigold-normals-v0-1", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.24.0", default_denoising_steps: 10, default_processing_resolution: 768, use_full_z_range: true }, scheduler: scheduler10, family: "marigold", tasks: ["normals"], frame: "RUB", endToEnd: false, defaults: diffusion(10), timesteps: [999, 899, 799, 699, 599, 499, 399, 299, 199, 99], assumed: 1 },
  { repository: "prs-eth/marigold-normals-v1-1", from: "marigold", index: { _class_name: "MarigoldNormalsPipeline", _diffusers_version: "0.32.0", default_denoising_steps: 4, default_processing_resolution: 768, use_full_z_range: true }, scheduler: scheduler11, family: "marigold", tasks: ["normals"], frame: "RUB", endToEnd: false, defaults: diffusion(4), timesteps: [999, 749, 499, 249], assumed: 1 },
  { repository: "GonzaloMG/marigold-normals", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.31.0.dev0" }, scheduler: scheduler10, family: "marigold", tasks: ["normals"], frame: "LUB", endToEnd: false, defaults: diffusion(10), timesteps: [999, 899, 799, 699, 599, 499, 399, 299, 199, 99], assumed: 1 },
  { repository: "GonzaloMG/marigold-e2e-ft-depth", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.31.0.dev0", _name_or_path: "prs-eth/marigold-v1-0" }, scheduler: schedulerE2e, family: "marigold", tasks: ["depth"], endToEnd: true, defaults: endToEnd, timesteps: [999], assumed: 0 },
  { repository: "GonzaloMG/marigold-e2e-ft-normals", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.31.0.dev0", _name_or_path: "prs-eth/marigold-depth-v1-0" }, scheduler: schedulerE2e, family: "marigold", tasks: ["normals"], frame: "LUB", endToEnd: true, defaults: endToEnd, timesteps: [999], assumed: 1 },
  { repository: "GonzaloMG/stable-diffusion-e2e-ft-depth", from: "marigold", index: { _class_name: "StableDiffusionPipeline", _diffusers_version: "0.31.0.dev0", _name_or_path: "stabilityai/stable-diffusion-2", feature_extractor: [null, null], image_encoder: [null, null], requires_safety_checker: false, safety_checker: [null, null] }, scheduler: schedulerE2e, family: "marigold", tasks: ["depth"], endToEnd: true, defaults: endToEnd, timesteps: [999], assumed: 0 },
  { repository: "GonzaloMG/stable-diffusion-e2e-ft-normals", from: "marigold", index: { _class_name: "MarigoldPipeline", _diffusers_version: "0.31.0.dev0", _name_or_path: "stabilityai/stable-diffusion-2" }, scheduler: schedulerE2e, family: "marigold", tasks: ["normals"], frame: "LUB", endToEnd: true, defaults: endToEnd, timesteps: [999], assumed: 1 },
  { repository: "lemonaddie/Geowizard", from: "geowizard", index: { _class_name: "DepthNormalEstimationPipeline", _diffusers_version: "0.25.0" }, family: "geowizard", tasks: ["depth", "normals"], frame: "LUB", endToEnd: false, defaults: diffusion(10), timesteps: [999, 899, 799, 699, 599, 499, 399, 299, 199, 99], assumed: 0 },
  { repository: "GonzaloMG/geowizard-e2e-ft", from: "geowizard", index: { _class_name: "DepthNormalEstimationPipeline", _diffusers_version: "0.31.0.dev0", _name_or_path: "lemonaddie/Geowizard" }, scheduler: schedulerE2e, family: "geowizard", tasks: ["depth", "normals"], frame: "LUB", endToEnd: true, defaults: endToEnd, timesteps: [999], assumed: 0 },
];

describe("published checkpoints, in the layout of the Hugging Face cache", function () {
  this.timeout(60_000);
  let hub: string;
  beforeEach(async () => {
    hub = await mkdtemp(join(tmpdir(), "plumbline-hub-"));
  });
  afterEach(() => rm(hub, { recursive: true }));

  /** The checkpoint's folder: a snapshot whose weights are links into the blobs. */
  async function snapshotOf({ repository, from, index, scheduler, renamed = {} }: Published): Promise<string> {
    const root = join(hub, `models--${repository.replace("/", "--")}`);
    const dir = join(root, "snapshots", "0123456789abcdef0123456789abcdef01234567");
    const parts = from === "marigold" ? ["scheduler", "text_encoder", "tokenizer", "unet", "vae"] : ["feature_extractor", "image_encoder", "scheduler", "unet", "vae"];
    for (const part of parts) await cp(join(referenceDir(from), part), join(dir, part), { recursive: true });
    const source = JSON.parse(await readFile(join(referenceDir(from), "model_index.json"), "utf8")) as Record<string, unknown>;
    const components = Object.fromEntries(Object.entries(source).filter(([key]) => parts.includes(key)));
    await writeFile(join(dir, "model_index.json"), JSON.stringify({ ...components, ...index }));
    if (scheduler) await writeFile(join(dir, "scheduler", "scheduler_config.json"), JSON.stringify(scheduler));
    for (const [name, other] of Object.entries(renamed)) await rename(join(dir, name), join(dir, other));
    await mkdir(join(root, "blobs"));
    const weights = renamed["unet/diffusion_pytorch_model.safetensors"] ?? "unet/diffusion_pytorch_model.safetensors";
    await rename(join(dir, weights), join(root, "blobs", "weights"));
    await symlink(relative(join(dir, "unet"), join(root, "blobs", "weights")), join(dir, weights));
    return dir;
  }

  for (const checkpoint of published) {
    it(checkpoint.repository, async () => {
      const dir = await snapshotOf(checkpoint);
      const model = await describeModel(dir);
      assert.deepEqual([model.id, model.family, model.tasks, model.endToEnd], [checkpoint.repository, checkpoint.family, checkpoint.tasks, checkpoint.endToEnd]);
      assert.deepEqual(model.defaults, checkpoint.defaults);
      assert.equal(model.assumptions.length, checkpoint.assumed, model.assumptions.join(" "));
      for (const task of checkpoint.tasks) {
        assert.deepEqual(semanticsOf(model, task), task === "depth" ? { task, depthKind: "affine-depth" } : { task, frame: checkpoint.frame });
      }

      // One run by its own defaults, small.
      const { steps, spacing, noise } = model.defaults;
      const settings: RunSettings = { steps, spacing, noise: { kind: noise }, ensembleSize: 1, seed: 1, processingResolution: 32 };
      const store = new NetworkStore();
      const { signal } = new AbortController();
      try {
        for (const task of checkpoint.tasks) {
          const request = { runId: task, modelDir: dir, task, settings };
          const described = await describeRun(request, new FileHashes(), signal);
          assert.ok(Object.keys(described.fileHashes).every((name) => !name.startsWith("..")), "files are named within the folder");
          const estimator = await loadModel(request, described, "cpu", store, { isEncoded: false, signal });
          const image = { width: 40, height: 32, data: Uint8Array.from({ length: 40 * 32 * 3 }, (_, i) => (i * 31) % 256) };
          const observer = { unitDone: async () => undefined, stepDone: async () => undefined };
          const { map, timesteps } = await predict(image, estimator, settings, { imageLatents: new LatentStore().of("image", ""), stepMaps: false, observer, signal });
          assert.deepEqual(timesteps, checkpoint.timesteps);
          assert.ok(map.data.every(Number.isFinite));
          assert.equal(map.channels, task === "depth" ? 1 : 3);
        }
      } finally {
        await store.clear();
      }
    });
  }

  it("has no signal in the first step of v1-1, and a little in that of v1-0", async () => {
    const plans = await Promise.all(published.slice(0, 2).map(async (checkpoint) => {
      const request = { runId: "depth", modelDir: await snapshotOf(checkpoint), task: "depth", settings: { steps: 1, spacing: "trailing", noise: { kind: "gaussian" }, ensembleSize: 1, seed: 1, processingResolution: 0 } } as const;
      return (await describeRun(request, new FileHashes(), new AbortController().signal)).plan[0];
    }));
    assert.ok((plans[0].alphaBar ?? 0) > 0.004);
    assert.equal(plans[1].alphaBar, 0);
    assert.equal(plans[1].toldNoise, 1);
  });
});
