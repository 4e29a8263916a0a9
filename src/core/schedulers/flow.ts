import { unexpected } from "../errors";
import type { StepResult } from "./ddim";

/*
 * Symbols of Gui et al. 2024 (DepthFM) and Lipman et al. 2023 (flow matching), with the same z as elsewhere here:
 *   z_0   image latent, where the flow starts (t = 0)      z_1   depth latent, where it ends (t = 1)
 *   v     the network's output, dz/dt at (z_t, t)          S     number of Euler steps
 */

/** The schedule of a flow-matching model, which has no settings. */
export interface FlowConfig {
  readonly kind: "flow";
}

/** One Euler step from t to tNext, both in 0..1. */
export interface FlowEntry {
  readonly t: number;
  readonly tNext: number;
}

/** S equal steps from t = 0 to t = 1. Throws `bad-argument` when S is not a whole number of at least 1. */
export function flowSchedule(steps: number): readonly FlowEntry[] {
  if (!Number.isInteger(steps) || steps < 1) throw unexpected("bad-argument", "steps", "a whole number of at least 1", steps);
  return Array.from({ length: steps }, (_, i) => ({ t: i / steps, tNext: (i + 1) / steps }));
}

/**
 * One Euler step: z_tNext = z_t + (tNext - t) v. The original sample is where the flow would end if it went on as it goes
 * here, z_1 = z_t + (1 - t) v; at the last step it is that step's own result. Neither argument is changed.
 */
export function flowStep({ t, tNext }: FlowEntry, sample: Float32Array, velocity: Float32Array): StepResult {
  if (sample.length !== velocity.length) throw unexpected("bad-tensor", "velocity", `${sample.length} values like the sample`, velocity.length);
  const along = (time: number): Float32Array => sample.map((z, i) => z + time * velocity[i]);
  const prevSample = along(tNext - t);
  return { prevSample, predOriginalSample: tNext === 1 ? prevSample : along(1 - t) };
}

/**
 * abar of the cosine schedule that DepthFM noises image latents by, for a time in 0..1: the sigmoid of the log SNR
 * -2 ln(tan(pi t / 2) + 1e-5) (Nichol & Dhariwal 2021, as the DepthFM code writes it).
 */
export function cosineAlphaBar(time: number): number {
  const logSnr = -2 * Math.log(Math.tan((Math.PI * time) / 2) + 1e-5);
  return 1 / (1 + Math.exp(-logSnr));
}
