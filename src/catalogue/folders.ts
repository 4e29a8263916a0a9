import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlumblineError } from "../core/errors";
import type { Task } from "../core/semantics";
import { writeFileAtomically } from "../io/atomicFile";

/** A model's folder, or file in ONNX format, that was added by hand. */
export interface AddedFolder {
  /** Absolute. */
  readonly path: string;
  /** What its user said that it estimates, where its files do not tell. */
  readonly task?: Task;
}

const format = z.object({ version: z.literal(1), folders: z.array(z.object({ path: z.string(), task: z.enum(["depth", "normals"]).optional() })) });

/** The folders that were added by hand, in the order in which they were. Throws `bad-model` for a damaged record. */
export async function readFolders(storage: string): Promise<readonly AddedFolder[]> {
  const path = recordOf(storage);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return [];
  try {
    return format.parse(JSON.parse(text)).folders;
  } catch (cause) {
    throw new PlumblineError("bad-model", `Expected a list of folders for ${path} but received something else.`, "Correct or delete the file, then add the folders again.", { cause });
  }
}

/** Records them. Throws `write-failed`. */
export async function writeFolders(storage: string, folders: readonly AddedFolder[]): Promise<void> {
  await writeFileAtomically(recordOf(storage), `${JSON.stringify({ version: 1, folders }, undefined, 1)}\n`);
}

function recordOf(storage: string): string {
  return join(storage, "folders.json");
}
