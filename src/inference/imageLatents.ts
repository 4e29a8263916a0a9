import type { Tensor } from "../core/tensor";
import type { ImageLatents } from "../pipeline/predict";

/** Images whose latents are kept. One of 768 pixels takes 110 KB for each encoder and size. */
const keptImages = 4;

/** The latents of the images used last, also between requests: a run that is added later does not encode its image again. */
export class LatentStore {
  /** By image, then by encoder and size. */
  private readonly images = new Map<string, Map<string, Tensor>>();

  /** The latents of one image under one encoder, both named by their contents. */
  of(imageSha256: string, encoder: string): ImageLatents {
    const latents = this.images.get(imageSha256) ?? new Map<string, Tensor>();
    // A Map keeps the order of insertion: the first key is the one used longest ago.
    this.images.delete(imageSha256);
    this.images.set(imageSha256, latents);
    for (const old of [...this.images.keys()].slice(0, -keptImages)) this.images.delete(old);
    const keyOf = ({ width, height }: { width: number; height: number }): string => `${encoder} ${width} x ${height}`;
    return { get: (size) => latents.get(keyOf(size)), set: (size, latent) => void latents.set(keyOf(size), latent) };
  }
}
