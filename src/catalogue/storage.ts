import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { unexpected } from "../core/errors";
import { expand, type Environment } from "./environment";

/*
 * The storage folder, the same for the command line and the extension:
 *   OWNER--NAME/            an installed model, complete, with plumbline.install.json
 *   OWNER--NAME.partial/    what is there of one that is not: never offered, continued by the next download
 *   OWNER--NAME.lock        who downloads or removes it
 *   OWNER--NAME.removed/    what is being deleted
 *   folders.json            folders that were added by hand
 */

/** What was installed: written beside the files before the folder gets its name. */
export const installRecord = "plumbline.install.json";

/** $PLUMBLINE_HOME/models, else plumbline/models in the user's data folder. */
export function storageFolder(environment: Environment = process.env): string {
  const home = environment["PLUMBLINE_HOME"];
  if (home) return join(expand(home, environment), "models");
  return join(expand(environment["XDG_DATA_HOME"] || "~/.local/share", environment), "plumbline", "models");
}

export interface ModelPaths {
  readonly installed: string;
  readonly partial: string;
  readonly lock: string;
  readonly removed: string;
}

/** Where a repository's model is, or would be. Throws `bad-argument` for a name that is not OWNER/NAME. */
export function modelPaths(storage: string, repository: string): ModelPaths {
  if (!isRepositoryName(repository)) throw unexpected("bad-argument", "the repository", "OWNER/NAME, of letters, digits, - _ and .", repository);
  const installed = join(storage, repository.replace("/", "--"));
  return { installed, partial: `${installed}.partial`, lock: `${installed}.lock`, removed: `${installed}.removed` };
}

/** OWNER/NAME as the hub allows them; neither part may have `--` or `..`. */
export function isRepositoryName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/.test(text) && !/--|\.\./.test(text) && !/\.(partial|lock|removed)$/.test(text);
}

/** Bytes that may be written to the disk of a folder; undefined where the system does not tell. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  return statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => undefined);
}
