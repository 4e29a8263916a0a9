import { fitScaleShift, type ScaleShift } from "./alignment";
import { unexpected } from "./errors";
import type { FloatMap } from "./image";

/** A point of an image: 0..1 from the left and from the top. */
export interface ImagePoint {
  readonly u: number;
  readonly v: number;
}

/**
 * The values of a map of one channel at `count` points from `from` to `to`, both included, evenly apart. Bilinear
 * between pixel centres (pixel i of W covers i / W to (i + 1) / W), the edge's value outside of them; NaN where a pixel
 * that counts is NaN. Throws `bad-argument` for a map of more channels and for fewer than 2 points.
 */
export function profileAlong(map: FloatMap, from: ImagePoint, to: ImagePoint, count: number): Float64Array {
  if (map.channels !== 1) throw unexpected("bad-argument", "the map of a profile", "1 channel", map.channels);
  if (!(count >= 2)) throw unexpected("bad-argument", "points of a profile", "at least 2", count);
  return Float64Array.from({ length: count }, (_, i) => {
    const part = i / (count - 1);
    return bilinear(map, from.u + part * (to.u - from.u), from.v + part * (to.v - from.v));
  });
}

function bilinear({ width, height, data }: FloatMap, u: number, v: number): number {
  const [x0, x1, fx] = neighbours(u, width);
  const [y0, y1, fy] = neighbours(v, height);
  // A weight of 0 keeps a NaN out that lies beside the line.
  const mixed = (a: number, b: number, part: number): number => (part === 0 ? a : a + part * (b - a));
  return mixed(mixed(data[y0 * width + x0], data[y0 * width + x1], fx), mixed(data[y1 * width + x0], data[y1 * width + x1], fx), fy);
}

/** The pixels before and after a place (0..1), and the weight of the second. */
function neighbours(place: number, count: number): readonly [number, number, number] {
  const at = Math.min(count - 1, Math.max(0, place * count - 0.5));
  const before = Math.floor(at);
  return [before, Math.min(before + 1, count - 1), at - before];
}

/** Samples a side for `fitBetween`. */
const gridSide = 96;

/**
 * Least-squares scale and shift from one map of one channel to another of the same scene, which may differ in size:
 * over a grid of 96 x 96 places, those without a value left out.
 */
export function fitBetween(source: FloatMap, target: FloatMap): ScaleShift {
  const [from, to] = [source, target].map(gridOf);
  const mask = from.map((value, i) => (Number.isFinite(value) && Number.isFinite(to[i]) ? 1 : 0));
  return fitScaleShift(from, to, mask);
}

function gridOf(map: FloatMap): Float32Array {
  const place = (i: number): number => (i + 0.5) / gridSide;
  return Float32Array.from({ length: gridSide * gridSide }, (_, i) => bilinear(map, place(i % gridSide), place(Math.floor(i / gridSide))));
}
