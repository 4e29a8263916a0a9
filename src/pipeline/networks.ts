import type { FloatMap } from "../core/image";
import type { Task } from "../core/semantics";
import type { Tensor } from "../core/tensor";

/** A loaded network: named tensors in, named tensors out. Tests fake it; inference/session makes real ones. */
export interface Network {
  /** Throws `bad-tensor` when an input is missing or misshapen, `engine-failed` when the provider fails. */
  run(inputs: Readonly<Record<string, Tensor | BigIntTensor>>): Promise<Readonly<Record<string, Tensor>>>;
  /** Frees the session; the network must not be used afterwards. */
  release(): Promise<void>;
}

/** int64 input (CLIP token ids). */
export interface BigIntTensor {
  readonly dims: readonly number[];
  readonly data: BigInt64Array;
}

/*
 * The networks of a latent estimator (N images, h x w latent size, H x W pixels).
 * encoder: `image` [N,3,H,W] in -1..1 -> `moments` [N,8,h,w]; decoder: `latent` [N,4,h,w] -> `image` [N,3,H,W];
 * unet: `sample` [N,8,h,w], `timestep` [1] (absent where it was made a constant),
 * `encoder_hidden_states` [N,S,C] (absent where it was made a constant) -> `out_sample` [N,4,h,w].
 */

/** A denoising network with everything that it is conditioned on for one image: families differ in this one call. */
export interface Denoiser {
  /** The network's output for a sample at a timestep, both [N, 4, h, w]. */
  modelOutput(sample: Tensor, timestep: number): Promise<Tensor>;
}

/** What is particular to a family of latent estimators: what its samples are, what conditions them, and what they become. */
export interface LatentFamily {
  /** The only timestep that the network can be run at; absent where it is an input. */
  readonly constantTimestep?: number;
  /** The first sample [N, 4, h, w] of a member, from its noise and the image's latent, both [1, 4, h, w]. */
  firstSample(noise: Tensor, imageLatent: Tensor): Tensor;
  /** The denoiser for one image: `image` gives it as the encoder sees it, [1, 3, H, W] in -1..1. */
  denoiserOf(image: () => Tensor, imageLatent: Tensor): Promise<Denoiser>;
  /** The latent [1, 4, h, w] of the task in a sample. */
  latentOf(sample: Tensor, task: Task): Tensor;
  /** The map that a decoded latent [1, 3, H, W] stands for: depth in 0..1, or normals of unit length in the model's own frame. */
  mapOf(decoded: Tensor, task: Task): FloatMap;
}
