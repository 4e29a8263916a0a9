/** What went wrong, for programs; the message and the remedy are for people. */
export type ErrorCode =
  | "bad-argument"
  | "bad-image"
  | "bad-model"
  | "bad-tensor"
  | "unsupported"
  | "not-found"
  | "cancelled"
  | "engine-died"
  | "engine-failed"
  | "protocol-mismatch"
  | "write-failed"
  | "download-failed"
  | "not-permitted";

/**
 * The one error class of Plumbline. `message` reads "Expected X for NAME but received Y";
 * `remedy` is one sentence on what to do, empty where nothing can be done.
 */
export class PlumblineError extends Error {
  override readonly name = "PlumblineError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy = "",
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The error for a value that is not what was asked for: "Expected X for NAME but received Y." */
export function unexpected(code: ErrorCode, name: string, expected: string, received: unknown, remedy = ""): PlumblineError {
  return new PlumblineError(code, `Expected ${expected} for ${name} but received ${describe(received)}.`, remedy);
}

/** True for the error that a cancelled operation rejects with. */
export function isCancelled(error: unknown): boolean {
  return error instanceof PlumblineError && error.code === "cancelled";
}

/** Throws the `cancelled` error when the signal has been aborted; looked at between steps. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new PlumblineError("cancelled", "The run was cancelled.");
}

function describe(value: unknown): string {
  if (typeof value === "string") return value.length > 80 ? `"${value.slice(0, 77)}..."` : `"${value}"`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? `[${value.join(", ")}]` : "an object";
  return String(value);
}
