import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { writeFileAtomically } from "../io/atomicFile";
import { claim } from "../io/lock";
import { downloadFile, incomplete, writing, type Append } from "./downloadFile";
import { Hub, type HubFile, type Listing } from "./hubClient";
import { parseInstallRecord, type InstallRecord } from "./installRecord";
import { persist, requireUncancelled, usualPatience, type OnRetry, type Patience } from "./retry";
import { freeBytes, installRecord, modelPaths, type ModelPaths } from "./storage";
import type { HubSettings } from "./hubSettings";

/** What would be downloaded, for a person to accept. */
export interface Offer {
  readonly repository: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
  /** Of all files, and of those that are not there yet. */
  readonly bytes: number;
  readonly remainingBytes: number;
  /** As the repository's card states it; absent where it states none. */
  readonly licence?: string;
  readonly gated: boolean;
}

export type DownloadProgress =
  | { readonly phase: "listing" }
  | { readonly phase: "downloading" | "verifying"; readonly file: string; readonly bytes: number; readonly totalBytes: number }
  | { readonly phase: "waiting"; readonly reason: string; readonly waitMillis: number };

export interface DownloadOptions {
  readonly settings: HubSettings;
  readonly storage: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Which of the repository's files are needed. */
  readonly choose: (listing: Listing) => readonly HubFile[];
  /** Asked before anything is written; false rejects with `cancelled`. */
  readonly accept: (offer: Offer) => Promise<boolean>;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Ends the download; what came is kept, and the next one goes on with it. */
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
  /** For tests. */
  readonly disk?: { readonly freeBytes?: (folder: string) => Promise<number | undefined>; readonly append?: Append };
}

/** Room that is left on the disk, for what others write meanwhile. */
const reserveBytes = 100e6;

/**
 * Downloads the files of a repository and installs them: the folder gets its name, by one rename, when every file is there and has
 * its hash. Resolves to the folder. What is there already is not read again; a download of the same model by another process is refused.
 * Rejects with `not-permitted`, `not-found`, `download-failed`, `write-failed`, `unsupported` or `cancelled`, and then has installed nothing.
 */
export async function downloadModel(repository: string, options: DownloadOptions): Promise<string> {
  const { storage, signal } = options;
  const paths = modelPaths(storage, repository);
  if (await isFolder(paths.installed)) return paths.installed;
  await writing(storage, () => mkdir(storage, { recursive: true }));
  const release = await claimModel(paths.lock, repository);
  try {
    // Another process may have finished it since the first look.
    if (!(await isFolder(paths.installed))) await install(repository, paths, options);
    return paths.installed;
  } catch (error) {
    requireUncancelled(signal);
    throw error;
  } finally {
    await release();
  }
}

async function install(repository: string, paths: ModelPaths, options: DownloadOptions): Promise<void> {
  const { settings, storage, revision, signal, onProgress, patience = usualPatience } = options;
  const hub = new Hub(settings, patience.stallMillis);
  const onRetry: OnRetry = (reason, waitMillis) => onProgress?.({ phase: "waiting", reason, waitMillis });
  onProgress?.({ phase: "listing" });
  // Nothing is under way yet that would be worth a long wait for a server that cannot be reached.
  const listing = await persist(() => hub.list(repository, revision, signal), { ...patience, attempts: Math.min(patience.attempts, 3) }, signal, onRetry);
  const files = options.choose(listing);
  await dropOthers(paths.partial, files);
  const there = await bytesThere(paths.partial, files);
  const bytes = sum(files.map((file) => file.bytes));
  const offer: Offer = { repository, commit: listing.commit, files, bytes, remainingBytes: bytes - sum(there), licence: listing.licence, gated: listing.gated };
  if (!(await options.accept(offer))) throw new PlumblineError("cancelled", `The licence of ${repository} was not accepted.`, "Nothing was downloaded.");
  requireUncancelled(signal);
  await requireRoom(storage, offer.remainingBytes, options.disk?.freeBytes ?? freeBytes);
  const record: InstallRecord = { version: 1, repository, revision, commit: listing.commit, ...(listing.licence !== undefined && { licence: listing.licence }), files };
  await writeFileAtomically(join(paths.partial, installRecord), JSON.stringify(record, undefined, 1));
  for (const [i, file] of files.entries()) {
    const tell = (phase: "downloading" | "verifying"): void => onProgress?.({ phase, file: file.path, bytes: sum(there), totalBytes: bytes });
    await downloadFile({
      hub, repository, commit: listing.commit, file, path: join(paths.partial, file.path), patience, append: options.disk?.append, signal, onRetry,
      onBytes: (count) => {
        there[i] = count;
        tell("downloading");
      },
      onVerify: () => tell("verifying"),
    });
  }
  requireUncancelled(signal);
  await writing(paths.installed, () => rename(paths.partial, paths.installed));
}

/** Removes what an earlier download of another version left, so that its files are not taken for this one's. */
async function dropOthers(partial: string, files: readonly HubFile[]): Promise<void> {
  const bytes = await readFile(join(partial, installRecord)).catch(() => undefined);
  const earlier = bytes && parseInstallRecord(bytes);
  if (!earlier) return rm(partial, { recursive: true, force: true });
  const wanted = new Set(files.map(({ path, hash }) => `${hash.hex} ${path}`));
  for (const { path, hash } of earlier.files) {
    if (wanted.has(`${hash.hex} ${path}`)) continue;
    await rm(join(partial, path), { force: true });
    await rm(incomplete(join(partial, path)), { force: true });
  }
}

async function bytesThere(partial: string, files: readonly HubFile[]): Promise<number[]> {
  const sizeOf = (path: string): Promise<number> => stat(path).then(({ size }) => size, () => 0);
  return Promise.all(files.map(async ({ path }) => (await sizeOf(join(partial, path))) || sizeOf(incomplete(join(partial, path)))));
}

async function requireRoom(storage: string, bytes: number, free: (folder: string) => Promise<number | undefined>): Promise<void> {
  const room = await free(storage);
  if (room === undefined || room >= bytes + reserveBytes || bytes === 0) return;
  throw new PlumblineError("write-failed", `Expected ${sizeText(bytes + reserveBytes)} of room in ${storage} but received ${sizeText(room)}.`, "Make room, or set PLUMBLINE_HOME to a folder on another disk.");
}

/** Claims a repository's place in the storage folder. Throws `bad-argument` where another process has it. */
export async function claimModel(lock: string, repository: string): Promise<() => Promise<void>> {
  try {
    return await claim(lock);
  } catch (cause) {
    if (!(cause instanceof PlumblineError) || cause.code !== "bad-argument") throw cause;
    throw new PlumblineError("bad-argument", `${repository} is being downloaded or removed already.`, `Wait for it or stop it; if nothing downloads it, delete ${lock}.`, { cause });
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** "1.73 GB", "450 MB", "12.3 kB" */
export function sizeText(bytes: number): string {
  if (bytes < 1e5) return `${(bytes / 1e3).toPrecision(3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toPrecision(3)} MB` : `${(bytes / 1e9).toPrecision(3)} GB`;
}
