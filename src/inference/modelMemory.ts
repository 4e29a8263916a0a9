import { join } from "node:path";
import { stat } from "node:fs/promises";
import { describeModel, type ModelDescription } from "../catalogue/modelFolder";
import { estimateMemory, type NetworkNeed } from "../core/memoryEstimate";
import { elementCount } from "../core/tensor";
import { readJsonObject } from "../io/jsonFile";
import { openSafetensors } from "../io/safetensors";
import { openTorchFile } from "../io/torchFile";
import { feedForwardSize } from "../pipeline/families/feedForward";
import { processingSizeOf } from "../pipeline/preprocess";
import type { InferenceApi, MemoryEstimate } from "../protocol/inference";
import { networksOf, type Part } from "./modelLoader";
import { sourceFiles } from "./networkSource";

/** What a model needs for an image, estimated from its files; nothing is loaded. Throws what the files are at fault for. */
export async function estimateModelMemory({ modelDir, width, height, processingResolution }: InferenceApi["memory"]["params"]): Promise<MemoryEstimate> {
  const description = await describeModel(modelDir);
  const resolution = processingResolution ?? description.defaults.processingResolution;
  const parts = networksOf(description);
  const files = new Set<string>();
  for (const { source, options } of parts) for (const file of await sourceFiles(source, options)) files.add(file);
  let weightBytes = 0;
  for (const file of files) weightBytes += await weightBytesOf(file);
  const networks = await Promise.all(parts.map((part) => needOf(part, description)));
  // Of a feed-forward network only the weights are known.
  const factor = description.family === "feedforward" ? 1 : description.vae.downsamplingFactor;
  const size = description.family === "feedforward" ? feedForwardSize({ width, height }, description.spec, resolution) : processingSizeOf({ width, height }, resolution, factor, description.sizeMultiple);
  return { ...estimateMemory(weightBytes, networks, size, factor), processingSize: size };
}

/** Numbers are computed in float32; narrower ones stay in memory beside what they were widened to. */
async function weightBytesOf(file: string): Promise<number> {
  if (/\.json$/.test(file)) return 0;
  if (!/\.(safetensors|bin|ckpt)$/.test(file)) return (await stat(file)).size;
  const { tensors } = await (file.endsWith(".safetensors") ? openSafetensors(file) : openTorchFile(file));
  return [...tensors.values()].reduce((sum, { dims, byteLength }) => {
    const floatBytes = 4 * elementCount(dims);
    return sum + floatBytes + (byteLength < floatBytes ? byteLength : 0);
  }, 0);
}

/** Channels of Stable Diffusion's networks, where a network has no config.json to say. */
const usualChannels = { encoder: 128, decoder: 256, unet: 320, other: 0 } as const;

async function needOf({ source, options }: Part, description: ModelDescription): Promise<NetworkNeed> {
  const kind = options.part ?? (description.family !== "feedforward" && source === description.unet ? "unet" : "other");
  const batch = kind === "unet" && description.family === "geowizard" ? 2 : 1;
  const config = source.kind === "component" ? await readJsonObject(join(source.dir, "config.json")) : {};
  const blocks: readonly unknown[] = Array.isArray(config.block_out_channels) ? config.block_out_channels : [];
  const stated = blocks[kind === "decoder" ? Math.min(1, blocks.length - 1) : 0];
  return { kind, batch, channels: kind !== "other" && typeof stated === "number" ? stated : usualChannels[kind] };
}
