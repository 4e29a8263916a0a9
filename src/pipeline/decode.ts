import type { FloatMap } from "../core/image";
import { decoderInput, depthFromDecoded, normalsFromDecoded } from "../core/latent";
import type { Task } from "../core/semantics";
import type { Tensor } from "../core/tensor";
import type { Network } from "./networks";

/**
 * The map that a latent [1, 4, h, w] stands for, H x W at processing size: depth in 0..1, or normals of unit length in
 * the model's own frame.
 */
export async function decode(decoder: Network, latent: Tensor, scalingFactor: number, task: Task): Promise<FloatMap> {
  const { image } = await decoder.run({ latent: decoderInput(latent, scalingFactor) });
  return task === "depth" ? depthFromDecoded(image) : normalsFromDecoded(image);
}
