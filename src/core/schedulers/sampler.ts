import type { NoiseChoice, RunSettings } from "../settings";
import type { SchedulerConfig } from "./config";
import { ddimStep, type StepResult } from "./ddim";
import { lcmStep } from "./lcm";
import { stepPlans, type StepNoise } from "./noiseLevels";
import { ddimSchedule, lcmSchedule } from "./schedule";

/** A schedule together with its update rule: what makes of a network's outputs the next sample. */
export interface Sampler {
  /** What the network is told at each step. */
  readonly timesteps: readonly number[];
  /** What is known of the steps before they are run. */
  plan(noise: NoiseChoice["kind"]): readonly StepNoise[];
  /**
   * Step `index` of one image's latents, which are not changed. `noise` draws as many Gaussian numbers as the sample has;
   * only LCM asks for them. Its original sample is the denoised one.
   */
  step(index: number, sample: Float32Array, modelOutput: Float32Array, noise: () => Float32Array): StepResult;
}

/** The sampler of a run. LCM checkpoints have a grid of their own; the spacing does not apply to them. Throws what the schedules throw. */
export function samplerOf(scheduler: SchedulerConfig, { steps, spacing }: Pick<RunSettings, "steps" | "spacing">): Sampler {
  const isLcm = scheduler.kind === "lcm";
  const entries = isLcm ? lcmSchedule(scheduler, steps) : ddimSchedule(scheduler, steps, spacing);
  return {
    timesteps: entries.map(({ t }) => t),
    plan: (noise) => stepPlans(entries, noise),
    step: (index, sample, modelOutput, noise) => {
      if (!isLcm) return ddimStep(scheduler, entries[index], sample, modelOutput);
      const { prevSample, denoised } = lcmStep(scheduler, entries[index], sample, modelOutput, noise());
      return { prevSample, predOriginalSample: denoised };
    },
  };
}
