import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { writeFileAtomically } from "../io/atomicFile";
import type { Environment } from "./environment";
import { describeModel, type ModelDescription, type Statement } from "./modelFolder";
import { storageFolder } from "./storage";

/** A model's folder, or file in ONNX format, that was added by hand, with what its user stated of it. */
export interface AddedFolder extends Statement {
  /** Absolute. */
  readonly path: string;
}

const folder = z.object({
  path: z.string(),
  task: z.enum(["depth", "normals"]).optional(),
  normalsFrame: z.enum(["RUB", "LUB"]).optional(),
  depthKind: z.enum(["affine-depth", "affine-disparity", "metric-depth"]).optional(),
});
const format = z.object({ version: z.literal(1), folders: z.array(folder) });

/** A model's folder or file, with what its user stated if it was added. Throws what `readFolders` and `describeModel` do. */
export async function describeFolder(path: string, environment: Environment = process.env): Promise<ModelDescription> {
  const { path: absolute, ...stated } = (await readFolders(storageFolder(environment))).find((added) => added.path === resolve(path)) ?? { path };
  return describeModel(absolute, stated);
}

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
