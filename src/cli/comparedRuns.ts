import { InvalidArgumentError } from "commander";
import { resolveModel } from "../catalogue/library";
import { unexpected } from "../core/errors";
import { presets, type Preset, type PresetRun } from "../core/presets";
import type { Task } from "../core/semantics";
import type { NoiseChoice, RunRequest, TimestepSpacing } from "../core/settings";
import { noiseChoice, resolveRuns, wholeNumber } from "./programOptions";

/** One row of a comparison: a setting, run for depth, normals or both. */
export interface ComparedRun {
  readonly label: string;
  /** Unique in a comparison and fit for a file name. */
  readonly slug: string;
  readonly endToEnd: boolean;
  /** Run ids are `${slug}:${task}`. */
  readonly requests: readonly RunRequest[];
}

/** What --run says. */
export interface RunText {
  readonly label?: string;
  readonly model: readonly string[];
  readonly steps?: number;
  readonly spacing?: TimestepSpacing;
  readonly noise?: NoiseChoice;
  readonly ensemble?: number;
  readonly seed?: number;
}

/** Options that all runs share. */
export interface SharedOptions {
  /** Take the place of the shipped diffusion models. */
  readonly model: readonly string[];
  readonly task?: Task | "both";
  readonly seed: number;
  readonly resolution?: number;
}

const keys = {
  label: (value: string) => ({ label: value }),
  steps: (value: string) => ({ steps: wholeNumber(1, 1000)(value) }),
  spacing: (value: string) => ({ spacing: spacingOf(value) }),
  noise: (value: string) => ({ noise: noiseChoice(value) }),
  ensemble: (value: string) => ({ ensemble: wholeNumber(1, 100)(value) }),
  seed: (value: string) => ({ seed: wholeNumber(0, 0xffffffff)(value) }),
} as const;

/** "label=Ten steps,steps=10,spacing=trailing,model=plumbline-depth"; `model` may come twice. Throws commander's usage error. */
export function parseRun(text: string, previous: readonly RunText[]): readonly RunText[] {
  let run: RunText = { model: [] };
  for (const part of text.split(",")) {
    const [, key = "", value = ""] = /^\s*([^=]*?)\s*=\s*(.*?)\s*$/.exec(part) ?? [];
    if (value && key === "model") run = { ...run, model: [...run.model, value] };
    else if (value && Object.hasOwn(keys, key)) run = { ...run, ...keys[key as keyof typeof keys](value) };
    else throw new InvalidArgumentError(`Expected ${[...Object.keys(keys), "model"].join("=, ")}= with a value, separated by commas, but "${part}" is not.`);
  }
  return [...previous, run];
}

/** The preset of that name, or commander's usage error. */
export function presetOf(id: string): Preset {
  const preset = presets.find((candidate) => candidate.id === id);
  if (!preset) throw new InvalidArgumentError(`Expected one of ${presets.map((known) => known.id).join(", ")}.`);
  return preset;
}

/** All rows: those of the preset, then those of --run. Throws what `resolveRuns` and `resolveModel` throw. */
export async function comparedRuns(preset: Preset | undefined, texts: readonly RunText[], shared: SharedOptions, modelsDir: string): Promise<readonly ComparedRun[]> {
  const rows = [
    ...(preset?.runs ?? []).map((run) => ({ label: run.label, options: presetOptions(run, shared) })),
    ...texts.map((text) => ({ label: text.label, options: { ...shared, ...text, model: text.model.length > 0 ? text.model : shared.model, seed: text.seed ?? shared.seed } })),
  ];
  if (rows.length === 0) throw unexpected("bad-argument", "the runs", "at least one", 0, "Name a --preset or a --run.");
  const used = new Set<string>();
  return Promise.all(rows.map(async ({ label: given, options }) => {
    const requests = await resolveRuns(options, modelsDir);
    const { steps, spacing } = requests[0].settings;
    const label = given ?? `${spacing[0].toUpperCase()}${spacing.slice(1)}, ${steps} ${steps === 1 ? "step" : "steps"}`;
    const slug = uniqueSlug(label, used);
    const models = await Promise.all(requests.map(({ modelDir }) => resolveModel(modelsDir, modelDir)));
    return { label, slug, endToEnd: models.every(({ endToEnd }) => endToEnd), requests: requests.map((request) => ({ ...request, runId: `${slug}:${request.task}` })) };
  }));
}

function presetOptions(run: PresetRun, shared: SharedOptions): Parameters<typeof resolveRuns>[0] {
  const { steps, spacing, noise, ensembleSize: ensemble, endToEnd, seedOffset = 0 } = run;
  const tasks = shared.task === undefined || shared.task === "both" ? (["depth", "normals"] as const) : [shared.task];
  const model = endToEnd ? tasks.map((task) => `plumbline-e2e-${task}`) : shared.model;
  return { ...shared, model, steps, spacing, noise, ensemble, seed: (shared.seed + seedOffset) % 2 ** 32 };
}

function uniqueSlug(label: string, used: Set<string>): string {
  const name = label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "") || "run";
  let slug = name;
  for (let n = 2; used.has(slug); n++) slug = `${name}-${n}`;
  used.add(slug);
  return slug;
}

function spacingOf(text: string): TimestepSpacing {
  if (text === "trailing" || text === "leading" || text === "linspace") return text;
  throw new InvalidArgumentError("Expected trailing, leading or linspace.");
}
