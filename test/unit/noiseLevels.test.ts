import assert from "node:assert/strict";
import { stepPlans } from "../../src/core/schedulers/noiseLevels";
import { parseSchedulerConfig } from "../../src/core/schedulers/config";
import { ddimSchedule, lcmSchedule } from "../../src/core/schedulers/schedule";
import type { TimestepSpacing } from "../../src/core/settings";

const fields = { beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012, prediction_type: "v_prediction", clip_sample: false, set_alpha_to_one: false, steps_offset: 1 };
const config = parseSchedulerConfig({ _class_name: "DDIMScheduler", ...fields });
const plan = (steps: number, spacing: TimestepSpacing, noise: "gaussian" | "zeros" = "gaussian") => stepPlans(ddimSchedule(config, steps, spacing), noise);

/** sqrt(1 - product of 1 - beta_i, i = 0..t), sqrt(beta_i) = sqrt(0.00085) + i / 999 (sqrt(0.012) - sqrt(0.00085)): Stable Diffusion's schedule, written out. */
function stableDiffusionNoise(t: number): number {
  let signal = 1;
  for (let i = 0; i <= t; i++) signal *= 1 - (0.0291547595 + (i / 999) * (0.1095445115 - 0.0291547595)) ** 2;
  return Math.sqrt(1 - signal);
}
const near = (actual: number, expected: number, what: string): void => assert.ok(Math.abs(actual - expected) < 1e-5, `${what}: ${actual} instead of ${expected}`);

describe("noise levels of a schedule", () => {
  it("tells an almost clean image of pure noise with one leading step, and the truth with one trailing step", () => {
    const [leading] = plan(1, "leading");
    // beta_0 = 0.00085, beta_1 = (0.0291548 + 0.0803898 / 999)^2 = 0.00085470; 1 - 0.99915 * 0.99914530 = 0.00170397.
    assert.equal(leading.timestep, 1);
    assert.ok(Math.abs(leading.toldNoise - 0.041279) < 2e-5, String(leading.toldNoise));
    assert.equal(leading.inputNoise, 1);
    const [trailing] = plan(1, "trailing");
    // The signal that Stable Diffusion leaves at t = 999: abar = 0.0047 (Lin et al. 2024, section 3.1: sqrt(abar) = 0.068265).
    assert.equal(trailing.timestep, 999);
    near(trailing.toldNoise, Math.sqrt(1 - 0.068265 ** 2), "trailing");
    assert.equal(trailing.inputNoise, 1);
    near(trailing.alphaBar, 0.068265 ** 2, "alphaBar");
  });

  it("tells the level of every later step as the one before left it", () => {
    for (const spacing of ["leading", "trailing"] as const) {
      for (const steps of [2, 4, 10, 50]) {
        const all = plan(steps, spacing);
        assert.equal(all.length, steps);
        for (const { timestep, toldNoise, inputNoise } of all.slice(1)) {
          near(toldNoise, stableDiffusionNoise(timestep), `told at ${timestep}`);
          near(inputNoise, toldNoise, `${spacing} ${steps} at ${timestep}`);
        }
        near(all[0].toldNoise, stableDiffusionNoise(all[0].timestep), "the first");
        assert.equal(all[0].inputNoise, 1);
      }
    }
    assert.deepEqual(plan(4, "trailing").map(({ timestep }) => timestep), [999, 749, 499, 249]);
    assert.deepEqual(plan(4, "leading").map(({ timestep }) => timestep), [751, 501, 251, 1]);
  });

  it("starts from no noise where the start is zeros", () => {
    assert.deepEqual(plan(3, "trailing", "zeros").map(({ inputNoise }) => inputNoise > 0), [false, true, true]);
  });

  it("follows the LCM grid, whose steps are noised again to the next timestep", () => {
    const lcm = parseSchedulerConfig({ _class_name: "LCMScheduler", ...fields });
    const plans = stepPlans(lcmSchedule(lcm, 4), "gaussian");
    assert.equal(plans[0].inputNoise, 1);
    for (const [i, { timestep, toldNoise, inputNoise }] of plans.entries()) {
      near(toldNoise, stableDiffusionNoise(timestep), `told at ${timestep}`);
      if (i > 0) near(inputNoise, toldNoise, `at ${timestep}`);
    }
  });
});
