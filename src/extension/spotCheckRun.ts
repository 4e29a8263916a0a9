import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { PlumblineError } from "../core/errors";
import type { SpotProgress, SpotRecord } from "../evaluation/spotRun";
import { isObject } from "../io/jsonFile";
import type { SpotRunState } from "../protocol/spotCheck";

/** What a run tells. */
export interface SpotRunListener {
  record(record: SpotRecord): void;
  state(state: SpotRunState): void;
}

/** A line of `plumbline spot-check --json-progress`. */
type Line =
  | ({ readonly type: "begin" } & SpotProgress)
  | SpotRecord
  | ({ readonly type: "progress" } & NonNullable<SpotRunState["progress"]>)
  | { readonly type: "paused" | "resumed" }
  | { readonly type: "end"; readonly status: "done" | "cancelled" | "failed"; readonly message?: string };

const tailLength = 2000;

/**
 * A spot check in a process of its own: the command line, which is told what to do on its stdin and tells on its stdout how far it
 * is. It ends by itself when this process does.
 */
export class SpotCheckRun {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<SpotRunListener>();
  #state: SpotRunState = { phase: "starting" };
  #end?: Extract<Line, { type: "end" }>;
  #tail = "";
  /** How it ended; rejects with the reason when it failed. */
  readonly ended: Promise<"done" | "cancelled">;

  /** `cliPath` is the bundled command line, dist/cli.js. */
  constructor(cliPath: string, args: readonly string[], onLog: (text: string) => void) {
    // Under Electron the same executable is asked to be plain Node.
    this.#child = spawn(process.execPath, [cliPath, ...args], { env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" }, stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr, stdin } = this.#child;
    stdin?.on("error", () => undefined); // it ended before it read
    if (stdout) createInterface({ input: stdout }).on("line", (line) => this.#read(line));
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#tail = (this.#tail + text).slice(-tailLength);
      onLog(text.trimEnd());
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", (cause) => reject(new PlumblineError("engine-died", `Could not start the spot check: ${cause.message}`, "Install Plumbline again.", { cause })));
      this.#child.once("close", (code) => {
        const wasStopping = this.#state.phase === "stopping";
        this.#change({ phase: "idle", progress: this.#state.progress });
        if (this.#end && this.#end.status !== "failed") resolve(this.#end.status);
        else if (wasStopping) resolve("cancelled");
        else if (code === 0) resolve("done");
        else reject(new PlumblineError("engine-died", `The spot check ended early. ${this.#end?.message ?? this.#tail.trim()}`, "What is done is kept: run it again."));
      });
    });
    this.ended.catch(() => undefined); // whoever asks is told
  }

  get state(): SpotRunState {
    return this.#state;
  }

  /** Returns how to stop listening. */
  listen(listener: SpotRunListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pause(): void {
    this.#tell("pause");
  }

  resume(): void {
    this.#tell("resume");
  }

  cancel(): void {
    if (this.#state.phase === "idle") return;
    this.#change({ ...this.#state, phase: "stopping" });
    this.#tell("cancel");
    // Before it listens to its stdin, the signal is what it knows.
    if (this.#state.progress === undefined) this.#child.kill("SIGINT");
  }

  #tell(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  #read(text: string): void {
    const line = parsed(text);
    if (!line) return;
    switch (line.type) {
      case "record":
        for (const listener of this.#listeners) listener.record(line);
        return;
      case "begin":
      case "progress": {
        const { done, failed, total } = line;
        const rate = line.type === "progress" ? { imagesPerSecond: line.imagesPerSecond, remainingMillis: line.remainingMillis } : {};
        const { phase } = this.#state;
        return this.#change({ phase: phase === "starting" ? "running" : phase, progress: { done, failed, total, ...rate } });
      }
      case "paused":
        return this.#change({ ...this.#state, phase: "paused" });
      case "resumed":
        return this.#change({ ...this.#state, phase: "running" });
      case "end":
        this.#end = line;
    }
  }

  #change(state: SpotRunState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener.state(state);
  }
}

function parsed(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && typeof value.type === "string" ? (value as unknown as Line) : undefined;
  } catch {
    return undefined;
  }
}
