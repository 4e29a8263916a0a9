import type { NoiseChoice, RunSettings } from "../settings";
import type { SchedulerConfig } from "./config";
import { ddimStep, type StepResult } from "./ddim";
import { flowSchedule, flowStep, type FlowConfig } from "./flow";
import { lcmStep } from "./lcm";
import { stepPlans, type PlannedStep } from "./noiseLevels";
import { ddimSchedule, lcmSchedule } from "./schedule";

/** A schedule together with its update rule: what makes of a network's outputs the next sample. */
export interface Sampler {
  /** What the network is told at each step. */
  readonly timesteps: readonly number[];
  /** What is known of the steps before they are run. */
  plan(noise: NoiseChoice["kind"]): readonly PlannedStep[];
  /**
   * Step `index` of one image's latents, which are not changed. `noise` draws as many Gaussian numbers as the sample has;
   * only LCM asks for them. Its original sample is the denoised one.
   */
  step(index: number, sample: Float32Array, modelOutput: Float32Array, noise: () => Float32Array): StepResult;
}

/**
 * The sampler of a run. LCM checkpoints have a grid of their own and flows run from 0 to 1: the spacing does not apply to
 * them. Throws what the schedules throw.
 */
export function samplerOf(scheduler: SchedulerConfig | FlowConfig, { steps, spacing }: Pick<RunSettings, "steps" | "spacing">): Sampler {
  if (scheduler.kind === "flow") return flowSampler(steps);
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

function flowSampler(steps: number): Sampler {
  const entries = flowSchedule(steps);
  const timesteps = entries.map(({ t }) => t);
  return { timesteps, plan: () => timesteps.map((timestep) => ({ timestep })), step: (index, sample, modelOutput) => flowStep(entries[index], sample, modelOutput) };
}
