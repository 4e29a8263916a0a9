import { resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { findModel, resolveModel } from "../catalogue/library";
import type { ModelDescription } from "../catalogue/modelFolder";
import { adviceOf } from "../core/advice";
import { PlumblineError, unexpected } from "../core/errors";
import type { Task } from "../core/semantics";
import { deviceChoices, domains, type DeviceChoice, type Domain, type NoiseChoice, type RunRequest, type TimestepSpacing } from "../core/settings";

/** Options of a command that runs models; what is absent is the model's own default. */
export interface RunOptions {
  readonly model: readonly string[];
  readonly task?: Task | "both";
  readonly steps?: number;
  readonly spacing?: TimestepSpacing;
  readonly ensemble?: number;
  readonly noise?: NoiseChoice;
  readonly seed: number;
  readonly resolution?: number;
  readonly domain?: Domain;
  /** A folder, or the tiny decoder that is here. */
  readonly decoder?: string;
}

/** The repository that `--decoder tiny` stands for. */
const tinyDecoderRepository = "madebyollin/taesd";

/** The model for a task when none is named: end to end, unless a setting asks for what only diffusion models do. */
const shippedModels: Readonly<Record<Task, { readonly endToEnd: string; readonly diffusion: string }>> = {
  depth: { endToEnd: "plumbline-e2e-depth", diffusion: "plumbline-depth" },
  normals: { endToEnd: "plumbline-e2e-normals", diffusion: "plumbline-normals" },
};

/** Declares --model ... --decoder on a command. */
export function addRunOptions(command: Command): Command {
  return command
    .addOption(new Option("--model <id|dir>", "model of the catalogue or folder in diffusers layout; again for the other task").argParser(collect).default([], "the shipped one that fits"))
    .addOption(new Option("--task <task>", "what to estimate (default: both, or what the model was made for)").choices(["depth", "normals", "both"]))
    .addOption(new Option("--steps <n>", "denoising steps (default: the model's own)").argParser(wholeNumber(1, 1000)))
    .addOption(new Option("--spacing <spacing>", "how the timesteps are spread; leading shows the flaw (default: trailing)").choices(["trailing", "leading", "linspace"]))
    .addOption(new Option("--ensemble <n>", "members, each from its own noise (default: 1)").argParser(wholeNumber(1, 100)))
    .addOption(new Option("--noise <kind|file>", "gaussian, pyramid, zeros, or a .npy or .safetensors file with the starting latent (default: the model's own)").argParser(noiseChoice))
    .addOption(new Option("--seed <n>", "seed of the noise of each image").argParser(wholeNumber(0, 0xffffffff)).default(2024))
    .addOption(new Option("--resolution <pixels>", "longest side at which the networks run, 0 for the image's own (default: the model's own)").argParser(wholeNumber(0, 8192)))
    .addOption(new Option("--domain <domain>", "what GeoWizard is told that it sees (default: indoor)").choices(domains))
    .addOption(new Option("--decoder <full|tiny|dir>", `tiny: a fast, approximate decoder for models of Stable Diffusion, ${tinyDecoderRepository} or the folder of another AutoencoderTiny (default: full)`));
}

/** Declares --device. */
export function deviceOption(): Option {
  return new Option("--device <device>", "where the networks run").choices(deviceChoices).default("auto" satisfies DeviceChoice);
}

/**
 * One run for each task asked for; run ids are the tasks. Throws `bad-argument` when a model cannot do what is asked,
 * and what `resolveModel` throws.
 */
export async function resolveRuns(options: RunOptions, modelsDir: string): Promise<RunRequest[]> {
  const named = await Promise.all(options.model.map((idOrDir) => resolveModel(modelsDir, idOrDir)));
  const runs = tasksOf(options, named).map(async (task): Promise<RunRequest> => {
    const model = named.find(({ tasks }) => tasks.includes(task)) ?? (named.length === 0 ? await defaultModel(options, task, modelsDir) : undefined);
    if (!model) throw unexpected("bad-argument", `the ${task} model`, `a model for ${task}`, named.map(({ id }) => id).join(", "), "Name a second --model, or leave out --task.");
    return { runId: task, modelDir: model.path, task, settings: settingsFor(model, options) };
  });
  return Promise.all(runs);
}

/**
 * The folder of the tiny decoder that --decoder asks for; undefined for the full one. Throws `not-found` where it is not here.
 */
export async function resolveTinyDecoder({ decoder }: Pick<RunOptions, "decoder">, modelsDir: string): Promise<string | undefined> {
  if (decoder === undefined || decoder === "full") return undefined;
  if (decoder !== "tiny") return resolve(decoder);
  const { dir, state } = await findModel({ modelsDir }, tinyDecoderRepository);
  if (dir === undefined || state === "incomplete") throw new PlumblineError("not-found", `${tinyDecoderRepository} is not here yet.`, `Download it: plumbline models pull ${tinyDecoderRepository}`);
  return dir;
}

/** What runs leave of their models' own settings and what it usually costs, in sentences, each once. */
export async function adviceOfRuns(runs: readonly RunRequest[], modelsDir: string): Promise<readonly string[]> {
  const advice = await Promise.all(runs.map(async ({ modelDir, settings }) => adviceOf(await resolveModel(modelsDir, modelDir), settings)));
  return [...new Set(advice.flat())];
}

/** The whole number in `text`, or commander's error for a usage message. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= minimum && value <= maximum)) throw new InvalidArgumentError(`Expected a whole number from ${minimum} to ${maximum}.`);
    return value;
  };
}

function tasksOf({ task }: RunOptions, named: readonly ModelDescription[]): readonly Task[] {
  if (task !== undefined) return task === "both" ? ["depth", "normals"] : [task];
  const offered = new Set(named.flatMap(({ tasks }) => tasks));
  return (["depth", "normals"] as const).filter((candidate) => named.length === 0 || offered.has(candidate));
}

async function defaultModel(options: RunOptions, task: Task, modelsDir: string): Promise<ModelDescription> {
  const diffusion = [options.steps, options.spacing, options.ensemble, options.noise].some((value) => value !== undefined);
  return resolveModel(modelsDir, shippedModels[task][diffusion ? "diffusion" : "endToEnd"]);
}

function settingsFor({ defaults }: ModelDescription, options: RunOptions): RunRequest["settings"] {
  return {
    steps: options.steps ?? defaults.steps,
    spacing: options.spacing ?? defaults.spacing,
    ensembleSize: options.ensemble ?? 1,
    noise: options.noise ?? { kind: defaults.noise },
    seed: options.seed,
    processingResolution: options.resolution ?? defaults.processingResolution,
    ...(options.domain !== undefined && { domain: options.domain }),
    ...(options.decoder !== undefined && options.decoder !== "full" && { decoder: "tiny" as const }),
  };
}

/** Gathers an option that may come again. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

/** --noise as text, or commander's error for a usage message. */
export function noiseChoice(text: string): NoiseChoice {
  if (text === "gaussian" || text === "pyramid" || text === "zeros") return { kind: text };
  if (/\.(npy|safetensors)$/i.test(text)) return { kind: "file", path: resolve(text) };
  throw new InvalidArgumentError("Expected gaussian, pyramid, zeros, or the name of a .npy or .safetensors file.");
}

/** True for errors that another command line would avoid (exit code 2). */
export function isUsageError(error: unknown): boolean {
  return error instanceof PlumblineError && error.code === "bad-argument";
}
