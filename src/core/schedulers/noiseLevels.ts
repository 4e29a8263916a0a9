import type { NoiseChoice } from "../settings";
import type { ScheduleEntry } from "./schedule";

/** One step of a schedule, before it is run. */
export interface PlannedStep {
  readonly timestep: number;
  readonly alphaBar?: number;
  readonly toldNoise?: number;
  readonly inputNoise?: number;
}

/** One step of a schedule, and the two noise levels that should be one. A level is sqrt(1 - abar): 0 (image) to 1 (noise). */
export interface StepNoise {
  readonly timestep: number;
  /** abar_t of the timestep that the network is told. */
  readonly alphaBar: number;
  /** sqrt(1 - abar_t), the level that the network is told. */
  readonly toldNoise: number;
  /** The level that its input really holds. */
  readonly inputNoise: number;
}

/** The steps of a plan with their noise levels; empty where a model's steps have none, as those of a flow. */
export function noisePlan(plan: readonly PlannedStep[]): readonly StepNoise[] {
  const told = plan.filter((step): step is StepNoise => step.toldNoise !== undefined);
  return told.length === plan.length ? told : [];
}

/**
 * What the network is told about the noise in its input, beside what is there, for every step of a DDIM or LCM schedule.
 *
 * z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps (Ho et al. 2020, equation 4). The first input is pure noise, level 1, or no
 * noise at all, level 0, where the start is zeros; noise from a file counts as pure. Every later input is what the update
 * before left: z_prev at level sqrt(1 - abar_prev), in DDIM (Song et al. 2021, equation 12) as in LCM's multistep
 * sampling (Luo et al. 2023). Both agree as long as tPrev of one step is t of the next. With leading timesteps the first t
 * is short of T - 1, in one step t = 1: the network is told that pure noise is an almost clean image, the flaw that the
 * E2E-FT paper describes.
 */
export function stepPlans(schedule: readonly ScheduleEntry[], noise: NoiseChoice["kind"]): readonly StepNoise[] {
  return schedule.map(({ t, alphaBar }, i) => ({
    timestep: t,
    alphaBar,
    toldNoise: Math.sqrt(1 - alphaBar),
    inputNoise: i > 0 ? Math.sqrt(1 - schedule[i - 1].alphaBarPrev) : noise === "zeros" ? 0 : 1,
  }));
}
