import assert from "node:assert/strict";
import { cosineAlphaBar, flowSchedule, flowStep } from "../../src/core/schedulers/flow";
import { noisePlan, stepPlans } from "../../src/core/schedulers/noiseLevels";
import { samplerOf } from "../../src/core/schedulers/sampler";

describe("flow matching", () => {
  it("runs from 0 to 1 in equal steps that join", () => {
    assert.deepEqual(flowSchedule(4).map(({ t, tNext }) => [t, tNext]), [[0, 0.25], [0.25, 0.5], [0.5, 0.75], [0.75, 1]]);
    for (const steps of [1, 3, 7, 49, 1000]) {
      const entries = flowSchedule(steps);
      assert.equal(entries[steps - 1].tNext, 1);
      entries.slice(1).forEach(({ t }, i) => assert.equal(t, entries[i].tNext));
    }
    for (const steps of [0, -1, 1.5, NaN]) assert.throws(() => flowSchedule(steps), { code: "bad-argument", message: /whole number of at least 1 for steps/ });
  });

  it("solves dz/dt = z as Euler's method does: (1 + 1/S)^S", () => {
    for (const steps of [1, 2, 10]) {
      let sample = Float32Array.of(1, -3);
      for (const entry of flowSchedule(steps)) sample = Float32Array.from(flowStep(entry, sample, sample).prevSample);
      const growth = (1 + 1 / steps) ** steps;
      assert.ok(Math.abs(sample[0] - growth) < 1e-5 && Math.abs(sample[1] + 3 * growth) < 1e-5, `${steps} steps: ${sample.join()}`);
    }
  });

  it("sees the end of a straight flow from every step, and leaves its arguments alone", () => {
    const [start, velocity] = [Float32Array.of(2, 0), Float32Array.of(-1, 4)];
    let sample = start;
    for (const entry of flowSchedule(5)) {
      const { prevSample, predOriginalSample } = flowStep(entry, sample, velocity);
      assert.ok(Math.abs(predOriginalSample[0] - 1) < 1e-6 && Math.abs(predOriginalSample[1] - 4) < 1e-6);
      sample = Float32Array.from(prevSample);
    }
    assert.deepEqual([[...start], [...velocity]], [[2, 0], [-1, 4]]);
    assert.throws(() => flowStep({ t: 0, tNext: 1 }, start, Float32Array.of(1)), { code: "bad-tensor" });
  });

  it("noises by a schedule that falls from all signal to none", () => {
    const values = [0.01, 0.2, 0.4, 0.6, 0.99].map(cosineAlphaBar);
    values.slice(1).forEach((value, i) => assert.ok(value < values[i]));
    // cos^2(pi t / 2) but for the 1e-5 that keeps the logarithm finite.
    assert.ok(Math.abs(cosineAlphaBar(0.4) - Math.cos(0.2 * Math.PI) ** 2) < 1e-4);
  });

  it("plans steps that have no noise level, whatever the spacing", () => {
    const plan = samplerOf({ kind: "flow" }, { steps: 2, spacing: "leading" }).plan("gaussian");
    assert.deepEqual(plan, [{ timestep: 0 }, { timestep: 0.5 }]);
    assert.deepEqual(noisePlan(plan), []);
    const told = stepPlans([{ t: 999, tPrev: -1, alphaBar: 0.1, alphaBarPrev: 1 }], "gaussian");
    assert.deepEqual(noisePlan(told), told);
  });
});
