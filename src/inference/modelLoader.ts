import { basename, relative, sep } from "node:path";
import { describeFolder } from "../catalogue/folders";
import { readEmptyPromptIds, semanticsOf, type EmptyPrompt, type LatentModelDescription, type ModelDescription, type NetworkSource } from "../catalogue/modelFolder";
import { describeTinyDecoder, type TinyDecoderDescription } from "../catalogue/tinyDecoder";
import { throwIfCancelled, unexpected } from "../core/errors";
import type { PlannedStep } from "../core/schedulers/noiseLevels";
import { samplerOf } from "../core/schedulers/sampler";
import type { Semantics } from "../core/semantics";
import type { Device, RunRequest, RunSettings } from "../core/settings";
import type { Tensor } from "../core/tensor";
import type { ConvertOptions } from "../graph/convert";
import { openSafetensors, readTensor } from "../io/safetensors";
import { openTorchFile } from "../io/torchFile";
import { geoWizard } from "../pipeline/families/geowizard";
import { depthFm } from "../pipeline/families/depthfm";
import { marigold } from "../pipeline/families/marigold";
import type { LatentFamily, Network } from "../pipeline/networks";
import { validateForFamily } from "../pipeline/options";
import type { Estimator } from "../pipeline/predict";
import type { FileHashes } from "./fileHash";
import { sourceFiles } from "./networkSource";
import type { NetworkStore } from "./networkStore";
import { withMemory } from "./outputMemory";

/** What a model's files say of a run, before any network is built. */
export interface DescribedModel {
  readonly description: ModelDescription;
  readonly semantics: Semantics;
  /** Every step before it is run. */
  readonly plan: readonly PlannedStep[];
  /** SHA-256 by path relative to the model folder, with forward slashes. */
  readonly fileHashes: Readonly<Record<string, string>>;
  /** Names the encoder by what it is made of, and by how images are made for it; empty where there is none. */
  readonly encoderHash: string;
  /** Where the settings ask for it. */
  readonly tinyDecoder?: TinyDecoderDescription;
}

/** A network of a model: where it comes from, and what of it is built. */
export interface Part {
  readonly source: NetworkSource;
  readonly options: ConvertOptions;
}

/** Reads what the run's model is, and hashes every file that its networks are made of. Throws what the folder or the settings are at fault for. */
export async function describeRun({ modelDir, task, settings }: RunRequest, hashes: FileHashes, signal: AbortSignal, tinyDecoderDir?: string): Promise<DescribedModel> {
  const description = await describeFolder(modelDir);
  validateForFamily(description.family, settings);
  const semantics = semanticsOf(description, task);
  const plan = description.family === "feedforward" ? [{ timestep: 0 }] : samplerOf(description.scheduler, settings).plan(settings.noise.kind);
  const fileHashes: Record<string, string> = {};
  const hashed = async (files: readonly string[]): Promise<string> => {
    for (const file of files) {
      throwIfCancelled(signal);
      fileHashes[nameOf(file, description)] ??= await hashes.of(file);
    }
    return files.map((file) => fileHashes[nameOf(file, description)]).join();
  };
  await hashed(description.files);
  for (const { source, options } of networksOf(description)) await hashed(await sourceFiles(source, options));
  const encoderFiles = async (latent: LatentModelDescription): Promise<readonly string[]> => sourceFiles(encoderOf(latent).source, encoderOf(latent).options);
  const encoderHash = description.family === "feedforward" ? "" : `${await hashed(await encoderFiles(description))} ${description.resizeFilter}`;
  const tinyDecoder = description.family === "feedforward" || settings.decoder !== "tiny" ? undefined : await describeTinyDecoder(requireTinyDecoder(tinyDecoderDir), description);
  // By what they are, not by where they lie.
  for (const file of tinyDecoder ? await sourceFiles(tinyDecoder.source, { part: "decoder" }) : []) fileHashes[`tiny decoder/${basename(file)}`] = await hashes.of(file);
  return { description, semantics, plan, fileHashes, encoderHash, ...(tinyDecoder && { tinyDecoder }) };
}

function requireTinyDecoder(dir: string | undefined): string {
  if (dir === undefined) throw unexpected("bad-argument", "the tiny decoder", "the folder of an AutoencoderTiny", dir, "Name one, such as that of madebyollin/taesd, or choose the full decoder.");
  return dir;
}

/** Loads one part of a model onto the device of a run. */
type Load = (part: Part) => Promise<Network>;

export interface LoadOptions {
  /** The encoder is then loaded only when it is used. */
  readonly isEncoded: boolean;
  readonly signal: AbortSignal;
}

/** Loads the networks of a run onto a device. Throws what the weights or the device are at fault for. */
export async function loadModel({ task, settings }: RunRequest, { description, plan, tinyDecoder }: DescribedModel, device: Device, store: NetworkStore, { isEncoded, signal }: LoadOptions): Promise<Estimator> {
  const load: Load = async ({ source, options }) => {
    throwIfCancelled(signal);
    return (await store.load({ source, options, device })).network;
  };
  if (description.family === "feedforward") return { kind: "feedforward", network: await load({ source: description.network, options: {} }), task, spec: description.spec };
  const { vae, scheduler } = description;
  const loadEncoder = (): Promise<Network> => load(encoderOf(description));
  return {
    kind: "latent",
    encoder: isEncoded ? loadedWhenUsed(loadEncoder) : await loadEncoder(),
    decoder: await load({ source: vae.decoder, options: { part: "decoder" } }),
    ...(tinyDecoder && { tinyDecoder: { network: await load({ source: tinyDecoder.source, options: { part: "decoder" } }), scalingFactor: tinyDecoder.scalingFactor } }),
    family: await loadFamily(description, settings, plan, load),
    task,
    scheduler,
    scalingFactor: vae.scalingFactor,
    downsamplingFactor: vae.downsamplingFactor,
    resizeFilter: description.resizeFilter,
    sizeMultiple: description.sizeMultiple,
  };
}

/**
 * Marigold's prompt is made a constant of the UNet; so is the timestep of an E2E fine-tuned model in one step, which it never
 * leaves (another model is kept open for any number of steps).
 */
async function loadFamily(description: LatentModelDescription, { domain = "indoor", noise }: RunSettings, plan: DescribedModel["plan"], load: Load): Promise<LatentFamily> {
  const { unet, endToEnd } = description;
  const timestep = endToEnd && plan.length === 1 ? plan[0].timestep : undefined;
  if (description.family === "marigold") {
    const encoderHiddenStates = await emptyPromptEmbedding(description.emptyPrompt, load);
    return marigold({ unet: await load({ source: unet, options: { timestep, encoderHiddenStates } }), constantTimestep: timestep });
  }
  if (description.family === "depthfm") {
    const encoderHiddenStates = await emptyPromptEmbedding(description.emptyPrompt, load);
    return depthFm({ unet: await load({ source: unet, options: { encoderHiddenStates } }), isNoised: noise.kind !== "zeros" });
  }
  const joint = await load({ source: unet, options: { timestep, jointTasks: 2 } });
  const imageEncoder = await load({ source: description.imageEncoder, options: {} });
  return geoWizard({ unet: withMemory(joint), imageEncoder: withMemory(imageEncoder), clip: description.clip, domain, constantTimestep: timestep });
}

/** The embedding [1, S, C] of the empty prompt: stored beside the model, or computed by its own text encoder. */
export async function emptyPromptEmbedding(emptyPrompt: EmptyPrompt, load: Load): Promise<Tensor> {
  if (emptyPrompt.kind === "stored") {
    const { path, tensor: name } = emptyPrompt;
    const { dims, data } = await readTensor(await (path.endsWith(".safetensors") ? openSafetensors(path) : openTorchFile(path)), name);
    const shape = dims.length === 2 ? [1, ...dims] : dims;
    if (shape.length !== 3 || shape[0] !== 1) throw unexpected("bad-model", `${name} of ${path}`, "shape [1, S, C]", dims);
    return { dims: shape, data };
  }
  const ids = await readEmptyPromptIds(emptyPrompt.tokenizerDir);
  const network = await load({ source: emptyPrompt.textEncoder, options: {} });
  const { last_hidden_state: embedding } = await network.run({ input_ids: { dims: [1, 2], data: BigInt64Array.from(ids, BigInt) } });
  return embedding;
}

/** Every network that the numbers of a run depend on. */
export function networksOf(description: ModelDescription): readonly Part[] {
  if (description.family === "feedforward") return [{ source: description.network, options: {} }];
  const { unet, vae } = description;
  const conditioning = conditioningOf(description);
  return [...(conditioning ? [{ source: conditioning, options: {} }] : []), encoderOf(description), { source: vae.decoder, options: { part: "decoder" } }, { source: unet, options: {} }];
}

/** The network that makes what the UNet is conditioned on besides the image's latent. */
function conditioningOf(description: LatentModelDescription): NetworkSource | undefined {
  if (description.family === "geowizard") return description.imageEncoder;
  return description.emptyPrompt.kind === "encoded" ? description.emptyPrompt.textEncoder : undefined;
}

function encoderOf({ vae }: LatentModelDescription): Part {
  return { source: vae.encoder, options: { part: "encoder" } };
}

function nameOf(file: string, { dir }: ModelDescription): string {
  return relative(dir, file).split(sep).join("/");
}

function loadedWhenUsed(load: () => Promise<Network>): Network {
  return { run: async (inputs) => (await load()).run(inputs), release: async () => undefined };
}
