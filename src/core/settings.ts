import type { Task } from "./semantics";

/** How the k inference timesteps are taken from the training timesteps (paper, Table A-1). */
export type TimestepSpacing = "trailing" | "leading" | "linspace";

/** The starting latent z_T. Files are .npy or .safetensors, [1, 4, h, w] at latent size. */
export type NoiseChoice =
  | { readonly kind: "gaussian" | "pyramid" | "zeros" }
  | { readonly kind: "file"; readonly path: string };

/** What kind of picture GeoWizard is told that it sees. */
export const domains = ["indoor", "outdoor", "object"] as const;
export type Domain = (typeof domains)[number];

/** What turns latents into maps: the model's own decoder, or an AutoencoderTiny. */
export const decoders = ["full", "tiny"] as const;
export type Decoder = (typeof decoders)[number];

/** Everything that changes the numbers of one run. */
export interface RunSettings {
  /** Denoising steps k, 1..1000. */
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  /** Ensemble members E, 1..100; each starts from its own noise. */
  readonly ensembleSize: number;
  readonly noise: NoiseChoice;
  /** Seed of the image's noise, an unsigned 32-bit integer. Member e draws from a stream of (seed, e). */
  readonly seed: number;
  /** Longest side in pixels at which the networks run; 0 keeps the image's own size. */
  readonly processingResolution: number;
  /** GeoWizard only; indoor when absent. */
  readonly domain?: Domain;
  /** tiny: an AutoencoderTiny decodes, which is fast and approximate. The model's own when absent. */
  readonly decoder?: Decoder;
}

/** Where the networks run. `auto` takes the best provider that is there. */
export const deviceChoices = ["auto", "cuda", "webgpu", "dml", "coreml", "cpu"] as const;
export type DeviceChoice = (typeof deviceChoices)[number];
export type Device = Exclude<DeviceChoice, "auto">;

/** One model applied with one set of settings. */
export interface RunRequest {
  /** Chosen by the caller, unique within a request; comes back in every event. */
  readonly runId: string;
  /** The model's folder or file, absolute. */
  readonly modelDir: string;
  readonly task: Task;
  readonly settings: RunSettings;
}
