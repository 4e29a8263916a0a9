import { unexpected } from "../errors";
import type { SchedulerConfig } from "./config";
import { addNoise, limitOriginal, predict } from "./ddim";
import type { ScheduleEntry } from "./schedule";

/*
 * Symbols of Luo et al. 2023 (latent consistency models), equation 9:
 *   f(z_t, t) = c_skip(t) z_t + c_out(t) z_0        sigma_data = 0.5, t scaled by `timestepScaling`
 */
const sigmaData = 0.5;

/** Result of one LCM step; `denoised` is f(z_t, t). */
export interface LcmStepResult {
  readonly prevSample: Float32Array;
  readonly denoised: Float32Array;
}

/** c_skip and c_out, which make f(z_0, 0) = z_0. */
export function boundaryFactors(config: SchedulerConfig, t: number): { readonly skip: number; readonly out: number } {
  const scaled = t * config.timestepScaling;
  const square = scaled * scaled + sigmaData * sigmaData;
  return { skip: (sigmaData * sigmaData) / square, out: scaled / Math.sqrt(square) };
}

/**
 * One LCM step. `noise` is fresh Gaussian noise that takes the denoised sample back to tPrev; the last step
 * (tPrev = t) draws none and ignores it. Throws `bad-argument` when another step gets none.
 */
export function lcmStep(config: SchedulerConfig, entry: ScheduleEntry, sample: Float32Array, modelOutput: Float32Array, noise?: Float32Array): LcmStepResult {
  const original = limitOriginal(config, predict(config.predictionType, entry.alphaBar, sample, modelOutput).original);
  const { skip, out } = boundaryFactors(config, entry.t);
  const denoised = original.map((z, i) => out * z + skip * sample[i]);
  if (entry.tPrev === entry.t) return { prevSample: denoised, denoised };
  if (noise?.length !== sample.length) throw unexpected("bad-argument", "LCM noise", `${sample.length} values`, noise?.length ?? "nothing");
  return { prevSample: addNoise(entry.alphaBarPrev, denoised, noise), denoised };
}
