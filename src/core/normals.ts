import { unexpected } from "./errors";
import type { FloatMap } from "./image";
import type { NormalsFrame } from "./semantics";

/**
 * How vectors are brought to unit length: `marigold` divides by |x| + 1e-5 (the E2E-FT and Marigold code, slightly
 * short of 1), `diffusers` clips to -1..1 first and divides by max(|x|, 1e-6).
 */
export type NormalisationRule = "marigold" | "diffusers";

/** Unit normals; a zero vector stays zero. */
export function normalized(map: FloatMap, rule: NormalisationRule): FloatMap {
  requireVectors("normals", map);
  const data = map.data.slice();
  if (rule === "diffusers") for (let i = 0; i < data.length; i++) data[i] = Math.min(1, Math.max(-1, data[i]));
  for (let i = 0; i < data.length; i += 3) {
    const length = Math.sqrt(data[i] ** 2 + data[i + 1] ** 2 + data[i + 2] ** 2);
    const divisor = rule === "marigold" ? length + 1e-5 : Math.max(length, 1e-6);
    for (let c = 0; c < 3; c++) data[i + c] /= divisor;
  }
  return { ...map, data };
}

/** The same normals in another frame: RUB and LUB differ in the sign of x. */
export function convertFrame(map: FloatMap, from: NormalsFrame, to: NormalsFrame): FloatMap {
  requireVectors("normals", map);
  if (from === to) return map;
  return { ...map, data: map.data.map((value, i) => (i % 3 === 0 ? -value : value)) };
}

/**
 * Angle in radians, 0..pi, between the vectors of a and b at offsets i and j; they need not have unit length.
 * atan2(|a x b|, a . b) keeps its digits at 0 and pi, where arccos loses half of them. NaN for a zero vector.
 */
export function angleBetween(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number): number {
  const x = a[i + 1] * b[j + 2] - a[i + 2] * b[j + 1];
  const y = a[i + 2] * b[j] - a[i] * b[j + 2];
  const z = a[i] * b[j + 1] - a[i + 1] * b[j];
  const cross = Math.sqrt(x * x + y * y + z * z);
  const dot = a[i] * b[j] + a[i + 1] * b[j + 1] + a[i + 2] * b[j + 2];
  return cross === 0 && dot === 0 ? NaN : Math.atan2(cross, dot);
}

/** Per-pixel angle in radians between two maps of normals. Throws `bad-argument` when their sizes differ. */
export function angleMap(a: FloatMap, b: FloatMap): FloatMap {
  requireVectors("normals", a);
  requireVectors("normals to compare with", b);
  if (a.width !== b.width || a.height !== b.height) {
    throw unexpected("bad-argument", "normals to compare with", `${a.width} x ${a.height} pixels`, `${b.width} x ${b.height}`);
  }
  const data = new Float32Array(a.width * a.height);
  for (let p = 0; p < data.length; p++) data[p] = angleBetween(a.data, 3 * p, b.data, 3 * p);
  return { width: a.width, height: a.height, channels: 1, data };
}

/** Normals as RGB bytes, interleaved H x W x 3: floor((n + 1) / 2 * 255) as the official code; NaN becomes black. */
export function colorFromNormals(map: FloatMap): Uint8Array {
  requireVectors("normals", map);
  const out = new Uint8Array(map.data.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(255, Math.max(0, ((map.data[i] + 1) / 2) * 255));
  return out;
}

function requireVectors(name: string, map: FloatMap): void {
  if (map.channels !== 3) throw unexpected("bad-argument", name, "a map of 3 channels", map.channels);
}
