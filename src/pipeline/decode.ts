import { decoderInput } from "../core/latent";
import type { Tensor } from "../core/tensor";
import type { Network } from "./networks";

/** The image [1, 3, H, W] that a latent [1, 4, h, w] stands for, neither clipped nor normalised. */
export async function decode(decoder: Network, latent: Tensor, scalingFactor: number): Promise<Tensor> {
  const { image } = await decoder.run({ latent: decoderInput(latent, scalingFactor) });
  return image;
}
