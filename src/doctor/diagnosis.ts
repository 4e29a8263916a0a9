import type { Device } from "../core/settings";
import type { Task } from "../core/semantics";
import type { EngineInfo, MemoryEstimate, SelfTestResult } from "../protocol/inference";
import type { Machine } from "./machine";

/** What the doctor found: plain data, as `plumbline doctor --json` prints it. */
export interface Diagnosis {
  readonly version: 1;
  readonly machine: Machine;
  /** Absent where the inference process does not start. */
  readonly engine?: Pick<EngineInfo, "versions" | "devices">;
  /** Folder of the CUDA provider that Plumbline installed; absent where it did not. */
  readonly cudaFolder?: string;
  readonly selfTests: readonly SelfTest[];
  readonly memory?: ModelMemory;
  /** The same in words, for people. */
  readonly sections: readonly Section[];
}

/** One model on one device. */
export interface SelfTest {
  readonly device: Device;
  readonly model: string;
  readonly task: Task;
  readonly timingsMillis?: SelfTestResult["timingsMillis"];
  readonly peakBytes?: number;
  /** Absolute difference from the CPU's map (depth 0..1, components of normals -1..1); absent on the CPU itself. */
  readonly difference?: { readonly mean: number; readonly max: number };
  /** Why there is no result. */
  readonly failure?: string;
}

/** What the chosen model needs for an image of a size. */
export interface ModelMemory {
  readonly model: string;
  readonly imageSize: { readonly width: number; readonly height: number };
  readonly estimate: MemoryEstimate;
}

export type Mark = "ok" | "info" | "warn" | "fail";

export interface Finding {
  readonly mark: Mark;
  readonly text: string;
  /** What to do. */
  readonly remedy?: string;
}

export interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}
