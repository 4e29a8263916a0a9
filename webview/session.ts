import { mapFromHalf } from "../src/core/half";
import type { FloatMap } from "../src/core/image";
import type { Device } from "../src/core/settings";
import type { Task } from "../src/core/semantics";
import type { DecodedImage, PredictEvent, RunResult, Stage } from "../src/protocol/inference";
import type { ImageItem, ModelChoice, PanelSettings, Thumbnail, ToWebview } from "../src/protocol/panel";

/** One denoising step as it was observed. */
export interface StepView {
  readonly step: number;
  readonly steps: number;
  readonly timestep: number;
  readonly member: number;
  readonly map?: FloatMap;
}

/** What has arrived of one run (one row, one task). */
export interface RunView {
  /** The generation it belongs to; exports name it. */
  readonly generation: number;
  /** Steps of member 0 with a map, in order; some are left out where there are very many. */
  steps: readonly StepView[];
  latest?: StepView;
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
/** Bytes of step maps kept for one run; beyond it every other one is dropped, so memory does not grow with the steps. */
const keptStepBytes = 96e6;

/** What the host has sent since the page was loaded. Nothing in it is ever sent back. */
export class Session {
  models: readonly ModelChoice[] = [];
  images: readonly ImageItem[] = [];
  readonly thumbnails = new Map<number, Thumbnail>();
  /** Latest generation of each image, most recently started last. */
  readonly #byImage = new Map<number, Generation>();
  #running?: Generation;

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
      case "thumbnail":
        this.thumbnails.set(message.image, message.thumbnail);
        return;
      case "started":
        return this.#start(message);
      case "exported":
      case "noiseChosen":
      case "answer":
      case "refused":
        return;
      default: {
        const generation = [...this.#byImage.values()].find(({ number }) => number === message.generation);
        if (generation) take(generation, message);
      }
    }
  }

  #start({ generation: number, image, settings, only }: Extract<ToWebview, { type: "started" }>): void {
    const last = this.#byImage.get(image);
    const before = new Map(last?.before);
    for (const [id, run] of last?.runs ?? []) if (run.result ?? run.latest?.map) before.set(id, run);
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

function take(generation: Generation, message: GenerationMessage): void {
  switch (message.type) {
    case "event":
      return takeEvent(generation, message.event);
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

function takeEvent(generation: Generation, event: PredictEvent): void {
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
      return;
    case "step":
      return takeStep(runOf(generation, event.runId), event);
    case "result":
      runOf(generation, event.result.runId).result = event.result;
      return;
  }
}

function takeStep(run: RunView, event: Extract<PredictEvent, { type: "step" }>): void {
  const { step, steps, timestep, member } = event;
  const map = event.map && mapFromHalf(event.map);
  const bytes = run.steps.reduce((sum, kept) => sum + (kept.map?.data.byteLength ?? 0), 0);
  if (bytes > keptStepBytes) run.steps = run.steps.filter((_, i) => i % 2 === 0);
  run.latest = { step, steps, timestep, member, map: map ?? run.latest?.map };
  if (map) run.steps = [...run.steps, run.latest];
  if (event.stdSoFar) run.stdSoFar = event.stdSoFar;
}

function runOf(generation: Generation, runId: string): RunView {
  const known = generation.runs.get(runId);
  if (known) return known;
  const run: RunView = { generation: generation.number, steps: [] };
  generation.runs.set(runId, run);
  return run;
}
