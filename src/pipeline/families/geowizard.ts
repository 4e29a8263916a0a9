import type { FloatMap } from "../../core/image";
import { mapFromTensor } from "../../core/image";
import { clipInput, depthFromDecoded, type ClipPreprocessing } from "../../core/latent";
import { normalized } from "../../core/normals";
import type { Task } from "../../core/semantics";
import { domains, type Domain } from "../../core/settings";
import { tensor, type Tensor } from "../../core/tensor";
import type { Denoiser, LatentFamily, Network } from "../networks";
import { besideImage } from "./marigold";

export interface GeoWizardOptions {
  readonly unet: Network;
  readonly imageEncoder: Network;
  readonly clip: ClipPreprocessing;
  readonly domain: Domain;
  /** The only timestep that the network can be run at; absent where `timestep` is an input. */
  readonly constantTimestep?: number;
}

/** The rows of a sample. */
const rows: readonly Task[] = ["depth", "normals"];

/**
 * GeoWizard: a sample [2, 4, h, w] is the latents of depth and of normals, which start from the same noise and attend to each
 * other. The network is told the task of each row and the domain, and sees CLIP's embedding of the image in a prompt's place.
 * Several members are combined as those of the other families; GeoWizard's own rule picks one whole member.
 */
export function geoWizard({ unet, imageEncoder, clip, domain, constantTimestep }: GeoWizardOptions): LatentFamily {
  const labels = classLabels(domain);
  return {
    constantTimestep,
    firstSample: (noise) => repeated(noise, rows.length),
    denoiserOf: async (image, imageLatent): Promise<Denoiser> => {
      const { image_embeds: embedding } = await imageEncoder.run({ pixel_values: clipInput(image(), clip) });
      const [, width] = embedding.dims;
      const prompt = repeated(tensor(embedding.data, [1, 1, width]), rows.length);
      return {
        modelOutput: async (sample, timestep) => {
          const { out_sample: output } = await unet.run({
            sample: besideImage(imageLatent, sample),
            ...(constantTimestep === undefined && { timestep: tensor(Float32Array.of(timestep), [1]) }),
            encoder_hidden_states: prompt,
            class_labels: labels,
          });
          return output;
        },
      };
    },
    latentOf: (sample, task) => {
      const [, ...dims] = sample.dims;
      const length = sample.data.length / rows.length;
      const start = rows.indexOf(task) * length;
      return tensor(sample.data.slice(start, start + length), [1, ...dims]);
    },
    mapOf: (decoded, task) => (task === "depth" ? depthFromDecoded(decoded) : negated(normalized(mapFromTensor(decoded), "marigold"))),
  };
}

/** [2, 10]: sin and cos of the task, [0, 1] for depth and [1, 0] for normals, then sin and cos of the domain as a one-hot of three. */
export function classLabels(domain: Domain): Tensor {
  const waves = (values: readonly number[]): readonly number[] => [...values.map(Math.sin), ...values.map(Math.cos)];
  const domainWaves = waves(domains.map((candidate) => (candidate === domain ? 1 : 0)));
  return tensor(Float32Array.from([[0, 1], [1, 0]].flatMap((task) => [...waves(task), ...domainWaves])), [rows.length, 10]);
}

/** [1, ...] -> [N, ...]. */
function repeated({ data, dims: [, ...dims] }: Tensor, count: number): Tensor {
  const out = new Float32Array(count * data.length);
  for (let n = 0; n < count; n++) out.set(data, n * data.length);
  return tensor(out, [count, ...dims]);
}

/** The published code turns the decoded normals round. */
function negated(map: FloatMap): FloatMap {
  return { ...map, data: map.data.map((value) => -value) };
}
