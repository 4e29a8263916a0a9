import type { ComparedMap } from "../core/difference";
import type { FloatMap } from "../core/image";
import { atTruthSize, scoreDepth, scoreNormals, type DepthProtocol } from "./evaluateMap";
import type { GroundTruth } from "./groundTruth";
import { consistency, disagreement, ensembleUncertainty, imageOddities, mapIndicators, type ImageFacts } from "./indicators";
import type { NormalsEncoding } from "./presets";

/** One map of one run, with its spread over members where there are several. */
export interface EstimatedMap extends ComparedMap {
  readonly stdOverMembers?: FloatMap;
}

/** What one run said of an image. */
export interface EstimatedRun {
  readonly name: string;
  readonly depth?: EstimatedMap;
  readonly normals?: EstimatedMap;
}

/** Everything that was estimated of one image; the first run is the one that pictures show. */
export interface Estimate {
  readonly image: ImageFacts & { readonly sha256: string; readonly rgb: Uint8Array };
  readonly runs: readonly EstimatedRun[];
}

/** Truth by task, and how it is measured. */
export interface Truth {
  readonly depth?: { readonly truth: GroundTruth; readonly protocol: DepthProtocol };
  readonly normals?: { readonly truth: GroundTruth; readonly frame: NormalsEncoding["frame"] };
}

/** What is found out about one image. */
export interface Judgement {
  /** By column id (columns.ts); only finite numbers. */
  readonly values: Readonly<Record<string, number>>;
  /** In words; empty for an ordinary image. */
  readonly oddities: readonly string[];
  /** Where the first run is wrong: |d - g| / g, or degrees; at the truth's size. */
  readonly errorMap?: FloatMap;
  /** Angles of the pixels that count, by run, for pooling. */
  readonly errorsDegrees: Readonly<Record<string, Float32Array>>;
}

/** Measures one image's predictions against its truth, against each other, and by themselves. Throws what the scores throw. */
export function judge({ image, runs }: Estimate, truth: Truth): Judgement {
  const values: Record<string, number> = { width: image.width, height: image.height };
  const oddities = imageOddities(image);
  const errorsDegrees: Record<string, Float32Array> = {};
  let errorMap: FloatMap | undefined;
  runs.forEach((run, i) => {
    const id = (name: string): string => (i === 0 ? name : `${run.name}.${name}`);
    addOwn(values, run, id);
    if (run.depth && truth.depth) {
      const found = depthAgainst(run.depth, truth.depth);
      addAll(values, found.values, id);
      errorMap ??= found.errorMap;
      values.validPixels = found.validPixels;
    }
    if (run.normals && truth.normals) {
      const { truth: normals, frame } = truth.normals;
      const score = scoreNormals(atTruthSize(run.normals.map, normals), run.normals.semantics, normals, frame);
      const { mean, median, rmse, below } = score.metrics;
      addAll(values, { meanAngle: mean, medianAngle: median, rmseAngle: rmse, ...Object.fromEntries(Object.entries(below).map(([limit, part]) => [`below${limit}`, part])) }, id);
      errorsDegrees[run.name] = score.errorsDegrees;
      errorMap ??= score.errorMap;
      values.validPixels = score.validPixels;
      if (score.suspicion) oddities.push(score.suspicion);
    }
  });
  addDisagreement(values, runs);
  return { values: Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value))), oddities, ...(errorMap && { errorMap }), errorsDegrees };
}

function addAll(values: Record<string, number>, more: Readonly<Record<string, number | undefined>>, id: (name: string) => string): void {
  for (const [name, value] of Object.entries(more)) if (value !== undefined) values[id(name)] = value;
}

function addOwn(values: Record<string, number>, { depth, normals }: EstimatedRun, id: (name: string) => string): void {
  if (depth) {
    const { extent, saturated, missing } = mapIndicators(depth.map, depth.semantics);
    const uncertainty = depth.stdOverMembers && ensembleUncertainty(depth.map, depth.stdOverMembers, depth.semantics);
    addAll(values, { depthExtent: extent, depthSaturated: saturated, depthMissing: missing, depthUncertainty: uncertainty }, id);
  }
  if (normals) {
    const { extent, missing } = mapIndicators(normals.map, normals.semantics);
    const uncertainty = normals.stdOverMembers && ensembleUncertainty(normals.map, normals.stdOverMembers, normals.semantics);
    addAll(values, { normalsExtent: extent, normalsMissing: missing, normalsUncertainty: uncertainty }, id);
  }
  if (depth && normals) addAll(values, { consistency: consistency(depth, normals) }, id);
}

function addDisagreement(values: Record<string, number>, [first, second]: readonly EstimatedRun[]): void {
  if (!second) return;
  const same = (name: string): string => name;
  if (first.depth && second.depth) addAll(values, { depthDisagreement: disagreement(first.depth, second.depth) }, same);
  if (first.normals && second.normals) addAll(values, { normalsDisagreement: disagreement(first.normals, second.normals) }, same);
}

function depthAgainst({ map, semantics }: EstimatedMap, { truth, protocol }: NonNullable<Truth["depth"]>): { values: Readonly<Record<string, number>>; errorMap: FloatMap; validPixels: number } {
  const { metrics, aligned, validPixels } = scoreDepth(atTruthSize(map, truth), semantics, truth, protocol);
  const errors = aligned.data.map((depth, p) => (truth.mask[p] ? Math.abs(depth - truth.map.data[p]) / truth.map.data[p] : NaN));
  return { values: { ...metrics }, errorMap: { ...aligned, data: errors }, validPixels };
}
