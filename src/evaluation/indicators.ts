import { compareMaps, type ComparedMap } from "../core/difference";
import type { FloatMap } from "../core/image";
import { convertFrame } from "../core/normals";
import type { Semantics } from "../core/semantics";
import { percentiles } from "../core/statistics";
import { meanNormalsGap } from "./consistency";

/*
 * What can be said of a prediction without ground truth. None of these is an error measure: they rank images by how odd they are,
 * so that a person looks at the odd ones first.
 */

/** What is known of an image file beside its pixels. */
export interface ImageFacts {
  readonly width: number;
  readonly height: number;
  /** Conversions, in words, as the reader tells them. */
  readonly notes: readonly string[];
}

const tinySide = 64;
const hugePixels = 50e6;
const extremeAspect = 4;

/** Why an image is odd, in words; empty for an ordinary one. */
export function imageOddities({ width, height, notes }: ImageFacts): string[] {
  const oddities: string[] = [];
  if (Math.min(width, height) < tinySide) oddities.push(`tiny (${width} x ${height})`);
  if (width * height > hugePixels) oddities.push(`huge (${Math.round((width * height) / 1e6)} megapixels)`);
  if (Math.max(width, height) > extremeAspect * Math.min(width, height)) oddities.push(`extreme aspect (${width} x ${height})`);
  return [...oddities, ...notes];
}

export interface MapIndicators {
  /** Part of the pixels without a finite value. */
  readonly missing: number;
  /** Affine depth: 98th - 2nd percentile, of the model's range 0..1. Normals: mean angle to their mean direction, in degrees. Small is flat. */
  readonly extent: number;
  /** Part of the pixels at exactly the lowest or highest value: the decoder ran against its limits. Depth only. */
  readonly saturated?: number;
}

export function mapIndicators(map: FloatMap, semantics: Semantics): MapIndicators {
  return semantics.task === "depth" ? depthIndicators(map) : normalsIndicators(map);
}

function depthIndicators({ data }: FloatMap): MapIndicators {
  let [missing, low, high] = [0, Infinity, -Infinity];
  for (const value of data) {
    if (!Number.isFinite(value)) missing++;
    else if (value < low) low = value;
    if (value > high && Number.isFinite(value)) high = value;
  }
  const [from, to] = percentiles(data, [2, 98]);
  let atEnds = 0;
  for (const value of data) if (value === low || value === high) atEnds++;
  const flat = low === high;
  return { missing: missing / data.length, extent: to - from, saturated: flat ? 0 : atEnds / data.length };
}

function normalsIndicators({ data }: FloatMap): MapIndicators {
  const pixels = data.length / 3;
  const mean = [0, 0, 0];
  let missing = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (!Number.isFinite(data[i] + data[i + 1] + data[i + 2])) missing++;
    else for (let c = 0; c < 3; c++) mean[c] += data[i + c];
  }
  const length = Math.hypot(...mean) || 1;
  let angles = 0;
  for (let i = 0; i < data.length; i += 3) {
    const cosine = (data[i] * mean[0] + data[i + 1] * mean[1] + data[i + 2] * mean[2]) / length;
    if (Number.isFinite(cosine)) angles += Math.acos(Math.min(1, Math.max(-1, cosine)));
  }
  return { missing: missing / pixels, extent: ((angles / Math.max(1, pixels - missing)) * 180) / Math.PI };
}

/** Mean std over members as a part of the depth's 2nd to 98th percentile; for normals their mean spread in degrees. */
export function ensembleUncertainty(map: FloatMap, stdOverMembers: FloatMap, semantics: Semantics): number {
  const mean = stdOverMembers.data.reduce((sum, value) => sum + value, 0) / stdOverMembers.data.length;
  if (semantics.task === "normals") return (mean * 180) / Math.PI;
  const [low, high] = percentiles(map.data, [2, 98]);
  return high > low ? mean / (high - low) : 0;
}

/** Two runs of a task: AbsRel of the first, aligned to the second, as a fraction; for normals the mean angle in degrees. Undefined where they cannot be compared. */
export function disagreement(a: ComparedMap, b: ComparedMap): number | undefined {
  const isDisparity = ({ semantics }: ComparedMap): boolean => semantics.task === "depth" && semantics.depthKind === "affine-disparity";
  if (a.semantics.task !== b.semantics.task || isDisparity(a) !== isDisparity(b)) return undefined;
  return a.semantics.task === "depth" ? compareMaps(a, b, { kind: "absolute" }).absRel : compareMaps(a, b, { kind: "angle" }).mean;
}

/** Mean angle in degrees between predicted normals and those of the predicted depth, at the field of view and shift that suit best: see consistency.ts. */
export function consistency(depth: ComparedMap, normals: ComparedMap): number | undefined {
  if (depth.semantics.task !== "depth" || normals.semantics.task !== "normals") return undefined;
  const sameSize = depth.map.width === normals.map.width && depth.map.height === normals.map.height;
  if (!sameSize) return undefined;
  return meanNormalsGap(depth.map, depth.semantics.depthKind, convertFrame(normals.map, normals.semantics.frame, "RUB"));
}
