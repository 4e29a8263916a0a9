import type { ClipPreprocessing } from "../../core/latent";
import type { SchedulerConfig } from "../../core/schedulers/config";
import type { FlowConfig } from "../../core/schedulers/flow";
import type { FeedForwardSpec } from "../../core/feedForward";
import type { DepthKind, NormalsFrame, Task } from "../../core/semantics";
import type { TimestepSpacing } from "../../core/settings";

/** Settings that a model was made for. */
export interface ModelDefaults {
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly noise: "gaussian" | "zeros";
  /** Longest side in pixels. */
  readonly processingResolution: number;
}

/** Where a network comes from: a component folder (config.json beside its weights), or a file in ONNX format. Absolute. */
export type NetworkSource = { readonly kind: "component"; readonly dir: string; /** Where it has none of the usual names. */ readonly weightsFile?: string } | { readonly kind: "onnx"; readonly path: string };

/** Where the constant cross-attention input comes from: a stored embedding, or the checkpoint's own text encoder. */
export type EmptyPrompt =
  | { readonly kind: "stored"; readonly path: string; readonly tensor: string }
  | { readonly kind: "encoded"; readonly textEncoder: NetworkSource; readonly tokenizerDir: string };

/** What a user says of a model where its files do not. */
export interface Statement {
  /** Which one it was trained for. */
  readonly task?: Task;
  readonly depthKind?: DepthKind;
  readonly normalsFrame?: NormalsFrame;
}

/** What every model says of itself, whatever its family. */
export interface CommonDescription {
  readonly id: string;
  /** The model's folder, or that of its file; absolute. Its files are named relative to it. */
  readonly dir: string;
  /** What it is described from again: `dir`, or the network's file that was chosen. */
  readonly path: string;
  /** The tasks that the checkpoint may be asked for; both where its class does not tell which one it was trained for. */
  readonly tasks: readonly Task[];
  /** Affine-invariant depth when absent. */
  readonly depthKind?: DepthKind;
  readonly normalsFrame: NormalsFrame;
  /** What of these the files leave open: assumed, unless a user states it. */
  readonly open: readonly (keyof Statement)[];
  /** What its user stated; absent where nothing was. */
  readonly stated?: Statement;
  /** Fine-tuned end to end: one step from zeros. */
  readonly endToEnd: boolean;
  readonly defaults: ModelDefaults;
  /** What the files do not say and was therefore assumed, in sentences. */
  readonly assumptions: readonly string[];
  /** Files besides the networks' that the numbers depend on, absolute. */
  readonly files: readonly string[];
}

/** The autoencoder of a latent family. */
export interface VaeDescription {
  readonly encoder: NetworkSource;
  readonly decoder: NetworkSource;
  readonly scalingFactor: number;
  readonly latentChannels: number;
  readonly downsamplingFactor: number;
  /** What is to be known of it, in sentences. */
  readonly assumptions?: readonly string[];
}

/** A family that denoises, or moves, a latent beside the image's. */
export interface LatentDescription extends CommonDescription {
  readonly unet: NetworkSource;
  readonly vae: VaeDescription;
  /** How images are brought to processing size: bilinear as the Marigold code, or Pillow's bicubic. */
  readonly resizeFilter: "bilinear" | "bicubic";
  /** Both sides are cut down to multiples of this, in pixels; absent where any size will do. */
  readonly sizeMultiple?: number;
}

/** Marigold, its end-to-end fine-tuned descendants, and Stable Diffusion fine-tuned end to end: depth or normals. */
export interface MarigoldDescription extends LatentDescription {
  readonly family: "marigold";
  readonly emptyPrompt: EmptyPrompt;
  readonly scheduler: SchedulerConfig;
}

/** GeoWizard and its end-to-end fine-tuned descendant: depth and normals jointly. */
export interface GeoWizardDescription extends LatentDescription {
  readonly family: "geowizard";
  readonly scheduler: SchedulerConfig;
  /** CLIP's, whose embedding of the image stands in the place of a prompt. */
  readonly imageEncoder: NetworkSource;
  readonly clip: ClipPreprocessing;
}

/** DepthFM: the image's latent flows into that of its depth. */
export interface DepthFmDescription extends LatentDescription {
  readonly family: "depthfm";
  readonly emptyPrompt: EmptyPrompt;
  readonly scheduler: FlowConfig;
}

/** A network in ONNX format that answers in one run. */
export interface FeedForwardDescription extends CommonDescription {
  readonly family: "feedforward";
  readonly name: string;
  /** Of the weights, where the manifest says. */
  readonly licence?: string;
  readonly network: Extract<NetworkSource, { kind: "onnx" }>;
  readonly spec: FeedForwardSpec;
}

/** A model of a latent family. */
export type LatentModelDescription = MarigoldDescription | GeoWizardDescription | DepthFmDescription;

/** What a model holds, checked; no weight has been read. */
export type ModelDescription = LatentModelDescription | FeedForwardDescription;
