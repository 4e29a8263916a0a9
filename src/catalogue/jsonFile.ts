import { readFile } from "node:fs/promises";
import { PlumblineError, unexpected } from "../core/errors";

/** A parsed JSON object together with where it came from, for error messages. */
export interface JsonFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Reads a file that holds one JSON object. Throws `not-found` when it is missing, `bad-model` when it is anything else. */
export async function readJsonFile(path: string, remedy = ""): Promise<JsonFile> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new PlumblineError("not-found", `Expected a file at ${path} but it cannot be read.`, remedy, { cause });
  }
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw new PlumblineError("bad-model", `Expected JSON in ${path}: ${cause instanceof Error ? cause.message : String(cause)}.`, remedy, { cause });
  }
  if (!isObject(values)) throw unexpected("bad-model", path, "a JSON object", values, remedy);
  return { path, values };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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
