import { runKeyOf } from "../cache/runKey";
import { lookUpRun, type CachedRun } from "../cache/runReader";
import type { HalfMap } from "../core/half";
import type { FloatMap } from "../core/image";
import type { Device, RunRequest } from "../core/settings";
import { writeRun, type RunHead, type RunMaps, type RunWriter } from "../cache/runWriter";
import type { Provenance } from "../protocol/inference";
import { version } from "../../package.json";
import type { FileHashes } from "./fileHash";
import type { DescribedModel } from "./modelLoader";
import { engineVersions } from "./session";

/** A run in the cache, or what is known when it is not there. */
export interface Lookup {
  /** By device, those that were asked for. */
  readonly keys: ReadonlyMap<Device, string>;
  readonly cached?: CachedRun;
  /** What was wrong with what was there, in sentences. */
  readonly notes: readonly string[];
}

/** Looks a run up as computed on any of the devices, in their order. Throws for a noise file that cannot be read. */
export async function lookUp(cacheDir: string, run: RunRequest, model: DescribedModel, imageSha256: string, devices: readonly Device[], hashes: FileHashes): Promise<Lookup> {
  const { noise } = run.settings;
  const noiseSha256 = noise.kind === "file" ? await hashes.of(noise.path) : undefined;
  // The program itself counts: while it is developed its version says nothing.
  const versions = { plumbline: version, program: await hashes.of(__filename), onnxruntime: engineVersions().onnxruntime };
  const keys = new Map<Device, string>();
  const notes: string[] = [];
  for (const device of devices) {
    const identity = { imageSha256, modelFiles: model.fileHashes, semantics: model.semantics, endToEnd: model.description.endToEnd, task: run.task, settings: run.settings };
    const runKey = runKeyOf({ ...identity, ...(noiseSha256 !== undefined && { noiseSha256 }), device, versions });
    keys.set(device, runKey);
    const found = await lookUpRun(cacheDir, runKey);
    if (found && "damaged" in found) notes.push(found.damaged);
    else if (found) return { keys, cached: found, notes };
  }
  return { keys, notes };
}

/**
 * Keeps a run in the cache as it goes. What goes wrong there, as a full disk, is no fault of the run: it is not kept then, and
 * `problem` says why.
 */
export class RunKeeper {
  problem?: string;
  private readonly writer: RunWriter;

  constructor(cacheDir: string, head: RunHead) {
    this.writer = writeRun(cacheDir, head);
  }

  step(map: HalfMap, thumbnail: FloatMap): Promise<void> {
    return this.attempt(() => this.writer.step(map, thumbnail));
  }

  member(map: HalfMap): Promise<void> {
    return this.attempt(() => this.writer.member(map));
  }

  finish(maps: RunMaps, provenance: Provenance): Promise<void> {
    return this.attempt(() => this.writer.finish(maps, provenance));
  }

  discard(): Promise<void> {
    return this.writer.discard().catch(() => undefined); // the next request removes what is left
  }

  private async attempt(write: () => Promise<void>): Promise<void> {
    if (this.problem !== undefined) return;
    try {
      await write();
    } catch (error) {
      this.problem = `This run could not be kept in the cache: ${error instanceof Error ? error.message : String(error)}`;
      await this.discard();
    }
  }
}
