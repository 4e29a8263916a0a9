import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { PlumblineError, unexpected } from "../../core/errors";
import { parseSchedulerConfig, type SchedulerConfig } from "../../core/schedulers/config";
import { isObject } from "../../io/jsonFile";
import { openOnnx } from "../../io/onnxFile";
import { numberAt, objectAt, readJsonFile, required, stringAt, type JsonFile } from "../jsonFile";
import type { EmptyPrompt, NetworkSource, VaeDescription } from "./description";

/** A checkpoint folder in diffusers layout as its index describes it. */
export interface Checkpoint {
  /** Absolute. */
  readonly dir: string;
  /** model_index.json. */
  readonly index: JsonFile;
  /** What Plumbline's own checkpoints add to it; empty in others. */
  readonly own: JsonFile;
  readonly className: string;
  /** What names the model, in lower case, the likeliest to be right first: its repository, and the one that it was saved from. */
  readonly names: readonly string[];
}

const incomplete = "Download the checkpoint completely.";

/** The folder's name; in the Hugging Face cache (models--OWNER--NAME/snapshots/REVISION) that of the repository. */
export function repositoryOf(dir: string): string {
  const parts = resolve(dir).split(sep);
  const repository = parts.at(-2) === "snapshots" ? /^models--(.+)$/.exec(parts.at(-3) ?? "")?.[1] : undefined;
  return repository?.replace("--", "/") ?? basename(resolve(dir));
}

/** The folder of a component: the checkpoint's own, or the one that it names. It must hold config.json and weights. */
export async function componentSource({ dir, own }: Checkpoint, component: string): Promise<Extract<NetworkSource, { kind: "component" }>> {
  const named = stringAt(objectAt(own, "components"), component);
  return requireComponent(component, resolve(dir, named ?? component));
}

/** A folder that holds config.json and weights. Throws `not-found`, calling it `component`. */
export async function requireComponent(component: string, folder: string, remedy = incomplete): Promise<Extract<NetworkSource, { kind: "component" }>> {
  const files = await readdir(folder).catch(() => undefined);
  if (!files) throw new PlumblineError("not-found", `Expected a folder for ${component} at ${folder} but there is none.`, remedy);
  if (!files.includes("config.json")) throw new PlumblineError("not-found", `Expected config.json in ${folder} but it is missing.`, remedy);
  // Before .safetensors, PyTorch's own format; what else ends with .bin (an optimiser's state) is no network.
  if (!files.some((file) => /\.safetensors(\.index\.json)?$|^(diffusion_)?pytorch_model\b.*\.bin(\.index\.json)?$/.test(file))) {
    throw new PlumblineError("not-found", `Expected weights as .safetensors or .bin in ${folder} but received none.`, remedy);
  }
  return { kind: "component", dir: folder };
}

/** The UNet of a latent estimator, which takes the image's latent beside its own, and the latent size that it was made for. */
export async function readUnet(checkpoint: Checkpoint): Promise<{ readonly source: NetworkSource; readonly sampleSize: number; readonly config: JsonFile }> {
  const source = (await exportedNetwork(join(checkpoint.dir, "unet"))) ?? (await componentSource(checkpoint, "unet"));
  const config = await readJsonFile(join(source.kind === "onnx" ? dirname(source.path) : source.dir, "config.json"));
  requireClass(config, "UNet2DConditionModel");
  const inChannels = required(numberAt(config, "in_channels"), config, "in_channels");
  if (inChannels !== 8) throw unexpected("unsupported", `"in_channels" of ${config.path}`, "8 (image latent and prediction latent)", inChannels, "Choose a checkpoint that was fine-tuned for depth or normals.");
  return { source, sampleSize: numberAt(config, "sample_size") ?? 96, config };
}

/** The autoencoder, of which encoder and decoder are built apart. */
export async function readVae(checkpoint: Checkpoint): Promise<VaeDescription> {
  const encoder = await exportedNetwork(join(checkpoint.dir, "vae_encoder"));
  return encoder ? readExportedVae(encoder, join(checkpoint.dir, "vae_decoder")) : readVaeOf((await componentSource(checkpoint, "vae")).dir);
}

/** The network of a component that Optimum has exported, where the component itself is not there. */
async function exportedNetwork(folder: string): Promise<Extract<NetworkSource, { kind: "onnx" }> | undefined> {
  const files = await readdir(folder).catch((): string[] => []);
  return files.includes("model.onnx") && !files.some((file) => file.endsWith(".safetensors")) ? { kind: "onnx", path: join(folder, "model.onnx") } : undefined;
}

/** An autoencoder in two exported parts, each with its config.json. */
async function readExportedVae(encoder: Extract<NetworkSource, { kind: "onnx" }>, decoderDir: string): Promise<VaeDescription> {
  const decoder = await exportedNetwork(decoderDir);
  if (!decoder) throw new PlumblineError("not-found", `Expected model.onnx in ${decoderDir} beside ${encoder.path} but it is missing.`, incomplete);
  const { outputs } = await openOnnx(encoder.path);
  // Exports before latent_parameters end with the sample, not with its distribution.
  const isDrawn = !outputs.some(({ name }) => name === "latent_parameters");
  const assumptions = ["The exported encoder draws a sample of the image's latent where the pipelines take the mean: results differ a little from run to run, and from those of the checkpoint itself."];
  return { encoder, decoder, ...(await readVaeNumbers(decoderDir)), ...(isDrawn && { assumptions }) };
}

/** The autoencoder of a folder. Throws with the remedy where there is none. */
export async function readVaeOf(dir: string, remedy = incomplete): Promise<VaeDescription> {
  const source = await requireComponent("vae", dir, remedy);
  return { encoder: source, decoder: source, ...(await readVaeNumbers(dir)) };
}

async function readVaeNumbers(dir: string): Promise<Omit<VaeDescription, "encoder" | "decoder">> {
  const config = await readJsonFile(join(dir, "config.json"));
  requireClass(config, "AutoencoderKL");
  const blocks = config.values["block_out_channels"];
  if (!Array.isArray(blocks) || blocks.length === 0) throw unexpected("bad-model", `"block_out_channels" of ${config.path}`, "a list of channel counts", blocks);
  return {
    scalingFactor: numberAt(config, "scaling_factor") ?? 0.18215,
    latentChannels: numberAt(config, "latent_channels") ?? 4,
    downsamplingFactor: 2 ** (blocks.length - 1),
  };
}

/** The file of the checkpoint's schedule. */
export function schedulerPath({ dir }: Checkpoint): string {
  return join(dir, "scheduler", "scheduler_config.json");
}

export async function readScheduler(checkpoint: Checkpoint): Promise<SchedulerConfig> {
  const { path, values } = await readJsonFile(schedulerPath(checkpoint), incomplete);
  try {
    return parseSchedulerConfig(values);
  } catch (cause) {
    if (cause instanceof PlumblineError) throw new PlumblineError(cause.code, `${path}: ${cause.message}`, cause.remedy, { cause });
    throw cause;
  }
}

/** A stored embedding where there is one, else the checkpoint's own text encoder. */
export async function findEmptyPrompt(checkpoint: Checkpoint): Promise<EmptyPrompt> {
  const { dir, own } = checkpoint;
  const path = join(dir, "empty_prompt.safetensors");
  if (await isFile(path)) return { kind: "stored", path, tensor: "empty_text_embed" };
  const tokenizerDir = resolve(dir, stringAt(objectAt(own, "components"), "tokenizer") ?? "tokenizer");
  if (!(await isFile(join(tokenizerDir, "vocab.json")))) {
    throw new PlumblineError("not-found", `Expected empty_prompt.safetensors or tokenizer/vocab.json in ${dir} but neither is there.`, incomplete);
  }
  return { kind: "encoded", textEncoder: (await exportedNetwork(join(dir, "text_encoder"))) ?? (await componentSource(checkpoint, "text_encoder")), tokenizerDir };
}

/** The files of the empty prompt besides the text encoder's own. */
export function promptFiles(emptyPrompt: EmptyPrompt): readonly string[] {
  if (emptyPrompt.kind === "stored") return [emptyPrompt.path];
  return ["vocab.json", "tokenizer_config.json"].map((name) => join(emptyPrompt.tokenizerDir, name));
}

/** The token ids of the empty prompt, [begin, end] without padding, as the checkpoint's own tokenizer numbers them. */
export async function readEmptyPromptIds(tokenizerDir: string): Promise<readonly [number, number]> {
  const vocabulary = await readJsonFile(join(tokenizerDir, "vocab.json"));
  const config = await readJsonFile(join(tokenizerDir, "tokenizer_config.json"));
  const idOf = (key: string, usual: string): number => {
    const stated = config.values[key];
    const token = isObject(stated) ? stringAt({ path: config.path, values: stated }, "content") : stringAt(config, key);
    return required(numberAt(vocabulary, token ?? usual), vocabulary, token ?? usual);
  };
  return [idOf("bos_token", "<|startoftext|>"), idOf("eos_token", "<|endoftext|>")];
}

/** Refuses a component of another class than the one expected. */
export function requireClass(config: JsonFile, className: string): void {
  const received = stringAt(config, "_class_name");
  if (received !== className) throw unexpected("unsupported", `"_class_name" of ${config.path}`, `"${className}"`, received);
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isFile(), () => false);
}
