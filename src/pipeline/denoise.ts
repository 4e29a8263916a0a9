import { throwIfCancelled } from "../core/errors";
import { startingNoise } from "../core/random";
import type { Sampler } from "../core/schedulers/sampler";
import { tensor, type Tensor } from "../core/tensor";
import type { Denoiser } from "./networks";

/** One step of the loop, all latents [N, 4, h, w]. */
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
  /** The Gaussian noise, as long as the sample, that LCM adds after step `index`. */
  readonly stepNoise: (index: number) => Float32Array;
  /** Looked at before every step. */
  readonly signal?: AbortSignal;
}

/** Denoises a first sample z_T [N, 4, h, w]; yields every step and holds none of them. Throws `cancelled` between two steps. */
export async function* denoise(denoiser: Denoiser, sampler: Sampler, first: Tensor, { stepNoise, signal }: DenoiseOptions): AsyncGenerator<DenoisingStep> {
  let sample = first;
  for (const [index, timestep] of sampler.timesteps.entries()) {
    throwIfCancelled(signal);
    const modelOutput = await denoiser.modelOutput(sample, timestep);
    const step = sampler.step(index, sample.data, modelOutput.data, () => stepNoise(index));
    const latent = (data: Float32Array): Tensor => tensor(data, first.dims);
    sample = latent(step.prevSample);
    yield { index, timestep, modelOutput, prevSample: sample, predOriginalSample: latent(step.predOriginalSample) };
  }
}

/** The noise of LCM's steps for one member: a function of the image's seed, the member and the step. */
export function stepNoiseOf(seed: number, member: number, dims: readonly number[]): DenoiseOptions["stepNoise"] {
  return (index) => startingNoise("gaussian", dims, { seed, member, draw: index + 1 }).data;
}
