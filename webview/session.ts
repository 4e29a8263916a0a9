import type { HalfMap } from "../src/core/half";
import type { FloatMap } from "../src/core/image";
import type { Device } from "../src/core/settings";
import type { Task } from "../src/core/semantics";
import type { DecodedImage, MapRef, PredictEvent, RunResult, Stage, StepPlan } from "../src/protocol/inference";
import type { ImageItem, ModelChoice, PanelSettings, Thumbnail, ToWebview } from "../src/protocol/panel";

/** One denoising step of member 0 as it was observed; its map is in the map store. */
export interface StepView {
  /** 0-based, of `steps`. */
  readonly step: number;
  readonly steps: number;
  readonly timestep: number;
  /** At most 96 pixels. */
  readonly thumbnail?: FloatMap;
}

/** What has arrived of one run (one row, one task). */
export interface RunView {
  /** The generation it belongs to; exports name it. */
  readonly generation: number;
  /** Names the run in the cache; absent while it is not known, and where there is no cache. */
  runKey?: string;
  /** Names the run in the map store: the run key, or one of this page alone. */
  storeKey: string;
  /** Every step from the schedule alone, as soon as the run begins. */
  plan: readonly StepPlan[];
  /** Whether its results are read from the cache. */
  cached: boolean;
  /** Steps of member 0 observed so far, in order. */
  steps: readonly StepView[];
  /** The last step observed of any member. */
  latest?: { readonly step: number; readonly steps: number; readonly timestep: number; readonly member: number };
  stdSoFar?: FloatMap;
  result?: RunResult;
}

export interface ProgressView {
  readonly runId: string;
  readonly stage: Stage;
  readonly fraction: number;
  readonly remainingMillis?: number;
}

/** Everything that one `run` message led to. */
export interface Generation {
  readonly number: number;
  readonly image: number;
  readonly settings: PanelSettings;
  /** The rows that are run; all when absent. The others keep the results they had. */
  readonly only?: readonly string[];
  readonly runs: Map<string, RunView>;
  /** Results of the run before on the same image, shown dimmed until they are replaced. */
  readonly before?: ReadonlyMap<string, RunView>;
  status: "running" | "finished" | "cancelled" | "failed";
  photo?: DecodedImage;
  device?: { readonly device: Device; readonly note?: string };
  progress?: ProgressView;
  failure?: { readonly message: string; readonly remedy: string };
  elapsedMillis?: number;
}

/** The id under which the host runs one task of a row. */
export function runIdOf(rowId: string, task: Task): string {
  return `${rowId}:${task}`;
}

/** Images whose results are kept while stepping through the strip; older ones are run again when shown. */
const keptImages = 4;

/** Where the maps of steps go. */
export interface StepMaps {
  put(ref: MapRef, map: HalfMap | FloatMap): void;
  /** A run is complete: what was not there may be now. */
  forgetFailures(): void;
}

/** What the host has sent since the page was loaded. Nothing in it is ever sent back. */
export class Session {
  models: readonly ModelChoice[] = [];
  images: readonly ImageItem[] = [];
  readonly thumbnails = new Map<number, Thumbnail>();
  /** Latest generation of each image, most recently started last. */
  readonly #byImage = new Map<number, Generation>();
  #running?: Generation;

  constructor(private readonly maps: StepMaps) {}

  of(image: number): Generation | undefined {
    return this.#byImage.get(image);
  }

  get running(): Generation | undefined {
    return this.#running?.status === "running" ? this.#running : undefined;
  }

  /** Takes in one message; messages of a generation that was replaced are dropped. */
  receive(message: ToWebview): void {
    switch (message.type) {
      case "init":
        this.models = message.models;
        this.images = message.images;
        return;
      case "models":
        this.models = message.models;
        return;
      case "thumbnail":
        this.thumbnails.set(message.image, message.thumbnail);
        return;
      case "started":
        return this.#start(message);
      case "notice":
      case "exported":
      case "noiseChosen":
      case "answer":
      case "refused":
        return;
      default: {
        const generation = [...this.#byImage.values()].find(({ number }) => number === message.generation);
        if (generation) take(generation, message, this.maps);
      }
    }
  }

  #start({ generation: number, image, settings, only }: Extract<ToWebview, { type: "started" }>): void {
    const last = this.#byImage.get(image);
    const before = new Map(last?.before);
    for (const [id, run] of last?.runs ?? []) if (hasShown(run)) before.set(id, run);
    // A kept row's result is as good as a new one as long as its settings are what they were.
    const kept = [...before].filter(([id]) => only && !only.some((rowId) => id.startsWith(`${rowId}:`)));
    // A run that another one replaced may end without a word.
    if (this.running) this.running.status = "cancelled";
    this.#running = { number, image, settings, only, runs: new Map(kept), before, status: "running", photo: last?.photo };
    this.#byImage.delete(image);
    this.#byImage.set(image, this.#running);
    for (const old of [...this.#byImage.keys()].slice(0, -keptImages)) this.#byImage.delete(old);
  }
}

type GenerationMessage = Extract<ToWebview, { readonly generation: number }>;

function take(generation: Generation, message: GenerationMessage, maps: StepMaps): void {
  switch (message.type) {
    case "event":
      return takeEvent(generation, message.event, maps);
    case "finished":
      generation.status = "finished";
      generation.elapsedMillis = message.elapsedMillis;
      return;
    case "cancelled":
      generation.status = "cancelled";
      return;
    case "failed":
      generation.status = "failed";
      generation.failure = { message: message.message, remedy: message.remedy };
      return;
    case "started":
      return;
  }
}

function takeEvent(generation: Generation, event: PredictEvent, maps: StepMaps): void {
  switch (event.type) {
    case "image":
      generation.photo = event.image;
      return;
    case "device":
      generation.device = { device: event.device, note: event.note };
      return;
    case "progress":
      generation.progress = event;
      return;
    case "planned":
      Object.assign(runOf(generation, event.runId), { runKey: event.runKey, storeKey: event.runKey ?? localKey(generation, event.runId), plan: event.steps, cached: event.cached });
      return;
    case "step":
      return takeStep(runOf(generation, event.runId), event, maps);
    case "result": {
      const run = runOf(generation, event.result.runId);
      run.result = event.result;
      maps.forgetFailures();
      return;
    }
  }
}

function takeStep(run: RunView, event: Extract<PredictEvent, { type: "step" }>, maps: StepMaps): void {
  const { step, steps, timestep, member, map, thumbnail, stdSoFar } = event;
  run.latest = { step, steps, timestep, member };
  if (member === 0) run.steps = [...run.steps, { step, steps, timestep, thumbnail }];
  if (map) maps.put({ kind: "step", runKey: run.storeKey, step }, map);
  if (stdSoFar) run.stdSoFar = stdSoFar;
}

/** Whether a run has anything to show: a result, or a step. */
export function hasShown({ result, steps }: RunView): boolean {
  return result !== undefined || steps.length > 0;
}

function runOf(generation: Generation, runId: string): RunView {
  const known = generation.runs.get(runId);
  if (known) return known;
  const run: RunView = { generation: generation.number, storeKey: localKey(generation, runId), plan: [], cached: false, steps: [] };
  generation.runs.set(runId, run);
  return run;
}

function localKey({ number }: Generation, runId: string): string {
  return `generation ${number} ${runId}`;
}
