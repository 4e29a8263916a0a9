import type { FloatMap } from "../../core/image";
import { depthFromDecoded, normalsFromDecoded } from "../../core/latent";
import type { Task } from "../../core/semantics";
import { tensor, type Tensor } from "../../core/tensor";
import type { Denoiser, LatentFamily, Network } from "../networks";

export interface MarigoldOptions {
  readonly unet: Network;
  /** [1, S, C]; absent where it was made a constant of the network. */
  readonly prompt?: Tensor;
  /** The only timestep that the network can be run at; absent where `timestep` is an input. */
  readonly constantTimestep?: number;
}

/** Marigold and what descends from it: one latent, denoised from noise beside the image's, with the empty prompt. */
export function marigold({ unet, prompt, constantTimestep }: MarigoldOptions): LatentFamily {
  return {
    constantTimestep,
    firstSample: (noise) => noise,
    denoiserOf: async (_image, imageLatent): Promise<Denoiser> => ({
      modelOutput: async (sample, timestep) => {
        const { out_sample: output } = await unet.run({
          sample: besideImage(imageLatent, sample),
          ...(constantTimestep === undefined && { timestep: tensor(Float32Array.of(timestep), [1]) }),
          ...(prompt && { encoder_hidden_states: prompt }),
        });
        return output;
      },
    }),
    latentOf: (sample) => sample,
    mapOf: marigoldMap,
  };
}

/** Depth: mean of the channels, clipped to -1..1, in 0..1. Normals: unit length, no clipping before, no sign change. */
export function marigoldMap(decoded: Tensor, task: Task): FloatMap {
  return task === "depth" ? depthFromDecoded(decoded) : normalsFromDecoded(decoded);
}

/** [image latent, sample] in this order along the channels: [1, C, h, w] and [N, C, h, w] -> [N, 2 C, h, w]. */
export function besideImage(imageLatent: Tensor, sample: Tensor): Tensor {
  const [count, channels, height, width] = sample.dims;
  const length = channels * height * width;
  const joined = new Float32Array(2 * sample.data.length);
  for (let n = 0; n < count; n++) {
    joined.set(imageLatent.data, 2 * n * length);
    joined.set(sample.data.subarray(n * length, (n + 1) * length), (2 * n + 1) * length);
  }
  return tensor(joined, [count, 2 * channels, height, width]);
}
