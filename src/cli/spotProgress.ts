import { fstatSync } from "node:fs";
import { createInterface } from "node:readline";
import { ProgressClock } from "../evaluation/progressClock";
import type { SpotProgress, SpotRecord } from "../evaluation/spotRun";
import { duration, report, showStatus } from "./engine";

/** Whatever wants to know how far a spot check is, and may stop and go on with it. */
export interface SpotControl {
  /** While it is pending nothing new is begun. */
  readonly gate: () => Promise<void> | undefined;
  readonly signal: AbortSignal;
  readonly onRecord: (record: SpotRecord, progress: SpotProgress) => void;
  begin(progress: SpotProgress): void;
  end(status: "done" | "cancelled" | "failed", message?: string): void;
  dispose(): void;
}

/**
 * Reports on stderr for a person, or with `json` on stdout for a program, an object a line: `begin`, then `record` and `progress` for each image, `paused` and `resumed`, and
 * `end`. Lines "pause", "resume" and "cancel" on stdin (with `json`), and SIGUSR1 and SIGUSR2, pause and resume; the end of a pipe on stdin cancels, since its writer is gone.
 */
export function spotControl(json: boolean, outer: AbortSignal): SpotControl {
  const cancel = new AbortController();
  const clock = new ProgressClock();
  let paused: { readonly until: Promise<void>; readonly resume: () => void } | undefined;
  const say = (message: object): void => void (json && process.stdout.write(`${JSON.stringify(message)}\n`));
  const pause = (): void => {
    if (paused) return;
    let resume: () => void = () => undefined;
    // Nothing else may be under way, and a process that only waits for a signal would end.
    const alive = setInterval(() => undefined, 2 ** 30);
    const until = new Promise<void>((done) => (resume = done)).finally(() => clearInterval(alive));
    paused = { until, resume: () => resume() };
    clock.pause();
    say({ type: "paused" });
    if (!json) report("Paused after the images that are under way; SIGUSR2 resumes.");
  };
  const resume = (): void => {
    if (!paused) return;
    clock.resume();
    paused.resume();
    paused = undefined;
    say({ type: "resumed" });
    if (!json) report("Resumed.");
  };
  const stop = (): void => {
    cancel.abort();
    paused?.resume(); // what waits at the gate sees the signal
  };
  const commands = new Map([["pause", pause], ["resume", resume], ["cancel", stop]]);
  const lines = json ? createInterface({ input: process.stdin }).on("line", (line) => commands.get(line.trim())?.()).on("close", () => isPipe(process.stdin.fd) && stop()) : undefined;
  const hasSignals = process.platform !== "win32";
  if (hasSignals) process.on("SIGUSR1", pause).on("SIGUSR2", resume);
  outer.addEventListener("abort", stop, { once: true });
  return {
    gate: () => paused?.until,
    signal: cancel.signal,
    begin: (progress) => say({ type: "begin", version: 1, ...progress }),
    onRecord: ({ angles: _angles, ...record }, progress) => {
      clock.tick();
      const { imagesPerSecond, remainingMillis } = clock.rate(progress.total - progress.done);
      say(record);
      say({ type: "progress", ...progress, ...(imagesPerSecond !== undefined && { imagesPerSecond, remainingMillis }) });
      if (json) return;
      if (record.status === "failed") report(`${record.id}: ${record.reason ?? ""}`);
      const rate = imagesPerSecond === undefined || remainingMillis === undefined ? "" : `, ${imagesPerSecond.toPrecision(3)} a second, ${duration(remainingMillis)} left`;
      showStatus(`${progress.done} of ${progress.total} images${progress.failed > 0 ? `, ${progress.failed} failed` : ""}${rate}`);
    },
    end: (status, message) => say({ type: "end", status, ...(message !== undefined && { message }) }),
    dispose: () => {
      paused?.resume(); // the run may have ended while it was paused
      lines?.removeAllListeners("close").close();
      process.stdin.pause();
      if (hasSignals) process.off("SIGUSR1", pause).off("SIGUSR2", resume);
    },
  };
}

function isPipe(descriptor: number): boolean {
  const kind = fstatSync(descriptor);
  return kind.isFIFO() || kind.isSocket();
}
