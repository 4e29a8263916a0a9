import { latentFromMoments } from "../core/latent";
import type { Tensor } from "../core/tensor";
import type { Network } from "./networks";

/**
 * The image's latent [1, 4, h, w]: the mean of the encoder's distribution, scaled. `image` is [1, 3, H, W] in -1..1.
 */
export async function encode(encoder: Network, image: Tensor, scalingFactor: number): Promise<Tensor> {
  const { moments } = await encoder.run({ image });
  return latentFromMoments(moments, scalingFactor);
}
