import { access } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { Task } from "../core/semantics";
import { readGroundTruth, type GroundTruth } from "./groundTruth";
import type { Truth } from "./judge";
import { candidatesOf, pairingOf } from "./pairing";
import { datasetPresets, type DatasetPreset } from "./presets";
import type { SpotCheckSpec } from "./spec";
import type { SpotSample } from "./spotRun";

/** Where the truth of a folder's images is, and the protocol by which it counts. */
export type TruthSource = Omit<DatasetPreset, "count">;

/** A data set's preset. Throws `bad-argument` naming those that there are. */
export function presetOf(id: string): DatasetPreset {
  const preset = datasetPresets.find((candidate) => candidate.id === id);
  if (!preset) throw unexpected("bad-argument", "the preset", datasetPresets.map((candidate) => candidate.id).join(", "), id, "Check the spelling.");
  return preset;
}

/** What a spec says of ground truth. Throws `bad-argument` for a pairing that cannot be. */
export function truthSourceOf(truth: SpotCheckSpec["truth"]): TruthSource | undefined {
  if (truth === undefined) return undefined;
  if ("preset" in truth) return presetOf(truth.preset);
  const { image, truth: partner, encoding, minDepth, maxDepth } = truth;
  return { id: "pattern", title: `${image} with ${partner}`, ...pairingOf(image, partner), encoding, minDepth, maxDepth };
}

/** What the truth is of. */
export function taskOfTruth({ encoding }: Pick<TruthSource, "encoding">): Task {
  return encoding.kind;
}

/** Reads the truth of one image of `folder`. Throws `not-found` for a missing partner, and what `readGroundTruth` throws. */
export async function readTruthOf({ id }: SpotSample, folder: string, source: TruthSource): Promise<GroundTruth> {
  const { truth = [], masks = [] } = candidatesOf(source, id) ?? {};
  const found = await existing(truth, (path) => join(folder, path));
  if (found.length === 0) {
    throw new PlumblineError("not-found", `Expected the ground truth of ${id} at ${truth.join(" or ")} but there is no such file.`, "Add it, or leave the image out of the sample.");
  }
  const maskFiles = await existing(masks, ({ path }) => join(folder, path));
  return readGroundTruth(join(folder, found[0]), maskFiles.map(({ path, zeroIsValid }) => ({ path: join(folder, path), zeroIsValid })), source);
}

/** Truth as `judge` takes it. */
export function judgedBy(source: TruthSource, truth: GroundTruth): Truth {
  const { encoding, minDepth = 1e-3, maxDepth = Infinity, alignmentMaxResolution } = source;
  if (encoding.kind === "normals") return { normals: { truth, frame: encoding.frame } };
  return { depth: { truth, protocol: { minDepth, maxDepth, ...(alignmentMaxResolution !== undefined && { alignmentMaxResolution }) } } };
}

async function existing<T>(items: readonly T[], pathOf: (item: T) => string): Promise<T[]> {
  const there = await Promise.all(items.map((item) => access(pathOf(item)).then(() => true, (error: unknown) => !(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")))));
  return items.filter((_, i) => there[i]);
}
