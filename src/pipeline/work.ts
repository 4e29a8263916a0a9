import { throwIfCancelled } from "../core/errors";
import type { FloatMap } from "../core/image";
import type { DenoisingStep } from "./denoise";

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

/** Adds up the time of each stage, reports each unit, and looks at the signal before it. */
export interface WorkTimer {
  readonly millis: Readonly<Record<WorkStage, number>>;
  run<T>(stage: WorkStage, work: () => Promise<T>): Promise<T>;
  /** Times what the iterator itself takes, not what is done with its values. */
  each<T>(stage: WorkStage, values: AsyncGenerator<T>): AsyncGenerator<T>;
}

export function workTimer(observer: Observer, signal: AbortSignal | undefined): WorkTimer {
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
