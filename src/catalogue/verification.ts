import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { unexpected } from "../core/errors";
import { hasHash } from "./fileHash";
import { hashOfBlob } from "./hfCache";
import type { FileHash } from "./hubClient";
import { findModel, readInstallRecord, type LibraryModel, type Places } from "./library";
import { installRecord } from "./storage";

/** right: its bytes are those that the hub states. unknown: nothing states what they should be. */
export type FileVerdict = "right" | "wrong" | "missing" | "unknown";

export interface Verification {
  readonly model: LibraryModel;
  readonly files: readonly { /** Inside the model's folder. */ readonly path: string; readonly verdict: FileVerdict }[];
}

/**
 * Reads every file of a model that is here and compares its hash with the one that it was downloaded with: from the record beside an installed
 * model, or the names of the Hugging Face cache's blobs. Of other folders nothing states hashes. Throws `not-found` where nothing is here.
 */
export async function verifyModel(places: Places, name: string, onFile?: (path: string) => void, signal?: AbortSignal): Promise<Verification> {
  const model = await findModel(places, name);
  const { dir } = model;
  if (dir === undefined || model.state === "available") throw unexpected("not-found", "the model", "one that is here", name, `Download it: plumbline models pull ${model.id}`);
  const isFolder = await stat(dir).then((found) => found.isDirectory(), () => false);
  const record = await readInstallRecord(dir);
  const paths = record ? record.files.map(({ path }) => path) : isFolder ? await filesOf(dir) : [""];
  const files: { path: string; verdict: FileVerdict }[] = [];
  for (const path of paths) {
    onFile?.(path);
    const hash = record ? record.files.find((file) => file.path === path)?.hash : await hashOfLink(join(dir, path));
    files.push({ path, verdict: await judge(join(dir, path), hash, signal) });
  }
  return { model, files };
}

async function judge(path: string, hash: FileHash | undefined, signal: AbortSignal | undefined): Promise<FileVerdict> {
  if (!(await stat(path).then(() => true, () => false))) return "missing";
  if (!hash) return "unknown";
  return (await hasHash(path, hash, signal)) ? "right" : "wrong";
}

/** Only a link's target is named by its hash. */
async function hashOfLink(path: string): Promise<FileHash | undefined> {
  const real = await realpath(path).catch(() => path);
  return hashOfBlob(real);
}

async function filesOf(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => !entry.isDirectory() && entry.name !== installRecord).map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(dir.length + 1));
  return paths.sort();
}
