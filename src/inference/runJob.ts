import type { CachedRun } from "../cache/runReader";
import type { RunMaps } from "../cache/runWriter";
import { thumbnailOf } from "../cache/thumbnail";
import { halfFromMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { Task } from "../core/semantics";
import type { Device, RunRequest, RunSettings } from "../core/settings";
import type { Tensor } from "../core/tensor";
import type { ImageFile } from "../io/imageFile";
import { toSourceSize } from "../pipeline/combine";
import { plannedWork, predict, type ImageLatents, type Prediction } from "../pipeline/predict";
import { processingSizeOf } from "../pipeline/preprocess";
import type { Observer } from "../pipeline/work";
import type { PredictEvent, PredictParams, Provenance, RecordedTensor, RunResult, Stage } from "../protocol/inference";
import { version } from "../../package.json";
import type { FileHashes } from "./fileHash";
import type { LatentStore } from "./imageLatents";
import { describeRun, loadModel, type DescribedModel } from "./modelLoader";
import type { NetworkStore } from "./networkStore";
import { readNoiseFile } from "./noiseFile";
import type { ProgressTracker } from "./progress";
import { lookUp, RunKeeper, type Lookup } from "./runCache";
import { engineVersions } from "./session";
import { recordedTensors, type StepRecord } from "./stepRecord";

/** Everything that outlives a request. */
export interface Engine {
  readonly store: NetworkStore;
  readonly hashes: FileHashes;
  readonly latents: LatentStore;
  /** Devices that failed once and why: `auto` does not try them again. */
  readonly failures: Map<Device, string>;
}

/** One request while it runs. */
export interface Job {
  readonly params: PredictParams;
  readonly image: ImageFile;
  readonly tracker: ProgressTracker;
  readonly signal: AbortSignal;
  /** Runs of the cache that this request has read or written. */
  readonly keysInUse: Set<string>;
  /** The device that was last reported. */
  device?: Device;
  readonly report: (event: PredictEvent) => Promise<void>;
}

/** A device and, where it is not the one asked for, why. */
export interface ChosenDevice {
  readonly device: Device;
  readonly note?: string;
}

/** One run of a request, prepared on one device. */
interface Preparation {
  readonly run: RunRequest;
  readonly chosen: ChosenDevice;
  readonly model: DescribedModel;
  readonly fileNoise?: Tensor;
  readonly startMillis: number;
}

/**
 * Performs one run: from the cache as computed on any of the `acceptable` devices, else on the chosen one. Reports it and returns
 * the tensors that were asked for, which the cache does not hold.
 */
export async function performRun(engine: Engine, job: Job, run: RunRequest, chosen: ChosenDevice, acceptable: readonly Device[]): Promise<readonly RecordedTensor[]> {
  const { params, signal, report } = job;
  const startMillis = performance.now();
  const { noise } = run.settings;
  const fileNoise = noise.kind === "file" ? await readNoiseFile(noise.path) : undefined;
  const model = await describeRun(run, engine.hashes, signal, params.tinyDecoderDir);
  const lookup: Lookup | undefined = params.cache && (await lookUp(params.cache.dir, run, model, contentOf(job), acceptable, engine.hashes));
  const cached = params.recordSteps ? undefined : lookup?.cached;
  const runKey = cached?.info.runKey ?? lookup?.keys.get(chosen.device);
  if (runKey !== undefined) job.keysInUse.add(runKey);
  await report({ type: "planned", runId: run.runId, ...(runKey !== undefined && { runKey }), cached: cached !== undefined, steps: model.plan });
  if (cached) {
    await replay(job, run, model, cached);
    return [];
  }
  const keeper = params.cache && runKey !== undefined ? new RunKeeper(params.cache.dir, { runKey, semantics: model.semantics, members: run.settings.ensembleSize, steps: model.plan }) : undefined;
  try {
    return await compute(engine, job, { run, chosen, model, fileNoise, startMillis }, runKey, keeper, lookup?.notes ?? []);
  } finally {
    await keeper?.discard();
  }
}

/** Steps, then the result, as the cache holds them. */
async function replay(job: Job, { runId, settings, task }: RunRequest, { description }: DescribedModel, { info, thumbnails, ...maps }: CachedRun): Promise<void> {
  const { params, tracker, report } = job;
  const { provenance } = info.finished;
  await reportDevice(job, { device: provenance.device, note: provenance.deviceNote });
  for (const [step, { timestep }] of info.steps.entries()) {
    await report({ type: "step", runId, member: 0, step, steps: settings.steps, timestep, thumbnail: thumbnails[step] });
  }
  tracker.skip(plannedWork(settings, decodesSteps(params)));
  await report({ type: "progress", runId, stage: "combine", ...tracker.now() });
  // The same contents may lie elsewhere by now.
  const found: Provenance = { ...provenance, image: { ...provenance.image, path: params.imagePath }, model: { ...provenance.model, id: description.id, dir: description.dir } };
  await report({ type: "result", result: { runId, runKey: info.runKey, ...resultMaps(job, task, maps), provenance: found } });
}

/** Loads, predicts, keeps, and reports. */
async function compute(engine: Engine, job: Job, prepared: Preparation, runKey: string | undefined, keeper: RunKeeper | undefined, cacheNotes: readonly string[]): Promise<readonly RecordedTensor[]> {
  const { params, image, tracker, signal, report } = job;
  const { run, chosen, model, fileNoise, startMillis } = prepared;
  const { runId, task, settings } = run;
  const progress = (stage: Stage): Promise<void> => report({ type: "progress", runId, stage, ...tracker.now() });
  await progress("load");
  const imageLatents = engine.latents.of(contentOf(job), `${model.encoderHash} ${chosen.device}`);
  const estimator = await loadModel(run, model, chosen.device, engine.store, { isEncoded: isEncoded(image, model, settings, imageLatents), signal });
  const loadMillis = performance.now() - startMillis;
  await reportDevice(job, chosen);

  const records: StepRecord[] = [];
  const observer: Observer = {
    unitDone: async (stage, millis) => {
      tracker.unitDone(stage, millis);
      await progress(stage);
    },
    stepDone: async ({ member, latents, map, stdSoFar }) => {
      const { index: step, timestep } = latents;
      const half = map && (keeper || params.stepMaps) ? halfFromMap(map) : undefined;
      const thumbnail = map && member === 0 ? thumbnailOf(map) : undefined;
      if (half && thumbnail) await keeper?.step(half, thumbnail);
      if (half && step === settings.steps - 1) await keeper?.member(half);
      if (params.recordSteps && map && member === 0) records.push({ latents, map });
      const shown = params.stepMaps && member === 0 ? { map: half, stdSoFar } : {};
      await report({ type: "step", runId, member, step, steps: settings.steps, timestep, ...shown, ...(thumbnail && { thumbnail }) });
    },
  };
  const prediction = await predict(image.image, estimator, settings, { imageLatents, fileNoise, stepMaps: decodesSteps(params), observer, signal });
  const timingsMillis = { load: loadMillis, ...prediction.timingsMillis, total: performance.now() - startMillis };
  const provenance = provenanceOf(job, prepared, prediction, timingsMillis);
  await keeper?.finish(prediction, provenance);

  const notes = [...(provenance.notes ?? []), ...cacheNotes, ...(keeper?.problem === undefined ? [] : [keeper.problem])];
  const isKept = keeper !== undefined && keeper.problem === undefined;
  await report({ type: "result", result: { runId, ...(isKept && { runKey }), ...resultMaps(job, task, prediction), provenance: { ...provenance, ...(notes.length > 0 && { notes }) } } });
  return params.recordSteps ? recordedTensors(task, prediction.initialNoise, records) : [];
}

function isEncoded({ image }: ImageFile, { description }: DescribedModel, { processingResolution }: RunSettings, latents: ImageLatents): boolean {
  if (description.family === "feedforward") return false;
  return latents.get(processingSizeOf(image, processingResolution, description.vae.downsamplingFactor, description.sizeMultiple)) !== undefined;
}

/** Names what the networks see: the file's contents, and which part of them. */
function contentOf({ image, params: { crop } }: Job): string {
  return crop ? `${image.sha256} ${crop.width} x ${crop.height} at ${crop.left}, ${crop.top}` : image.sha256;
}

/** Says where the networks run, or ran, when that is not what was said last. */
async function reportDevice(job: Job, { device, note }: ChosenDevice): Promise<void> {
  if (job.device !== device) await job.report({ type: "device", device, ...(note !== undefined && { note }) });
  job.device = device;
}

/** The maps that were asked for, at the size that was asked for. */
function resultMaps({ params, image }: Job, task: Task, { map, stdOverSteps, stdOverMembers }: RunMaps): Pick<RunResult, "map" | "stdOverSteps" | "stdOverMembers"> {
  const toSize = (source: FloatMap, isNormals: boolean): FloatMap => (params.mapSize === "source" ? toSourceSize(source, image.image, isNormals) : source);
  return {
    map: toSize(map, task === "normals"),
    ...(stdOverSteps && wantsStd(params) && { stdOverSteps: toSize(stdOverSteps, false) }),
    ...(stdOverMembers && { stdOverMembers: toSize(stdOverMembers, false) }),
  };
}

function provenanceOf({ image, params }: Job, { run, chosen, model }: Preparation, prediction: Prediction, timingsMillis: Provenance["timingsMillis"]): Provenance {
  const { decoderDifference } = prediction;
  const notes = [...image.notes, ...model.description.assumptions, ...(decoderDifference === undefined ? [] : [decoderNote(decoderDifference, run.task)])];
  return {
    tool: { name: "plumbline", version },
    image: { path: params.imagePath, width: image.image.width, height: image.image.height, sha256: image.sha256, ...(params.crop && { crop: params.crop }) },
    model: { id: model.description.id, dir: model.description.dir, files: model.fileHashes },
    task: run.task,
    semantics: model.semantics,
    settings: run.settings,
    processingSize: prediction.processingSize,
    timesteps: prediction.timesteps,
    device: chosen.device,
    ...(chosen.note !== undefined && { deviceNote: chosen.note }),
    ...(notes.length > 0 && { notes }),
    ...(decoderDifference !== undefined && { decoderDifference }),
    timingsMillis,
    versions: engineVersions(),
    finishedAt: new Date().toISOString(),
  };
}

function decoderNote(difference: number, task: Task): string {
  const amount = task === "depth" ? `${difference.toFixed(4)} of the range of depth` : `${difference.toFixed(2)} degrees`;
  return `A tiny decoder was used, which is approximate: on this image its last map is ${amount} from the full decoder's on average.`;
}

function wantsStd({ stepMaps, recordSteps, stdOverSteps }: PredictParams): boolean {
  return stepMaps || recordSteps || (stdOverSteps ?? true);
}

/** Whether every step of member 0 is decoded; the cache keeps them all. */
export function decodesSteps(params: PredictParams): boolean {
  return wantsStd(params) || params.cache !== undefined;
}
