import { fork, type ChildProcess } from "node:child_process";
import { setPriority } from "node:os";
import { libraryEnvironment } from "../catalogue/cudaFolder";
import { PlumblineError } from "../core/errors";
import type { ComponentParams, CurvesParams, EngineInfo, InferenceApi, MemoryEstimate, MemoryParams, PredictEvent, PredictParams, PredictReturn, SelfTestParams, SelfTestResult, SeriesParams, SpreadParams } from "../protocol/inference";
import { protocolVersion } from "../protocol/inference";
import { ipcChannel } from "../protocol/ipcChannel";
import { connect, type Caller } from "../protocol/rpc";

export interface EngineOptions {
  /** The bundled child program, dist/inference.js. */
  readonly childPath: string;
  /** Niceness of the child, 0 (normal) to 19 (whatever is left). */
  readonly niceness?: number;
  /** Stop the child after this many milliseconds without a request; never when absent. */
  readonly idleMillis?: number;
  /** Receives what the child writes to stderr. */
  readonly onLog?: (text: string) => void;
}

export interface PredictOptions {
  readonly onEvent?: (event: PredictEvent) => void;
  /** Aborting rejects with `cancelled` at once; the child stops after the step that it is in. */
  readonly signal?: AbortSignal;
}

/** The host's end of the engine. Requests are run one after another, in the order in which they were made. */
export interface EngineClient {
  predict(params: PredictParams, options?: PredictOptions): Promise<PredictReturn>;
  component(params: ComponentParams, options?: { readonly signal?: AbortSignal }): Promise<InferenceApi["component"]["result"]>;
  /** Aborting this one and the next two rejects with `cancelled` at once; the child stops at the next map. */
  spread(params: SpreadParams, options?: { readonly signal?: AbortSignal }): Promise<InferenceApi["spread"]["result"]>;
  curves(params: CurvesParams, options?: { readonly signal?: AbortSignal }): Promise<InferenceApi["curves"]["result"]>;
  series(params: SeriesParams, options?: { readonly signal?: AbortSignal }): Promise<InferenceApi["series"]["result"]>;
  readMap(params: InferenceApi["readMap"]["params"]): Promise<InferenceApi["readMap"]["result"]>;
  readFloats(params: InferenceApi["readFloats"]["params"]): Promise<InferenceApi["readFloats"]["result"]>;
  memory(params: MemoryParams): Promise<MemoryEstimate>;
  /** Runs on the device that is named, or rejects. */
  selfTest(params: SelfTestParams, options?: { readonly signal?: AbortSignal }): Promise<SelfTestResult>;
  info(): Promise<EngineInfo>;
  /** Stops the child; pending requests reject. The client may not be used afterwards. */
  dispose(): Promise<void>;
}

interface Live {
  readonly child: ChildProcess;
  readonly caller: Caller<InferenceApi>;
  readonly info: EngineInfo;
}

/** Characters of the child's stderr that an error repeats. */
const tailLength = 2000;

/**
 * An engine whose child process starts with the first request, and again with the next one after it died.
 * Errors: those of the child; `engine-died` (with the end of its stderr) when it ends while a request is pending or does not
 * start; `protocol-mismatch` when it is of another version.
 */
export function startEngine(options: EngineOptions): EngineClient {
  let live: Promise<Live> | undefined;
  let child: ChildProcess | undefined;
  let disposed = false;
  let requests = 0;
  let idleTimer: NodeJS.Timeout | undefined;

  async function start(): Promise<Live> {
    const started = forkChild(options);
    child = started;
    const closed = closeReason(started, () => disposed);
    void closed.then(() => {
      if (child === started) child = live = undefined;
    });
    const channel = ipcChannel({
      send: (message, callback) => started.send(message as object, (error) => (error ? void closed.then(callback) : callback(null))),
      onMessage: (listener) => void started.on("message", listener),
      onClose: (listener) => void closed.then(listener),
      close: () => void started.kill(),
    });
    const caller = connect<InferenceApi>(channel);
    try {
      const info = await caller.call("hello", { protocolVersion });
      if (info.protocolVersion !== protocolVersion) throw versionError(info.protocolVersion);
      return { child: started, caller, info };
    } catch (error) {
      started.kill();
      throw error;
    }
  }

  /** Runs one request on the living child, which is started if there is none. */
  async function request<T>(use: (live: Live) => Promise<T>): Promise<T> {
    if (disposed) throw new PlumblineError("engine-died", "The engine has been stopped.");
    clearTimeout(idleTimer);
    requests++;
    try {
      live ??= start();
      const attempt = live;
      attempt.catch(() => {
        if (live === attempt) live = undefined;
      });
      return await use(await attempt);
    } finally {
      requests--;
      if (requests === 0 && options.idleMillis !== undefined) idleTimer = setTimeout(stopIdle, options.idleMillis).unref();
    }
  }

  function stopIdle(): void {
    live = undefined;
    child?.kill();
  }

  return {
    predict: (params, callOptions) => request(({ caller }) => caller.call("predict", params, callOptions)),
    component: (params, callOptions) => request(({ caller }) => caller.call("component", params, callOptions)),
    spread: (params, callOptions) => request(({ caller }) => caller.call("spread", params, callOptions)),
    curves: (params, callOptions) => request(({ caller }) => caller.call("curves", params, callOptions)),
    series: (params, callOptions) => request(({ caller }) => caller.call("series", params, callOptions)),
    readMap: (params) => request(({ caller }) => caller.call("readMap", params)),
    readFloats: (params) => request(({ caller }) => caller.call("readFloats", params)),
    memory: (params) => request(({ caller }) => caller.call("memory", params)),
    selfTest: (params, callOptions) => request(({ caller }) => caller.call("selfTest", params, callOptions)),
    info: () => request(async ({ info }) => info),
    async dispose() {
      disposed = true;
      clearTimeout(idleTimer);
      const ending = child;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      const gone = new Promise((resolve) => ending.once("close", resolve));
      ending.kill();
      await gone;
    },
  };
}

/** Under Electron the same executable is asked to be plain Node. The child's stdout is not used. */
function forkChild({ childPath, niceness, onLog }: EngineOptions): ChildProcess {
  const child = fork(childPath, [], {
    serialization: "advanced",
    execArgv: [],
    env: { ...libraryEnvironment(), ELECTRON_RUN_AS_NODE: "1" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => onLog?.(text));
  if (niceness !== undefined && child.pid !== undefined) {
    try {
      setPriority(child.pid, niceness);
    } catch {
      // A child that ended already is reported by its exit; a system without priorities runs it as it is.
    }
  }
  return child;
}

/** Resolves, never rejects, with the reason when the child has ended and all that it wrote has been read. */
function closeReason(child: ChildProcess, wasDisposed: () => boolean): Promise<PlumblineError> {
  let tail = "";
  child.stderr?.on("data", (text: string) => (tail = (tail + text).slice(-tailLength)));
  return new Promise((resolve) => {
    const end = (how: string): void => {
      const said = tail.trim() ? `\n${tail.trim()}` : "";
      if (wasDisposed()) resolve(new PlumblineError("engine-died", "The engine was stopped."));
      else resolve(new PlumblineError("engine-died", `The inference process ended unexpectedly (${how}).${said}`, "Run again: a new process is started. If it ends again, try a lower resolution or the CPU."));
    };
    child.once("error", (error) => end(error.message));
    child.once("close", (code, signal) => end(signal ? `signal ${signal}` : `exit code ${code}`));
  });
}

function versionError(received: number): PlumblineError {
  return new PlumblineError("protocol-mismatch", `Expected protocol version ${protocolVersion} for the inference process but received ${received}.`, "Install Plumbline again: its parts are of different versions.");
}
