import type { PredictEvent, RunResult } from "../protocol/inference";
import type { ToWebview } from "../protocol/panel";

type GenerationMessage = Extract<ToWebview, { readonly generation: number }>;

/** One run of the panel, from `started` to how it ended. */
interface HeldRun {
  readonly generation: number;
  readonly image: number;
  /** Whether some of the rows were left as they were. */
  readonly isPartial: boolean;
  messages: GenerationMessage[];
}

/** Images whose runs are held at most; a page keeps as many. */
const heldImages = 4;
/** Bytes of results and photographs held at most; the image that was run last is held in any case. */
const heldBytes = 400e6;
/** Steps of one run whose thumbnails are held; of longer runs they are these many, evenly spread. */
const heldThumbnails = 128;

/**
 * What was sent about the latest run of each image, and of earlier runs the results that no later one replaced: enough
 * to fill a page that was loaded anew. Maps of steps are not held: they are in the cache, and a page asks for them.
 */
export class HeldRuns {
  #runs: readonly HeldRun[] = [];

  /** Holds the message; of progress and of a running deviation only the last one. */
  hold(message: GenerationMessage): void {
    if (message.type === "started") return this.#start(message);
    const run = this.#runs.find(({ generation }) => generation === message.generation);
    if (!run) return;
    dropReplaced(run.messages, message);
    run.messages.push(leanMessage(message));
    if (message.type === "event" && message.event.type === "result") {
      this.#dropEarlier(run, message.event.result.runId);
      this.#dropOldImages();
    }
    if (message.type === "finished" && !run.isPartial) this.#runs = this.#runs.filter((other) => other.image !== run.image || other.generation >= run.generation);
  }

  #start(message: Extract<GenerationMessage, { type: "started" }>): void {
    const { generation, image, only } = message;
    const others = this.#runs.filter((run) => run.image !== image);
    // What has no result is replaced by the new run at once; results stay on show until they are replaced.
    const earlier = this.#runs.filter((run) => run.image === image && run.messages.some(isResult));
    const images = [...new Set(others.map((run) => run.image))].slice(-(heldImages - 1));
    this.#runs = [...others.filter((run) => images.includes(run.image)), ...earlier, { generation, image, isPartial: only !== undefined, messages: [message] }];
  }

  /** Drops what earlier runs of the image said about a run that has a new result. */
  #dropEarlier({ image, generation }: HeldRun, runId: string): void {
    const isEarlier = (run: HeldRun): boolean => run.image === image && run.generation < generation;
    for (const run of this.#runs.filter(isEarlier)) run.messages = run.messages.filter((message) => message.type !== "event" || runIdOf(message.event) !== runId);
    this.#runs = this.#runs.filter((run) => !isEarlier(run) || run.messages.some(isResult));
  }

  /** What is dropped is in the cache: it is run again when it is shown again. */
  #dropOldImages(): void {
    const bytes = (): number => this.#runs.reduce((sum, run) => sum + run.messages.reduce((ofRun, message) => ofRun + bytesOf(message), 0), 0);
    const latest = this.#runs.at(-1)?.image;
    while (bytes() > heldBytes && this.#runs[0].image !== latest) {
      const { image } = this.#runs[0];
      this.#runs = this.#runs.filter((run) => run.image !== image);
    }
  }

  has(image: number): boolean {
    return this.#runs.some((run) => run.image === image);
  }

  /** Whether a page shows any result of the image. */
  hasResults(image: number): boolean {
    return this.#runs.some((run) => run.image === image && run.messages.some(isResult));
  }

  /** Everything held, in the order in which it was sent. */
  messages(): readonly GenerationMessage[] {
    return this.#runs.flatMap((run) => run.messages);
  }

  /** The result that a page shows for a run at this generation: its own, or the one that it left alone. */
  result(generation: number, runId: string): RunResult | undefined {
    const image = this.#runs.find((run) => run.generation === generation)?.image;
    const candidates = this.#runs.filter((run) => run.image === image && run.generation <= generation).flatMap((run) => run.messages);
    for (const message of candidates.reverse()) {
      if (message.type === "event" && message.event.type === "result" && message.event.result.runId === runId) return message.event.result;
    }
    return undefined;
  }
}

function isResult(message: GenerationMessage): boolean {
  return message.type === "event" && message.event.type === "result";
}

function runIdOf(event: PredictEvent): string | undefined {
  if (event.type === "result") return event.result.runId;
  return "runId" in event ? event.runId : undefined;
}

/** Of what is large in a message. */
function bytesOf(message: GenerationMessage): number {
  if (message.type !== "event") return 0;
  if (message.event.type === "image") return message.event.image.rgb.byteLength;
  if (message.event.type !== "result") return 0;
  const { map, stdOverSteps, stdOverMembers } = message.event.result;
  return [map, stdOverSteps, stdOverMembers].reduce((sum, each) => sum + (each?.data.byteLength ?? 0), 0);
}

/** The message without the map of a step, and of very many steps without most thumbnails. */
function leanMessage(message: GenerationMessage): GenerationMessage {
  if (message.type !== "event" || message.event.type !== "step") return message;
  const { step, steps, thumbnail } = message.event;
  const isHeld = step % Math.ceil(steps / heldThumbnails) === 0 || step === steps - 1;
  return { ...message, event: { ...message.event, map: undefined, thumbnail: isHeld ? thumbnail : undefined } };
}

/** Takes out what `next` replaces: the last progress, and the running deviation of the same run. */
function dropReplaced(messages: GenerationMessage[], next: GenerationMessage): void {
  if (next.type !== "event") return;
  if (next.event.type === "progress") {
    const at = lastIndex(messages, (event) => event.type === "progress");
    if (at >= 0) messages.splice(at, 1);
  }
  if (next.event.type !== "result" && !(next.event.type === "step" && next.event.stdSoFar)) return;
  const runId = runIdOf(next.event);
  const at = lastIndex(messages, (event) => event.type === "step" && event.stdSoFar !== undefined && event.runId === runId);
  const held = messages[at];
  if (held?.type !== "event" || held.event.type !== "step") return;
  messages[at] = { ...held, event: { ...held.event, stdSoFar: undefined } };
}

/** Index of the last event of the kind; -1 when there is none. */
function lastIndex(messages: readonly GenerationMessage[], isWanted: (event: PredictEvent) => boolean): number {
  for (let i = messages.length - 1; i >= 0; i--) {
    const message = messages[i];
    if (message.type === "event" && isWanted(message.event)) return i;
  }
  return -1;
}
