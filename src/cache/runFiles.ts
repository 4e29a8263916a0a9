import { createHash } from "node:crypto";
import { rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { Size } from "../core/resize";
import type { Semantics } from "../core/semantics";
import { isObject, parseObject } from "../io/jsonFile";
import type { Provenance, StepPlan } from "../protocol/inference";

/*
 * The cache holds a folder a run, named by its key. H x W is the size of its maps, C their channels, h x w that of thumbnails,
 * S steps, E members; all numbers little-endian, maps interleaved:
 *   run.json             RunInfo
 *   result.f32           [H, W, C]      the map of all members
 *   stdOverSteps.f32     [H, W]         where S > 1
 *   stdOverMembers.f32   [H, W]         where E > 1
 *   steps.f16            [S, H, W, C]   member 0 after each step, appended as it goes
 *   thumbnails.f32       [S, h, w, C]   the same, reduced
 *   members.f16          [E, H, W, C]   each member's last map, not aligned
 * While it is written the folder is called KEY.PID.part, PID being the writer's process; it gets its name when it is whole.
 */

/** Raised whenever the layout changes; folders of another version are removed. */
export const formatVersion = 1;

export const runFiles = {
  info: "run.json",
  result: "result.f32",
  stdOverSteps: "stdOverSteps.f32",
  stdOverMembers: "stdOverMembers.f32",
  steps: "steps.f16",
  thumbnails: "thumbnails.f32",
  members: "members.f16",
} as const;

/** A file of a finished run; the hash is there of those that are always read whole. */
export interface FileRecord {
  readonly bytes: number;
  readonly sha256?: string;
}

/** What run.json says. */
export interface RunInfo {
  readonly formatVersion: typeof formatVersion;
  readonly runKey: string;
  readonly semantics: Semantics;
  /** Size of the maps, which the networks may leave smaller than the image that they saw. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly thumbnail: Size;
  readonly members: number;
  readonly steps: readonly StepPlan[];
  /** Absent while the run is under way. */
  readonly finished?: {
    readonly provenance: Provenance;
    /** By name, run.json itself left out. */
    readonly files: Readonly<Record<string, FileRecord>>;
  };
}

/** Values of one map. */
export function mapLength({ width, height, channels }: RunInfo): number {
  return width * height * channels;
}

/** Bytes of one record of steps.f16 or members.f16. */
export function recordBytes(info: RunInfo): number {
  return 2 * mapLength(info);
}

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A run's key; throws `bad-argument` for anything else, which must not become a path. */
export function requireRunKey(runKey: string): string {
  if (!/^[0-9a-f]{64}$/.test(runKey)) throw unexpected("bad-argument", "the run's key", "64 hexadecimal digits", runKey);
  return runKey;
}

/** What a name in the cache's folder stands for; undefined for what is not the cache's. */
export function entryOf(name: string): { readonly runKey: string; readonly writer?: number } | undefined {
  const found = /^([0-9a-f]{64})(?:\.(\d+)\.(?:part|gone))?$/.exec(name);
  return found ? { runKey: found[1], ...(found[2] !== undefined && { writer: Number(found[2]) }) } : undefined;
}

export function partName(runKey: string): string {
  return `${runKey}.${process.pid}.part`;
}

/** Which of the cache's folders may hold the run: the finished one first, then those in which it is being written. */
export function foldersAmong(names: readonly string[], runKey: string): readonly string[] {
  return [runKey, ...names.filter((name) => name.startsWith(`${runKey}.`) && name.endsWith(".part"))];
}

/** What the bytes of a run.json say. Throws `bad-model` for anything that this version did not write. */
export function parseInfo(path: string, bytes: Uint8Array): RunInfo {
  const info = parseObject(path, bytes);
  if (!isRunInfo(info)) throw new PlumblineError("bad-model", `Expected a run of format ${formatVersion} for ${path} but received another.`, "Run it again.");
  return info;
}

/** Marks a run as used now. */
export async function touch(folder: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, runFiles.info), now, now).catch(() => undefined); // it may be gone by now
}

/** Removes a folder of the cache: first from sight, then from the disk, so that no reader sees a part of it. */
export async function removeFolder(cacheDir: string, name: string): Promise<void> {
  const gone = join(cacheDir, `${name.slice(0, 64)}.${process.pid}.gone`);
  await rm(gone, { recursive: true, force: true });
  const renamed = await rename(join(cacheDir, name), gone).then(() => true, () => false);
  await rm(renamed ? gone : join(cacheDir, name), { recursive: true, force: true });
}

/** The parts that readers rely on; the rest of the provenance is only passed on. */
function isRunInfo(value: Record<string, unknown>): value is Record<string, unknown> & RunInfo {
  const { width, height, channels, thumbnail, members, steps, semantics, finished } = value;
  const isSize = (side: unknown): boolean => Number.isInteger(side) && (side as number) > 0;
  return (
    value.formatVersion === formatVersion &&
    typeof value.runKey === "string" &&
    isObject(semantics) && (semantics.task === "depth" || semantics.task === "normals") &&
    [width, height, members].every(isSize) &&
    (channels === 1 || channels === 3) &&
    isObject(thumbnail) && isSize(thumbnail.width) && isSize(thumbnail.height) &&
    Array.isArray(steps) && steps.length > 0 && steps.every(isObject) &&
    (finished === undefined || (isObject(finished) && isObject(finished.provenance) && isObject(finished.files)))
  );
}
