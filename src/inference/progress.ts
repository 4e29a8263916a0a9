import type { WorkStage } from "../pipeline/work";

type Work = Readonly<Record<WorkStage, number>>;
const stages: readonly WorkStage[] = ["encode", "denoise", "decode", "combine"];

/** How far a request is: planned units of work against those done, and the time that the rest will take. */
export interface Progress {
  /** 0..1, never falls. */
  readonly fraction: number;
  /** Absent until the first step has been timed. */
  readonly remainingMillis?: number;
}

/**
 * Tracks the units of a whole request. A unit's time is estimated by the mean of its kind so far, a decoder's first by
 * the encoder's (two halves of one network); combining takes no time that matters.
 */
export class ProgressTracker {
  private readonly done: Record<WorkStage, number> = { encode: 0, denoise: 0, decode: 0, combine: 0 };
  private readonly millis: Record<WorkStage, number> = { encode: 0, denoise: 0, decode: 0, combine: 0 };

  private readonly skipped: Record<WorkStage, number> = { encode: 0, denoise: 0, decode: 0, combine: 0 };

  constructor(private readonly planned: Work) {}

  unitDone(stage: WorkStage, millis: number): void {
    this.done[stage]++;
    this.millis[stage] += millis;
  }

  /** Counts work as done that took no time, as of a run from the cache: it says nothing about the time that other work takes. */
  skip(work: Work): void {
    for (const stage of stages) this.skipped[stage] += work[stage];
  }

  now(): Progress {
    const total = stages.reduce((sum, stage) => sum + this.planned[stage], 0);
    const done = stages.reduce((sum, stage) => sum + Math.min(this.done[stage] + this.skipped[stage], this.planned[stage]), 0);
    return { fraction: done / total, ...this.remaining() };
  }

  private remaining(): { remainingMillis?: number } {
    let remainingMillis = 0;
    for (const stage of stages) {
      const left = this.planned[stage] - this.done[stage] - this.skipped[stage];
      if (stage === "combine" || left <= 0) continue;
      const timed = stage === "decode" && this.done.decode === 0 ? "encode" : stage;
      if (this.done[timed] === 0) return {};
      remainingMillis += (left * this.millis[timed]) / this.done[timed];
    }
    return { remainingMillis };
  }
}

/** The sum of the work of several runs. */
export function totalWork(runs: readonly Work[]): Work {
  const sum = (stage: WorkStage): number => runs.reduce((total, work) => total + work[stage], 0);
  return { encode: sum("encode"), denoise: sum("denoise"), decode: sum("decode"), combine: sum("combine") };
}
