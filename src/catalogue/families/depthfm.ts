import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../../core/errors";
import { isObject } from "../../io/jsonFile";
import { openSafetensors, type SafetensorsFile } from "../../io/safetensors";
import { openTorchFile } from "../../io/torchFile";
import { readJsonFile } from "../jsonFile";
import { isFile, readVaeOf, repositoryOf } from "./components";
import type { DepthFmDescription, EmptyPrompt } from "./description";

/** What the weights are called: as published, in other precisions, or converted. */
const weightsName = /^(depthfm.*|unet_ldm_layout.*)\.(safetensors|ckpt)$/;

/** Whether a folder holds a checkpoint of DepthFM, which has no model_index.json. */
export async function isDepthFm(dir: string): Promise<boolean> {
  return (await findWeights(dir)) !== undefined && !(await isFile(join(dir, "model_index.json")));
}

/**
 * DepthFM: its checkpoint, the autoencoder of Stable Diffusion 1.5 in `vae/` beside it, and what the checkpoint does not
 * state itself: `ldm_hparams` and `noising_step` in config.json, the embedding of the empty prompt in
 * empty_prompt.safetensors. Throws as `describeModel`.
 */
export async function describeDepthFm(dir: string): Promise<DepthFmDescription> {
  const weightsFile = (await findWeights(dir)) ?? "";
  const path = join(dir, weightsFile);
  const weights = await (weightsFile.endsWith(".safetensors") ? openSafetensors(path) : openTorchFile(path));
  const configPath = join(dir, "config.json");
  const config = (await isFile(configPath)) ? (await readJsonFile(configPath)).values : undefined;
  const levels = await levelsOf(weights, config, configPath);
  const noisingStep = numberOf(config?.["noising_step"] ?? weights.metadata["noising_step"]);
  const vae = await readVaeOf(join(dir, "vae"), "Put the folder vae of Stable Diffusion 1.5 in diffusers layout beside the checkpoint, as DepthFM uses it.");
  const emptyPrompt = await findPrompt(dir, weights);
  return {
    family: "depthfm",
    id: repositoryOf(dir),
    path: dir,
    dir,
    tasks: ["depth"],
    normalsFrame: "LUB",
    open: [],
    endToEnd: false,
    unet: { kind: "component", dir, weightsFile },
    vae,
    resizeFilter: "bilinear",
    // Its UNet cannot take latents whose sides do not halve evenly down to the last level.
    sizeMultiple: vae.downsamplingFactor * 2 ** (levels - 1),
    emptyPrompt,
    scheduler: { kind: "flow" },
    // Of the published program: steps as it is called in the README, size as it reads images.
    defaults: { steps: 2, spacing: "trailing", noise: (noisingStep ?? -1) > 0 ? "gaussian" : "zeros", processingResolution: 640 },
    assumptions: noisingStep === undefined ? ["The checkpoint does not state its noising step: it is started from the image's latent without noise."] : [],
    files: [...(config ? [configPath] : []), ...(emptyPrompt.path === path ? [] : [emptyPrompt.path])],
  };
}

async function findWeights(dir: string): Promise<string | undefined> {
  const files = (await readdir(dir).catch(() => [])).filter((file) => weightsName.test(file)).sort();
  return files.find((file) => file.endsWith(".safetensors")) ?? files[0];
}

/** How many times the UNet halves its input, plus one: the length of `channel_mult`. */
async function levelsOf({ path, metadata }: SafetensorsFile, config: Readonly<Record<string, unknown>> | undefined, configPath: string): Promise<number> {
  const hparams = config?.["ldm_hparams"];
  const stated = isObject(hparams) ? hparams["channel_mult"] : metadata["ldm_hparams.channel_mult"];
  if (stated === undefined) throw new PlumblineError("not-found", `Expected ldm_hparams in ${path} or in ${configPath} but neither states them.`, "Use the checkpoint as published, or write the arguments of its UNet into config.json.");
  const multipliers: unknown = typeof stated === "string" ? JSON.parse(stated) : stated;
  if (!Array.isArray(multipliers) || multipliers.length === 0) throw unexpected("bad-model", `"channel_mult" of the ldm_hparams of ${path}`, "a list of factors", stated);
  return multipliers.length;
}

/** A stored embedding, or the one in the checkpoint. */
async function findPrompt(dir: string, { path, tensors }: SafetensorsFile): Promise<Extract<EmptyPrompt, { kind: "stored" }>> {
  const stored = join(dir, "empty_prompt.safetensors");
  if (await isFile(stored)) return { kind: "stored", path: stored, tensor: "empty_text_embed" };
  if (tensors.has("empty_text_embedding")) return { kind: "stored", path, tensor: "empty_text_embedding" };
  throw new PlumblineError("not-found", `Expected a tensor empty_text_embedding in ${path}, or empty_prompt.safetensors beside it, but neither is there.`, "Use the checkpoint as published.");
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
  return Number.isFinite(number) ? number : undefined;
}
