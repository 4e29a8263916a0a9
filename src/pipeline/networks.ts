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

/**
 * The networks of a latent-diffusion estimator (N images, h x w latent size, H x W pixels).
 * encoder: `image` [N,3,H,W] in -1..1 -> `moments` [N,8,h,w]; decoder: `latent` [N,4,h,w] -> `image` [N,3,H,W];
 * unet: `sample` [N,8,h,w], `timestep` [1] (absent where it was made a constant),
 * `encoder_hidden_states` [N,S,C] (absent where it was made a constant) -> `out_sample` [N,4,h,w].
 */
export interface LatentDiffusionNetworks {
  readonly encoder: Network;
  readonly decoder: Network;
  readonly unet: Network;
}

/** A UNet with what it is conditioned on besides the image. */
export interface Denoiser {
  readonly unet: Network;
  /** [1, S, C]; absent where it was made a constant of the network. */
  readonly prompt?: Tensor;
  /** The only timestep that the network can be run at; absent where `timestep` is an input. */
  readonly constantTimestep?: number;
}
