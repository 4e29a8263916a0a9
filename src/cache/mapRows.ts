import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { floatsFromHalves } from "../core/half";
import type { Semantics } from "../core/semantics";
import type { MapRows } from "../core/spread";
import { foldersAmong, parseInfo, requireRunKey, runFiles, type RunInfo } from "./runFiles";
import { notInCache, placeOf, type CachedMapRef } from "./runReader";

/**
 * A map of the cache that is read row by row, and what it is. Reads at once, without a promise: a process that runs networks
 * comes to its promises once between two runs, and would take a run for every file that it opens.
 * Throws as `readCachedMap`; so does `read`.
 */
export function openCachedMap(cacheDir: string, ref: CachedMapRef): MapRows & { readonly semantics: Semantics } {
  let { info, folder } = locateNow(cacheDir, ref.runKey);
  const { name, offset } = placeOf(info, ref);
  const { width, height, channels, semantics } = info;
  return {
    width,
    height,
    channels,
    semantics,
    read(first, rows) {
      const length = rows * width * channels;
      const target = ref.kind === "result" ? new Float32Array(length) : new Uint16Array(length);
      const at = offset + first * width * channels * target.BYTES_PER_ELEMENT;
      if (!fillNow(join(folder, name), at, target)) {
        ({ info, folder } = locateNow(cacheDir, ref.runKey)); // it was finished meanwhile, and has its name now
        if (!fillNow(join(folder, name), at, target)) throw notInCache("the map");
      }
      return target instanceof Uint16Array ? floatsFromHalves(target) : target;
    },
  };
}

/** Where a run lies; as in `runReader`, one that is finished meanwhile is found at the second try. */
function locateNow(cacheDir: string, runKey: string): { readonly info: RunInfo; readonly folder: string } {
  requireRunKey(runKey);
  for (let tries = 0; tries < 2; tries++) {
    const names = attempt(() => readdirSync(cacheDir)) ?? [];
    for (const folder of foldersAmong(names, runKey).map((name) => join(cacheDir, name))) {
      const path = join(folder, runFiles.info);
      const bytes = attempt(() => readFileSync(path));
      const info = bytes && attempt(() => parseInfo(path, bytes));
      if (info) return { info, folder };
    }
  }
  throw notInCache("the run");
}

/** False where the file is missing or too short. */
function fillNow(path: string, offset: number, target: Float32Array | Uint16Array): boolean {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  const file = attempt(() => openSync(path, "r"));
  if (file === undefined) return false;
  try {
    let read = 0;
    while (read < bytes.length) {
      const count = readSync(file, bytes, read, bytes.length - read, offset + read);
      if (count === 0) return false;
      read += count;
    }
    return true;
  } finally {
    closeSync(file);
  }
}

/** The value, or undefined where a file is not there or not what it should be. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PlumblineError || (error instanceof Error && "code" in error)) return undefined;
    throw error;
  }
}
