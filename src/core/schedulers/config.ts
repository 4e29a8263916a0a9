import { PlumblineError, unexpected } from "../errors";
import type { TimestepSpacing } from "../settings";

/** What the network's output means (diffusers' `prediction_type`). */
export type PredictionType = "v_prediction" | "epsilon" | "sample";

/** A diffusers `scheduler_config.json`, checked, with the class's own defaults filled in. */
export interface SchedulerConfig {
  readonly kind: "ddim" | "lcm";
  /** T, the number of training timesteps. */
  readonly trainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: "linear" | "scaled_linear";
  readonly predictionType: PredictionType;
  readonly timestepSpacing: TimestepSpacing;
  /** Added to every `leading` timestep. */
  readonly stepsOffset: number;
  /** Past the last step, alphaBar is 1 if true and alphaBar of t = 0 otherwise. */
  readonly setAlphaToOne: boolean;
  readonly rescaleBetasZeroSnr: boolean;
  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  /** Dynamic thresholding; when on, `clipSample` is not looked at. */
  readonly thresholding: boolean;
  readonly dynamicThresholdingRatio: number;
  readonly sampleMaxValue: number;
  /** LCM only: length of the distilled timestep grid. */
  readonly originalInferenceSteps: number;
  /** LCM only: factor on t in the boundary conditions. */
  readonly timestepScaling: number;
}

const kinds: Readonly<Record<string, "ddim" | "lcm">> = { DDIMScheduler: "ddim", LCMScheduler: "lcm" };

/**
 * Checks the parsed JSON of a diffusers `scheduler_config.json` and fills in the defaults of its class.
 * Throws `unsupported` for other schedulers and for trained betas, `bad-model` for a value of the wrong kind.
 */
export function parseSchedulerConfig(json: unknown): SchedulerConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw unexpected("bad-model", "scheduler_config.json", "an object", json);
  }
  const fields = new Map<string, unknown>(Object.entries(json));
  const kind = kinds[String(fields.get("_class_name"))];
  if (kind === undefined) {
    const remedy = "Use a checkpoint whose scheduler is one of these.";
    throw unexpected("unsupported", "scheduler _class_name", Object.keys(kinds).join(" or "), fields.get("_class_name"), remedy);
  }
  if ((fields.get("trained_betas") ?? null) !== null) {
    throw new PlumblineError("unsupported", "Expected null for scheduler trained_betas but received a table of betas.");
  }
  const lcm = kind === "lcm";
  return {
    kind,
    trainTimesteps: number(fields, "num_train_timesteps", 1000, (v) => Number.isInteger(v) && v >= 1, "a whole number of at least 1"),
    betaStart: number(fields, "beta_start", lcm ? 0.00085 : 0.0001, insideUnit, "a number between 0 and 1"),
    betaEnd: number(fields, "beta_end", lcm ? 0.012 : 0.02, insideUnit, "a number between 0 and 1"),
    betaSchedule: oneOf(fields, "beta_schedule", ["linear", "scaled_linear"], lcm ? "scaled_linear" : "linear"),
    predictionType: oneOf(fields, "prediction_type", ["v_prediction", "epsilon", "sample"], "epsilon"),
    timestepSpacing: oneOf(fields, "timestep_spacing", ["trailing", "leading", "linspace"], "leading"),
    stepsOffset: number(fields, "steps_offset", 0, (v) => Number.isInteger(v) && v >= 0, "a whole number of at least 0"),
    setAlphaToOne: boolean(fields, "set_alpha_to_one", true),
    rescaleBetasZeroSnr: boolean(fields, "rescale_betas_zero_snr", false),
    clipSample: boolean(fields, "clip_sample", !lcm),
    clipSampleRange: number(fields, "clip_sample_range", 1, positive, "a positive number"),
    thresholding: boolean(fields, "thresholding", false),
    dynamicThresholdingRatio: number(fields, "dynamic_thresholding_ratio", 0.995, (v) => v >= 0 && v <= 1, "a number from 0 to 1"),
    sampleMaxValue: number(fields, "sample_max_value", 1, positive, "a positive number"),
    originalInferenceSteps: number(fields, "original_inference_steps", 50, (v) => Number.isInteger(v) && v >= 1, "a whole number of at least 1"),
    timestepScaling: number(fields, "timestep_scaling", 10, positive, "a positive number"),
  };
}

const positive = (value: number) => value > 0;
const insideUnit = (value: number) => value > 0 && value < 1;

function number(fields: Map<string, unknown>, key: string, byDefault: number, allowed: (v: number) => boolean, expected: string): number {
  const value = fields.get(key) ?? byDefault;
  if (typeof value === "number" && Number.isFinite(value) && allowed(value)) return value;
  throw unexpected("bad-model", `scheduler ${key}`, expected, value);
}

function boolean(fields: Map<string, unknown>, key: string, byDefault: boolean): boolean {
  const value = fields.get(key) ?? byDefault;
  if (typeof value === "boolean") return value;
  throw unexpected("bad-model", `scheduler ${key}`, "true or false", value);
}

function oneOf<T extends string>(fields: Map<string, unknown>, key: string, choices: readonly T[], byDefault: T): T {
  const value = fields.get(key) ?? byDefault;
  const choice = choices.find((c) => c === value);
  if (choice !== undefined) return choice;
  throw unexpected("unsupported", `scheduler ${key}`, choices.join(" or "), value);
}
