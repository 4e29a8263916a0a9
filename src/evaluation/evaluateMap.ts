import { unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import { evaluateDepth, normalsErrors, normalsMetrics, type DepthMetrics, type NormalsMetrics } from "../core/metrics";
import { convertFrame } from "../core/normals";
import { resizeMap } from "../core/resize";
import type { NormalsFrame, Semantics } from "../core/semantics";
import type { GroundTruth } from "./groundTruth";

/** Range and fit of a depth protocol. */
export interface DepthProtocol {
  readonly minDepth: number;
  readonly maxDepth: number;
  readonly alignmentMaxResolution?: number;
}

export interface DepthScore {
  readonly task: "depth";
  readonly validPixels: number;
  readonly metrics: DepthMetrics;
  /** The prediction in metres after alignment and clipping. */
  readonly aligned: FloatMap;
}

export interface NormalsScore {
  readonly task: "normals";
  readonly validPixels: number;
  readonly metrics: NormalsMetrics;
  /** Angle of every pixel that counts, in degrees: pooled over a set by concatenation. */
  readonly errorsDegrees: Float32Array;
  /** Angle map in degrees, NaN where nothing counts. */
  readonly errorMap: FloatMap;
  /** Set when the normals fit much better with x turned round: the frame is probably declared wrong. */
  readonly suspicion?: string;
}

/**
 * A depth map against its truth by Marigold's protocol: least squares on the pixels that count (as disparity for disparity models,
 * none for metric depth), clipped to the range, then the metrics. Throws `bad-argument` for maps of another size.
 */
export function scoreDepth(map: FloatMap, semantics: Semantics, truth: GroundTruth, protocol: DepthProtocol): DepthScore {
  if (semantics.task !== "depth") throw unexpected("bad-argument", "a prediction for depth truth", "depth", semantics.task);
  requireSize(map, truth);
  const alignment = ({ "affine-depth": "depth", "affine-disparity": "disparity", "metric-depth": "none" } as const)[semantics.depthKind];
  const { aligned, metrics } = evaluateDepth(map.data, truth.map.data, truth.mask, map.width, { alignment, ...protocol });
  return { task: "depth", validPixels: count(truth.mask), metrics, aligned: { ...map, data: aligned } };
}

/** Degrees by which turning x round must improve the mean before the frame is called wrong, and the part that must remain. */
const flipGain = { degrees: 10, ratio: 0.6 };

/**
 * Normals against their truth (DSINE's errors), brought to the truth's frame first. Says so when the x axis looks flipped.
 * Throws `bad-argument` for maps of another size.
 */
export function scoreNormals(map: FloatMap, semantics: Semantics, truth: GroundTruth, truthFrame: NormalsFrame): NormalsScore {
  if (semantics.task !== "normals") throw unexpected("bad-argument", "a prediction for normals truth", "normals", semantics.task);
  requireSize(map, truth);
  const { width, height } = map;
  const inFrame = convertFrame(map, semantics.frame, truthFrame);
  const errorsDegrees = normalsErrors(inFrame.data, truth.map.data, truth.mask);
  const metrics = normalsMetrics(errorsDegrees);
  const flipped = normalsMetrics(normalsErrors(convertFrame(inFrame, "RUB", "LUB").data, truth.map.data, truth.mask));
  const errorMap = new Float32Array(width * height).fill(NaN);
  for (let p = 0, i = 0; p < errorMap.length; p++) if (truth.mask[p]) errorMap[p] = errorsDegrees[i++];
  const isFlipped = metrics.mean - flipped.mean > flipGain.degrees && flipped.mean < flipGain.ratio * metrics.mean;
  const suspicion = isFlipped
    ? `Your x axis looks flipped: the mean angle is ${metrics.mean.toFixed(1)} degrees as declared (${semantics.frame} against ${truthFrame}) and ${flipped.mean.toFixed(1)} with x turned round.`
    : undefined;
  return { task: "normals", validPixels: errorsDegrees.length, metrics, errorsDegrees, errorMap: { width, height, channels: 1, data: errorMap }, ...(suspicion && { suspicion }) };
}

/** A prediction at the truth's size: bilinear, as Marigold's evaluation. */
export function atTruthSize(map: FloatMap, truth: GroundTruth): FloatMap {
  const { width, height } = truth.map;
  return map.width === width && map.height === height ? map : resizeMap(map, { width, height }, "bilinear");
}

function requireSize(map: FloatMap, truth: GroundTruth): void {
  const { width, height } = truth.map;
  if (map.width !== width || map.height !== height) {
    throw unexpected("bad-argument", "the prediction", `${width} x ${height} pixels like the truth`, `${map.width} x ${map.height}`, "Check that image and truth belong together.");
  }
}

function count(mask: Uint8Array): number {
  return mask.reduce((sum, value) => sum + (value ? 1 : 0), 0);
}
