import { mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { PlumblineError } from "../core/errors";
import { hasHash } from "./fileHash";
import type { Hub, HubFile } from "./hubClient";
import { failed, PassingFailure } from "./hubErrors";
import { persist, type OnRetry, type Patience } from "./retry";

/** Appends bytes to a file; a test can give one that finds the disk full. */
export type Append = (handle: FileHandle, chunk: Uint8Array) => Promise<void>;

export interface FileDownload {
  readonly hub: Hub;
  readonly repository: string;
  readonly commit: string;
  readonly file: HubFile;
  /** Where the file goes when all of it is there and its hash is right. */
  readonly path: string;
  readonly patience: Patience;
  readonly append?: Append;
  readonly signal?: AbortSignal;
  /** How many bytes of the file are there; goes back when they have to be read again. */
  readonly onBytes: (bytes: number) => void;
  /** All bytes are there and are checked now. */
  readonly onVerify: () => void;
  readonly onRetry?: OnRetry;
}

/** How often a file whose bytes were wrong is read anew from the beginning. */
const secondChances = 1;

/** The name of a file that is not complete. */
export function incomplete(path: string): string {
  return `${path}.incomplete`;
}

/**
 * Brings one file of a repository, continuing what is there of it, checks its hash and only then gives it its name. Returns at once where
 * the file is there. Rejects with what keeps it from being read or written, or `cancelled`; bytes that came are kept for the next time.
 */
export async function downloadFile(download: FileDownload): Promise<void> {
  const { file, path, repository, hub, onBytes, onVerify, onRetry, signal } = download;
  if ((await sizeOf(path)) === file.bytes) return onBytes(file.bytes);
  const parts = incomplete(path);
  await writing(parts, () => mkdir(dirname(path), { recursive: true }));
  for (let chance = 0; ; chance++) {
    await fetchRest(download, parts);
    onVerify();
    if (await hasHash(parts, file.hash, signal)) break;
    await writing(parts, () => rm(parts, { force: true }));
    onBytes(0);
    if (chance === secondChances) {
      throw failed(`Expected ${{ sha256: "SHA-256", sha512: "SHA-512", "git-sha1": "git hash" }[file.hash.kind]} ${file.hash.hex} for ${file.path} of ${repository} but received other bytes, ${chance + 1} times.`, `Nothing was installed. Something between here and ${hub.settings.endpoint} may change what it passes on: try another connection.`);
    }
    onRetry?.(`${file.path} came with wrong bytes and is read again.`, 0);
  }
  await writing(path, () => rename(parts, path));
}

/** Reads until the file has its length, connection after connection. */
async function fetchRest(download: FileDownload, parts: string): Promise<void> {
  const { hub, repository, commit, file, patience, append = appendAll, signal, onBytes, onRetry } = download;
  let bytes = (await sizeOf(parts)) ?? 0;
  let furthest = bytes;
  let etag: string | undefined;
  const attempt = async (): Promise<void> => {
    const handle = await writing(parts, () => open(parts, "a"));
    const restart = async (): Promise<void> => {
      await writing(parts, () => handle.truncate(0));
      bytes = 0;
      onBytes(0);
    };
    try {
      if (bytes > file.bytes) await restart();
      if (bytes < file.bytes) {
        const answer = await hub.open(repository, commit, file.path, { start: bytes, etag }, signal);
        if (answer.start !== bytes) await restart();
        etag = answer.etag;
        for await (const chunk of answer.chunks) {
          if (bytes + chunk.length > file.bytes) throw surplus(file);
          await writing(parts, () => append(handle, chunk));
          bytes += chunk.length;
          onBytes(bytes);
        }
        if (bytes < file.bytes) throw new PassingFailure(failed(`Expected ${file.bytes} bytes for ${file.path} of ${repository} but the connection ended after ${bytes}.`, "Try again: the download goes on where it stopped."));
      }
      await writing(parts, () => handle.sync());
    } catch (error) {
      if (error instanceof PassingFailure && error.startsOver) await restart();
      throw error;
    } finally {
      await handle.close();
    }
  };
  await persist(attempt, patience, signal, onRetry, () => {
    const hasGained = bytes > furthest;
    furthest = Math.max(furthest, bytes);
    return hasGained;
  });
}

function surplus(file: HubFile): PassingFailure {
  return new PassingFailure(failed(`Expected ${file.bytes} bytes for ${file.path} but received more.`, "Try again; a mirror or proxy may send another file."), undefined, true);
}

/** Size in bytes; undefined where there is no such file. */
async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then((found) => (found.isFile() ? found.size : undefined), () => undefined);
}

async function appendAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  await handle.writeFile(chunk);
}

/** Runs something that writes; what the system says comes back as `write-failed`. */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    const reason = isFull ? "the disk is full." : cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError("write-failed", `Could not write ${path}: ${reason}`, isFull ? "Make room and start again: the download goes on where it stopped." : "Check the folder's permissions, or set PLUMBLINE_HOME to a folder that can be written to.", { cause });
  }
}
