import { join } from "node:path";
import { makeRoom } from "../cache/cacheSpace";
import { isCancelled, PlumblineError, throwIfCancelled, unexpected } from "../core/errors";
import type { Device, DeviceChoice } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { convertComponent } from "../graph/convert";
import { validateSettings } from "../pipeline/options";
import { plannedWork } from "../pipeline/predict";
import { protocolVersion, type InferenceApi, type PredictEvent, type PredictParams, type PredictReturn, type RecordedTensor } from "../protocol/inference";
import type { CallContext, Handlers } from "../protocol/rpc";
import { version } from "../../package.json";
import { FileHashes } from "./fileHash";
import { LatentStore } from "./imageLatents";
import { ImageReadAhead, type PendingImage } from "./imageReadAhead";
import { mapQuestions } from "./mapQuestions";
import { estimateModelMemory } from "./modelMemory";
import { NetworkStore } from "./networkStore";
import { ProgressTracker, totalWork } from "./progress";
import { decodesSteps, performRun, type ChosenDevice, type Engine, type Job } from "./runJob";
import { selfTest } from "./selfTest";
import { availableDevices, createNetwork, engineVersions, runtimeFolder } from "./session";

/** The engine's methods. Requests that use networks run one after another; a cancelled one leaves the queue unrun. */
export function engineHandlers(): Handlers<InferenceApi> {
  const engine: Engine = { store: new NetworkStore(), hashes: new FileHashes(), latents: new LatentStore(), failures: new Map() };
  const images = new ImageReadAhead();
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
      return { protocolVersion, pid: process.pid, versions: { plumbline: version, ...engineVersions() }, devices: availableDevices(), runtimeFolder: runtimeFolder() };
    },
    predict: async (params, context) => {
      const image = images.announce(params);
      return queued(context.signal, () => runRequest(engine, params, image, context)).finally(() => image.done());
    },
    component: (params, { signal }) => queued(signal, () => runComponent(engine, params)),
    ...mapQuestions,
    memory: estimateModelMemory,
    selfTest: (params, { signal }) => queued(signal, () => selfTest(params, signal)),
    release: (_params, { signal }) => queued(signal, async () => (await engine.store.clear(), {})),
  };
}

async function runRequest(engine: Engine, params: PredictParams, pending: PendingImage, { signal, report }: CallContext<PredictEvent>): Promise<PredictReturn> {
  requireRuns(params);
  const image = await pending.read();
  await report({ type: "image", image: { width: image.image.width, height: image.image.height, rgb: image.rgb8 } });
  const tracker = new ProgressTracker(totalWork(params.runs.map(({ settings }) => plannedWork(settings, decodesSteps(params)))));
  const job: Job = { params, image, tracker, signal, keysInUse: new Set(), report };
  const recorded: Record<string, readonly RecordedTensor[]> = {};
  const hashesPath = params.cache && join(params.cache.dir, "modelHashes.json");
  if (hashesPath !== undefined) await engine.hashes.recall(hashesPath);
  try {
    for (const run of params.runs) {
      throwIfCancelled(signal);
      const acceptable = params.device === "auto" ? usableDevices(engine) : undefined;
      recorded[run.runId] = await onDevice(engine, params.device, (chosen) => performRun(engine, job, run, chosen, acceptable ?? [chosen.device]));
    }
  } finally {
    // A cache that cannot be written or tidied is no fault of the request.
    if (hashesPath !== undefined) await engine.hashes.remember(hashesPath).catch(() => undefined);
    if (params.cache) await makeRoom(params.cache.dir, params.cache.maxBytes, job.keysInUse).catch(() => undefined);
  }
  return { recorded: params.recordSteps ? recorded : {} };
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
  const [device] = choice === "auto" ? usableDevices(engine) : [choice];
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

/** The devices that have not failed, best first; always ends with "cpu". */
function usableDevices({ failures }: Engine): readonly Device[] {
  return availableDevices().filter((device) => device === "cpu" || !failures.has(device));
}

/** Why a device failed, in words. What ONNX Runtime says begins with where in its own source it says it. */
function reasonOf({ message }: PlumblineError): string {
  if (message.includes("No supported adapters")) return "no GPU found";
  return message.replace(/\/onnxruntime_src\/.*? was false\. /s, "").trim();
}

/** Checks every run before the first is started. */
function requireRuns({ runs }: PredictParams): void {
  if (runs.length === 0) throw unexpected("bad-argument", "runs", "at least one", runs.length);
  const repeated = runs.find(({ runId }, i) => runs.findIndex((other) => other.runId === runId) !== i);
  if (repeated) throw unexpected("bad-argument", "run ids", "each once", repeated.runId);
  for (const { settings } of runs) validateSettings(settings);
}
