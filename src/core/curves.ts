import { compareMaps, type ComparedMap } from "./difference";
import { throwIfCancelled, unexpected } from "./errors";
import type { FloatMap } from "./image";
import { evaluateDepth, normalsErrors, normalsMetrics, type DepthEvaluation } from "./metrics";
import { normalized } from "./normals";
import { resizeMap } from "./resize";
import type { DepthKind, Semantics } from "./semantics";

/** How maps lie along a run, a number a map. */
export interface Curves {
  /** To the map before; NaN for the first. */
  readonly changeToPrevious: readonly number[];
  readonly distanceToLast: readonly number[];
  readonly distanceToReference?: readonly number[];
  /** AbsRel (depth, a fraction) or mean angle (normals, degrees). */
  readonly errorToTruth?: readonly number[];
}

export interface CurvesOptions {
  readonly reference?: ComparedMap;
  /** Ground truth: depth, or normals in the frame of the maps; NaN (depth also 0 and below) is no value. */
  readonly truth?: FloatMap;
  /** Looked at before each map. */
  readonly signal?: AbortSignal;
}

const alignmentOf: Readonly<Record<DepthKind, DepthEvaluation["alignment"]>> = { "affine-depth": "depth", "affine-disparity": "disparity", "metric-depth": "none" };

/**
 * How the maps of a run move, from maps that are loaded one after another: five are held at most. A distance between two maps
 * is `compareMaps`: depth after the least squares fit of scale and shift, the mean absolute difference in units of the map that
 * it is compared with; normals the mean angle in degrees. The error to the truth is that of `metrics`, at the truth's size.
 * Throws `bad-argument` without a map and for a reference that cannot be compared, `cancelled`, and what a load throws.
 */
export async function stepCurves(loads: readonly (() => Promise<FloatMap>)[], semantics: Semantics, { reference, truth, signal }: CurvesOptions): Promise<Curves> {
  if (loads.length === 0) throw unexpected("bad-argument", "the maps of the curves", "at least one", loads.length);
  const last = await loads[loads.length - 1]();
  const changeToPrevious: number[] = [];
  const distanceToLast: number[] = [];
  const distanceToReference: number[] = [];
  const errorToTruth: number[] = [];
  let previous: FloatMap | undefined;
  for (const load of loads) {
    throwIfCancelled(signal);
    const map = await load();
    const distanceTo = (other: ComparedMap): number => compareMaps({ map, semantics }, other, { kind: semantics.task === "depth" ? "absolute" : "angle" }).mean;
    changeToPrevious.push(previous ? distanceTo({ map: previous, semantics }) : NaN);
    distanceToLast.push(distanceTo({ map: last, semantics }));
    if (reference) distanceToReference.push(distanceTo(reference));
    if (truth) errorToTruth.push(errorTo(truth, map, semantics));
    previous = map;
  }
  return { changeToPrevious, distanceToLast, ...(reference && { distanceToReference }), ...(truth && { errorToTruth }) };
}

/** AbsRel of depth as `evaluateDepth` aligns its kind, or the mean angle of normals in degrees, over the pixels where both have a value. */
export function errorTo(truth: FloatMap, map: FloatMap, semantics: Semantics): number {
  const { width, height } = truth;
  if (truth.channels !== map.channels) throw unexpected("bad-argument", "the ground truth", `a map of ${map.channels} ${map.channels === 1 ? "channel" : "channels"}`, truth.channels, "Choose a file of the same task.");
  const sameSize = map.width === width && map.height === height;
  const resized = sameSize ? map : resizeMap(map, { width, height }, "bilinear");
  const hasValue = (p: number): boolean => {
    for (let c = 0; c < map.channels; c++) if (!Number.isFinite(truth.data[p * map.channels + c]) || !Number.isFinite(resized.data[p * map.channels + c])) return false;
    return semantics.task === "normals" || truth.data[p] > 0;
  };
  const mask = new Uint8Array(width * height).map((_, p) => (hasValue(p) ? 1 : 0));
  if (semantics.task === "normals") return normalsMetrics(normalsErrors(sameSize ? map.data : normalized(resized, "diffusers").data, truth.data, mask)).mean;
  return evaluateDepth(resized.data, truth.data, mask, width, { alignment: alignmentOf[semantics.depthKind], minDepth: 1e-6, maxDepth: Infinity }).metrics.absRel;
}
