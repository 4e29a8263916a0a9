import assert from "node:assert/strict";
import { isCancelled } from "../../src/core/errors";
import type { RgbImage } from "../../src/core/image";
import { gaussian } from "../../src/core/random";
import { parseSchedulerConfig } from "../../src/core/schedulers/config";
import type { RunSettings } from "../../src/core/settings";
import type { Tensor } from "../../src/core/tensor";
import { marigold } from "../../src/pipeline/families/marigold";
import type { BigIntTensor, Network } from "../../src/pipeline/networks";
import { plannedWork, predict, type ImageLatents, type LatentEstimator, type PredictOptions } from "../../src/pipeline/predict";
import type { ObservedStep, WorkStage } from "../../src/pipeline/work";

type Inputs = Readonly<Record<string, Tensor | BigIntTensor>>;

/** A network that remembers what it was given. */
function fake(output: string, compute: (inputs: Readonly<Record<string, Tensor>>) => Tensor): Network & { readonly calls: Inputs[] } {
  const calls: Inputs[] = [];
  return {
    calls,
    run: async (inputs) => {
      calls.push(inputs);
      return { [output]: compute(inputs as Readonly<Record<string, Tensor>>) };
    },
    release: async () => undefined,
  };
}

/** Factor 4, so that a 16 x 12 image has a 4 x 3 latent. */
const factor = 4;
const photo: RgbImage = { width: 16, height: 12, data: Uint8Array.from({ length: 16 * 12 * 3 }, (_, i) => (i * 37) % 256) };
const settings: RunSettings = { steps: 3, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 5, processingResolution: 0 };
const scheduler = parseSchedulerConfig({ _class_name: "DDIMScheduler", beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, prediction_type: "v_prediction", clip_sample: false, set_alpha_to_one: false, steps_offset: 1 });

function filled(dims: readonly number[], value: (i: number) => number): Tensor {
  return { dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => value(i)) };
}

function fakeEstimator(changes: Partial<LatentEstimator> = {}) {
  const encoder = fake("moments", ({ image: { dims } }) => filled([1, 8, Math.floor(dims[2] / factor), Math.floor(dims[3] / factor)], (i) => i / 10));
  const unet = fake("out_sample", ({ sample: { dims, data } }) => ({ dims: [1, 4, dims[2], dims[3]], data: data.slice(data.length / 2).map((z) => z / 2) }));
  const decoder = fake("image", ({ latent: { dims, data } }) => filled([1, 3, dims[2] * factor, dims[3] * factor], (i) => 0.5 + 0.3 * Math.tanh(data[i % data.length])));
  const estimator: LatentEstimator = { kind: "latent", encoder, decoder, family: marigold({ unet }), task: "depth", scheduler, scalingFactor: 0.5, downsamplingFactor: factor, resizeFilter: "bilinear", ...changes };
  return { encoder, unet, decoder, estimator };
}

/** Remembers the latents that are put into it. */
function latentsOf(): ImageLatents {
  const held = new Map<string, Tensor>();
  return { get: ({ width, height }) => held.get(`${width} ${height}`), set: ({ width, height }, latent) => void held.set(`${width} ${height}`, latent) };
}
const noLatents: ImageLatents = { get: () => undefined, set: () => undefined };

function quiet(changes: Partial<PredictOptions> = {}): PredictOptions {
  return { imageLatents: noLatents, stepMaps: false, observer: { unitDone: async () => undefined, stepDone: async () => undefined }, ...changes };
}
const predictionHalf = (inputs: Inputs): number[] => {
  const { data } = inputs.sample as Tensor;
  return [...data.slice(data.length / 2)];
};

describe("predict", () => {
  it("gives the UNet the image latent, then the sample, and the timestep of each step", async () => {
    const { estimator, unet } = fakeEstimator();
    const { timesteps, processingSize } = await predict(photo, estimator, settings, quiet());
    assert.deepEqual(timesteps, [999, 666, 332]);
    assert.deepEqual(processingSize, { width: 16, height: 12 });
    assert.deepEqual(unet.calls.map(({ timestep }) => [...(timestep as Tensor).data]), [[999], [666], [332]]);
    const first = unet.calls[0].sample as Tensor;
    assert.deepEqual(first.dims, [1, 8, 3, 4]);
    // The mean of the moments (their first half) times the scaling factor.
    assert.deepEqual([...first.data.slice(0, 48)], Array.from({ length: 48 }, (_, i) => Math.fround(Math.fround(i / 10) * 0.5)));
    assert.deepEqual(predictionHalf(unet.calls[0]), [...gaussian(48, { seed: 5, member: 0 })]);
  });

  it("gives the decoder the predicted original of the last step, unscaled", async () => {
    const { estimator, decoder } = fakeEstimator();
    const steps: ObservedStep[] = [];
    await predict(photo, estimator, settings, quiet({ observer: { unitDone: async () => undefined, stepDone: async (step) => void steps.push(step) } }));
    assert.equal(decoder.calls.length, 1);
    assert.deepEqual((decoder.calls[0].latent as Tensor).data, steps[2].latents.predOriginalSample.data.map((z) => z * 2));
  });

  it("leaves out inputs that were made constants, and refuses any other timestep", async () => {
    const { estimator, unet } = fakeEstimator();
    const prompt = filled([1, 2, 5], (i) => i);
    await predict(photo, { ...estimator, family: marigold({ unet, prompt, constantTimestep: 999 }) }, { ...settings, steps: 1 }, quiet());
    assert.deepEqual(Object.keys(unet.calls[0]).sort(), ["encoder_hidden_states", "sample"]);
    assert.equal(unet.calls[0].encoder_hidden_states, prompt);
    await assert.rejects(predict(photo, { ...estimator, family: marigold({ unet, constantTimestep: 999 }) }, settings, quiet()), { code: "bad-argument", message: /timestep 999/ });
    assert.equal(unet.calls.length, 1);
  });

  it("encodes an image once for all runs that share its latents, at each size", async () => {
    const { estimator, encoder } = fakeEstimator();
    const imageLatents = latentsOf();
    await predict(photo, estimator, settings, quiet({ imageLatents }));
    const { processingSize } = await predict(photo, { ...estimator, task: "normals" }, { ...settings, ensembleSize: 3 }, quiet({ imageLatents }));
    assert.equal(encoder.calls.length, 1);
    assert.deepEqual(processingSize, { width: 16, height: 12 });
    await predict(photo, estimator, { ...settings, processingResolution: 8 }, quiet({ imageLatents }));
    assert.equal(encoder.calls.length, 2);
    await predict(photo, estimator, settings, quiet());
    assert.equal(encoder.calls.length, 3);
  });

  for (const stepMaps of [false, true]) {
    it(`does the planned work and no more, ${stepMaps ? "with" : "without"} step maps`, async () => {
      const { estimator, encoder, unet, decoder } = fakeEstimator();
      const run = { ...settings, ensembleSize: 3 };
      const units: Record<WorkStage, number> = { encode: 0, denoise: 0, decode: 0, combine: 0 };
      const steps: ObservedStep[] = [];
      const observer = { unitDone: async (stage: WorkStage) => void units[stage]++, stepDone: async (step: ObservedStep) => void steps.push(step) };
      const { stdOverSteps, stdOverMembers } = await predict(photo, estimator, run, quiet({ stepMaps, observer }));
      assert.deepEqual(units, plannedWork(run, stepMaps));
      assert.deepEqual({ encode: encoder.calls.length, denoise: unet.calls.length, decode: decoder.calls.length, combine: 1 }, units);
      const first = stepMaps ? ["0 map", "0 map", "0 map"] : ["0", "0", "0 map"];
      assert.deepEqual(steps.map(({ member, map }) => `${member}${map ? " map" : ""}`), [...first, "1", "1", "1 map", "2", "2", "2 map"]);
      assert.deepEqual(steps.map(({ stdSoFar }) => stdSoFar !== undefined), [false, stepMaps, stepMaps, false, false, false, false, false, false]);
      assert.equal(stdOverSteps !== undefined, stepMaps);
      assert.equal(stdOverMembers !== undefined, true);
    });
  }

  it("has the last running deviation as its deviation over the steps", async () => {
    const steps: ObservedStep[] = [];
    const observer = { unitDone: async () => undefined, stepDone: async (step: ObservedStep) => void steps.push(step) };
    const { stdOverSteps, map } = await predict(photo, fakeEstimator().estimator, settings, quiet({ stepMaps: true, observer }));
    assert.deepEqual(stdOverSteps, steps[2].stdSoFar);
    assert.deepEqual(map, steps[2].map);
  });

  it("draws the same noise for the same seed, and other noise for each member and seed", async () => {
    const starts = async (changes: Partial<RunSettings>): Promise<string[]> => {
      const { estimator, unet } = fakeEstimator();
      await predict(photo, estimator, { ...settings, steps: 1, ...changes }, quiet());
      return unet.calls.map((inputs) => predictionHalf(inputs).join());
    };
    const three = await starts({ ensembleSize: 3 });
    assert.equal(new Set(three).size, 3);
    assert.deepEqual(await starts({ ensembleSize: 2 }), three.slice(0, 2));
    assert.ok(!three.includes((await starts({ seed: 6 }))[0]));
    assert.ok(!three.includes((await starts({ noise: { kind: "pyramid" } }))[0]));
    assert.match((await starts({ noise: { kind: "zeros" } }))[0], /^(0,)*0$/);
  });

  it("takes a latent of the file for each member, and refuses another shape", async () => {
    const noise = { kind: "file", path: "latents.npy" } as const;
    const fileNoise = filled([2, 4, 3, 4], (i) => i);
    const { estimator, unet } = fakeEstimator();
    const { initialNoise } = await predict(photo, estimator, { ...settings, steps: 1, ensembleSize: 2, noise }, quiet({ fileNoise }));
    assert.deepEqual(unet.calls.map((inputs) => predictionHalf(inputs)[0]), [0, 48]);
    assert.deepEqual(initialNoise?.dims, [1, 4, 3, 4]);
    for (const dims of [[1, 4, 3, 4], [2, 4, 4, 3], [2, 48]]) {
      await assert.rejects(predict(photo, estimator, { ...settings, ensembleSize: 2, noise }, quiet({ fileNoise: filled(dims, () => 0) })), { code: "bad-argument", message: /\[2, 4, 3, 4\].*latents\.npy/ });
    }
  });

  it("checks everything before it runs a network", async () => {
    const { estimator, encoder } = fakeEstimator();
    await assert.rejects(predict(photo, estimator, { ...settings, steps: 0 }, quiet()), { code: "bad-argument" });
    await assert.rejects(predict(photo, estimator, { ...settings, steps: 1000, spacing: "leading" }, quiet()), { code: "bad-argument", message: /first timestep/ });
    await assert.rejects(predict({ ...photo, height: 3, data: photo.data.slice(0, 16 * 9) }, estimator, settings, quiet()), { code: "bad-image" });
    assert.equal(encoder.calls.length, 0);
  });

  it("stops after the step in which it is cancelled", async () => {
    const { estimator, unet, decoder } = fakeEstimator();
    const controller = new AbortController();
    const observer = { unitDone: async () => undefined, stepDone: async () => controller.abort() };
    await assert.rejects(predict(photo, estimator, { ...settings, steps: 50 }, quiet({ observer, signal: controller.signal })), isCancelled);
    assert.deepEqual([unet.calls.length, decoder.calls.length], [1, 0]);
  });

  it("stops before the decoder when it is cancelled while the last step runs", async () => {
    const controller = new AbortController();
    const { estimator, unet, decoder } = fakeEstimator();
    const aborting: Network = { ...unet, run: async (inputs) => (controller.abort(), unet.run(inputs)) };
    await assert.rejects(predict(photo, { ...estimator, family: marigold({ unet: aborting }) }, { ...settings, steps: 1 }, quiet({ signal: controller.signal })), isCancelled);
    assert.equal(decoder.calls.length, 0);
  });

  it("waits for a slow observer before the next step", async () => {
    const { estimator, unet } = fakeEstimator();
    let release: () => void = () => undefined;
    const observer = { unitDone: async () => undefined, stepDone: () => new Promise<void>((resolve) => (release = resolve)) };
    const running = predict(photo, estimator, settings, quiet({ observer }));
    for (let calls = 1; calls <= 3; calls++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(unet.calls.length, calls);
      release();
    }
    await running;
  });

  it("gives normals of unit length with three channels", async () => {
    const { map } = await predict(photo, { ...fakeEstimator().estimator, task: "normals" }, settings, quiet());
    assert.deepEqual([map.width, map.height, map.channels], [16, 12, 3]);
    for (let i = 0; i < map.data.length; i += 3) assert.ok(Math.abs(Math.hypot(...map.data.slice(i, i + 3)) - 1) < 1e-3);
  });
});
