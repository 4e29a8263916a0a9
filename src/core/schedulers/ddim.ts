import { unexpected } from "../errors";
import type { PredictionType, SchedulerConfig } from "./config";
import type { ScheduleEntry } from "./schedule";

/*
 * Symbols of Song et al. 2021 (DDIM) and Salimans & Ho 2022 (v), with z for x as in the E2E-FT paper:
 *   z_t    sample            eps   noise            abar_t        entry.alphaBar
 *   z_0    original sample   v     velocity         abar_prev     entry.alphaBarPrev
 *   z_t = sqrt(abar) z_0 + sqrt(1 - abar) eps       v = sqrt(abar) eps - sqrt(1 - abar) z_0
 */

/** Result of one step; both have the sample's length. */
export interface StepResult {
  readonly prevSample: Float32Array;
  readonly predOriginalSample: Float32Array;
}

/** z_0 and eps as one network output implies them. */
export interface Prediction {
  readonly original: Float32Array;
  readonly epsilon: Float32Array;
}

/**
 * One deterministic DDIM step (eta = 0), DDIM equation 12: z_prev = sqrt(abar_prev) z_0 + sqrt(1 - abar_prev) eps.
 * `sample` and `modelOutput` hold one image's latent (dynamic thresholding takes its quantile over all of it).
 * Neither is changed. Throws `bad-tensor` when their lengths differ.
 */
export function ddimStep(config: SchedulerConfig, entry: ScheduleEntry, sample: Float32Array, modelOutput: Float32Array): StepResult {
  const { original, epsilon } = predict(config.predictionType, entry.alphaBar, sample, modelOutput);
  const predOriginalSample = limitOriginal(config, original);
  return { prevSample: mix(entry.alphaBarPrev, predOriginalSample, epsilon), predOriginalSample };
}

/** z_0 and eps from the network's output. */
export function predict(type: PredictionType, alphaBar: number, sample: Float32Array, modelOutput: Float32Array): Prediction {
  if (sample.length !== modelOutput.length) {
    throw unexpected("bad-tensor", "model output", `${sample.length} values like the sample`, modelOutput.length);
  }
  const signal = Math.sqrt(alphaBar);
  const noise = Math.sqrt(1 - alphaBar);
  switch (type) {
    case "v_prediction":
      return {
        original: sample.map((z, i) => signal * z - noise * modelOutput[i]),
        epsilon: sample.map((z, i) => signal * modelOutput[i] + noise * z),
      };
    case "epsilon":
      return { original: sample.map((z, i) => (z - noise * modelOutput[i]) / signal), epsilon: modelOutput };
    case "sample":
      return { original: modelOutput, epsilon: sample.map((z, i) => (z - signal * modelOutput[i]) / noise) };
  }
}

/** Clips z_0 where the configuration asks for it; thresholding goes before clipping. */
export function limitOriginal(config: SchedulerConfig, original: Float32Array): Float32Array {
  if (config.thresholding) return threshold(original, config.dynamicThresholdingRatio, config.sampleMaxValue);
  if (!config.clipSample) return original;
  const range = config.clipSampleRange;
  return original.map((z) => Math.min(range, Math.max(-range, z)));
}

/** Forward diffusion: z_t = sqrt(abar) z_0 + sqrt(1 - abar) eps. */
export function addNoise(alphaBar: number, original: Float32Array, noise: Float32Array): Float32Array {
  return mix(alphaBar, original, noise);
}

/** The target of v-prediction: v = sqrt(abar) eps - sqrt(1 - abar) z_0. */
export function velocity(alphaBar: number, original: Float32Array, noise: Float32Array): Float32Array {
  const signal = Math.sqrt(alphaBar);
  const sigma = Math.sqrt(1 - alphaBar);
  return original.map((z, i) => signal * noise[i] - sigma * z);
}

function mix(alphaBar: number, original: Float32Array, epsilon: Float32Array): Float32Array {
  const signal = Math.sqrt(alphaBar);
  const sigma = Math.sqrt(1 - alphaBar);
  return original.map((z, i) => signal * z + sigma * epsilon[i]);
}

/** Dynamic thresholding (Saharia et al. 2022, section 2.3): clips at the quantile s of |z_0|, 1 <= s <= maximum, and divides by s. */
function threshold(original: Float32Array, ratio: number, maximum: number): Float32Array {
  const sizes = original.map(Math.abs).sort();
  const position = ratio * (sizes.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sizes.length - 1);
  const quantile = sizes[below] + (position - below) * (sizes[above] - sizes[below]);
  const s = Math.min(Math.max(quantile, 1), Math.max(1, maximum));
  return original.map((z) => Math.min(s, Math.max(-s, z)) / s);
}
