import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { HalfMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { MapRef } from "../protocol/inference";
import { foldersAmong, mapLength, parseInfo, recordBytes, removeFolder, requireRunKey, runFiles, sha256Of, touch, type RunInfo } from "./runFiles";
import type { RunMaps } from "./runWriter";

/** A finished run, all of its files checked. Maps at processing size. */
export interface CachedRun extends RunMaps {
  readonly info: RunInfo & { readonly finished: NonNullable<RunInfo["finished"]> };
  /** Of each step of member 0. */
  readonly thumbnails: readonly FloatMap[];
}

/** A map in the cache. */
export type CachedMapRef = Exclude<MapRef, { kind: "file" }>;

/**
 * Looks a run up and marks it as used. `damaged` says in a sentence why it could not be used; it has then been removed.
 * Undefined when it is not there.
 */
export async function lookUpRun(cacheDir: string, runKey: string): Promise<CachedRun | { readonly damaged: string } | undefined> {
  const folder = join(cacheDir, requireRunKey(runKey));
  const isThere = (): Promise<boolean> => stat(folder).then(() => true, () => false);
  if (!(await isThere())) return undefined;
  try {
    const run = await readRun(folder, runKey);
    await touch(folder);
    return run;
  } catch (error) {
    if (!(await isThere())) return undefined; // removed by another process meanwhile
    await removeFolder(cacheDir, runKey);
    return { damaged: `What the cache held of this run was damaged, so that it was run again: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What the cache says of a run, finished or under way. Throws `not-found`. */
export async function readRunInfo(cacheDir: string, runKey: string): Promise<RunInfo> {
  return inRun(cacheDir, runKey, ({ info }) => info);
}

/**
 * One map of a run, finished or under way: its result as floats, steps and members' last maps as halves. Only the bytes of this
 * map are read. Throws `not-found` when the run or the step is not there (any more, or yet).
 */
export async function readCachedMap(cacheDir: string, ref: Extract<CachedMapRef, { kind: "result" }>): Promise<FloatMap>;
export async function readCachedMap(cacheDir: string, ref: Exclude<CachedMapRef, { kind: "result" }>): Promise<HalfMap>;
export async function readCachedMap(cacheDir: string, ref: CachedMapRef): Promise<HalfMap | FloatMap>;
export async function readCachedMap(cacheDir: string, ref: CachedMapRef): Promise<HalfMap | FloatMap> {
  return inRun(cacheDir, ref.runKey, async ({ info, folder }) => {
    const { width, height, channels } = info;
    const { name, offset } = placeOf(info, ref);
    const data = ref.kind === "result" ? new Float32Array(mapLength(info)) : new Uint16Array(mapLength(info));
    await readExactly(join(folder, name), offset, data);
    return { width, height, channels, data } as HalfMap | FloatMap;
  });
}

/** Where a map lies: the file, and the offset of its first byte. Throws `bad-argument` for a step or member that the run does not have. */
export function placeOf(info: RunInfo, ref: CachedMapRef): { readonly name: string; readonly offset: number } {
  if (ref.kind === "result") return { name: runFiles.result, offset: 0 };
  const [name, index, count] = ref.kind === "step" ? [runFiles.steps, ref.step, info.steps.length] : [runFiles.members, ref.member, info.members];
  if (!Number.isInteger(index) || index < 0 || index >= count) throw unexpected("bad-argument", `the ${ref.kind}`, `a whole number from 0 to ${count - 1}`, index);
  return { name, offset: index * recordBytes(info) };
}

/** A run, finished or under way, and where it lies. */
interface Located {
  readonly info: RunInfo;
  readonly folder: string;
}

/** Reads from a run, wherever it lies. One that gets its name between the look at its folder and the look into it is found at the second try. */
async function inRun<T>(cacheDir: string, runKey: string, read: (run: Located) => T | Promise<T>): Promise<T> {
  const attempt = async (): Promise<T> => read(await locate(cacheDir, runKey));
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof PlumblineError && error.code === "not-found")) throw error;
    return attempt();
  }
}

/** Throws `not-found`. */
async function locate(cacheDir: string, runKey: string): Promise<Located> {
  requireRunKey(runKey);
  const names = await readdir(cacheDir).catch(() => []);
  for (const folder of foldersAmong(names, runKey).map((name) => join(cacheDir, name))) {
    const info = await readInfo(folder).catch(() => undefined);
    if (info) return { info, folder };
  }
  throw notInCache("the run");
}

/** run.json of a folder; undefined without one. Throws as `parseInfo`. */
async function readInfo(folder: string): Promise<RunInfo | undefined> {
  const path = join(folder, runFiles.info);
  const bytes = await readFile(path).catch(() => undefined);
  return bytes && parseInfo(path, bytes);
}

/** Fills `target` with the bytes of a file from an offset. Throws `not-found` when they are not there. */
async function readExactly(path: string, offset: number, target: Float32Array | Uint16Array): Promise<void> {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  const handle = await open(path, "r").catch((cause: unknown) => Promise.reject(notInCache("the map", cause)));
  try {
    let read = 0;
    while (read < bytes.length) {
      const { bytesRead } = await handle.read(bytes, read, bytes.length - read, offset + read);
      if (bytesRead === 0) throw notInCache("the map");
      read += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

async function readRun(folder: string, runKey: string): Promise<CachedRun> {
  const info = await readInfo(folder);
  const finished = info?.finished;
  if (!info || !finished) throw new Error(`${runFiles.info} is missing or not finished.`);
  if (info.runKey !== runKey) throw new Error(`${runFiles.info} is of another run.`);
  const { width, height, channels, thumbnail, steps, members } = info;
  const thumbnailLength = thumbnail.width * thumbnail.height * channels;
  const required = { [runFiles.result]: 4 * mapLength(info), [runFiles.steps]: steps.length * recordBytes(info), [runFiles.thumbnails]: steps.length * 4 * thumbnailLength, [runFiles.members]: members * recordBytes(info) };
  for (const [name, bytes] of Object.entries({ ...bytesByName(finished.files), ...required })) {
    const { size } = await stat(join(folder, name));
    if (size !== bytes) throw new Error(`${name} has ${size} bytes instead of ${bytes}.`);
  }
  const wholeMap = async (name: string, mapChannels: 1 | 3): Promise<FloatMap> => ({ width, height, channels: mapChannels, data: await readHashed(folder, name, finished.files[name]?.sha256) });
  const thumbnails = await readFloats(folder, runFiles.thumbnails);
  return {
    info: { ...info, finished },
    map: await wholeMap(runFiles.result, channels),
    ...(runFiles.stdOverSteps in finished.files && { stdOverSteps: await wholeMap(runFiles.stdOverSteps, 1) }),
    ...(runFiles.stdOverMembers in finished.files && { stdOverMembers: await wholeMap(runFiles.stdOverMembers, 1) }),
    thumbnails: steps.map((_, k) => ({ ...thumbnail, channels, data: thumbnails.slice(k * thumbnailLength, (k + 1) * thumbnailLength) })),
  };
}

async function readHashed(folder: string, name: string, sha256: string | undefined): Promise<Float32Array> {
  const floats = await readFloats(folder, name);
  if (sha256Of(new Uint8Array(floats.buffer)) !== sha256) throw new Error(`${name} does not hold what was written.`);
  return floats;
}

async function readFloats(folder: string, name: string): Promise<Float32Array> {
  const bytes = await readFile(join(folder, name));
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

function bytesByName(files: Readonly<Record<string, { readonly bytes: number }>>): Record<string, number> {
  return Object.fromEntries(Object.entries(files).map(([name, { bytes }]) => [name, bytes]));
}

/** The error for a run, step or map that the cache does not hold, any more or yet. */
export function notInCache(what: string, cause?: unknown): PlumblineError {
  return new PlumblineError("not-found", `Expected ${what} in the cache but it is not there.`, "Run it again.", { cause });
}
