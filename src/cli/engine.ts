import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { throwIfCancelled } from "../core/errors";
import { startEngine, type EngineClient } from "../inference/client";
import type { PredictEvent, PredictParams, PredictReturn, RunResult } from "../protocol/inference";

/** The folder of the installation: the bundle lies in dist/. */
export const installation = join(__dirname, "..");
export const shippedModelsDir = join(installation, "models");

/** What a command works with: the engine, and a signal that Ctrl+C aborts. */
export interface Session {
  readonly engine: EngineClient;
  readonly signal: AbortSignal;
}

/** Ctrl+C often arrives twice at once, from the terminal and from a parent process; only a later one is impatience. */
const doubleSignalMillis = 1000;

/** How long an interrupted command outlives its end: while Node shuts down, a repetition would kill it with no exit code. */
const lingerMillis = 200;

/** Gives a command an engine, which ends with it. Ctrl+C rejects what runs with `cancelled`; a later second one ends at once. */
export async function withEngine<T>(use: (session: Session) => Promise<T>): Promise<T> {
  const engine = startEngine({ childPath: join(__dirname, "inference.js") });
  const abort = new AbortController();
  let interruptedAt: number | undefined;
  const interrupt = (): void => {
    interruptedAt ??= performance.now();
    if (performance.now() - interruptedAt > doubleSignalMillis) process.exit(130);
    abort.abort();
  };
  // Kept to the end: a late repetition must not kill the command while it says that it was cancelled.
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await use({ engine, signal: abort.signal });
  } catch (error) {
    // A terminal sends Ctrl+C to the child too: that it died of it is no error of its own.
    throwIfCancelled(abort.signal);
    throw error;
  } finally {
    await engine.dispose();
    if (interruptedAt !== undefined) await setTimeout(interruptedAt + lingerMillis - performance.now());
  }
}

/** Runs one image and collects the results by run id. Throws what the engine throws. */
export async function predictImage({ engine, signal }: Session, params: PredictParams, onEvent?: (event: PredictEvent) => void): Promise<PredictReturn & { readonly results: ReadonlyMap<string, RunResult> }> {
  const results = new Map<string, RunResult>();
  const returned = await engine.predict(params, {
    signal,
    onEvent: (event) => {
      if (event.type === "result") results.set(event.result.runId, event.result);
      onEvent?.(event);
    },
  });
  return { ...returned, results };
}

/** Milliseconds between two lines of status where they cannot replace each other. */
const logInterval = 30_000;
let lastLogged = performance.now();

/** How far things are, on stderr: a person at a terminal sees one line change, a log gets a line now and then. */
export function showStatus(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  else if (text && performance.now() - lastLogged > logInterval) {
    lastLogged = performance.now();
    process.stderr.write(`${text}\n`);
  }
}

/** A line on stderr that stays. */
export function report(text: string): void {
  showStatus("");
  process.stderr.write(`${text}\n`);
}

/** Remarks about the device that were made; each is made once. */
const remarks = new Set<string>();

/** Shows how far a prediction is, with time left, and why it does not run on the device asked for. */
export function progressOf(label: string): (event: PredictEvent) => void {
  return (event) => {
    if (event.type === "device" && event.note !== undefined && !remarks.has(event.note)) report(event.note);
    if (event.type === "device" && event.note !== undefined) remarks.add(event.note);
    if (event.type !== "progress") return;
    const left = event.remainingMillis === undefined ? "" : `, ${duration(event.remainingMillis)} left`;
    showStatus(`${label}: ${event.stage} ${Math.round(100 * event.fraction)} %${left}`);
  };
}

/** "850 ms", "12.3 s", "4 min 5 s" */
export function duration(millis: number): string {
  if (millis < 1000) return `${Math.round(millis)} ms`;
  const seconds = millis / 1000;
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
