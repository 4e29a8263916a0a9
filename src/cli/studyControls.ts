import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { controlsRemedy, readControls, type ControlRun, type Controls } from "../evaluation/controls";
import { installation } from "./engine";
import { comparisonText } from "./studySpread";

/** The controls that come with Plumbline. Throws what `readControls` throws. */
export function shippedControls(): Promise<Controls> {
  return readControls(join(installation, "training", "logs", "controls.json"));
}

/** Errors by seed, then scene, of the runs that are alike but for their seed. */
export interface ControlScores {
  readonly seeds: readonly number[];
  readonly absRel: readonly (readonly number[])[];
  readonly delta1: readonly (readonly number[])[];
  /** Of the training of each, on one core. */
  readonly seconds: readonly number[];
}

/** The runs for which `wanted` is true, in the order of their seeds. Throws `not-found` where there is none. */
export function controlScores({ runs }: Controls, name: string, wanted: (run: ControlRun) => boolean): ControlScores {
  const found = runs.filter(wanted).sort((a, b) => a.seed - b.seed);
  if (found.length === 0) throw new PlumblineError("not-found", `Expected a run of the training controls for ${name} but there is none.`, controlsRemedy);
  return { seeds: found.map(({ seed }) => seed), absRel: found.map(({ scores }) => scores.absRel), delta1: found.map(({ scores }) => scores.delta1), seconds: found.map(({ seconds }) => seconds) };
}

/** How the runs were made, for a page. */
export function controlSettings({ command, size: [height, width], scenes, samples, batch, runs }: Controls): readonly string[] {
  const seeds = [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b);
  const count = (value: number): string => value.toLocaleString("en-US");
  return [
    `Depth only, in miniature: ${height} x ${width} pixels, ${scenes.length} held-out rendered scenes, on CPU cores. Before: a diffusion model of images alone (${count(samples.before)} samples), the stand-in for Stable Diffusion. Diffusion model: that one trained on depth by Marigold's protocol (${count(samples.diffusion)} samples). Fine-tuning: ${count(samples.fineTuning)} samples in batches of ${batch}, the same for every run. So small a model trained so briefly says how the variants compare, not how good any of them can be.`,
    `Seeds: ${seeds.join(", ")}; all three trainings were done anew with each (first weights, order of the scenes, noise). A figure is the mean over the seeds of the mean over the scenes, with the lowest and the highest seed. ${comparisonText} Depth is aligned to the truth by scale and shift (least squares).`,
    `In \`training/\`, \`${command}\` makes the figures (training/logs/controls.json) again.`,
  ];
}
