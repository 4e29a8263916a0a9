import { isCancelled, PlumblineError, throwIfCancelled, unexpected } from "../core/errors";
import { halfFromMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { Device, DeviceChoice, RunRequest } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { convertComponent } from "../graph/convert";
import { readRgbImage, type ImageFile } from "../io/imageFile";
import { toSourceSize } from "../pipeline/combine";
import { validateSettings } from "../pipeline/options";
import { plannedWork, predict, type EncodedImages, type Observer, type Prediction } from "../pipeline/predict";
import { protocolVersion, type InferenceApi, type PredictEvent, type PredictParams, type PredictReturn, type Provenance, type RecordedTensor, type Stage } from "../protocol/inference";
import type { CallContext, Handlers } from "../protocol/rpc";
import { version } from "../../package.json";
import { FileHashes } from "./fileHash";
import { loadModel, type LoadedModel } from "./modelLoader";
import { NetworkStore } from "./networkStore";
import { readNoiseFile } from "./noiseFile";
import { ProgressTracker, totalWork } from "./progress";
import { availableDevices, createNetwork, engineVersions } from "./session";
import { recordedTensors, type StepRecord } from "./stepRecord";

/** Everything that outlives a request. */
interface Engine {
  readonly store: NetworkStore;
  readonly hashes: FileHashes;
  /** Devices that failed once and why: `auto` does not try them again. */
  readonly failures: Map<Device, string>;
}

/** One request while it runs. */
interface Job {
  readonly params: PredictParams;
  readonly image: ImageFile;
  readonly encodedImages: EncodedImages;
  readonly tracker: ProgressTracker;
  readonly signal: AbortSignal;
  /** The device that was last reported. */
  device?: Device;
  readonly report: (event: PredictEvent) => Promise<void>;
}

/** A device and, where it is not the one asked for, why. */
interface ChosenDevice {
  readonly device: Device;
  readonly note?: string;
}

/** The engine's methods. Requests that use networks run one after another; a cancelled one leaves the queue unrun. */
export function engineHandlers(): Handlers<InferenceApi> {
  const engine: Engine = { store: new NetworkStore(), hashes: new FileHashes(), failures: new Map() };
  let last: Promise<unknown> = Promise.resolve();
  function queued<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const run = last.then(() => {
      throwIfCancelled(signal);
      engine.store.beginRequest();
      return work();
    });
    last = run.catch(() => undefined); // whoever asked is told; the queue goes on
    return run;
  }
  return {
    hello: async ({ protocolVersion: received }) => {
      if (received !== protocolVersion) throw unexpected("protocol-mismatch", "the protocol version", String(protocolVersion), received, "Install Plumbline again: its parts are of different versions.");
      return { protocolVersion, pid: process.pid, versions: { plumbline: version, ...engineVersions() }, devices: availableDevices() };
    },
    predict: (params, context) => queued(context.signal, () => runRequest(engine, params, context)),
    component: (params, { signal }) => queued(signal, () => runComponent(engine, params)),
    spread: notYet,
    curves: notYet,
    series: notYet,
    readMap: notYet,
    release: (_params, { signal }) => queued(signal, async () => (await engine.store.clear(), {})),
  };
}

async function runRequest(engine: Engine, params: PredictParams, { signal, report }: CallContext<PredictEvent>): Promise<PredictReturn> {
  requireRuns(params);
  const image = await readRgbImage(params.imagePath);
  await report({ type: "image", image: { width: image.image.width, height: image.image.height, rgb: image.rgb8 } });
  const tracker = new ProgressTracker(totalWork(params.runs.map(({ settings }) => plannedWork(settings, decodesSteps(params)))));
  const job: Job = { params, image, encodedImages: new Map(), tracker, signal, report };
  const recorded: Record<string, readonly RecordedTensor[]> = {};
  for (const run of params.runs) {
    throwIfCancelled(signal);
    recorded[run.runId] = await onDevice(engine, params.device, (chosen) => performRun(engine, job, run, chosen));
  }
  return { recorded: params.recordSteps ? recorded : {} };
}

/** Loads, predicts, reports the result, and returns the tensors that were asked for. */
async function performRun(engine: Engine, job: Job, run: RunRequest, chosen: ChosenDevice): Promise<readonly RecordedTensor[]> {
  const { params, image, encodedImages, tracker, signal, report } = job;
  const { runId, settings } = run;
  const progress = (stage: Stage): Promise<void> => report({ type: "progress", runId, stage, ...tracker.now() });
  const start = performance.now();
  await progress("load");
  const fileNoise = settings.noise.kind === "file" ? await readNoiseFile(settings.noise.path) : undefined;
  const model = await loadModel(run, chosen.device, engine.store, engine.hashes, signal);
  const loadMillis = performance.now() - start;
  if (job.device !== chosen.device) await report({ type: "device", ...chosen });
  job.device = chosen.device;

  const records: StepRecord[] = [];
  const observer: Observer = {
    unitDone: async (stage, millis) => {
      tracker.unitDone(stage, millis);
      await progress(stage);
    },
    stepDone: async ({ member, latents, map, stdSoFar }) => {
      const { index: step, timestep } = latents;
      if (params.recordSteps && map) records.push({ latents, map });
      await report({ type: "step", runId, member, step, steps: settings.steps, timestep, ...(params.stepMaps && { map: map && halfFromMap(map), stdSoFar }) });
    },
  };
  const prediction = await predict(image.image, model.estimator, settings, { encodedImages, fileNoise, stepMaps: decodesSteps(params), observer, signal });
  const toSize = (map: FloatMap, isNormals: boolean): FloatMap => (params.mapSize === "source" ? toSourceSize(map, image.image, isNormals) : map);
  const { map, stdOverSteps, stdOverMembers } = prediction;
  const maps = {
    map: toSize(map, run.task === "normals"),
    ...(stdOverSteps && { stdOverSteps: toSize(stdOverSteps, false) }),
    ...(stdOverMembers && { stdOverMembers: toSize(stdOverMembers, false) }),
  };
  const timingsMillis = { load: loadMillis, ...prediction.timingsMillis, total: performance.now() - start };
  await report({ type: "result", result: { runId, ...maps, provenance: provenanceOf(job, run, chosen, model, prediction, timingsMillis) } });
  return params.recordSteps ? recordedTensors(run.task, prediction.initialNoise, records) : [];
}

function provenanceOf(job: Job, run: RunRequest, chosen: ChosenDevice, model: LoadedModel, prediction: Prediction, timingsMillis: Provenance["timingsMillis"]): Provenance {
  const { image, params } = job;
  const notes = [...image.notes, ...model.description.assumptions];
  return {
    tool: { name: "plumbline", version },
    image: { path: params.imagePath, width: image.image.width, height: image.image.height, sha256: image.sha256 },
    model: { id: model.description.id, dir: model.description.dir, files: model.fileHashes },
    task: run.task,
    semantics: model.semantics,
    settings: run.settings,
    processingSize: prediction.processingSize,
    timesteps: prediction.timesteps,
    device: chosen.device,
    ...(chosen.note !== undefined && { deviceNote: chosen.note }),
    ...(notes.length > 0 && { notes }),
    timingsMillis,
    versions: engineVersions(),
    finishedAt: new Date().toISOString(),
  };
}

/** `component`: one network of a checkpoint on given tensors; it is not kept. */
async function runComponent(engine: Engine, { dir, part, inputs, device }: InferenceApi["component"]["params"]): Promise<InferenceApi["component"]["result"]> {
  return onDevice(engine, device, async (chosen) => {
    const network = await createNetwork(await convertComponent(dir, { part, device: chosen.device }), chosen);
    try {
      return { outputs: await network.run(inputs as Readonly<Record<string, Tensor>>) };
    } finally {
      await network.release();
    }
  });
}

/**
 * Runs the work on the device that is asked for, or with `auto` on the best that has not failed, and on the CPU when
 * that device fails; the note says so.
 */
async function onDevice<T>(engine: Engine, choice: DeviceChoice, work: (chosen: ChosenDevice) => Promise<T>): Promise<T> {
  const candidates = choice === "auto" ? availableDevices() : [choice];
  const device = candidates.find((candidate) => choice !== "auto" || !engine.failures.has(candidate)) ?? "cpu";
  const skipped = choice === "auto" && device === "cpu" ? [...engine.failures.values()].join(" ") : "";
  try {
    return await work({ device, ...(skipped && { note: skipped }) });
  } catch (error) {
    if (device === "cpu" || isCancelled(error) || !(error instanceof PlumblineError) || error.code !== "engine-failed") throw error;
    const note = `${device} could not be used: ${reasonOf(error)}`;
    engine.failures.set(device, note);
    return work({ device: "cpu", note });
  }
}

/** Why a device failed, in words. What ONNX Runtime says begins with where in its own source it says it. */
function reasonOf({ message }: PlumblineError): string {
  if (message.includes("No supported adapters")) return "no GPU found";
  return message.replace(/\/onnxruntime_src\/.*? was false\. /s, "").trim();
}

function decodesSteps({ stepMaps, recordSteps, stdOverSteps }: PredictParams): boolean {
  return stepMaps || recordSteps || (stdOverSteps ?? true);
}

/** Checks every run before the first is started. */
function requireRuns({ runs }: PredictParams): void {
  if (runs.length === 0) throw unexpected("bad-argument", "runs", "at least one", runs.length);
  const repeated = runs.find(({ runId }, i) => runs.findIndex((other) => other.runId === runId) !== i);
  if (repeated) throw unexpected("bad-argument", "run ids", "each once", repeated.runId);
  for (const { settings } of runs) validateSettings(settings);
}

async function notYet(): Promise<never> {
  throw new PlumblineError("unsupported", "Expected a method that is there.", "");
}
