import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PlumblineError } from "../core/errors";

/**
 * Writes a file, whole or in parts one after another, under a temporary name in the same folder (made if missing) and then gives it its name, so that no
 * reader ever sees half of it and an older file stays whole when writing fails. Throws `write-failed`.
 */
export async function writeFileAtomically(path: string, content: Uint8Array | string | readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, content, { flag: "wx" });
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError("write-failed", `Could not write ${path}: ${reason}`, "Choose a folder that can be written to and has room.", { cause });
  }
}
