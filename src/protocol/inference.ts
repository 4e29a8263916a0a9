import type { HalfMap } from "../core/half";
import type { Crop, FloatMap } from "../core/image";
import type { MemoryNeed } from "../core/memoryEstimate";
import type { Semantics, Task } from "../core/semantics";
import type { Device, DeviceChoice, RunRequest, RunSettings } from "../core/settings";

/** Raised whenever a message changes shape; host and child refuse to talk across versions. */
export const protocolVersion = 4;

/** Where a result came from; written as run.json and shown in the panel. */
export interface Provenance {
  readonly tool: { readonly name: "plumbline"; readonly version: string };
  readonly image: { readonly path: string; readonly width: number; readonly height: number; readonly sha256: string; readonly crop?: Crop };
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
  /** Training-timestep indices in the order in which they were run, 0-based; of a flow times from 0 to 1. Empty where a model has none. */
  readonly timesteps: readonly number[];
  readonly device: Device;
  /** Why the device is not the one asked for; absent when it is. */
  readonly deviceNote?: string;
  /** What was converted in the image, and what the checkpoint does not say and was assumed, in sentences; absent when nothing. */
  readonly notes?: readonly string[];
  /** With a tiny decoder: how far the last map of member 0 is from the full decoder's on average, depth in its units (0..1), normals in degrees. */
  readonly decoderDifference?: number;
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
  /** Names the run in the cache: a content hash of image, model and settings. Absent when no cache was asked for. */
  readonly runKey?: string;
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

/**
 * One step before it is run, from the schedule alone. Noise levels are sqrt(1 - alphaBar), 0 (image) to 1 (noise); the steps of a
 * flow have none.
 */
export interface StepPlan {
  /** A training-timestep index, 0-based; of a flow a time from 0 to 1. */
  readonly timestep: number;
  /** Of the timestep that the network is told. */
  readonly alphaBar?: number;
  /** sqrt(1 - alphaBar): the noise level that the network is told. */
  readonly toldNoise?: number;
  /** The level of the noise that its input really holds: 1 (0 for zeros) at first, then what the step before left. */
  readonly inputNoise?: number;
}

/** What the child reports while a prediction runs, in order. */
export type PredictEvent =
  /** First of every run, and again when it moves to another device because one failed. `cached`: its results are read from the cache; the step events that follow then have no `map`, and are of member 0 only. */
  | { readonly type: "planned"; readonly runId: string; readonly runKey?: string; readonly cached: boolean; readonly steps: readonly StepPlan[] }
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
      readonly map?: HalfMap;
      /** The same, reduced to at most 96 pixels; also of steps that come from the cache. */
      readonly thumbnail?: FloatMap;
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
  /** Cut out of the upright image before anything else; maps are of this part. The whole image when absent. */
  readonly crop?: Crop;
  /** Runs share the decoded image and, per encoder, the encoded latent. At least one. */
  readonly runs: readonly RunRequest[];
  readonly device: DeviceChoice;
  /** Send every step's decoded map, and the running std. */
  readonly stepMaps: boolean;
  /** Keep and return the raw tensors of every step of member 0. */
  readonly recordSteps: boolean;
  readonly mapSize: "source" | "processing";
  /** Runs are looked up here first (not where `recordSteps` is asked for), and kept here, for which every step is decoded; absent: neither. */
  readonly cache?: { readonly dir: string; readonly maxBytes: number };
  /** Folder of an AutoencoderTiny, absolute, for runs whose settings ask for the tiny decoder. */
  readonly tinyDecoderDir?: string;
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
  /** The folder of ONNX Runtime's own library, in its package. */
  readonly runtimeFolder: string;
}

/** One map that the cache of runs holds, or a file beside it (ground truth). Step and member maps are at processing size. */
export type MapRef =
  /** The map of all members, at processing size. */
  | { readonly kind: "result"; readonly runKey: string }
  /** Member 0 after step 0..S-1. */
  | { readonly kind: "step"; readonly runKey: string; readonly step: number }
  /** The last map of one member, not aligned. */
  | { readonly kind: "member"; readonly runKey: string; readonly member: number }
  /** Depth (.npy of floats H x W; 16-bit PNG, 0 is no value) or normals (.npy H x W x 3); no value is NaN. */
  | { readonly kind: "file"; readonly path: string; readonly task: Task };

export type SpreadKind = "std" | "mad" | "range";

/** How maps are set against each other, pixel by pixel, before they are compared: see core/spread. */
export interface SpreadParams {
  readonly cacheDir: string;
  /** At least two, of one task and size; affine depths are aligned to the last. */
  readonly refs: readonly MapRef[];
  readonly kind: SpreadKind;
}

/** How maps lie along a run, a number a map; depth after scale and shift, in the units of what it is compared with; normals in degrees. */
export interface StepCurves {
  /** Mean absolute change to the map before; NaN for the first. */
  readonly changeToPrevious: readonly number[];
  readonly distanceToLast: readonly number[];
  /** Mean absolute distance to `reference`; absent without one. */
  readonly distanceToReference?: readonly number[];
  /** AbsRel (depth, a fraction) or mean angle (normals, degrees) to `truth`; absent without one. */
  readonly errorToTruth?: readonly number[];
}

export interface CurvesParams {
  readonly cacheDir: string;
  readonly refs: readonly MapRef[];
  readonly reference?: MapRef;
  readonly truth?: MapRef;
}

/** Values of maps at image points (0..1). */
export interface SeriesParams {
  readonly cacheDir: string;
  readonly refs: readonly MapRef[];
  readonly points: readonly { readonly u: number; readonly v: number }[];
}

export interface FloatFileParams {
  readonly path: string;
  /** Which array of an .npz; the first that is an image when absent or not there. */
  readonly entry?: string;
}

/** An image of numbers as a file holds it. */
export interface FloatFile {
  readonly image: {
    readonly width: number;
    readonly height: number;
    /** 1 to 4. */
    readonly channels: number;
    /** Interleaved H x W x C, top row first. No unit, scale or invalid value is applied. */
    readonly data: Float32Array;
    readonly format: string;
    /** What was left out or taken for granted, in words. */
    readonly notes: readonly string[];
  };
  /** Arrays of an .npz; empty for other files. */
  readonly entries: readonly string[];
  /** Of them the one that `image` is. */
  readonly entry?: string;
}

export interface MemoryParams {
  readonly modelDir: string;
  /** Of the image, in pixels. */
  readonly width: number;
  readonly height: number;
  /** The model's own default when absent. */
  readonly processingResolution?: number;
}

/** An estimate, not a measurement: core/memoryEstimate says how. */
export interface MemoryEstimate extends MemoryNeed {
  readonly processingSize: { readonly width: number; readonly height: number };
}

export interface SelfTestParams {
  readonly modelDir: string;
  readonly task: Task;
  /** No other takes its place where it fails. */
  readonly device: Device;
}

export interface SelfTestResult {
  /** Of a built-in picture, in one step from zeros. */
  readonly map: FloatMap;
  /** The first run includes what a device prepares once. */
  readonly timingsMillis: Readonly<Record<"load" | "first" | "again", number>>;
  /** Most memory that the process has had since it started, that of a GPU not counted. */
  readonly peakBytes: number;
}

/** The child process's methods: parameters, events reported while they run, and result. */
export interface InferenceApi {
  hello: { params: { readonly protocolVersion: number }; event: never; result: EngineInfo };
  predict: { params: PredictParams; event: PredictEvent; result: PredictReturn };
  component: { params: ComponentParams; event: never; result: { readonly outputs: Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array }>> } };
  /** Pixel-wise spread over maps (core/spread): depth in the units of the last map, normals in radians about the mean direction. */
  spread: { params: SpreadParams; event: never; result: { readonly map: FloatMap } };
  curves: { params: CurvesParams; event: never; result: StepCurves };
  /** By map, then point: the channels there, NaN where there is no value. */
  series: { params: SeriesParams; event: never; result: { readonly values: readonly (readonly (readonly number[])[])[] } };
  /** A ground-truth file as a map. Throws `not-found`, `unsupported`, `bad-image` or `bad-tensor` with what was expected of it. */
  readMap: { params: Extract<MapRef, { kind: "file" }>; event: never; result: { readonly map: FloatMap } };
  /** A file of floats as it is. Throws `not-found` or `bad-image` with what was expected of it. */
  readFloats: { params: FloatFileParams; event: never; result: FloatFile };
  /** What a model needs for an image. Throws what its files are at fault for. */
  memory: { params: MemoryParams; event: never; result: MemoryEstimate };
  /** Runs a model on a built-in picture on one device. Throws `engine-failed` where the device cannot. */
  selfTest: { params: SelfTestParams; event: never; result: SelfTestResult };
  /** Frees every network held; the next prediction loads anew. */
  release: { params: Record<string, never>; event: never; result: Record<string, never> };
}
