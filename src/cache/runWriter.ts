import { mkdir, open, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { HalfMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { Semantics } from "../core/semantics";
import { writeFileAtomically } from "../io/atomicFile";
import type { Provenance, StepPlan } from "../protocol/inference";
import { formatVersion, partName, removeFolder, runFiles, sha256Of, type FileRecord, type RunInfo } from "./runFiles";
import { thumbnailSize } from "./thumbnail";

/** What is known of a run before it starts. */
export interface RunHead {
  readonly runKey: string;
  readonly semantics: Semantics;
  readonly members: number;
  readonly steps: readonly StepPlan[];
}

/** Maps of a finished run at processing size. */
export interface RunMaps {
  readonly map: FloatMap;
  readonly stdOverSteps?: FloatMap;
  readonly stdOverMembers?: FloatMap;
}

/** Writes one run as it goes. After any method has rejected, only `discard` may be called. */
export interface RunWriter {
  /** Appends member 0's map after the next step. The thumbnail has `thumbnailSize` of the map. */
  step(map: HalfMap, thumbnail: FloatMap): Promise<void>;
  /** Appends the next member's last map. */
  member(map: HalfMap): Promise<void>;
  /** Gives the run its name, unless another process was faster with the same one. */
  finish(maps: RunMaps, provenance: Provenance): Promise<void>;
  /** Removes what was written. Does nothing after `finish`. */
  discard(): Promise<void>;
}

/** A writer for a run into `cacheDir`, made if missing. Rejects as the file system does (no room, no permission). */
export function writeRun(cacheDir: string, head: RunHead): RunWriter {
  const part = join(cacheDir, partName(head.runKey));
  let info: RunInfo | undefined;
  const handles = new Map<string, FileHandle>();
  let isOpen = true;

  /** The folder appears with the first map: only then is its size known. */
  async function begin({ width, height, channels }: HalfMap): Promise<void> {
    await rm(part, { recursive: true, force: true }); // of a process that had this one's number
    await mkdir(part, { recursive: true });
    info = { formatVersion, ...head, width, height, channels, thumbnail: thumbnailSize({ width, height }) };
    for (const name of [runFiles.steps, runFiles.thumbnails, runFiles.members]) handles.set(name, await open(join(part, name), "wx"));
    await writeInfo(part, info);
  }
  async function append(name: string, values: Float32Array | Uint16Array): Promise<void> {
    await handles.get(name)?.appendFile(bytesOf(values));
  }
  async function close(): Promise<void> {
    const open = [...handles.values()];
    handles.clear();
    for (const handle of open) await handle.close();
  }

  return {
    async step(map, thumbnail) {
      if (!info) await begin(map);
      await append(runFiles.thumbnails, thumbnail.data);
      await append(runFiles.steps, map.data);
    },
    async member(map) {
      if (!info) await begin(map);
      await append(runFiles.members, map.data);
    },
    async finish({ map, stdOverSteps, stdOverMembers }, provenance) {
      if (!info) throw new Error("No map was written.");
      // What is renamed must be whole on the disk, or a loss of power would leave a whole name on half a run.
      for (const handle of handles.values()) await handle.datasync();
      await close();
      const files: Record<string, FileRecord> = {};
      const whole = { [runFiles.result]: map, [runFiles.stdOverSteps]: stdOverSteps, [runFiles.stdOverMembers]: stdOverMembers };
      for (const [name, { data } = {}] of Object.entries(whole)) {
        if (!data) continue;
        await writeFile(join(part, name), bytesOf(data), { flush: true });
        files[name] = { bytes: data.byteLength, sha256: sha256Of(bytesOf(data)) };
      }
      for (const name of [runFiles.steps, runFiles.thumbnails, runFiles.members]) files[name] = { bytes: (await stat(join(part, name))).size };
      await writeInfo(part, { ...info, finished: { provenance, files } });
      isOpen = false;
      await giveName(part, join(cacheDir, head.runKey));
    },
    async discard() {
      if (!isOpen) return;
      isOpen = false;
      await close().catch(() => undefined);
      await removeFolder(cacheDir, partName(head.runKey));
    },
  };
}

/** Renames the finished folder; drops it where the name is taken, since equal keys hold equal runs. */
async function giveName(part: string, folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(part, folder);
    } catch (error) {
      const isTaken = await stat(folder).then(() => true, () => false);
      // Windows renames no folder in which a reader has a file open; readers are done within milliseconds.
      if (!isTaken && attempt < 20) {
        await setTimeout(25);
        continue;
      }
      await rm(part, { recursive: true, force: true });
      if (isTaken) return;
      throw error;
    }
  }
}

async function writeInfo(folder: string, info: RunInfo): Promise<void> {
  await writeFileAtomically(join(folder, runFiles.info), JSON.stringify(info, undefined, 1));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
