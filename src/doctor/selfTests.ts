import { PlumblineError, throwIfCancelled } from "../core/errors";
import type { FloatMap } from "../core/image";
import type { Task } from "../core/semantics";
import type { Device } from "../core/settings";
import { startEngine } from "../inference/client";
import type { SelfTest } from "./diagnosis";

export interface TestModel {
  readonly model: string;
  readonly dir: string;
  readonly task: Task;
}

/** What came of trying one device. */
export interface DeviceTest {
  readonly device: Device;
  /** Empty where no self-test was asked for. */
  readonly results: readonly SelfTest[];
  /** Why the device cannot be used. */
  readonly failure?: string;
}

/** All tests together end about then; a device that has begun a model may finish it. */
const budgetMillis = 60_000;
/** A device that takes longer for one model has failed. */
const usualPatienceMillis = 60_000;
/** Failures that are told apart: there is nothing for the device, or it does not answer. */
export const noGpu = "no GPU that it can use";
export const noAnswer = "no answer";
/** What is kept of a process's log, in characters. */
const logLength = 20_000;

export interface SelfTestOptions {
  /** The bundled child program, dist/inference.js. */
  readonly childPath: string;
  /** Models of the self-test: those that ship with Plumbline. None: no self-test. */
  readonly testModels: readonly TestModel[];
  /** How long a device may take for one model: a minute by default. */
  readonly patienceMillis?: number;
  /** What is being done, for a line of status. */
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Tries every device on every model, the CPU first, whose maps the others are compared with. Each device has a process of its own: a
 * driver that crashes takes nothing else with it. Rejects with `cancelled` only.
 */
export async function testDevices(devices: readonly Device[], options: SelfTestOptions): Promise<readonly DeviceTest[]> {
  const deadline = performance.now() + budgetMillis;
  const references = new Map<string, FloatMap>();
  const tests: DeviceTest[] = [];
  for (const device of [...devices].sort((a, b) => Number(b === "cpu") - Number(a === "cpu"))) {
    tests.push(await testDevice(device, references, deadline, options));
  }
  return tests;
}

async function testDevice(device: Device, references: Map<string, FloatMap>, deadline: number, { childPath, testModels, patienceMillis = usualPatienceMillis, onProgress, signal }: SelfTestOptions): Promise<DeviceTest> {
  let log = "";
  const engine = startEngine({ childPath, onLog: (text) => (log = (log + text).slice(-logLength)) });
  const results: SelfTest[] = [];
  try {
    for (const { model, dir, task } of testModels) {
      throwIfCancelled(signal);
      if (results.length > 0 && performance.now() > deadline) break;
      onProgress?.(`trying ${device} with ${model}`);
      const patience = AbortSignal.timeout(patienceMillis);
      try {
        const { map, timingsMillis, peakBytes } = await engine.selfTest({ modelDir: dir, task, device }, { signal: signal ? AbortSignal.any([signal, patience]) : patience });
        const reference = references.get(model);
        if (device === "cpu") references.set(model, map);
        results.push({ device, model, task, timingsMillis, peakBytes, ...(reference && { difference: differenceOf(map, reference) }) });
      } catch (error) {
        throwIfCancelled(signal);
        await engine.dispose(); // and with it all of the log has been read
        const failure = patience.aborted ? `${noAnswer} within ${patienceMillis / 1000} s` : reasonOf(error, log);
        results.push({ device, model, task, failure });
        // One device, one reason: the other models would say the same.
        return { device, results, failure };
      }
    }
    return { device, results };
  } finally {
    await engine.dispose();
  }
}

/** Mean and largest absolute difference of two maps; not a number in either is as far as can be. */
export function differenceOf(map: FloatMap, reference: FloatMap): { readonly mean: number; readonly max: number } {
  let [sum, max] = [0, 0];
  for (let i = 0; i < reference.data.length; i++) {
    const difference = Math.abs(map.data[i] - reference.data[i]);
    const counted = Number.isFinite(difference) ? difference : Infinity;
    sum += counted;
    max = Math.max(max, counted);
  }
  return { mean: sum / reference.data.length, max };
}

/** Why a device failed, in words. ONNX Runtime writes to its log which library it missed, and says only that one is missing. */
export function reasonOf(error: unknown, log: string): string {
  const missing = /with error: ([^\s:]+): cannot open shared object file/.exec(log)?.[1];
  if (missing !== undefined) return `${missing.split("/").at(-1)} is missing`;
  const failed = /Failed to load library \S+ with error: ([^\n]+)/.exec(log)?.[1];
  if (failed !== undefined) return failed.trim();
  if (!(error instanceof PlumblineError)) return String(error);
  if (error.message.includes("No supported adapters")) return noGpu;
  // What ONNX Runtime says begins with where in its own source it says it.
  return error.message.replace(/\/onnxruntime_src\/.*? was false\. /s, "").trim();
}
