import assert from "node:assert/strict";
import type { StepPlan } from "../../src/protocol/inference";
import { noiseStory, type NoiseRun } from "../../src/core/noiseStory";

function step(timestep: number, toldNoise: number, inputNoise: number): StepPlan {
  return { timestep, alphaBar: 1 - toldNoise * toldNoise, toldNoise, inputNoise };
}

function run(label: string, plan: readonly StepPlan[], rest: Partial<NoiseRun> = {}): NoiseRun {
  return { label, plan, zeros: false, endToEnd: false, ...rest };
}

describe("what the noise levels mean, in words", () => {
  const trailing = run("Trailing", [step(999, 0.998, 1)]);
  const leading = run("Leading, 1 step", [step(1, 0.0309, 1)]);

  it("names the flaw of one leading step", () => {
    assert.deepEqual(noiseStory([leading]), ["Leading, 1 step: the input is pure noise (level 1.00), but the model is told t = 1, a noise level of 0.03: it takes the noise for the picture."]);
  });

  it("says where several steps begin to part, and how far", () => {
    const two = run("Leading, 2 steps", [step(501, 0.85, 1), step(1, 0.03, 0.03)]);
    assert.match(noiseStory([two])[0], /^Leading, 2 steps: at the first step the input is pure noise .* told t = 501, a noise level of 0\.85: it takes a part of the noise for the picture\.$/);
    const later = run("Odd", [step(999, 0.998, 1), step(400, 0.5, 0.8)]);
    assert.match(noiseStory([later])[0], /^Odd: at step 2 of 2 the input holds more noise \(level 0\.80\)/);
  });

  it("is content when told and real noise agree, to the number that they do", () => {
    assert.deepEqual(noiseStory([trailing]), ["Told and real noise agree at every step."]);
    assert.deepEqual(noiseStory([run("Ten", [step(901, 0.993, 1)])]), ["Told and real noise agree at every step to within 0.007."]);
  });

  it("tells starting from zeros that was trained from starting from zeros that was not", () => {
    const plan = [step(999, 0.998, 0)];
    assert.deepEqual(noiseStory([run("E2E", plan, { zeros: true, endToEnd: true })]), ["E2E: the model is told t = 999, a noise level of 0.998, but the input holds no noise: it was fine-tuned for exactly this."]);
    assert.match(noiseStory([run("No noise", plan, { zeros: true })])[0], /holds no noise: it was trained on noisy inputs only, and looks for noise that is not there\.$/);
  });

  it("says when the model is told too much noise", () => {
    assert.match(noiseStory([run("Late", [step(999, 0.998, 1), step(500, 0.85, 0.4)])])[0], /at step 2 of 2 the model is told t = 500, a noise level of 0\.85, but the input holds less \(level 0\.40\)/);
  });

  it("puts the worst first, what is meant after it, and all that agree in one sentence", () => {
    const meant = run("E2E", [step(999, 0.998, 0)], { zeros: true, endToEnd: true });
    const mild = run("Mild", [step(501, 0.85, 1)]);
    const sentences = noiseStory([trailing, meant, mild, leading, run("Ten", [step(999, 0.998, 1), step(899, 0.98, 0.98)])]);
    assert.deepEqual(sentences.map((sentence) => sentence.split(":")[0]), ["Leading, 1 step", "Mild", "E2E", "Trailing and Ten"]);
    assert.equal(sentences[3], "Trailing and Ten: told and real noise agree at every step.");
  });

  it("names those alone whose gap is smaller than of three others", () => {
    const gaps = [0.2, 0.9, 0.4, 0.6, 0.3].map((gap) => run(`Gap ${gap}`, [step(500, 1 - gap, 1)]));
    const sentences = noiseStory(gaps);
    assert.deepEqual(sentences.slice(0, 3).map((sentence) => sentence.split(":")[0]), ["Gap 0.9", "Gap 0.6", "Gap 0.4"]);
    assert.equal(sentences[3], "Gap 0.3 and Gap 0.2: less so.");
    assert.equal(sentences.length, 4);
  });

  it("has nothing to say before a schedule is known", () => {
    assert.deepEqual(noiseStory([]), []);
    assert.deepEqual(noiseStory([run("Waiting", [])]), []);
  });
});
