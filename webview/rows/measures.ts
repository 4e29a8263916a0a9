import { floatsFromHalves, type HalfMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";

/** Values looked at for percentiles; enough for a range, and quick for every step of a large map. */
const sampleSize = 1 << 16;
const sortedSamples = new WeakMap<FloatMap | HalfMap, Float32Array>();

/** The value below which `percent` of the finite values of a map lie, interpolated linearly; NaN for none. */
export function percentile(map: FloatMap | HalfMap, percent: number): number {
  const sorted = sortedSample(map);
  if (sorted.length === 0) return NaN;
  const at = (Math.min(100, Math.max(0, percent)) / 100) * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** A range of non-zero width between two percentiles; a flat or empty map gets one of width 1 about its value. */
export function rangeOf(map: FloatMap | HalfMap, [low, high]: readonly [number, number]): readonly [number, number] {
  return widened(percentile(map, low), percentile(map, high));
}

/** The range itself when it has a width, else one of width 1 that begins half below. */
export function widened(from: number, to: number): readonly [number, number] {
  if (to > from) return [from, to];
  return Number.isFinite(from) ? [from - 0.5, from + 0.5] : [0, 1];
}

function sortedSample(map: FloatMap | HalfMap): Float32Array {
  const known = sortedSamples.get(map);
  if (known) return known;
  const { data, width } = map;
  let stride = Math.max(1, Math.ceil(data.length / sampleSize));
  // A stride that divides the width would look at a few columns only.
  if (stride > 1 && width % stride === 0) stride++;
  const length = Math.ceil(data.length / stride);
  const sorted = data instanceof Uint16Array ? sortedHalves(every(stride, data, new Uint16Array(length))) : every(stride, data, new Float32Array(length)).filter(Number.isFinite).sort();
  sortedSamples.set(map, sorted);
  return sorted;
}

/** The finite values in ascending order. There are only 65536 halves: counting them takes a tenth of the time that comparing does. */
function sortedHalves(halves: Uint16Array): Float32Array {
  const counts = new Uint32Array(1 << 16);
  for (let i = 0; i < halves.length; i++) counts[halves[i]]++;
  const sorted = new Uint16Array(halves.length);
  let end = 0;
  const take = (half: number): void => {
    if (counts[half] > 0) sorted.fill(half, end, (end += counts[half]));
  };
  // From exponent 31 on a half is infinite or no number.
  for (let half = 0xfbff; half >= 0x8000; half--) take(half);
  for (let half = 0; half < 0x7c00; half++) take(half);
  return floatsFromHalves(sorted.subarray(0, end));
}

function every<T extends Float32Array | Uint16Array>(stride: number, from: T, to: T): T {
  for (let i = 0; i < to.length; i++) to[i] = from[i * stride];
  return to;
}

/** The channels at an image point (0..1); undefined outside. */
export function valuesAt({ width, height, channels, data }: FloatMap | HalfMap, u: number, v: number): number[] | undefined {
  if (!(u >= 0 && u < 1 && v >= 0 && v < 1)) return undefined;
  const at = (Math.floor(v * height) * width + Math.floor(u * width)) * channels;
  const values = data.subarray(at, at + channels);
  return [...(values instanceof Uint16Array ? floatsFromHalves(values) : values)];
}

/** The shortest decimal that reads back as exactly this float32. */
export function exactText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "no value" : value > 0 ? "inf" : "-inf";
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/** Four significant digits for bars and captions. */
export function shortText(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  return String(Number(value.toPrecision(size >= 1000 ? 4 : 3)));
}

/** The same for a difference: what rounding alone leaves (below 1e-6) counts as 0. */
export function roundedText(value: number): string {
  return shortText(Math.abs(value) < 1e-6 ? 0 : value);
}

/** "850 ms", "3.2 s", "2 min 5 s". */
export function durationText(millis: number): string {
  if (millis < 995) return `${Math.round(millis)} ms`;
  if (millis < 59_950) return `${(millis / 1000).toFixed(1)} s`;
  const seconds = Math.round(millis / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
