import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { describe, isObject } from "../io/jsonFile";
import { installation } from "./engine";
import { comparisonText } from "./studySpread";

const origins = ["before", "diffusion"] as const;
const trainings = ["e2e", "diffusion", "none"] as const;
const noises = ["gaussian", "pyramid", "zeros"] as const;
const decoders = ["frozen", "tuned"] as const;
const spacings = ["trailing", "leading"] as const;
export type ControlNoise = (typeof noises)[number];

/** One training run of the controls under one way of inference. */
export interface ControlRun {
  /** What it began with: a diffusion model of depth, or the model of images alone before that. */
  readonly from: (typeof origins)[number];
  readonly training: (typeof trainings)[number];
  /** What stood in the place of z_T in end-to-end training; null otherwise. */
  readonly noise: ControlNoise | null;
  readonly decoder: (typeof decoders)[number];
  /** Of the training; null where there was none. */
  readonly seed: number | null;
  readonly inference: { readonly steps: number; readonly spacing: (typeof spacings)[number]; readonly noise: ControlNoise };
  /** Fractions, by held-out scene. */
  readonly scores: { readonly absRel: readonly number[]; readonly delta1: readonly number[] };
  /** Of the training, on one core. */
  readonly seconds: number;
}

/** The file that training/controls.py writes. */
export interface Controls {
  readonly command: string;
  readonly config: string;
  /** Height and width in pixels. */
  readonly size: readonly [number, number];
  readonly scenes: readonly string[];
  /** Samples seen in each stage. */
  readonly samples: Readonly<Record<"before" | "diffusion" | "fineTuning", number>>;
  readonly batch: number;
  readonly runs: readonly ControlRun[];
  readonly sha256: string;
}

export const controlsPath = join(installation, "training", "logs", "controls.json");
const remedy = "Make it in training/: python3 controls.py configs/controls.json";

/** Reads and checks the controls. Throws `not-found` or `bad-argument`, with the command that makes the file. */
export async function readControls(path: string = controlsPath): Promise<Controls> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new PlumblineError("not-found", `Expected the training controls at ${path} but there are none.`, remedy, { cause });
  });
  return parseControls(text, path);
}

/** Checks every entry that the pages use. Throws `bad-argument` naming it. */
export function parseControls(text: string, path: string): Controls {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const file = objectOf(value, path);
  const samples = objectOf(file["samples"], `samples of ${path}`);
  const [height, width] = numbersOf(file["size"], `size of ${path}`, 2);
  const scenes = listOf(file["scenes"], `scenes of ${path}`).map((scene, i) => stringOf(scene, `scene ${i} of ${path}`));
  const stage = (name: string): number => numberOf(samples[name], `samples.${name} of ${path}`);
  return {
    command: stringOf(file["command"], `command of ${path}`),
    config: stringOf(file["config"], `config of ${path}`),
    size: [height, width],
    scenes,
    samples: { before: stage("before"), diffusion: stage("diffusion"), fineTuning: stage("fineTuning") },
    batch: numberOf(file["batch"], `batch of ${path}`),
    runs: listOf(file["runs"], `runs of ${path}`).map((run, i) => runOf(run, `run ${i} of ${path}`, scenes.length)),
    sha256: createHash("sha256").update(text).digest("hex"),
  };
}

function runOf(value: unknown, name: string, scenes: number): ControlRun {
  const run = objectOf(value, name);
  const inference = objectOf(run["inference"], `inference of ${name}`);
  const scores = objectOf(run["scores"], `scores of ${name}`);
  return {
    from: choiceOf(run["from"], `from of ${name}`, origins),
    training: choiceOf(run["training"], `training of ${name}`, trainings),
    noise: run["noise"] === null ? null : choiceOf(run["noise"], `noise of ${name}`, noises),
    decoder: choiceOf(run["decoder"], `decoder of ${name}`, decoders),
    seed: run["seed"] === null ? null : numberOf(run["seed"], `seed of ${name}`),
    inference: {
      steps: numberOf(inference["steps"], `inference.steps of ${name}`),
      spacing: choiceOf(inference["spacing"], `inference.spacing of ${name}`, spacings),
      noise: choiceOf(inference["noise"], `inference.noise of ${name}`, noises),
    },
    scores: { absRel: numbersOf(scores["absRel"], `scores.absRel of ${name}`, scenes), delta1: numbersOf(scores["delta1"], `scores.delta1 of ${name}`, scenes) },
    seconds: numberOf(run["seconds"], `seconds of ${name}`),
  };
}

/** Errors by seed, then scene, of the runs that are alike but for their seed. */
export interface ControlScores {
  readonly seeds: readonly (number | null)[];
  readonly absRel: readonly (readonly number[])[];
  readonly delta1: readonly (readonly number[])[];
  /** Of the training of each, on one core. */
  readonly seconds: readonly number[];
}

/** The runs for which `wanted` is true, in the order of their seeds. Throws `not-found` where there is none. */
export function controlScores({ runs }: Controls, name: string, wanted: (run: ControlRun) => boolean): ControlScores {
  const found = runs.filter(wanted).sort((a, b) => (a.seed ?? 0) - (b.seed ?? 0));
  if (found.length === 0) throw new PlumblineError("not-found", `Expected a run of the training controls for ${name} but there is none.`, remedy);
  return { seeds: found.map(({ seed }) => seed), absRel: found.map(({ scores }) => scores.absRel), delta1: found.map(({ scores }) => scores.delta1), seconds: found.map(({ seconds }) => seconds) };
}

/** How the runs were made, for a page. */
export function controlSettings({ command, size: [height, width], scenes, samples, batch, runs }: Controls): readonly string[] {
  const seeds = [...new Set(runs.map(({ seed }) => seed).filter((seed) => seed !== null))].sort((a, b) => a - b);
  const count = (value: number): string => value.toLocaleString("en-US");
  return [
    `Depth only, in miniature: ${height} x ${width} pixels, ${scenes.length} held-out rendered scenes, on CPU cores. Before: a diffusion model of images alone (${count(samples.before)} samples), the stand-in for Stable Diffusion. Diffusion model: that one trained on depth by Marigold's protocol (${count(samples.diffusion)} samples). Fine-tuning: ${count(samples.fineTuning)} samples in batches of ${batch}, the same for every run. So small a model trained so briefly says how the variants compare, not how good any of them can be.`,
    `Seeds of the fine-tuning (order of the scenes, noise): ${seeds.join(", ")}. A figure is the mean over the seeds of the mean over the scenes, with the lowest and the highest seed. ${comparisonText} The models before fine-tuning were trained once. Depth is aligned to the truth by scale and shift (least squares).`,
    `In \`training/\`, \`${command}\` makes the figures (training/logs/controls.json) again.`,
  ];
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (!isObject(value)) throw wrong(name, "an object", value);
  return value;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name, "a list", value);
  return value;
}

function numberOf(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(name, "a number", value);
  return value;
}

function numbersOf(value: unknown, name: string, length: number): readonly number[] {
  const numbers = listOf(value, name).map((item, i) => numberOf(item, `${name}, entry ${i}`));
  if (numbers.length !== length) throw wrong(name, `${length} numbers`, numbers);
  return numbers;
}

function stringOf(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(name, "a string", value);
  return value;
}

function choiceOf<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const choice = choices.find((item) => item === value);
  if (choice === undefined) throw wrong(name, choices.map((item) => `"${item}"`).join(" or "), value);
  return choice;
}

function wrong(name: string, expected: string, value: unknown): PlumblineError {
  return new PlumblineError("bad-argument", `Expected ${expected} for ${name} but received ${describe(value)}.`, remedy);
}
