import type { FloatMap } from "../../src/core/image";
import { depthKindText, normalsFrameText } from "../../src/core/semantics";
import type { FloatFile } from "../../src/protocol/inference";

export type FloatImage = FloatFile["image"];

/** What the numbers of a file are taken for; no such file says it itself. */
export type Kind = "depth" | "disparity" | "metric" | "RUB" | "LUB" | "plain";

/** Which stored values mean "no value", beside NaN and infinity. */
export type Invalid = "none" | "0" | "65535" | "<=0";

/** How stored numbers become what is shown. */
export interface Reading {
  readonly kind: Kind;
  /** Stored numbers per metre, of metric depth. */
  readonly perMetre: number;
  readonly invalid: Invalid;
  /** 0-based, unless all of a pixel's channels are one normal. */
  readonly channel: number;
}

export const kindTitle: Record<Kind, string> = { depth: "Depth", disparity: "Disparity", metric: "Metric depth", RUB: "Normals", LUB: "Normals", plain: "Numbers" };

export const kindText: Record<Kind, string> = {
  depth: "depth, unit and scale not known (larger = farther)",
  disparity: "disparity, unit and scale not known (larger = nearer)",
  metric: depthKindText["metric-depth"],
  RUB: `RUB: ${normalsFrameText.RUB}`,
  LUB: `LUB: ${normalsFrameText.LUB}`,
  plain: "plain numbers, meaning not known",
};

export function isNormals(kind: Kind): kind is "RUB" | "LUB" {
  return kind === "RUB" || kind === "LUB";
}

/** Pixels looked at for a guess. */
const sampleSize = 1 << 14;

/** What the numbers probably are, from channels, range and the file's name, and why. */
export function guessReading(image: FloatImage, name: string): { readonly reading: Reading; readonly why: string } {
  const plain: Reading = { kind: "plain", perMetre: 1, invalid: "none", channel: 0 };
  if (image.channels >= 3) {
    return areUnitVectors(image) ? { reading: { ...plain, kind: "RUB" }, why: "vectors of length 1; the frame is not in the file" } : { reading: plain, why: "vectors of other lengths than 1" };
  }
  if (image.channels === 2) return { reading: plain, why: "two channels" };
  const values = sampled(image).map(([value]) => value);
  const known = values.filter(Number.isFinite);
  const largest = known.reduce((max, value) => Math.max(max, value), -Infinity);
  const invalid: Invalid = values.includes(0) && largest > 0 ? "0" : "none";
  if (known.some((value) => value < 0)) return { reading: plain, why: "values below 0" };
  if (/disp/i.test(name)) return { reading: { ...plain, kind: "disparity", invalid }, why: "the file's name" };
  if (image.format === "dpt") return { reading: { ...plain, kind: "metric", invalid }, why: "the format, Sintel's depth" };
  if (image.format === "pfm" && values.includes(Infinity)) return { reading: { ...plain, kind: "disparity" }, why: "infinity for no value, as in Middlebury's files" };
  if (largest > 255 && known.every(Number.isInteger)) return { reading: { kind: "metric", perMetre: 1000, invalid, channel: 0 }, why: "whole numbers beyond 255, taken for millimetres" };
  if (largest > 1 && largest <= 255 && (image.format === "png" || image.format === "tiff") && known.every(Number.isInteger)) return { reading: plain, why: "codes of 8 bits" };
  return { reading: { ...plain, kind: "depth", invalid }, why: "one channel without values below 0" };
}

/** The largest code where components -1..1 are stored as codes from 0, or as 0..1; undefined where they are stored as they are. */
export function codesOf(image: FloatImage): number | undefined {
  const vectors = sampled(image).filter((vector) => vector.every(Number.isFinite)).map((vector) => vector.slice(0, 3));
  const all = vectors.flat();
  if (all.length === 0 || all.some((value) => value < 0)) return undefined;
  const largest = all.reduce((max, value) => Math.max(max, value), 0);
  if (largest > 1) return largest > 255 ? 65535 : 255;
  const unit = vectors.filter(([x, y, z]) => Math.abs(Math.hypot(x, y, z) - 1) < 0.02).length;
  return unit > vectors.length / 2 ? undefined : 1;
}

/** A map as it is shown, and how much of it has a value. */
export interface Interpreted {
  readonly map: FloatMap;
  /** Of what has a value, in what is shown (metres where stored numbers are scaled); NaN when nothing has one. */
  readonly low: number;
  readonly high: number;
  readonly pixels: number;
  readonly nan: number;
  readonly infinite: number;
  /** Stored values that are taken for "no value". */
  readonly invalid: number;
  /** See `codesOf`. */
  readonly codes?: number;
}

/** Applies a reading: one channel, or three of normals as -1..1; what has no value is NaN. */
export function interpreted(image: FloatImage, { kind, perMetre, invalid, channel }: Reading): Interpreted {
  const { width, height, channels, data } = image;
  const normals = isNormals(kind);
  const [first, depth] = normals ? [0, 3] : [channel, 1];
  const codes = normals ? codesOf(image) : undefined;
  const divisor = kind === "metric" ? perMetre : 1;
  const pixels = width * height;
  const shown = new Float32Array(pixels * depth);
  const count = { nan: 0, infinite: 0, invalid: 0 };
  let [low, high] = [Infinity, -Infinity];
  const isInvalid = invalidTest(invalid);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const from = pixel * channels + first;
    let [nan, infinite, invalids] = [false, false, 0];
    for (let c = 0; c < depth; c++) {
      const value = data[from + c];
      if (Number.isNaN(value)) nan = true;
      else if (!Number.isFinite(value)) infinite = true;
      else if (isInvalid(value)) invalids++;
    }
    const none = nan ? "nan" : infinite ? "infinite" : invalids === depth ? "invalid" : undefined;
    if (none) count[none]++;
    for (let c = 0; c < depth; c++) {
      const stored = data[from + c];
      const value = none ? NaN : codes !== undefined ? (2 * stored) / codes - 1 : stored / divisor;
      shown[pixel * depth + c] = value;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return { map: { width, height, channels: normals ? 3 : 1, data: shown }, low: low <= high ? low : NaN, high: low <= high ? high : NaN, pixels, ...count, codes };
}

function invalidTest(invalid: Invalid): (value: number) => boolean {
  switch (invalid) {
    case "none":
      return () => false;
    case "0":
      return (value) => value === 0;
    case "65535":
      return (value) => value === 65535;
    case "<=0":
      return (value) => value <= 0;
  }
}

/** Most vectors have length 1 once decoded; those of zeros, NaN or infinity do not count. */
function areUnitVectors(image: FloatImage): boolean {
  const codes = codesOf(image);
  const lengths = sampled(image).flatMap((vector) => {
    const stored = vector.slice(0, 3);
    if (!stored.every(Number.isFinite) || stored.every((value) => value === 0)) return [];
    return [Math.hypot(...stored.map((value) => (codes === undefined ? value : (2 * value) / codes - 1)))];
  });
  return lengths.length > 0 && lengths.filter((length) => Math.abs(length - 1) < 0.05).length > 0.8 * lengths.length;
}

/** Channels of pixels that are spread over the whole image. */
function sampled({ width, height, channels, data }: FloatImage): number[][] {
  const pixels = width * height;
  let stride = Math.max(1, Math.ceil(pixels / sampleSize));
  // A stride that divides the width would look at a few columns only.
  if (stride > 1 && width % stride === 0) stride++;
  return Array.from({ length: Math.ceil(pixels / stride) }, (_, i) => [...data.subarray(i * stride * channels, i * stride * channels + channels)]);
}
