import type { FloatMap } from "../core/image";
import type { Semantics, Task } from "../core/semantics";
import type { Device, DeviceChoice, RunRequest, RunSettings } from "../core/settings";

/** Raised whenever a message changes shape; host and child refuse to talk across versions. */
export const protocolVersion = 1;

/** Where a result came from; written as run.json and shown in the panel. */
export interface Provenance {
  readonly tool: { readonly name: "plumbline"; readonly version: string };
  readonly image: { readonly path: string; readonly width: number; readonly height: number; readonly sha256: string };
  readonly model: {
    readonly id: string;
    readonly dir: string;
    /** SHA-256 of every file the networks were built from, by path relative to the model folder. */
    readonly files: Readonly<Record<string, string>>;
  };
  readonly task: Task;
  readonly semantics: Semantics;
  readonly settings: RunSettings;
  readonly processingSize: { readonly width: number; readonly height: number };
  /** Training-timestep indices in the order in which they were run, 0-based. */
  readonly timesteps: readonly number[];
  readonly device: Device;
  /** Why the device is not the one asked for; absent when it is. */
  readonly deviceNote?: string;
  /** What was converted in the image, and what the checkpoint does not say and was assumed, in sentences; absent when nothing. */
  readonly notes?: readonly string[];
  readonly timingsMillis: Readonly<Record<"load" | "encode" | "denoise" | "decode" | "combine" | "total", number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly finishedAt: string;
}

/** The stages in the order in which they run (DESIGN: the way of the data). */
export type Stage = "load" | "encode" | "denoise" | "decode" | "combine";

/** The image as it was read: 8-bit RGB after orientation, alpha and colour conversion. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  /** Interleaved H x W x 3. */
  readonly rgb: Uint8Array;
}

/** Maps of a finished run, at the source image's size unless `mapSize` says "processing". */
export interface RunResult {
  readonly runId: string;
  readonly map: FloatMap;
  /**
   * Pixel-wise population standard deviation over the steps of member 0 (aligned to the last step where the
   * quantity is affine); for normals the root mean squared angle to the mean direction, in radians.
   * Absent for single-step runs, and where `stdOverSteps: false` was asked for.
   */
  readonly stdOverSteps?: FloatMap;
  /** The same over ensemble members; absent for one member. */
  readonly stdOverMembers?: FloatMap;
  readonly provenance: Provenance;
}

/** What the child reports while a prediction runs, in order. */
export type PredictEvent =
  | { readonly type: "image"; readonly image: DecodedImage }
  | { readonly type: "device"; readonly device: Device; readonly note?: string }
  | {
      readonly type: "progress";
      readonly runId: string;
      readonly stage: Stage;
      /** 0..1 over the whole request. */
      readonly fraction: number;
      /** Estimated milliseconds until the whole request is done; absent until it can be said. */
      readonly remainingMillis?: number;
    }
  | {
      readonly type: "step";
      readonly runId: string;
      readonly member: number;
      /** 0-based, of `steps`. */
      readonly step: number;
      readonly steps: number;
      readonly timestep: number;
      /** Decoded `pred_original_sample` of this step, at processing size (member 0 only, when `stepMaps` was asked for). */
      readonly map?: FloatMap;
      /** Running std over the steps so far, from the second step on; processing size. */
      readonly stdSoFar?: FloatMap;
    }
  | { readonly type: "result"; readonly result: RunResult };

/** Raw tensors of a run for `steps.safetensors`; sent only when `recordSteps` was asked for. */
export interface RecordedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface PredictParams {
  readonly imagePath: string;
  /** Runs share the decoded image and, per encoder, the encoded latent. At least one. */
  readonly runs: readonly RunRequest[];
  readonly device: DeviceChoice;
  /** Send every step's decoded map, and the running std. */
  readonly stepMaps: boolean;
  /** Keep and return the raw tensors of every step of member 0. */
  readonly recordSteps: boolean;
  readonly mapSize: "source" | "processing";
  /** Decode every step of member 0 for `RunResult.stdOverSteps`. True by default; implied by `stepMaps` and `recordSteps`. */
  readonly stdOverSteps?: boolean;
}

export interface PredictReturn {
  /** By run id; empty unless `recordSteps`. */
  readonly recorded: Readonly<Record<string, readonly RecordedTensor[]>>;
}

/** One network of a checkpoint on given tensors (`plumbline component`). */
export interface ComponentParams {
  readonly dir: string;
  readonly part?: "encoder" | "decoder";
  readonly inputs: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array | BigInt64Array }>>;
  readonly device: DeviceChoice;
}

export interface EngineInfo {
  readonly protocolVersion: number;
  readonly pid: number;
  readonly versions: Readonly<Record<string, string>>;
  /** Devices whose provider is there, best first; always ends with "cpu". */
  readonly devices: readonly Device[];
}

/** The child process's methods: parameters, events reported while they run, and result. */
export interface InferenceApi {
  hello: { params: { readonly protocolVersion: number }; event: never; result: EngineInfo };
  predict: { params: PredictParams; event: PredictEvent; result: PredictReturn };
  component: { params: ComponentParams; event: never; result: { readonly outputs: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>> } };
  /** Frees every network held; the next prediction loads anew. */
  release: { params: Record<string, never>; event: never; result: Record<string, never> };
}
