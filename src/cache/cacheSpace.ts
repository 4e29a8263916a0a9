import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { entryOf, removeFolder, runFiles } from "./runFiles";

interface Entry {
  readonly name: string;
  readonly runKey: string;
  /** The process that writes or removes it; absent for finished runs. */
  readonly writer?: number;
  readonly bytes: number;
  readonly usedMillis: number;
}

/** Removes all runs, except those that are being written; resolves with their bytes. Other files of the folder stay. */
export async function clearCache(cacheDir: string): Promise<number> {
  let freed = 0;
  for (const { name, writer, bytes } of await entriesOf(cacheDir)) {
    if (isWritten(writer)) continue;
    await removeFolder(cacheDir, name);
    freed += bytes;
  }
  return freed;
}

/**
 * Removes what dead processes left, and then the runs used longest ago until the cache has at most `maxBytes`. Runs in `inUse`
 * stay, also where they alone are more than that.
 */
export async function makeRoom(cacheDir: string, maxBytes: number, inUse: ReadonlySet<string>): Promise<void> {
  const entries = [...(await entriesOf(cacheDir))].sort((a, b) => a.usedMillis - b.usedMillis);
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, runKey, writer, bytes } of entries) {
    const isLeft = writer !== undefined && !isWritten(writer);
    const isOld = writer === undefined && total > maxBytes && !inUse.has(runKey);
    if (!isLeft && !isOld) continue;
    await removeFolder(cacheDir, name);
    total -= bytes;
  }
}

async function entriesOf(cacheDir: string): Promise<readonly Entry[]> {
  const names = await readdir(cacheDir).catch(() => []);
  const entries: Entry[] = [];
  for (const name of names) {
    const entry = entryOf(name);
    if (entry) entries.push({ name, ...entry, ...(await measure(join(cacheDir, name))) });
  }
  return entries;
}

/** Another process may be removing the folder meanwhile: what is gone counts for nothing. */
async function measure(folder: string): Promise<{ bytes: number; usedMillis: number }> {
  const names = await readdir(folder).catch(() => []);
  let bytes = 0;
  let usedMillis = 0;
  for (const name of names) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    bytes += found?.size ?? 0;
    if (name === runFiles.info) usedMillis = found?.mtimeMs ?? 0;
  }
  return { bytes, usedMillis };
}

/** True while the process that writes it lives. */
function isWritten(writer: number | undefined): boolean {
  if (writer === undefined) return false;
  try {
    process.kill(writer, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // it lives, and is another user's
  }
}
