import { readFile } from "node:fs/promises";
import { PlumblineError } from "../core/errors";

/** The error for a file whose bytes are not what they should be: `subject` is a file, or something in it. */
export function damaged(subject: string, expected: string, found: string, cause?: unknown): PlumblineError {
  return new PlumblineError("bad-model", `Expected ${expected} for ${subject} but received ${found}.`, "The file is damaged or incomplete: download it again.", { cause });
}

/** The error for a file that cannot be opened. */
export function notFound(path: string, cause: unknown): PlumblineError {
  return new PlumblineError("not-found", `Could not read ${path}: ${(cause as Error).message}`, "Check that the file is there and may be read.", { cause });
}

/** Reads a JSON object from a file. Throws `not-found`, or `bad-model` as `parseObject` does. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  return parseObject(path, bytes);
}

/**
 * The JSON object in `bytes`, strictly: a damaged file must not load differently in different readers, so bytes
 * that are not UTF-8 and keys that occur twice are refused. Throws `bad-model` naming `path`.
 */
export function parseObject(path: string, bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw damaged(path, "JSON in UTF-8", "bytes that are not UTF-8", cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, "JSON", (cause as Error).message, cause);
  }
  if (!isObject(value)) throw damaged(path, "a JSON object", describe(value));
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw damaged(path, `one entry "${duplicate}"`, "two");
  return value;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON value in an error message, shortened. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** What a schema found wrong, field by field: `runs.0.seed: Expected a number; ...`. */
export function wrongFields({ issues }: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }): string {
  return issues.map(({ path, message }) => `${path.length > 0 ? path.map(String).join(".") : "the file"}: ${message}`).join("; ");
}

/** The first key that occurs twice in an object of valid JSON, which JSON.parse drops silently. */
function findDuplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, string] of json.matchAll(/("(?:[^"\\]|\\.)*")(?:\s*:)?|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (token !== string) {
      const key = JSON.parse(string) as string;
      const keys = open[open.length - 1];
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
