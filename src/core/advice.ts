import type { RunSettings } from "./settings";

/** What advice about settings needs to know of a model. */
export interface AdvisedModel {
  readonly family: "marigold" | "geowizard" | "depthfm" | "feedforward";
  /** Fine-tuned end to end: one step from zeros. */
  readonly endToEnd: boolean;
  /** Absent for a model that has none. */
  readonly scheduler?: { readonly kind: "ddim" | "lcm" | "flow" };
  readonly defaults: { readonly steps: number; readonly noise: "gaussian" | "zeros"; readonly processingResolution: number };
}

/** Up to this factor larger or smaller, a processing resolution is near the one that a model was made for. */
const nearResolution = 1.5;
/** LCM checkpoints are published for 1 to 4 steps. */
const mostConsistencySteps = 8;
/** From here on, more steps are not what the published programs do. */
const manySteps = 10;

/**
 * What was left of a model's own settings and what that usually costs, in sentences; empty where nothing is to be said. Behind
 * them stand the E2E-FT paper (Garcia et al. 2025: timesteps in section 3 and table A-1, steps and ensembles in figure 5),
 * the documentation of diffusers' Marigold pipelines (resolution) and the model cards (steps).
 */
export function adviceOf(model: AdvisedModel, settings: RunSettings): readonly string[] {
  return [...scheduleAdvice(model, settings), ...noiseAdvice(model, settings), ...ensembleAdvice(model, settings), ...resolutionAdvice(model, settings), ...decoderAdvice(settings)];
}

function scheduleAdvice({ endToEnd, scheduler }: AdvisedModel, { steps, spacing, noise }: RunSettings): readonly string[] {
  if (!scheduler) return [];
  if (scheduler.kind !== "ddim") {
    const own = scheduler.kind === "lcm" ? "A latent consistency model has timesteps of its own" : "A flow runs from 0 to 1 in equal steps";
    return [
      ...(spacing === "trailing" ? [] : [`${own}: the ${spacing} spacing is not used.`]),
      ...(scheduler.kind === "lcm" && steps > mostConsistencySteps ? [`A latent consistency model is made for 1 to 4 steps: ${steps} take longer and are not expected to help.`] : []),
    ];
  }
  const sentences: string[] = [];
  if (endToEnd && steps > 1) sentences.push(`This model was fine-tuned end to end for one step at the last timestep: of the ${steps} steps the others are at timesteps that it was not fine-tuned for, and usually make it worse.`);
  if (spacing === "leading" && endToEnd) sentences.push("With leading timesteps the model is never told the last one, the only one that it was fine-tuned for.");
  if (spacing === "leading" && !endToEnd && noise.kind !== "zeros") {
    const cost = steps === 1 ? "in a single step the result is usually noise" : "the fewer steps, the more noise is left in the result";
    sentences.push(`With leading timesteps the model is told of less noise than its input holds: ${cost}. Trailing timesteps begin at the last one.`);
  }
  if (!endToEnd && spacing === "trailing" && steps > manySteps) sentences.push(`With trailing timesteps more steps hardly change the prediction and slightly lower its accuracy in the E2E-FT paper: ${steps} mostly cost time.`);
  return sentences;
}

function noiseAdvice({ family, endToEnd, scheduler, defaults }: AdvisedModel, { noise }: RunSettings): readonly string[] {
  if (!scheduler) return [];
  if (family === "depthfm") {
    if ((noise.kind === "zeros") === (defaults.noise === "zeros")) return [];
    return [defaults.noise === "zeros" ? "This checkpoint was trained to start from the image's latent without noise." : "This checkpoint was trained to start from the image's latent with noise in it; without any its input is not what it knows."];
  }
  if (endToEnd && noise.kind !== "zeros") return ["This model was fine-tuned end to end with zeros in the place of noise: noise makes its result random, and usually worse."];
  if (!endToEnd && noise.kind === "zeros") return ["This model was trained on noisy inputs only: from zeros it looks for noise that is not there."];
  return [];
}

function ensembleAdvice({ endToEnd, scheduler }: AdvisedModel, { steps, ensembleSize }: RunSettings): readonly string[] {
  if (scheduler?.kind !== "ddim" || endToEnd || ensembleSize === 1 || steps > 1) return [];
  return [`In the E2E-FT paper an ensemble helps from two steps on only: ${ensembleSize} members of one step mostly cost time.`];
}

function resolutionAdvice({ defaults }: AdvisedModel, { processingResolution }: RunSettings): readonly string[] {
  const made = defaults.processingResolution;
  if (made === 0 || processingResolution === made) return [];
  if (processingResolution === 0) return [`This model was made for ${made} pixels: at the own size of a much larger image edges are crisper, but the layout of the scene may be lost.`];
  if (processingResolution > made * nearResolution) return [`This model was made for ${made} pixels: at ${processingResolution} edges are crisper, but the layout of the scene may be lost.`];
  if (processingResolution < made / nearResolution) return [`This model was made for ${made} pixels: at ${processingResolution} details are lost.`];
  return [];
}

function decoderAdvice({ decoder }: RunSettings): readonly string[] {
  return decoder === "tiny" ? ["A tiny decoder is approximate: how far the last map is from the full decoder's is stated with the result."] : [];
}
