import { applyScaleShift, fitScaleShift, type ScaleShift } from "./alignment";
import { unexpected } from "./errors";
import type { FloatMap } from "./image";
import { applyInverse, fitInverse, type InverseFit } from "./inverseFit";
import { angleBetween, convertFrame } from "./normals";
import { resizeMap, type Size } from "./resize";
import type { DepthKind, Semantics } from "./semantics";
import { percentiles } from "./statistics";

/*
 * How far a map A is from a map B, pixel by pixel. For depth A is first brought onto B,
 *   A' = s A + t,   s, t = argmin sum over pixels finite in both of (s A + t - B)^2,
 * since affine-invariant depth means nothing beyond these two numbers:
 *   signed  A' - B      absolute  |A' - B|      relative  |A' - B| / B
 * Disparity is inverted on the way to depth, as inverseFit says. Normals are compared by their angle.
 */

export type DifferenceKind = "signed" | "absolute" | "relative" | "angle";

export interface ComparedMap {
  readonly map: FloatMap;
  readonly semantics: Semantics;
}

/** Two maps of one task, of one size, and in one frame. */
export interface AlignedPair {
  /** As it was, or resized to the other's size; normals in the frame of b. */
  readonly a: FloatMap;
  readonly b: FloatMap;
  readonly semantics: Semantics;
  /** Brings A onto B where both are depth, or both disparity. */
  readonly fit?: ScaleShift;
  /** Brings A onto B where one is depth and the other disparity. */
  readonly inverse?: InverseFit;
  /** The one that was larger and was resized. */
  readonly resized?: "a" | "b";
}

/** Over the pixels that have a value; NaN where there are none. */
export interface DifferenceSummary {
  readonly mean: number;
  readonly median: number;
  /** 95th percentile. */
  readonly p95: number;
}

/** Part of B's 98th percentile below which affine-invariant depth is too near its arbitrary zero to divide by. */
const relativeFloor = 0.01;
/** Values looked at for median and percentiles of a large map. */
const sampledValues = 1 << 17;

/**
 * Brings two maps together for comparison. The larger is resized to the smaller (antialiased bilinear; a pixel that
 * is mostly without a value has none), normals are converted to the frame of b. Metric and affine-invariant depth
 * can be compared, and either of them with disparity, of which the pair then tells how it was inverted. Throws `bad-argument` for depth
 * against normals, and for disparity that cannot be the inverse of the depth.
 */
export function alignMaps(a: ComparedMap, b: ComparedMap): AlignedPair {
  requireComparable(a.semantics, b.semantics);
  const pixels = ({ width, height }: Size): number => width * height;
  const same = a.map.width === b.map.width && a.map.height === b.map.height;
  const resized = same ? undefined : pixels(a.map) > pixels(b.map) ? "a" : "b";
  const first = resized === "a" ? resizedMap(a.map, b.map) : a.map;
  const second = resized === "b" ? resizedMap(b.map, a.map) : b.map;
  if (a.semantics.task === "normals" && b.semantics.task === "normals") {
    return { a: convertFrame(first, a.semantics.frame, b.semantics.frame), b: second, semantics: b.semantics, resized };
  }
  if (a.semantics.task === "depth" && b.semantics.task === "depth" && areInverse(a.semantics.depthKind, b.semantics.depthKind)) {
    return { a: first, b: second, semantics: b.semantics, inverse: fitInverse(first.data, a.semantics.depthKind, second.data, b.semantics.depthKind), resized };
  }
  const mask = new Uint8Array(first.data.length);
  for (let i = 0; i < mask.length; i++) if (Number.isFinite(first.data[i]) && Number.isFinite(second.data[i])) mask[i] = 1;
  return { a: first, b: second, semantics: b.semantics, fit: fitScaleShift(first.data, second.data, mask), resized };
}

/**
 * The difference of two maps brought together by `alignMaps`. `relative` is taken where B is positive, and for
 * affine-invariant depth above 1 % of its 98th percentile: nearer to its zero, which is arbitrary, the quotient says
 * nothing. Numbers that need a sort are computed when first read.
 */
export class MapDifference {
  /** H x W x 1, NaN where either map has no value; in the units of B, or relative (a fraction), or degrees. */
  readonly map: FloatMap;
  #mean?: number;
  #summary?: DifferenceSummary;
  #absRel?: number;

  /** Throws `bad-argument` for an angle of depth, or another kind of normals. */
  constructor(readonly pair: AlignedPair, readonly kind: DifferenceKind) {
    const { a, b, semantics } = pair;
    const isDepth = semantics.task === "depth";
    if ((kind === "angle") === isDepth) {
      throw unexpected("bad-argument", "difference", isDepth ? "signed, absolute or relative for depth" : "an angle for normals", kind);
    }
    const data = kind === "angle" ? anglesInDegrees(a.data, b.data) : kind === "relative" ? relativeErrors(pair) : signedDifference(pair);
    if (kind === "absolute") for (let i = 0; i < data.length; i++) data[i] = Math.abs(data[i]);
    this.map = { width: b.width, height: b.height, channels: 1, data };
  }

  /** Of the magnitudes; a signed difference's own mean is 0 by the fit. */
  get summary(): DifferenceSummary {
    if (this.#summary) return this.#summary;
    const [median, p95] = percentiles(sampled(this.map.data).map(Math.abs), [50, 95]);
    return (this.#summary = { mean: this.mean, median, p95 });
  }

  /** Mean magnitude over the pixels that have a value. */
  get mean(): number {
    return (this.#mean ??= meanMagnitude(this.map.data));
  }

  /** Mean of the relative difference, a fraction; undefined for normals. */
  get absRel(): number | undefined {
    if (this.kind === "angle") return undefined;
    return (this.#absRel ??= this.kind === "relative" ? this.mean : meanMagnitude(relativeErrors(this.pair)));
  }
}

/** How far A is from B. Throws as `alignMaps` and `MapDifference` do. */
export function compareMaps(a: ComparedMap, b: ComparedMap, { kind }: { readonly kind: DifferenceKind }): MapDifference {
  return new MapDifference(alignMaps(a, b), kind);
}

/** Whether one of two kinds of depth is an inverse one, which no scale and shift brings onto the other. */
function areInverse(a: DepthKind, b: DepthKind): boolean {
  return (a === "affine-disparity") !== (b === "affine-disparity");
}

function requireComparable(a: Semantics, b: Semantics): void {
  if (a.task !== b.task) throw unexpected("bad-argument", "map A", `a map of ${b.task} like B`, a.task);
}

function anglesInDegrees(a: Float32Array, b: Float32Array): Float32Array {
  const angles = new Float32Array(a.length / 3);
  for (let p = 0; p < angles.length; p++) angles[p] = (angleBetween(a, 3 * p, b, 3 * p) * 180) / Math.PI;
  return angles;
}

/** A on the scale of B; the map itself for normals. */
export function alignedMap({ a, fit, inverse }: AlignedPair): FloatMap {
  if (inverse) return { ...a, data: applyInverse(a.data, inverse) };
  return fit ? { ...a, data: applyScaleShift(a.data, fit) } : a;
}

function signedDifference(pair: AlignedPair): Float32Array {
  const { a, b, inverse } = pair;
  const { scale, shift } = pair.fit ?? { scale: 1, shift: 0 };
  const source = inverse ? alignedMap(pair).data : a.data;
  const signed = new Float32Array(b.data.length);
  for (let i = 0; i < signed.length; i++) signed[i] = scale * source[i] + shift - b.data[i];
  return signed;
}

function relativeErrors(pair: AlignedPair): Float32Array {
  const { b, semantics } = pair;
  const affine = semantics.task === "depth" && semantics.depthKind !== "metric-depth";
  const floor = affine ? Math.max(0, relativeFloor * percentiles(sampled(b.data), [98])[0]) : 0;
  const errors = signedDifference(pair);
  for (let i = 0; i < errors.length; i++) errors[i] = b.data[i] > floor ? Math.abs(errors[i]) / b.data[i] : NaN;
  return errors;
}

function meanMagnitude(data: Float32Array): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) continue;
    sum += Math.abs(data[i]);
    count++;
  }
  return sum / count;
}

/** All values, or every k-th of very many: percentiles need a sort. k is odd, so that it rarely divides a width. */
function sampled(data: Float32Array): Float32Array {
  const stride = Math.ceil(data.length / sampledValues) | 1;
  const out = new Float32Array(Math.ceil(data.length / stride));
  for (let i = 0; i < out.length; i++) out[i] = data[i * stride];
  return out;
}

/** A map with holes (NaN) in another size: values are weighted by how much of a pixel has one. */
function resizedMap(map: FloatMap, { width, height }: Size): FloatMap {
  const size = { width, height };
  if (map.data.every(Number.isFinite)) return resizeMap(map, size, "bilinear");
  const finite = { ...map, data: map.data.map((value) => (Number.isFinite(value) ? value : 0)) };
  const cover = { ...map, data: map.data.map((value) => (Number.isFinite(value) ? 1 : 0)) };
  const weights = resizeMap(cover, size, "bilinear").data;
  const sums = resizeMap(finite, size, "bilinear");
  return { ...sums, data: sums.data.map((sum, i) => (weights[i] >= 0.5 ? sum / weights[i] : NaN)) };
}
