import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import { parseSchedulerConfig, type SchedulerConfig } from "../core/schedulers/config";
import type { NormalsFrame, Semantics, Task } from "../core/semantics";
import type { TimestepSpacing } from "../core/settings";
import { isObject } from "../io/jsonFile";
import { booleanAt, choiceAt, numberAt, objectAt, readJsonFile, required, stringAt, type JsonFile } from "./jsonFile";

/** Settings that a model was made for. */
export interface ModelDefaults {
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly noise: "gaussian" | "zeros";
  /** Longest side in pixels. */
  readonly processingResolution: number;
}

/** Where the constant cross-attention input comes from: a stored embedding, or the checkpoint's own text encoder. */
export type EmptyPrompt =
  | { readonly kind: "stored"; readonly path: string }
  | { readonly kind: "encoded"; readonly textEncoderDir: string; readonly tokenizerDir: string };

/** What a folder in diffusers layout holds, checked; no weight has been read. */
export interface ModelDescription {
  readonly id: string;
  readonly dir: string;
  readonly family: "marigold";
  /** The tasks that the checkpoint may be asked for; both where its class does not tell which one it was trained for. */
  readonly tasks: readonly Task[];
  readonly normalsFrame: NormalsFrame;
  /** Fine-tuned end to end: one step from zeros. */
  readonly endToEnd: boolean;
  readonly unetDir: string;
  readonly vaeDir: string;
  readonly emptyPrompt: EmptyPrompt;
  readonly scheduler: SchedulerConfig;
  readonly vae: { readonly scalingFactor: number; readonly latentChannels: number; readonly downsamplingFactor: number };
  readonly defaults: ModelDefaults;
  /** What the files do not say and was therefore assumed, in sentences. */
  readonly assumptions: readonly string[];
}

/** The task that each pipeline class was made for; undefined where one class serves both. */
const taskOfClass: Readonly<Record<string, Task | undefined>> = {
  MarigoldDepthPipeline: "depth",
  MarigoldNormalsPipeline: "normals",
  MarigoldPipeline: undefined,
  StableDiffusionPipeline: undefined,
};

const folderRemedy = "Choose a folder in diffusers layout, the one that holds model_index.json.";

/**
 * Reads and checks the JSON files of a checkpoint folder (Marigold, its end-to-end fine-tuned descendants, depth or normals).
 * A component may live elsewhere, as `_plumbline.components` of model_index.json says.
 * Throws `not-found`, `bad-model` or `unsupported`, naming the file and what was expected in it.
 */
export async function describeModel(dir: string): Promise<ModelDescription> {
  await requireFolder(dir);
  const index = await readJsonFile(join(dir, "model_index.json"), folderRemedy);
  const own = objectAt(index, "_plumbline");
  const className = required(stringAt(index, "_class_name"), index, "_class_name");
  if (!Object.hasOwn(taskOfClass, className)) {
    throw new PlumblineError("unsupported", `Expected ${Object.keys(taskOfClass).join(", ")} for "_class_name" of ${index.path} but received "${className}".`, "Choose a Marigold or E2E fine-tuned checkpoint.");
  }
  const unetDir = await componentDir(dir, own, "unet");
  const vaeDir = await componentDir(dir, own, "vae");
  const unet = await readUnet(unetDir);
  const vae = await readVae(vaeDir);
  const scheduler = await readScheduler(dir);
  const name = `${stringAt(index, "_name_or_path") ?? ""} ${repositoryOf(dir)}`.toLowerCase();
  const endToEnd = booleanAt(own, "e2e") ?? /e2e/.test(name);
  const task = choiceAt(own, "task", ["depth", "normals"]) ?? choiceAt(index, "prediction_type", ["depth", "normals"]) ?? taskOfClass[className] ?? taskInName(name);
  const { frame, assumptions } = normalsFrame(own, className, name, task);
  return {
    id: repositoryOf(dir),
    dir: resolve(dir),
    family: "marigold",
    tasks: task ? [task] : ["depth", "normals"],
    normalsFrame: frame,
    endToEnd,
    unetDir,
    vaeDir,
    emptyPrompt: await findEmptyPrompt(dir, own),
    scheduler,
    vae,
    defaults: {
      steps: endToEnd ? 1 : (numberAt(own, "default_steps") ?? numberAt(index, "default_denoising_steps") ?? (scheduler.kind === "lcm" ? 4 : 10)),
      spacing: "trailing",
      noise: endToEnd ? "zeros" : "gaussian",
      processingResolution: numberAt(index, "default_processing_resolution") ?? unet.sampleSize * vae.downsamplingFactor,
    },
    assumptions: task ? assumptions : [`${className} does not say whether it was trained for depth or for normals: it is run for what is asked.`, ...assumptions],
  };
}

/** What the numbers of a model's maps mean for one task. Throws `bad-argument` when the model was not trained for it. */
export function semanticsOf(model: Pick<ModelDescription, "id" | "tasks" | "normalsFrame">, task: Task): Semantics {
  if (!model.tasks.includes(task)) throw unexpected("bad-argument", `the task of model ${model.id}`, model.tasks.join(" or "), task, `Choose a model for ${task}.`);
  return task === "depth" ? { task, depthKind: "affine-depth" } : { task, frame: model.normalsFrame };
}

/** The folder's name; in the Hugging Face cache (models--OWNER--NAME/snapshots/REVISION) that of the repository. */
function repositoryOf(dir: string): string {
  const parts = resolve(dir).split(sep);
  const repository = parts.at(-2) === "snapshots" ? /^models--(.+)$/.exec(parts.at(-3) ?? "")?.[1] : undefined;
  return repository?.replace("--", "/") ?? basename(resolve(dir));
}

function taskInName(name: string): Task | undefined {
  if (/normal/.test(name)) return "normals";
  return /depth/.test(name) ? "depth" : undefined;
}

/**
 * The published normals models of prs-eth use RUB (class MarigoldNormalsPipeline); the E2E fine-tuning code and what was
 * trained with it use LUB. The files themselves say nothing about it.
 */
function normalsFrame(own: JsonFile, className: string, name: string, task: Task | undefined): { frame: NormalsFrame; assumptions: readonly string[] } {
  const stated = choiceAt(own, "normals_frame", ["RUB", "LUB"]);
  if (stated) return { frame: stated, assumptions: [] };
  const frame = className === "MarigoldNormalsPipeline" && !/e2e|gonzalomg/.test(name) ? "RUB" : "LUB";
  const assumption = `The checkpoint does not state the frame of its normals: ${frame} is assumed from its class and name.`;
  return { frame, assumptions: task === "depth" ? [] : [assumption] };
}

/** The folder of a component: the checkpoint's own, or the one that it names. It must hold config.json and safetensors weights. */
async function componentDir(dir: string, own: JsonFile, component: string): Promise<string> {
  const named = stringAt(objectAt(own, "components"), component);
  const folder = resolve(dir, named ?? component);
  const files = await readdir(folder).catch(() => undefined);
  if (!files) throw new PlumblineError("not-found", `Expected a folder for ${component} at ${folder} but there is none.`, "Download the checkpoint completely.");
  if (!files.includes("config.json")) throw new PlumblineError("not-found", `Expected config.json in ${folder} but it is missing.`, "Download the checkpoint completely.");
  if (!files.some((file) => /\.safetensors(\.index\.json)?$/.test(file))) {
    const pickled = files.some((file) => file.endsWith(".bin"));
    throw new PlumblineError(pickled ? "unsupported" : "not-found", `Expected weights as .safetensors in ${folder} but received ${pickled ? "only .bin files" : "none"}.`, pickled ? "Convert the weights with diffusers: save_pretrained(..., safe_serialization=True)." : "Download the checkpoint completely.");
  }
  return folder;
}

async function readUnet(dir: string): Promise<{ sampleSize: number }> {
  const config = await readJsonFile(join(dir, "config.json"));
  requireClass(config, "UNet2DConditionModel");
  const inChannels = required(numberAt(config, "in_channels"), config, "in_channels");
  if (inChannels !== 8) throw unexpected("unsupported", `"in_channels" of ${config.path}`, "8 (image latent and prediction latent)", inChannels, "Choose a checkpoint that was fine-tuned for depth or normals.");
  return { sampleSize: numberAt(config, "sample_size") ?? 96 };
}

async function readVae(dir: string): Promise<ModelDescription["vae"]> {
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

async function readScheduler(dir: string): Promise<SchedulerConfig> {
  const { path, values } = await readJsonFile(join(dir, "scheduler", "scheduler_config.json"), "Download the checkpoint completely.");
  try {
    return parseSchedulerConfig(values);
  } catch (cause) {
    if (cause instanceof PlumblineError) throw new PlumblineError(cause.code, `${path}: ${cause.message}`, cause.remedy, { cause });
    throw cause;
  }
}

async function findEmptyPrompt(dir: string, own: JsonFile): Promise<EmptyPrompt> {
  const path = join(dir, "empty_prompt.safetensors");
  if (await stat(path).then((found) => found.isFile(), () => false)) return { kind: "stored", path };
  const tokenizerDir = resolve(dir, stringAt(objectAt(own, "components"), "tokenizer") ?? "tokenizer");
  const hasTokenizer = await stat(join(tokenizerDir, "vocab.json")).then(() => true, () => false);
  if (!hasTokenizer) throw new PlumblineError("not-found", `Expected empty_prompt.safetensors or tokenizer/vocab.json in ${dir} but neither is there.`, "Download the checkpoint completely.");
  return { kind: "encoded", textEncoderDir: await componentDir(dir, own, "text_encoder"), tokenizerDir };
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

function requireClass(config: JsonFile, className: string): void {
  const received = stringAt(config, "_class_name");
  if (received !== className) throw unexpected("unsupported", `"_class_name" of ${config.path}`, `"${className}"`, received);
}

async function requireFolder(dir: string): Promise<void> {
  const isFolder = await stat(dir).then((found) => found.isDirectory(), () => false);
  if (!isFolder) throw new PlumblineError("not-found", `Expected a model folder at ${dir} but there is none.`, folderRemedy);
}
