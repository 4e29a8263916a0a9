import { join, relative, sep } from "node:path";
import { describeModel, readEmptyPromptIds, semanticsOf, type EmptyPrompt, type ModelDescription } from "../catalogue/modelFolder";
import { throwIfCancelled, unexpected } from "../core/errors";
import type { Semantics } from "../core/semantics";
import type { Device, RunRequest } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { openSafetensors, readTensor } from "../io/safetensors";
import { scheduleOf, type Estimator } from "../pipeline/predict";
import type { FileHashes } from "./fileHash";
import type { NetworkStore } from "./networkStore";

/** A model that is ready to run, and what its provenance says. */
export interface LoadedModel {
  readonly description: ModelDescription;
  readonly estimator: Estimator;
  readonly semantics: Semantics;
  /** SHA-256 by path relative to the model folder, with forward slashes. */
  readonly fileHashes: Readonly<Record<string, string>>;
}

/**
 * Loads the networks of a run onto a device. The prompt is made a constant of the UNet; so is the timestep of an E2E
 * fine-tuned model in one step, which it never leaves (another model is kept open for any number of steps).
 * Throws what the folder, the weights or the device are at fault for.
 */
export async function loadModel(request: RunRequest, device: Device, store: NetworkStore, hashes: FileHashes, signal: AbortSignal): Promise<LoadedModel> {
  const description = await describeModel(request.modelDir);
  const semantics = semanticsOf(description, request.task);
  const { unetDir, vaeDir, scheduler, vae } = description;
  const prompt = await emptyPromptEmbedding(description.emptyPrompt, device, store);
  const schedule = scheduleOf(scheduler, request.settings);
  const constantTimestep = description.endToEnd && schedule.length === 1 ? schedule[0].t : undefined;

  throwIfCancelled(signal);
  const encoder = await store.load({ dir: vaeDir, options: { part: "encoder" }, device });
  throwIfCancelled(signal);
  const unet = await store.load({ dir: unetDir, options: { timestep: constantTimestep, encoderHiddenStates: prompt.embedding }, device });
  throwIfCancelled(signal);
  const decoder = await store.load({ dir: vaeDir, options: { part: "decoder" }, device });

  const own = ["model_index.json", join("scheduler", "scheduler_config.json")].map((file) => join(description.dir, file));
  const fileHashes: Record<string, string> = {};
  for (const file of new Set([...own, ...prompt.files, ...encoder.files, ...unet.files, ...decoder.files])) {
    throwIfCancelled(signal);
    fileHashes[relative(description.dir, file).split(sep).join("/")] = await hashes.of(file);
  }
  return {
    description,
    semantics,
    fileHashes,
    estimator: {
      encoder: encoder.network,
      decoder: decoder.network,
      denoiser: { unet: unet.network, constantTimestep },
      task: request.task,
      scheduler,
      scalingFactor: vae.scalingFactor,
      downsamplingFactor: vae.downsamplingFactor,
    },
  };
}

/** The embedding [1, S, C] of the empty prompt: stored beside the model, or computed by its own text encoder. */
export async function emptyPromptEmbedding(emptyPrompt: EmptyPrompt, device: Device, store: NetworkStore): Promise<{ embedding: Tensor; files: readonly string[] }> {
  if (emptyPrompt.kind === "stored") {
    const embedding = await readTensor(await openSafetensors(emptyPrompt.path), "empty_text_embed");
    if (embedding.dims.length !== 3 || embedding.dims[0] !== 1) throw unexpected("bad-model", `empty_text_embed of ${emptyPrompt.path}`, "shape [1, S, C]", embedding.dims);
    return { embedding, files: [emptyPrompt.path] };
  }
  const { textEncoderDir, tokenizerDir } = emptyPrompt;
  const ids = await readEmptyPromptIds(tokenizerDir);
  const { network, files } = await store.load({ dir: textEncoderDir, options: {}, device });
  const { last_hidden_state: embedding } = await network.run({ input_ids: { dims: [1, 2], data: BigInt64Array.from(ids, BigInt) } });
  return { embedding, files: [...files, join(tokenizerDir, "vocab.json"), join(tokenizerDir, "tokenizer_config.json")] };
}
