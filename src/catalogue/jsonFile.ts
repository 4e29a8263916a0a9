import { PlumblineError, unexpected } from "../core/errors";
import { isObject, readJsonObject } from "../io/jsonFile";

/** A parsed JSON object together with where it came from, for error messages. */
export interface JsonFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Reads a file that holds one JSON object. Throws `not-found` when it is missing, `bad-model` when it is anything else;
 * `remedy` says what to do in place of the reader's own advice.
 */
export async function readJsonFile(path: string, remedy?: string): Promise<JsonFile> {
  try {
    return { path, values: await readJsonObject(path) };
  } catch (cause) {
    if (cause instanceof PlumblineError && remedy !== undefined) throw new PlumblineError(cause.code, cause.message, remedy, { cause });
    throw cause;
  }
}

/** The part of a file that is an object of its own; empty where the key is absent. */
export function objectAt({ path, values }: JsonFile, key: string): JsonFile {
  const value = values[key] ?? {};
  if (!isObject(value)) throw unexpected("bad-model", `"${key}" of ${path}`, "an object", value);
  return { path, values: value };
}

/** A string, or undefined where the key is absent or null. */
export function stringAt({ path, values }: JsonFile, key: string): string | undefined {
  const value = values[key] ?? undefined;
  if (value !== undefined && typeof value !== "string") throw unexpected("bad-model", `"${key}" of ${path}`, "a string", value);
  return value;
}

/** A finite number, or undefined where the key is absent or null. */
export function numberAt({ path, values }: JsonFile, key: string): number | undefined {
  const value = values[key] ?? undefined;
  if (value !== undefined && (typeof value !== "number" || !Number.isFinite(value))) throw unexpected("bad-model", `"${key}" of ${path}`, "a number", value);
  return value;
}

/** A boolean, or undefined where the key is absent or null. */
export function booleanAt({ path, values }: JsonFile, key: string): boolean | undefined {
  const value = values[key] ?? undefined;
  if (value !== undefined && typeof value !== "boolean") throw unexpected("bad-model", `"${key}" of ${path}`, "true or false", value);
  return value;
}

/** One of a few strings, or undefined where the key is absent or null. */
export function choiceAt<T extends string>(file: JsonFile, key: string, choices: readonly T[]): T | undefined {
  const value = stringAt(file, key);
  if (value === undefined) return undefined;
  const choice = choices.find((item) => item === value);
  if (choice === undefined) throw unexpected("bad-model", `"${key}" of ${file.path}`, choices.map((item) => `"${item}"`).join(" or "), value);
  return choice;
}

/** The value, or `bad-model` naming the key that is missing. */
export function required<T>(value: T | undefined, file: JsonFile, key: string): T {
  if (value === undefined) throw unexpected("bad-model", `"${key}" of ${file.path}`, "a value", undefined);
  return value;
}
