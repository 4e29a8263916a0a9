import { PlumblineError, unexpected } from "../errors";
import type { TimestepSpacing } from "../settings";
import type { SchedulerConfig } from "./config";

/*
 * Symbols of Ho et al. 2020 and of the E2E-FT paper (section 3):
 *   T                training timesteps             trainTimesteps
 *   k                inference steps                steps
 *   t                timestep, 0-based (the paper counts from 1)
 *   beta_t           variance added at t            betas[t]
 *   abar_t           product of 1 - beta up to t    alphaBars[t]
 */

/** One denoising step from t to tPrev (negative past the end). */
export interface ScheduleEntry {
  readonly t: number;
  readonly tPrev: number;
  readonly alphaBar: number;
  readonly alphaBarPrev: number;
}

/** beta_t for t = 0..T-1: `linear` in beta or (`scaled_linear`) in its square root, optionally rescaled to zero terminal SNR. */
export function betasOf(config: SchedulerConfig): Float32Array {
  const { betaStart, betaEnd, betaSchedule, trainTimesteps } = config;
  const linear = betaSchedule === "linear";
  const betas = linear ? linspace(betaStart, betaEnd, trainTimesteps) : linspace(Math.sqrt(betaStart), Math.sqrt(betaEnd), trainTimesteps).map((root) => root * root);
  return config.rescaleBetasZeroSnr ? rescaledToZeroSnr(betas) : betas;
}

/** abar_t for t = 0..T-1. Stored as float32, as upstream, because the sampler's coefficients are made from it. */
export function alphaBarsOf(betas: Float32Array): Float32Array {
  let product = 1;
  return betas.map((beta) => (product *= Math.fround(1 - beta)));
}

/**
 * PyTorch's float32 `linspace`, to the bit: counted from the nearer end, rounded once per value. Rescaling to zero
 * terminal SNR subtracts numbers close to 1, so that a difference in the last bit would show there.
 */
function linspace(first: number, last: number, count: number): Float32Array {
  const start = Math.fround(first);
  const end = Math.fround(last);
  const gap = count === 1 ? 0 : Math.fround(Math.fround(end - start) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) => (i < count / 2 ? start + gap * i : end - gap * (count - 1 - i)));
}

/** Shifts and scales sqrt(abar) so that the last is 0 and the first is unchanged (Lin et al. 2024, algorithm 1). */
function rescaledToZeroSnr(betas: Float32Array): Float32Array {
  const roots = alphaBarsOf(betas).map(Math.sqrt);
  const first = roots[0];
  const last = roots[roots.length - 1];
  const factor = Math.fround(first / Math.fround(first - last));
  const alphaBars = roots.map((root) => Math.fround(Math.fround(root - last) * factor) ** 2);
  return alphaBars.map((alphaBar, t) => 1 - Math.fround(t === 0 ? alphaBar : alphaBar / alphaBars[t - 1]));
}

/**
 * The k timesteps in the order in which they are run, 0-based (paper, Table A-1, where they count from 1).
 * Throws `bad-argument` when k is not a whole number in 1..T, or when `stepsOffset` lifts the first one beyond T - 1.
 */
export function inferenceTimesteps(config: SchedulerConfig, steps: number, spacing: TimestepSpacing = config.timestepSpacing): number[] {
  const count = config.trainTimesteps;
  if (!Number.isInteger(steps) || steps < 1 || steps > count) {
    throw unexpected("bad-argument", "steps", `a whole number from 1 to ${count}`, steps);
  }
  const timesteps = spacings[spacing](count, steps, config.stepsOffset);
  if (timesteps[0] >= count) {
    const remedy = "Use fewer steps or trailing timesteps.";
    throw unexpected("bad-argument", "first timestep", `at most ${count - 1}`, timesteps[0], remedy);
  }
  return timesteps;
}

const spacings: Record<TimestepSpacing, (count: number, steps: number, offset: number) => number[]> = {
  linspace: (count, steps) => {
    const gap = steps === 1 ? 0 : (count - 1) / (steps - 1);
    return Array.from({ length: steps }, (_, i) => roundHalfEven((steps - 1 - i) * gap));
  },
  leading: (count, steps, offset) => {
    const gap = Math.floor(count / steps);
    return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * gap + offset);
  },
  // numpy's arange(T, 0, -T / k): its increment is the difference of the first two values, and rounding makes it
  // k + 1 long for some k (61, 103, ...), the surplus timestep being -1; exactly k are taken here.
  trailing: (count, steps) => {
    const increment = count - count / steps - count;
    return Array.from({ length: steps }, (_, i) => roundHalfEven(count + i * increment) - 1);
  },
};

/**
 * Entries for DDIM: tPrev = t - floor(T / k); past the end alphaBarPrev is 1 (`setAlphaToOne`) or abar_0.
 * Throws as `inferenceTimesteps`, and `unsupported` for an epsilon model at zero SNR, whose sample is undefined there.
 */
export function ddimSchedule(config: SchedulerConfig, steps: number, spacing?: TimestepSpacing): readonly ScheduleEntry[] {
  const alphaBars = alphaBarsOf(betasOf(config));
  const gap = Math.floor(config.trainTimesteps / Math.max(1, steps));
  return inferenceTimesteps(config, steps, spacing).map((t) => scheduleEntry(config, alphaBars, t, t - gap));
}

/** Entries for LCM: timesteps on the distilled grid; tPrev is the next entry's t, and the last entry stays at its own. */
export function lcmSchedule(config: SchedulerConfig, steps: number): readonly ScheduleEntry[] {
  const { trainTimesteps, originalInferenceSteps: gridLength } = config;
  if (!Number.isInteger(steps) || steps < 1 || steps > gridLength) {
    throw unexpected("bad-argument", "steps", `a whole number from 1 to ${gridLength}`, steps);
  }
  const gap = Math.floor(trainTimesteps / gridLength);
  const timesteps = Array.from({ length: steps }, (_, i) => (gridLength - Math.floor((i * gridLength) / steps)) * gap - 1);
  const alphaBars = alphaBarsOf(betasOf(config));
  return timesteps.map((t, i) => scheduleEntry(config, alphaBars, t, timesteps[i + 1] ?? t));
}

function scheduleEntry(config: SchedulerConfig, alphaBars: Float32Array, t: number, tPrev: number): ScheduleEntry {
  if (alphaBars[t] === 0 && config.predictionType === "epsilon") {
    throw new PlumblineError("unsupported", `Expected v_prediction or sample for scheduler prediction_type but received epsilon with zero SNR at timestep ${t}.`);
  }
  const final = config.setAlphaToOne ? 1 : alphaBars[0];
  return { t, tPrev, alphaBar: alphaBars[t], alphaBarPrev: tPrev >= 0 ? alphaBars[tPrev] : final };
}

/** numpy's round. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
