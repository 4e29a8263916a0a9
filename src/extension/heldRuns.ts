import type { RunResult } from "../protocol/inference";
import type { ToWebview } from "../protocol/panel";

type GenerationMessage = Extract<ToWebview, { readonly generation: number }>;

/** One run of the panel, from `started` to how it ended. */
interface HeldRun {
  readonly generation: number;
  readonly image: number;
  messages: readonly GenerationMessage[];
  stepBytes: number;
}

/** Images whose runs are held; a page keeps as many. */
const heldImages = 4;
/** Bytes of step maps held for one run; beyond it only the newest of each run is, so memory does not grow with the steps. */
const heldStepBytes = 96e6;

/**
 * What was sent about the latest run of each image, and the earlier runs of it whose rows that run left alone:
 * enough to fill a page that was loaded anew.
 */
export class HeldRuns {
  #runs: readonly HeldRun[] = [];

  /** Holds the message; of progress only the last one. */
  hold(message: GenerationMessage): void {
    if (message.type === "started") return this.#start(message);
    const run = this.#runs.find(({ generation }) => generation === message.generation);
    if (!run) return;
    run.messages = [...run.messages.filter((held) => !replaces(message, held, run.stepBytes > heldStepBytes)), message];
    run.stepBytes = run.messages.reduce((sum, held) => sum + stepBytesOf(held), 0);
  }

  #start(message: Extract<GenerationMessage, { type: "started" }>): void {
    const { generation, image, only } = message;
    const others = this.#runs.filter((run) => run.image !== image);
    const earlier = only ? this.#runs.filter((run) => run.image === image) : [];
    const images = [...new Set(others.map((run) => run.image))].slice(-(heldImages - 1));
    this.#runs = [...others.filter((run) => images.includes(run.image)), ...earlier, { generation, image, messages: [message], stepBytes: 0 }];
  }

  has(image: number): boolean {
    return this.#runs.some((run) => run.image === image);
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

function replaces(next: GenerationMessage, held: GenerationMessage, isFull: boolean): boolean {
  if (next.type !== "event" || held.type !== "event") return false;
  if (next.event.type === "progress") return held.event.type === "progress";
  return isFull && next.event.type === "step" && held.event.type === "step" && held.event.runId === next.event.runId;
}

function stepBytesOf(message: GenerationMessage): number {
  if (message.type !== "event" || message.event.type !== "step") return 0;
  return (message.event.map?.data.byteLength ?? 0) + (message.event.stdSoFar?.data.byteLength ?? 0);
}
