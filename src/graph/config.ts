import { PlumblineError } from "../core/errors";
import { describe, isObject } from "../io/jsonFile";

const remedy = "Plumbline builds UNet2DConditionModel (GeoWizard's too), UNetModel of latent diffusion (DepthFM), AutoencoderKL, AutoencoderTiny, CLIPTextModel and CLIPVisionModelWithProjection as Stable Diffusion 1 and 2 and the estimators made from them use them.";

/** A field that Plumbline does not build from: the values with which it changes nothing. */
export type Inert = readonly unknown[] | "any";

/**
 * Typed access to a component's `config.json`. A field that is missing, of another type, or that asks for something
 * that Plumbline does not build is an error that names file and field: a network must never be built from a guess.
 */
export class Config {
  private readonly read = new Set<string>();

  constructor(
    readonly path: string,
    private readonly fields: Readonly<Record<string, unknown>>,
  ) {}

  /** A whole number of at least 1; `fallback` only where diffusers itself has that default. */
  count(field: string, fallback?: number): number {
    return this.checked(field, "a whole number of at least 1", isCount, fallback);
  }

  /** A whole number of at least 0. */
  whole(field: string): number {
    return this.checked(field, "a whole number of at least 0", (value) => value === 0 || isCount(value));
  }

  /** A whole number of at least 1, or undefined where the field is absent, null or -1. */
  optionalCount(field: string): number | undefined {
    const value = this.checked(field, "a whole number of at least 1, or -1 for none", (value): value is number | null => value === null || value === -1 || isCount(value), null);
    return value === null || value === -1 ? undefined : value;
  }

  positive(field: string): number {
    return this.checked(field, "a positive number", (value): value is number => typeof value === "number" && value > 0 && value < 1);
  }

  flag(field: string, fallback?: boolean): boolean {
    return this.checked(field, "true or false", (value) => typeof value === "boolean", fallback);
  }

  counts(field: string): readonly number[] {
    return this.checked(field, "a list of whole numbers", (value): value is number[] => Array.isArray(value) && value.length > 0 && value.every(isCount));
  }

  /** One count for all levels, or a list with one for each. */
  countPerLevel(field: string, levels: number, fallback?: number): readonly number[] {
    const isPerLevel = (value: unknown): value is number | number[] => isCount(value) || (Array.isArray(value) && value.length === levels && value.every(isCount));
    const value = this.checked(field, `a whole number, or ${levels} of them`, isPerLevel, fallback);
    return typeof value === "number" ? new Array<number>(levels).fill(value) : value;
  }

  choice<Choice extends string>(field: string, choices: readonly Choice[]): Choice {
    return this.checked(field, choices.join(" or "), (value): value is Choice => choices.includes(value as Choice));
  }

  /** One of `choices`, or undefined where the field is absent, null or false. */
  optionalChoice<Choice extends string>(field: string, choices: readonly Choice[]): Choice | undefined {
    const isUnset = (value: unknown): value is null | false => value === null || value === false;
    const value = this.checked(field, `nothing or ${choices.join(" or ")}`, (value): value is Choice | null | false => isUnset(value) || choices.includes(value as Choice), null);
    return isUnset(value) ? undefined : value;
  }

  /** The fields of an object as a config of their own, whose rest is to be checked too. */
  nested(field: string): Config {
    return new Config(`${field} of ${this.path}`, this.checked(field, "an object", isObject));
  }

  /** `length` names out of `choices`. */
  choices<Choice extends string>(field: string, length: number, choices: readonly Choice[]): readonly Choice[] {
    const isList = (value: unknown): value is Choice[] => Array.isArray(value) && value.length === length && value.every((item) => choices.includes(item as Choice));
    return this.checked(field, `${length} of ${choices.join(", ")}`, isList);
  }

  /**
   * Checks every field that was not read. One that `inert` does not know is refused too: a misspelt field must not
   * fall back to a default in silence.
   */
  checkRest(inert: Readonly<Record<string, Inert>>): void {
    for (const [field, value] of Object.entries(this.fields)) {
      if (this.read.has(field) || field.startsWith("_")) continue;
      if (!Object.hasOwn(inert, field)) throw this.unsupported(field, "no such field", value);
      const allowed = inert[field];
      if (allowed !== "any" && !allowed.some((item) => JSON.stringify(item) === JSON.stringify(value))) {
        throw this.unsupported(field, allowed.map(describe).join(" or "), value);
      }
    }
  }

  /** The error for a field that asks for what is not built. */
  unsupported(field: string, expected: string, value: unknown): PlumblineError {
    return new PlumblineError("unsupported", `Expected ${expected} for "${field}" of ${this.path} but received ${describe(value)}.`, remedy);
  }

  private checked<T>(field: string, expected: string, is: (value: unknown) => value is T, fallback?: T): T {
    this.read.add(field);
    const value = Object.hasOwn(this.fields, field) ? this.fields[field] : fallback;
    if (!is(value)) throw this.unsupported(field, expected, value);
    return value;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 2 ** 24;
}
