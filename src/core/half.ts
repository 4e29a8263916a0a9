import type { FloatMap } from "./image";

/**
 * A map stored as IEEE 754 binary16, interleaved H x W x C: half the memory of a FloatMap, 11 bits of precision
 * (2^-11 relative, so 0.0005 at 1), the largest value 65504. Step maps are kept and sent like this; results are not.
 */
export interface HalfMap {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint16Array;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest binary16 of each value, ties to even; beyond 65504 it is infinity. */
export function halfFromFloats(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = halfFromFloat(values[i]);
  return out;
}

function halfFromFloat(value: number): number {
  float[0] = value;
  const word = bits[0];
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // rounds to infinity
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 leaves the value, rounded to multiples of 2^-24, in the low bits of the mantissa.
    float[0] = Math.abs(value) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

let table: Float32Array | undefined;

/** The floats that the halves stand for, exactly. */
export function floatsFromHalves(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 1 << 16 }, (_, half) => floatFromHalf(half));
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = table[halves[i]];
  return out;
}

function floatFromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

export function halfFromMap({ data, ...size }: FloatMap): HalfMap {
  return { ...size, data: halfFromFloats(data) };
}

export function mapFromHalf({ data, ...size }: HalfMap): FloatMap {
  return { ...size, data: floatsFromHalves(data) };
}
