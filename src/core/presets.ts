import type { Task } from "./semantics";
import type { NoiseChoice, TimestepSpacing } from "./settings";

/** One run of a preset; what is absent is as in the panel or on the command line. */
export interface PresetRun {
  readonly label: string;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly ensembleSize: number;
  readonly noise: NoiseChoice;
  /** Whether the end-to-end fine-tuned models are meant. */
  readonly endToEnd?: boolean;
  /** Added to the seed of the panel. */
  readonly seedOffset?: number;
}

export interface Preset {
  readonly id: PresetId;
  readonly title: string;
  /** What it shows, in one sentence. */
  readonly about: string;
  readonly runs: readonly PresetRun[];
}

export const presetIds = ["flaw", "fig2", "fig5", "ensemble", "table4", "seeds"] as const;
export type PresetId = (typeof presetIds)[number];

const gaussian = { kind: "gaussian" } as const;

function run(label: string, steps: number, spacing: TimestepSpacing, rest: Partial<PresetRun> = {}): PresetRun {
  return { label, steps, spacing, ensembleSize: 1, noise: gaussian, ...rest };
}

const sweepSteps = [1, 2, 4, 10, 50] as const;

/** The comparisons of the paper (Garcia et al. 2024), by the figure or table that they repeat. */
export const presets: readonly Preset[] = [
  {
    id: "flaw",
    title: "Paper: leading vs trailing, 1 step",
    about: "One step with the spacing that Marigold was released with, and with the spacing that fits the noise.",
    runs: [run("Leading, 1 step", 1, "leading"), run("Trailing, 1 step", 1, "trailing"), run("E2E fine-tuned", 1, "trailing", { noise: { kind: "zeros" }, endToEnd: true })],
  },
  {
    id: "fig2",
    title: "Fig. 2: 50-step std",
    about: "Where the prediction still changes over 50 steps: the standard deviation of every pixel, for both spacings.",
    runs: [run("Leading, 50 steps", 50, "leading"), run("Trailing, 50 steps", 50, "trailing")],
  },
  {
    id: "fig5",
    title: "Fig. 5: few-step sweep, leading and trailing",
    about: "1, 2, 4, 10 and 50 steps with both spacings: fewer steps cost little once the spacing is right.",
    runs: (["leading", "trailing"] as const).flatMap((spacing) =>
      sweepSteps.map((steps) => run(`${spacing === "leading" ? "Leading" : "Trailing"}, ${steps} ${steps === 1 ? "step" : "steps"}`, steps, spacing)),
    ),
  },
  {
    id: "ensemble",
    title: "Ensemble of 10",
    about: "Ten members that differ in their noise alone, and one: what the test-time ensemble buys.",
    runs: [run("1 member", 10, "trailing"), run("10 members", 10, "trailing", { ensembleSize: 10 })],
  },
  {
    id: "table4",
    title: "Table 4: zeros vs Gaussian vs pyramid noise",
    about: "One trailing step from three kinds of starting noise.",
    runs: (["zeros", "gaussian", "pyramid"] as const).map((kind) => run({ zeros: "No noise", gaussian: "Gaussian noise", pyramid: "Pyramid noise" }[kind], 1, "trailing", { noise: { kind } })),
  },
  {
    id: "seeds",
    title: "Five seeds",
    about: "One trailing step from five seeds: how much of the prediction is chance.",
    runs: [0, 1, 2, 3, 4].map((seedOffset) => run(`Seed +${seedOffset}`, 1, "trailing", { seedOffset })),
  },
];

/** What has to be known of a model to choose it for a run of a preset. */
export interface PresetModel {
  readonly id: string;
  readonly task: Task;
  readonly endToEnd: boolean;
}

/** One run of a preset with models; a row of the panel. */
export interface PresetRow {
  readonly rowId: string;
  readonly label: string;
  readonly models: Readonly<Partial<Record<Task, string>>>;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly ensembleSize: number;
  readonly noise: NoiseChoice;
  /** Absent where it is the panel's. */
  readonly seed?: number;
}

/** The rows that there are already, and the seed to which a preset adds. */
export interface PresetPlace {
  readonly seed: number;
  readonly rows: readonly { readonly rowId: string; readonly models: PresetRow["models"] }[];
}

/**
 * The rows of a preset, beside those of `place`: ids are `${preset.id}-${n}` with numbers that are free. A row uses the
 * models of the first row there that is of its sort (end to end or not), else the first model of each task; a run without
 * any model is left out, so the list can be empty.
 */
export function rowsOfPreset(preset: Preset, models: readonly PresetModel[], place: PresetPlace): readonly PresetRow[] {
  const taken = new Set(place.rows.map(({ rowId }) => rowId));
  let number = 0;
  const freeId = (): string => {
    do number++;
    while (taken.has(`${preset.id}-${number}`));
    return `${preset.id}-${number}`;
  };
  return preset.runs.flatMap(({ label, steps, spacing, ensembleSize, noise, endToEnd = false, seedOffset = 0 }): readonly PresetRow[] => {
    const chosen = modelsOfSort(endToEnd, models, place);
    if (chosen.depth === undefined && chosen.normals === undefined) return [];
    const seed = seedOffset === 0 ? {} : { seed: (place.seed + seedOffset) % 2 ** 32 };
    return [{ rowId: freeId(), label, models: chosen, steps, spacing, ensembleSize, noise, ...seed }];
  });
}

function modelsOfSort(endToEnd: boolean, models: readonly PresetModel[], { rows }: PresetPlace): PresetRow["models"] {
  const isOfSort = (id: string | undefined): boolean => models.some((model) => model.id === id && model.endToEnd === endToEnd);
  const same = rows.find((row) => Object.values(row.models).some(isOfSort));
  if (same) return same.models;
  const first = (task: Task): Partial<Record<Task, string>> => {
    const model = models.find((candidate) => candidate.task === task && candidate.endToEnd === endToEnd);
    return model ? { [task]: model.id } : {};
  };
  return { ...first("depth"), ...first("normals") };
}
