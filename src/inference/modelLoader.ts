import { join, relative, sep } from "node:path";
import { describeModel, readEmptyPromptIds, semanticsOf, type EmptyPrompt, type ModelDescription } from "../catalogue/modelFolder";
import { throwIfCancelled, unexpected } from "../core/errors";
import type { ScheduleEntry } from "../core/schedulers/schedule";
import type { Semantics, Task } from "../core/semantics";
import type { Device, RunRequest } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { componentFiles, type ConvertOptions } from "../graph/convert";
import { openSafetensors, readTensor } from "../io/safetensors";
import type { Network } from "../pipeline/networks";
import { scheduleOf, type Estimator } from "../pipeline/predict";
import type { FileHashes } from "./fileHash";
import type { NetworkStore } from "./networkStore";

/** What a model's files say of a run, before any network is built. */
export interface DescribedModel {
  readonly description: ModelDescription;
  readonly semantics: Semantics;
  readonly schedule: readonly ScheduleEntry[];
  /** SHA-256 by path relative to the model folder, with forward slashes. */
  readonly fileHashes: Readonly<Record<string, string>>;
  /** Names the encoder by what it is made of. */
  readonly encoderHash: string;
}

/** Reads what the run's model is, and hashes every file that its networks are made of. Throws what the folder or the settings are at fault for. */
export async function describeRun({ modelDir, task, settings }: RunRequest, hashes: FileHashes, signal: AbortSignal): Promise<DescribedModel> {
  const description = await describeModel(modelDir);
  const semantics = semanticsOf(description, task);
  const schedule = scheduleOf(description.scheduler, settings);
  const own = ["model_index.json", join("scheduler", "scheduler_config.json")].map((file) => join(description.dir, file));
  const encoderFiles = await componentFiles(description.vaeDir, { part: "encoder" });
  const files = [...own, ...(await promptFiles(description.emptyPrompt)), ...encoderFiles, ...(await componentFiles(description.unetDir))];
  const fileHashes: Record<string, string> = {};
  for (const file of new Set(files)) {
    throwIfCancelled(signal);
    fileHashes[nameOf(file, description)] = await hashes.of(file);
  }
  const encoderHash = encoderFiles.map((file) => fileHashes[nameOf(file, description)]).join();
  return { description, semantics, schedule, fileHashes, encoderHash };
}

/**
 * Loads the networks of a run onto a device; the encoder only when it is used, where the image `isEncoded`. The prompt is made a
 * constant of the UNet; so is the timestep of an E2E fine-tuned model in one step, which it never leaves (another model is
 * kept open for any number of steps). Throws what the weights or the device are at fault for.
 */
export async function loadModel(task: Task, { description, schedule }: DescribedModel, device: Device, store: NetworkStore, { isEncoded, signal }: { isEncoded: boolean; signal: AbortSignal }): Promise<Estimator> {
  const { unetDir, vaeDir, scheduler, vae } = description;
  const prompt = await emptyPromptEmbedding(description.emptyPrompt, device, store);
  const constantTimestep = description.endToEnd && schedule.length === 1 ? schedule[0].t : undefined;
  const load = async (dir: string, options: ConvertOptions): Promise<Network> => {
    throwIfCancelled(signal);
    return (await store.load({ dir, options, device })).network;
  };
  const loadEncoder = (): Promise<Network> => load(vaeDir, { part: "encoder" });
  return {
    encoder: isEncoded ? loadedWhenUsed(loadEncoder) : await loadEncoder(),
    denoiser: { unet: await load(unetDir, { timestep: constantTimestep, encoderHiddenStates: prompt }), constantTimestep },
    decoder: await load(vaeDir, { part: "decoder" }),
    task,
    scheduler,
    scalingFactor: vae.scalingFactor,
    downsamplingFactor: vae.downsamplingFactor,
  };
}

/** The embedding [1, S, C] of the empty prompt: stored beside the model, or computed by its own text encoder. */
export async function emptyPromptEmbedding(emptyPrompt: EmptyPrompt, device: Device, store: NetworkStore): Promise<Tensor> {
  if (emptyPrompt.kind === "stored") {
    const embedding = await readTensor(await openSafetensors(emptyPrompt.path), "empty_text_embed");
    if (embedding.dims.length !== 3 || embedding.dims[0] !== 1) throw unexpected("bad-model", `empty_text_embed of ${emptyPrompt.path}`, "shape [1, S, C]", embedding.dims);
    return embedding;
  }
  const { textEncoderDir, tokenizerDir } = emptyPrompt;
  const ids = await readEmptyPromptIds(tokenizerDir);
  const { network } = await store.load({ dir: textEncoderDir, options: {}, device });
  const { last_hidden_state: embedding } = await network.run({ input_ids: { dims: [1, 2], data: BigInt64Array.from(ids, BigInt) } });
  return embedding;
}

async function promptFiles(emptyPrompt: EmptyPrompt): Promise<readonly string[]> {
  if (emptyPrompt.kind === "stored") return [emptyPrompt.path];
  const { textEncoderDir, tokenizerDir } = emptyPrompt;
  return [...(await componentFiles(textEncoderDir)), join(tokenizerDir, "vocab.json"), join(tokenizerDir, "tokenizer_config.json")];
}

function nameOf(file: string, { dir }: ModelDescription): string {
  return relative(dir, file).split(sep).join("/");
}

function loadedWhenUsed(load: () => Promise<Network>): Network {
  return { run: async (inputs) => (await load()).run(inputs), release: async () => undefined };
}
