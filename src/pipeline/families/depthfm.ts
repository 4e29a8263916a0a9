import { meanOverChannels, minMaxNormalized } from "../../core/latent";
import { addNoise } from "../../core/schedulers/ddim";
import { cosineAlphaBar } from "../../core/schedulers/flow";
import { tensor } from "../../core/tensor";
import type { Denoiser, LatentFamily, Network } from "../networks";
import { besideImage } from "./marigold";

export interface DepthFmOptions {
  /** `sample` [1, 8, h, w] (state, then image latent), `timestep` [1] in 0..1 -> `out_sample` [1, 4, h, w], the velocity. */
  readonly unet: Network;
  /** Starts from the image's latent with noise in it; else from the latent itself. */
  readonly isNoised: boolean;
}

/** Of the noise that DepthFM was trained to start from: step 400 of 1000. */
const noisedTime = 0.4;

/**
 * DepthFM: the image's latent flows into that of its depth. Depth is min-max of exp(mean of the decoded channels), as the
 * network was trained on logarithms of depth. Several members are combined as those of the other families; DepthFM's own rule
 * takes the mean of the decoded channels over all members before exp.
 */
export function depthFm({ unet, isNoised }: DepthFmOptions): LatentFamily {
  return {
    firstSample: (noise, imageLatent) => (isNoised ? tensor(addNoise(cosineAlphaBar(noisedTime), imageLatent.data, noise.data), imageLatent.dims) : imageLatent),
    denoiserOf: async (_image, imageLatent): Promise<Denoiser> => ({
      modelOutput: async (sample, timestep) => {
        const { out_sample: velocity } = await unet.run({ sample: besideImage(sample, imageLatent), timestep: tensor(Float32Array.of(timestep), [1]) });
        return velocity;
      },
    }),
    latentOf: (sample) => sample,
    mapOf: (decoded) => {
      const mean = meanOverChannels(decoded);
      return minMaxNormalized({ ...mean, data: mean.data.map(Math.exp) });
    },
  };
}
