import { throwIfCancelled } from "../core/errors";
import type { SchedulerConfig } from "../core/schedulers/config";
import { ddimStep } from "../core/schedulers/ddim";
import { lcmStep } from "../core/schedulers/lcm";
import type { ScheduleEntry } from "../core/schedulers/schedule";
import { tensor, type Tensor } from "../core/tensor";
import type { Denoiser } from "./networks";

/** One step of the loop, all latents [1, 4, h, w]. */
export interface DenoisingStep {
  /** 0-based. */
  readonly index: number;
  readonly timestep: number;
  readonly modelOutput: Tensor;
  readonly prevSample: Tensor;
  /** z_0 as this step sees it (LCM: the denoised sample). */
  readonly predOriginalSample: Tensor;
}

export interface DenoiseOptions {
  readonly scheduler: SchedulerConfig;
  readonly schedule: readonly ScheduleEntry[];
  /** LCM only: the noise [1, 4, h, w] that is added after step `index`. */
  readonly stepNoise?: (index: number) => Float32Array;
  /** Looked at before every step. */
  readonly signal?: AbortSignal;
}

/**
 * Denoises `noise` z_T [1, 4, h, w] conditioned on the image's latent of the same shape; yields every step and holds
 * none of them. Throws `cancelled` between two steps.
 */
export async function* denoise(denoiser: Denoiser, imageLatent: Tensor, noise: Tensor, options: DenoiseOptions): AsyncGenerator<DenoisingStep> {
  const { scheduler, schedule, stepNoise, signal } = options;
  let sample = noise.data;
  for (const [index, entry] of schedule.entries()) {
    throwIfCancelled(signal);
    const modelOutput = await runUnet(denoiser, imageLatent, sample, entry.t);
    const step = scheduler.kind === "ddim" ? ddimStep(scheduler, entry, sample, modelOutput) : consistencyStep(scheduler, entry, sample, modelOutput, stepNoise?.(index));
    sample = step.prevSample;
    const latent = (data: Float32Array): Tensor => tensor(data, noise.dims);
    yield { index, timestep: entry.t, modelOutput: latent(modelOutput), prevSample: latent(step.prevSample), predOriginalSample: latent(step.predOriginalSample) };
  }
}

/** The UNet on [image latent, sample] in this order, [1, 8, h, w] -> [1, 4, h, w]. */
async function runUnet({ unet, prompt, constantTimestep }: Denoiser, imageLatent: Tensor, sample: Float32Array, timestep: number): Promise<Float32Array> {
  const [count, channels, height, width] = imageLatent.dims;
  const joined = new Float32Array(2 * sample.length);
  joined.set(imageLatent.data);
  joined.set(sample, imageLatent.data.length);
  const { out_sample: output } = await unet.run({
    sample: tensor(joined, [count, 2 * channels, height, width]),
    ...(constantTimestep === undefined && { timestep: tensor(Float32Array.of(timestep), [1]) }),
    ...(prompt && { encoder_hidden_states: prompt }),
  });
  return output.data;
}

function consistencyStep(scheduler: SchedulerConfig, entry: ScheduleEntry, sample: Float32Array, modelOutput: Float32Array, noise: Float32Array | undefined) {
  const { prevSample, denoised } = lcmStep(scheduler, entry, sample, modelOutput, noise);
  return { prevSample, predOriginalSample: denoised };
}
