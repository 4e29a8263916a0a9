import { PlumblineError, throwIfCancelled, unexpected } from "../core/errors";
import type { FloatMap, RgbImage } from "../core/image";
import { startingNoise } from "../core/random";
import type { Size } from "../core/resize";
import type { SchedulerConfig } from "../core/schedulers/config";
import { ddimSchedule, lcmSchedule, type ScheduleEntry } from "../core/schedulers/schedule";
import type { Task } from "../core/semantics";
import type { RunSettings } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { combine, spreadOf } from "./combine";
import { decode } from "./decode";
import { denoise, type DenoisingStep } from "./denoise";
import { encode } from "./encode";
import type { Denoiser, Network } from "./networks";
import { validateSettings } from "./options";
import { preprocess, processingSizeOf } from "./preprocess";

/** A loaded model and its conventions. */
export interface Estimator {
  readonly encoder: Network;
  readonly decoder: Network;
  readonly denoiser: Denoiser;
  readonly task: Task;
  readonly scheduler: SchedulerConfig;
  readonly scalingFactor: number;
  readonly downsamplingFactor: number;
}

/** The stages that take time; each observed unit of work is one run of a network, or the combination. */
export type WorkStage = "encode" | "denoise" | "decode" | "combine";

/** One denoising step of one member. */
export interface ObservedStep {
  readonly member: number;
  readonly latents: DenoisingStep;
  /** Decoded, at processing size: of every step of member 0 where step maps are wanted, else of each member's last step only. */
  readonly map?: FloatMap;
  /** Over the steps of member 0 so far, from the second on, where step maps are wanted. */
  readonly stdSoFar?: FloatMap;
}

/** Awaited, so that a slow receiver slows the run down instead of filling the memory. */
export interface Observer {
  unitDone(stage: WorkStage, millis: number): Promise<void>;
  stepDone(step: ObservedStep): Promise<void>;
}

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
  /** H x W of the image that the networks saw. */
  readonly processingSize: { readonly width: number; readonly height: number };
  readonly initialNoise: Tensor;
  readonly timesteps: readonly number[];
  readonly timingsMillis: Readonly<Record<WorkStage, number>>;
}

/**
 * Estimates depth or normals of one image. E members, S steps, H x W processing size, h x w latent size.
 * E2E fine-tuned models are the case of zeros noise and one trailing step.
 * Throws `bad-argument`, `bad-image`, `cancelled` (between two runs of a network), or what a network throws.
 */
export async function predict(source: RgbImage, estimator: Estimator, settings: RunSettings, options: PredictOptions): Promise<Prediction> {
  const { encoder, decoder, denoiser, task, scheduler, scalingFactor, downsamplingFactor } = estimator;
  const { observer, signal } = options;

  // 0. Everything is checked before anything runs.
  validateSettings(settings);
  const schedule = scheduleOf(scheduler, settings);
  requireTimestep(denoiser, schedule);
  const timer = workTimer(observer, signal);

  // 1. The size that the networks see.                                      H x W
  const size = processingSizeOf(source, settings.processingResolution, downsamplingFactor);

  // 2. The image in -1..1 and its latent, once per encoder and size.        [1, 3, H, W] -> [1, 4, h, w]
  const imageLatent = await timer.run("encode", async () => options.imageLatents.get(size) ?? encode(encoder, preprocess(source, size), scalingFactor));
  options.imageLatents.set(size, imageLatent);

  const spread = spreadOf(task);
  const members: FloatMap[] = [];
  for (let member = 0; member < settings.ensembleSize; member++) {
    const observed = options.stepMaps && member === 0;

    // 3. Starting latent z_T, then S denoising steps.                       [1, 4, h, w]
    const noise = memberNoise(settings, imageLatent.dims, member, options.fileNoise);
    const stepNoise = (index: number): Float32Array => startingNoise("gaussian", imageLatent.dims, { seed: settings.seed, member, draw: index + 1 }).data;
    const steps = timer.each("denoise", denoise(denoiser, imageLatent, noise, { scheduler, schedule, stepNoise, signal }));
    for await (const latents of steps) {
      const isLast = latents.index === schedule.length - 1;

      // 4. Map of the step's z_0: of every step where observed, else of the last one only.   H x W
      const map = observed || isLast ? await timer.run("decode", () => decode(decoder, latents.predOriginalSample, scalingFactor, task)) : undefined;
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
    processingSize: size,
    initialNoise: memberNoise(settings, imageLatent.dims, 0, options.fileNoise),
    timesteps: schedule.map(({ t }) => t),
    timingsMillis: timer.millis,
  };
}

/** How many units of work `predict` will report for each stage. */
export function plannedWork(settings: RunSettings, stepMaps: boolean): Readonly<Record<WorkStage, number>> {
  const { steps, ensembleSize } = settings;
  return { encode: 1, denoise: steps * ensembleSize, decode: ensembleSize + (stepMaps ? steps - 1 : 0), combine: 1 };
}

/** The timesteps of a run. LCM checkpoints have a grid of their own; the spacing does not apply to them. */
export function scheduleOf(scheduler: SchedulerConfig, { steps, spacing }: Pick<RunSettings, "steps" | "spacing">): readonly ScheduleEntry[] {
  return scheduler.kind === "lcm" ? lcmSchedule(scheduler, steps) : ddimSchedule(scheduler, steps, spacing);
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

function requireTimestep({ constantTimestep }: Denoiser, schedule: readonly ScheduleEntry[]): void {
  if (constantTimestep === undefined || schedule.every(({ t }) => t === constantTimestep)) return;
  throw new PlumblineError("bad-argument", `Expected only timestep ${constantTimestep} for this network but received ${schedule.map(({ t }) => t).join(", ")}.`);
}

/** Adds up the time of each stage, reports each unit, and looks at the signal before it. */
function workTimer(observer: Observer, signal: AbortSignal | undefined) {
  const millis: Record<WorkStage, number> = { encode: 0, denoise: 0, decode: 0, combine: 0 };
  async function run<T>(stage: WorkStage, work: () => Promise<T>): Promise<T> {
    throwIfCancelled(signal);
    const start = performance.now();
    const result = await work();
    const elapsed = performance.now() - start;
    millis[stage] += elapsed;
    await observer.unitDone(stage, elapsed);
    return result;
  }
  /** Times what the iterator itself takes, not what is done with its values. */
  async function* each<T>(stage: WorkStage, values: AsyncGenerator<T>): AsyncGenerator<T> {
    for (;;) {
      const start = performance.now();
      const next = await values.next();
      if (next.done) return;
      const elapsed = performance.now() - start;
      millis[stage] += elapsed;
      await observer.unitDone(stage, elapsed);
      yield next.value;
    }
  }
  return { millis, run, each };
}
