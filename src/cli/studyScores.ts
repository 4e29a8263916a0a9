import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Task } from "../core/semantics";
import type { DeviceChoice, RunSettings } from "../core/settings";
import { appendLine, readJournal } from "../evaluation/journal";

/** Errors of one map of one scene. Depth has the first two, normals the others. */
export interface SceneScores {
  /** Fractions. */
  readonly absRel?: number;
  readonly delta1?: number;
  /** Degrees. */
  readonly meanAngle?: number;
  /** Percent of the pixels. */
  readonly below11?: number;
}

/** Everything that a score depends on; hashes are SHA-256, hexadecimal. */
export interface ScoreIdentity {
  readonly sceneHash: string;
  readonly modelHash: string;
  readonly task: Task;
  readonly settings: RunSettings;
  readonly device: DeviceChoice;
  readonly onnxruntime: string;
}

/** A score that was measured, and where it came from (`lastingPart` of its provenance). */
export interface KeptScore {
  readonly scores: SceneScores;
  readonly run: object;
}

interface Line extends KeptScore {
  readonly key: string;
  readonly scene: string;
}

/** Raised whenever the pipeline, the ensemble or a metric gives other numbers than before. */
const scoresVersion = 1;

/** Names a score: equal identities have equal keys. Where nothing is drawn the seed does not count. */
export function scoreKey({ sceneHash, modelHash: model, task, settings, device, onnxruntime }: ScoreIdentity): string {
  const { steps, spacing, ensembleSize, noise, seed, processingResolution } = settings;
  const parts = [scoresVersion, sceneHash, model, task, steps, spacing, ensembleSize, noise.kind, noise.kind === "zeros" ? null : seed, processingResolution, device, onnxruntime];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/**
 * Scores of single maps in a file of JSON lines, so that a study that was stopped goes on, one with more scenes or with another model measures
 * only what is new, and studies share what they have in common. Several processes may add to it.
 */
export class ScoresCache {
  private constructor(private readonly path: string, private readonly known: Map<string, KeptScore>) {}

  /** Reads what there is; lines that are damaged are measured again. */
  static async open(path: string): Promise<ScoresCache> {
    await mkdir(dirname(path), { recursive: true });
    const { entries } = await readJournal<Line>(path);
    return new ScoresCache(path, new Map(entries.map(({ key, scores, run }) => [key, { scores, run }])));
  }

  get(key: string): KeptScore | undefined {
    return this.known.get(key);
  }

  /** Resolves when it is on the disk. Throws `write-failed`. */
  async put(key: string, scene: string, { scores, run }: KeptScore): Promise<void> {
    this.known.set(key, { scores, run });
    await appendLine(this.path, { key, scene, scores, run });
  }
}

/** Of the picture and the ground truth of one scene. */
export async function sceneHashOf(dir: string, id: string): Promise<string> {
  const hash = createHash("sha256");
  for (const part of ["rgb", "depth", "normal"]) hash.update(createHash("sha256").update(await readFile(join(dir, `${id}_${part}.png`))).digest());
  return hash.digest("hex");
}
