import { join, resolve } from "node:path";
import { unexpected } from "../core/errors";
import { requireClass, requireComponent } from "./families/components";
import type { LatentModelDescription, NetworkSource } from "./families/description";
import { numberAt, readJsonFile } from "./jsonFile";

/** An AutoencoderTiny, of which only the decoder is used. */
export interface TinyDecoderDescription {
  readonly source: NetworkSource;
  /** What its latents are divided by before decoding; 1 where they are those of diffusion as they are. */
  readonly scalingFactor: number;
}

/**
 * Reads the folder of an AutoencoderTiny (TAESD), in diffusers layout, as the decoder of a model's latents. Throws `not-found` or
 * `unsupported` naming what was expected of the folder, and `unsupported` for a model whose latents are not those of Stable
 * Diffusion (4 channels, an eighth of the image).
 */
export async function describeTinyDecoder(dir: string, { id, vae }: Pick<LatentModelDescription, "id" | "vae">): Promise<TinyDecoderDescription> {
  if (vae.latentChannels !== 4 || vae.downsamplingFactor !== 8) {
    throw unexpected("unsupported", `the latents of ${id}`, "4 channels at an eighth of the image's size, which the tiny decoder knows,", `${vae.latentChannels} channels at 1/${vae.downsamplingFactor}`, "Choose the full decoder.");
  }
  const source = await requireComponent("the tiny decoder", resolve(dir), "Choose the folder of an AutoencoderTiny, such as madebyollin/taesd.");
  const config = await readJsonFile(join(source.dir, "config.json"));
  requireClass(config, "AutoencoderTiny");
  const channels = numberAt(config, "latent_channels") ?? 4;
  if (channels !== vae.latentChannels) throw unexpected("unsupported", `"latent_channels" of ${config.path}`, String(vae.latentChannels), channels, "Choose the AutoencoderTiny of Stable Diffusion 1 and 2 (taesd).");
  return { source, scalingFactor: numberAt(config, "scaling_factor") ?? 1 };
}
