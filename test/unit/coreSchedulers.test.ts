import assert from "node:assert/strict";
import fc from "fast-check";
import type { TimestepSpacing } from "../../src/core/settings";
import { parseSchedulerConfig } from "../../src/core/schedulers/config";
import { addNoise, ddimStep, limitOriginal, velocity } from "../../src/core/schedulers/ddim";
import { boundaryFactors, lcmStep } from "../../src/core/schedulers/lcm";
import { alphaBarsOf, betasOf, ddimSchedule, inferenceTimesteps, lcmSchedule } from "../../src/core/schedulers/schedule";
import type { Tensor } from "../../src/core/tensor";
import { assertClose, referenceJson, referenceTensors } from "./coreReference";

interface Loop {
  name: string;
  config: Record<string, unknown>;
  num_inference_steps: number;
  timesteps: number[];
  final_alpha_cumprod: number;
  noise_used: number[];
  c_skip_c_out: [number, number][];
}

const ddim = (fields: object = {}) =>
  parseSchedulerConfig({ ...referenceJson<object>("schedulers/ddim-marigold/scheduler_config.json"), ...fields });
const lcm = (fields: object = {}) => parseSchedulerConfig({ _class_name: "LCMScheduler", ...fields });

/** Row k of a stack [N, ...]. */
function row({ dims, data }: Tensor, k: number): Float32Array {
  const length = data.length / dims[0];
  return data.subarray(k * length, (k + 1) * length);
}

/** Within 1e-5 of the largest expected value. */
function assertScaled(actual: Float32Array, expected: Float32Array, what: string): void {
  assertClose(actual, expected, 1e-5 * expected.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3), what);
}

describe("core/schedulers", () => {
  it("computes betas and alpha bars like upstream's float32", async () => {
    const get = await referenceTensors("schedulers/alphas.safetensors");
    const variants = { default: {}, zero_snr: { rescale_betas_zero_snr: true }, linear: { beta_schedule: "linear" } };
    for (const [name, fields] of Object.entries(variants)) {
      const config = ddim(fields);
      const betas = betasOf(config);
      const computed = { alphas_cumprod: alphaBarsOf(betas), ...(name === "linear" ? {} : { betas }) };
      for (const [key, values] of Object.entries(computed)) {
        const expected = get(`${name}.${key}`).data;
        assert.equal(values.length, expected.length);
        // Rescaled betas are 1 minus a ratio of two float32 roots squared; upstream's vectorised sqrt is off by one unit in the last place at times.
        const absolute = name === "zero_snr" && key === "betas" ? 2.5e-7 : 1e-7;
        values.forEach((v, t) => assert.ok(Math.abs(v - expected[t]) <= absolute + 2e-6 * Math.abs(expected[t]), `${name}.${key}[${t}]: ${v} for ${expected[t]}`));
      }
      if (name !== "linear") {
        const last = ddimSchedule(config, 1)[0];
        assertClose([last.alphaBarPrev], get(`${name}.final_alpha_cumprod`).data, 1e-7);
      }
    }
    const snr = alphaBarsOf(betasOf(ddim({ rescale_betas_zero_snr: true })));
    assert.equal(snr[999], 0);
  });

  it("chooses the same timesteps as upstream", () => {
    const { timesteps, variants } = referenceJson<{ timesteps: Record<TimestepSpacing, Record<string, number[]>>; variants: Record<string, number[]> }>(
      "schedulers/ddim_timesteps.json",
    );
    for (const spacing of ["leading", "trailing", "linspace"] as const) {
      for (const [steps, expected] of Object.entries(timesteps[spacing])) {
        assert.deepEqual(inferenceTimesteps(ddim(), Number(steps), spacing), expected, `${spacing} ${steps}`);
      }
    }
    for (const [name, expected] of Object.entries(variants)) {
      const [, train, offset, spacing, steps] = /^train(\d+)_offset(\d+)_(\w+)_(\d+)$/.exec(name) ?? [];
      const config = ddim({ num_train_timesteps: Number(train), steps_offset: Number(offset), timestep_spacing: spacing });
      assert.deepEqual(inferenceTimesteps(config, Number(steps)), expected, name);
    }
  });

  it("rounds and truncates trailing timesteps like numpy's arange", () => {
    // numpy 1.24: 937.4999999999999 for the fourth of 48, and a 62nd value (-1) for 61.
    assert.deepEqual(inferenceTimesteps(ddim(), 48, "trailing").slice(0, 5), [999, 978, 957, 936, 916]);
    assert.deepEqual(inferenceTimesteps(ddim(), 61, "trailing").slice(-3), [48, 32, 15]);
  });

  it("always gives exactly k falling timesteps within 0..T-1", () => {
    for (const spacing of ["trailing", "linspace"] as const) {
      for (let steps = 1; steps <= 1000; steps++) {
        const timesteps = inferenceTimesteps(ddim(), steps, spacing);
        assert.equal(timesteps.length, steps);
        assert.ok(timesteps[0] <= 999 && timesteps[steps - 1] >= 0, `${spacing} ${steps}`);
        for (let i = 1; i < steps; i++) assert.ok(timesteps[i] < timesteps[i - 1], `${spacing} ${steps}`);
      }
    }
  });

  it("refuses step counts that the schedule does not have", () => {
    for (const steps of [0, -1, 1.5, 1001, NaN]) assert.throws(() => ddimSchedule(ddim(), steps), /from 1 to 1000 for steps/);
    assert.throws(() => ddimSchedule(ddim(), 1000, "leading"), /at most 999 for first timestep but received 1000/);
    assert.throws(() => lcmSchedule(lcm(), 51), /from 1 to 50 for steps/);
    assert.throws(() => ddimSchedule(ddim({ prediction_type: "epsilon", rescale_betas_zero_snr: true }), 1, "trailing"), /zero SNR/);
  });

  describe("DDIM loops", () => {
    const { cases } = referenceJson<{ cases: Loop[] }>("schedulers/ddim_loops.json");
    let get: (name: string) => Tensor;
    before(async () => {
      get = await referenceTensors("schedulers/ddim_loops.safetensors");
    });
    for (const { name, config: fields, num_inference_steps, timesteps } of cases) {
      it(name, () => {
        const config = parseSchedulerConfig({ _class_name: "DDIMScheduler", ...fields });
        const schedule = ddimSchedule(config, num_inference_steps);
        assert.deepEqual(schedule.map((entry) => entry.t), timesteps);
        let sample = get(`${name}.init`).data;
        schedule.forEach((entry, k) => {
          const before = sample.slice();
          const step = ddimStep(config, entry, sample, row(get(`${name}.model_output`), k));
          assert.deepEqual(sample, before);
          assertScaled(step.predOriginalSample, row(get(`${name}.pred_original_sample`), k), `z_0 of step ${k}`);
          assertScaled(step.prevSample, row(get(`${name}.prev_sample`), k), `sample after step ${k}`);
          sample = step.prevSample;
        });
      });
    }
  });

  describe("LCM loops", () => {
    const { cases, timesteps_by_N } = referenceJson<{ cases: Loop[]; timesteps_by_N: Record<string, number[]> }>("schedulers/lcm_loops.json");
    it("chooses the same timesteps as upstream", () => {
      for (const [steps, expected] of Object.entries(timesteps_by_N)) {
        assert.deepEqual(lcmSchedule(lcm(), Number(steps)).map((entry) => entry.t), expected);
      }
    });
    for (const { name, config: fields, num_inference_steps, noise_used, c_skip_c_out } of cases) {
      it(name, async () => {
        const get = await referenceTensors("schedulers/lcm_loops.safetensors");
        const config = lcm(fields);
        let sample = get(`${name}.init`).data;
        lcmSchedule(config, num_inference_steps).forEach((entry, k) => {
          const factors = boundaryFactors(config, entry.t);
          assertClose([factors.skip * 1e6, factors.out], [c_skip_c_out[k][0] * 1e6, c_skip_c_out[k][1]], 1e-7);
          const noise = noise_used[k] ? row(get(`${name}.noise`), k) : undefined;
          const output = row(get(`${name}.model_output`), k);
          if (noise) assert.throws(() => lcmStep(config, entry, sample, output), /LCM noise/);
          const step = lcmStep(config, entry, sample, output, noise);
          assertScaled(step.denoised, row(get(`${name}.denoised`), k), `denoised ${k}`);
          assertScaled(step.prevSample, row(get(`${name}.prev_sample`), k), `sample ${k}`);
          sample = step.prevSample;
        });
      });
    }
  });

  it("adds noise and computes velocities like upstream", async () => {
    const get = await referenceTensors("schedulers/add_noise.safetensors");
    const alphaBars = alphaBarsOf(betasOf(ddim()));
    get("timesteps").data.forEach((t, n) => {
      const [x0, noise] = [row(get("x0"), n), row(get("noise"), n)];
      assertClose(addNoise(alphaBars[t], x0, noise), row(get("noisy"), n), 1e-5);
      assertClose(velocity(alphaBars[t], x0, noise), row(get("velocity"), n), 1e-5);
    });
  });

  it("recovers z_0 from the true velocity, and walks back along the same noise", () => {
    const config = ddim();
    const values = (size: number) => fc.float32Array({ minLength: size, maxLength: size, min: -4, max: 4, noNaN: true });
    fc.assert(
      fc.property(values(8), values(8), fc.integer({ min: 1, max: 50 }), (z0, noise, steps) => {
        const entry = ddimSchedule(config, steps, "trailing")[0];
        const step = ddimStep(config, entry, addNoise(entry.alphaBar, z0, noise), velocity(entry.alphaBar, z0, noise));
        assertClose(step.predOriginalSample, z0, 1e-5);
        assertClose(step.prevSample, addNoise(entry.alphaBarPrev, z0, noise), 1e-5);
      }),
      { seed: 2, numRuns: 50 },
    );
  });

  it("leaves small samples alone when thresholding, and divides large ones by their quantile", () => {
    const config = ddim({ thresholding: true, sample_max_value: 3, dynamic_thresholding_ratio: 0.5 });
    const original = (values: number[]) => limitOriginal(config, Float32Array.from(values));
    assertClose(original([0.2, -0.4, 0.1]), [0.2, -0.4, 0.1], 1e-7);
    assertClose(original([2, -8, 1]), [1, -1, 0.5], 1e-7);
    assertClose(original([9, -30, 6]), [1, -1, 1], 1e-7);
  });

  it("keeps the sample itself at t = 0 with LCM", () => {
    const [sample, output] = [Float32Array.of(0.3, -2), Float32Array.of(5, 1)];
    const step = lcmStep(lcm(), { t: 0, tPrev: 0, alphaBar: 0.9, alphaBarPrev: 0.9 }, sample, output);
    assertClose(step.denoised, sample, 0);
  });

  it("reads the saved configurations, fills in the class's defaults and names what is wrong", () => {
    for (const name of ["ddim-marigold", "ddim-e2e-trailing", "lcm-marigold"]) {
      const config = parseSchedulerConfig(referenceJson(`schedulers/${name}/scheduler_config.json`));
      assert.equal(config.kind, name.split("-")[0]);
      assert.equal(config.predictionType, "v_prediction");
      assert.equal(config.timestepSpacing, name === "ddim-e2e-trailing" ? "trailing" : "leading");
    }
    const plain = parseSchedulerConfig({ _class_name: "DDIMScheduler" });
    assert.deepEqual([plain.betaStart, plain.betaEnd, plain.clipSample, plain.predictionType, plain.stepsOffset], [0.0001, 0.02, true, "epsilon", 0]);
    assert.throws(() => parseSchedulerConfig("x"), /an object for scheduler_config.json but received "x"/);
    assert.throws(() => parseSchedulerConfig({ _class_name: "PNDMScheduler" }), /DDIMScheduler or LCMScheduler.*"PNDMScheduler"/);
    assert.throws(() => ddim({ trained_betas: [0.1] }), /trained_betas/);
    assert.throws(() => ddim({ beta_schedule: "squaredcos_cap_v2" }), /beta_schedule.*squaredcos/);
    assert.throws(() => ddim({ num_train_timesteps: "1000" }), /num_train_timesteps.*"1000"/);
    assert.throws(() => ddim({ clip_sample: 1 }), /true or false for scheduler clip_sample but received 1/);
  });
});
