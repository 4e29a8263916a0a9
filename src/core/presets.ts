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
