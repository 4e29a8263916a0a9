import { PlumblineError, unexpected } from "../core/errors";
import type { FloatMap, RgbImage } from "../core/image";
import { startingNoise } from "../core/random";
import type { Size } from "../core/resize";
import type { SchedulerConfig } from "../core/schedulers/config";
import type { FlowConfig } from "../core/schedulers/flow";
import { samplerOf, type Sampler } from "../core/schedulers/sampler";
import type { Task } from "../core/semantics";
import type { RunSettings } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { combine, meanDifference, spreadOf } from "./combine";
import { decode } from "./decode";
import { denoise, stepNoiseOf } from "./denoise";
import { encode } from "./encode";
import { predictFeedForward, type FeedForwardEstimator } from "./families/feedForward";
import type { LatentFamily, Network } from "./networks";
import { validateSettings } from "./options";
import { preprocess, processingSizeOf } from "./preprocess";
import { workTimer, type Observer, type WorkStage } from "./work";

/** A loaded latent estimator and its conventions. */
export interface LatentEstimator {
  readonly kind: "latent";
  readonly encoder: Network;
  readonly decoder: Network;
  /** Decodes in the place of `decoder`, approximately, and has a scaling factor of its own. */
  readonly tinyDecoder?: { readonly network: Network; readonly scalingFactor: number };
  readonly family: LatentFamily;
  readonly task: Task;
  readonly scheduler: SchedulerConfig | FlowConfig;
  readonly scalingFactor: number;
  readonly downsamplingFactor: number;
  readonly resizeFilter: "bilinear" | "bicubic";
  /** Both sides of what the networks see are multiples of this; 1 when absent. */
  readonly sizeMultiple?: number;
}

/** A loaded model. */
export type Estimator = LatentEstimator | FeedForwardEstimator;

export interface PredictOptions {
  readonly imageLatents: ImageLatents;
  /** The starting latents of `noise.kind === "file"`, [1 or E, 4, h, w]. */
  readonly fileNoise?: Tensor;
  /** Decode every step of member 0: its maps are observed, and their standard deviation becomes known. */
  readonly stepMaps: boolean;
  readonly observer: Observer;
  readonly signal?: AbortSignal;
}

/** What one encoder made of one image, by processing size: runs that are given the same share it. */
export interface ImageLatents {
  get(size: Size): Tensor | undefined;
  set(size: Size, latent: Tensor): void;
}

/** Maps at processing size. */
export interface Prediction {
  readonly map: FloatMap;
  readonly stdOverSteps?: FloatMap;
  readonly stdOverMembers?: FloatMap;
  /** With a tiny decoder: how far the last map of member 0 is from the full decoder's, on average: depth in its units, normals in degrees. */
  readonly decoderDifference?: number;
  /** H x W of the image that the networks saw. */
  readonly processingSize: { readonly width: number; readonly height: number };
  /** Of member 0; absent where a model has none. */
  readonly initialNoise?: Tensor;
  /** Empty where a model has none. */
  readonly timesteps: readonly number[];
  readonly timingsMillis: Readonly<Record<WorkStage, number>>;
}

/**
 * Estimates depth or normals of one image. E members, S steps, H x W processing size, h x w latent size.
 * E2E fine-tuned models are the case of zeros noise and one trailing step.
 * Throws `bad-argument`, `bad-image`, `cancelled` (between two runs of a network), or what a network throws.
 */
export async function predict(source: RgbImage, estimator: Estimator, settings: RunSettings, options: PredictOptions): Promise<Prediction> {
  if (estimator.kind === "feedforward") return predictFeedForward(source, estimator, settings, options);
  const { encoder, decoder, family, task, scheduler, scalingFactor, resizeFilter, tinyDecoder: tiny } = estimator;
  const { observer, signal } = options;

  // 0. Everything is checked before anything runs.
  validateSettings(settings);
  const sampler = samplerOf(scheduler, settings);
  requireTimestep(family, sampler);
  const timer = workTimer(observer, signal);

  // 1. The size that the networks see.                                      H x W
  const size = processingSizeOf(source, settings.processingResolution, estimator.downsamplingFactor, estimator.sizeMultiple);

  // 2. The image in -1..1, its latent, once per encoder and size, and what else the denoiser is conditioned on.   [1, 3, H, W] -> [1, 4, h, w]
  const image = once(() => preprocess(source, size, resizeFilter));
  const { imageLatent, denoiser } = await timer.run("encode", async () => {
    const latent = options.imageLatents.get(size) ?? (await encode(encoder, image(), scalingFactor));
    return { imageLatent: latent, denoiser: await family.denoiserOf(image, latent) };
  });
  options.imageLatents.set(size, imageLatent);

  const toMap = async (latent: Tensor, network: Network, factor: number): Promise<FloatMap> => family.mapOf(await decode(network, latent, factor), task);
  let decoderDifference: number | undefined;
  const spread = spreadOf(task);
  const members: FloatMap[] = [];
  for (let member = 0; member < settings.ensembleSize; member++) {
    const observed = options.stepMaps && member === 0;

    // 3. First sample z_T, then S denoising steps.                          [N, 4, h, w]
    const first = family.firstSample(memberNoise(settings, imageLatent.dims, member, options.fileNoise), imageLatent);
    const steps = denoise(denoiser, sampler, first, { stepNoise: stepNoiseOf(settings.seed, member, first.dims), signal });
    for await (const latents of timer.each("denoise", steps)) {
      const isLast = latents.index === sampler.timesteps.length - 1;

      // 4. Map of the step's z_0: of every step where observed, else of the last one only.   H x W
      const latent = family.latentOf(latents.predOriginalSample, task);
      const map = observed || isLast ? await timer.run("decode", () => toMap(latent, tiny?.network ?? decoder, tiny?.scalingFactor ?? scalingFactor)) : undefined;
      if (map && isLast && tiny && member === 0) decoderDifference = meanDifference(map, await timer.run("decode", () => toMap(latent, decoder, scalingFactor)), task);
      if (map && observed) spread.add(map);
      if (map && isLast) members.push(map);
      await observer.stepDone({ member, latents, map, ...(observed && { stdSoFar: spread.std() }) });
    }
  }

  // 5. One map of all members, and how far steps and members differ.        H x W
  const combined = await timer.run("combine", async () => combine(members, task));
  return {
    ...combined,
    stdOverSteps: spread.std(),
    ...(decoderDifference !== undefined && { decoderDifference }),
    processingSize: size,
    initialNoise: memberNoise(settings, imageLatent.dims, 0, options.fileNoise),
    timesteps: sampler.timesteps,
    timingsMillis: timer.millis,
  };
}

/** How many units of work `predict` will report for each stage. */
export function plannedWork(settings: RunSettings, stepMaps: boolean): Readonly<Record<WorkStage, number>> {
  const { steps, ensembleSize, decoder } = settings;
  return { encode: 1, denoise: steps * ensembleSize, decode: ensembleSize + (stepMaps ? steps - 1 : 0) + (decoder === "tiny" ? 1 : 0), combine: 1 };
}

/** Computes when first asked, and remembers. */
function once<T>(compute: () => T): () => T {
  let computed: { readonly value: T } | undefined;
  return () => (computed ??= { value: compute() }).value;
}

function memberNoise({ noise, seed, ensembleSize }: RunSettings, dims: readonly number[], member: number, fileNoise: Tensor | undefined): Tensor {
  if (noise.kind !== "file") return startingNoise(noise.kind, dims, { seed, member });
  const [, ...shape] = dims;
  const expected = [ensembleSize, ...shape];
  if (!fileNoise || fileNoise.dims.join() !== expected.join()) {
    throw unexpected("bad-argument", `the noise in ${noise.path}`, `shape [${expected.join(", ")}] (one latent for each member)`, fileNoise?.dims, "Choose a processing resolution that gives this latent size, or another file.");
  }
  const length = fileNoise.data.length / ensembleSize;
  return { dims, data: fileNoise.data.slice(member * length, (member + 1) * length) };
}

function requireTimestep({ constantTimestep }: LatentFamily, { timesteps }: Sampler): void {
  if (constantTimestep === undefined || timesteps.every((t) => t === constantTimestep)) return;
  throw new PlumblineError("bad-argument", `Expected only timestep ${constantTimestep} for this network but received ${timesteps.join(", ")}.`);
}
