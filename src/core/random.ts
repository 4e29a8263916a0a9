import { unexpected } from "./errors";
import { resizeFloats } from "./resize";
import { elementCount, tensor, type Tensor } from "./tensor";

/*
 * Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a keyed bijection
 * of counters. The key is (seed, member) and the counter says which number is wanted, so that streams need no state,
 * never overlap and can be drawn in any order. Everything below uses only operations that IEEE 754 and the language
 * define to the bit (no Math.log, sin or cos), so that a seed gives the same floats on every machine.
 */
const rotations = [13, 15, 26, 6, 17, 29, 16, 24];
const keyParity = 0x1bd11bda;

/** Which stream of random numbers: of one image's seed, one ensemble member, and one of its independent draws. */
export interface NoiseStream {
  /** Unsigned 32-bit integer. */
  readonly seed: number;
  /** Ensemble member, an unsigned 32-bit integer. */
  readonly member: number;
  /** 0 for the starting latent; other numbers (at most 2^20) give independent noise, say for a sampler's step. */
  readonly draw?: number;
}

/** 20 rounds on one counter; all words are unsigned 32-bit. */
export function threefry(key: readonly [number, number], counter: readonly [number, number]): [number, number] {
  const keys = [key[0], key[1], keyParity ^ key[0] ^ key[1]];
  let a = (counter[0] + keys[0]) | 0;
  let b = (counter[1] + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    const bits = rotations[round % 8];
    a = (a + b) | 0;
    b = ((b << bits) | (b >>> (32 - bits))) ^ a;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      a = (a + keys[injection % 3]) | 0;
      b = (b + keys[(injection + 1) % 3] + injection) | 0;
    }
  }
  return [a >>> 0, b >>> 0];
}

/** `count` independent samples of the standard normal distribution. Throws `bad-argument` for a bad seed or member. */
export function gaussian(count: number, stream: NoiseStream): Float32Array {
  const key = streamKey(stream);
  const draw = (stream.draw ?? 0) * maxAttempts;
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const [first, second] = gaussianPair(key, i / 2, draw);
    out[i] = first;
    if (i + 1 < count) out[i + 1] = second;
  }
  return out;
}

/** `count` uniform samples strictly between 0 and 1. */
export function uniform(count: number, stream: NoiseStream): Float64Array {
  const key = streamKey(stream);
  const draw = (stream.draw ?? 0) * maxAttempts;
  return Float64Array.from({ length: count }, (_, i) => unit(threefry(key, [i, draw])[0]));
}

/** A starting latent of the given shape. Pyramid noise is not annealed at the start of sampling (t = T). */
export function startingNoise(kind: "gaussian" | "pyramid" | "zeros", dims: readonly number[], stream: NoiseStream): Tensor {
  switch (kind) {
    case "gaussian":
      return tensor(gaussian(elementCount(dims), stream), dims);
    case "pyramid":
      return pyramidNoise(dims, stream);
    case "zeros":
      return tensor(new Float32Array(elementCount(dims)), dims);
  }
}

/**
 * Multi-resolution noise (Marigold section 3.2): Gaussian noise plus strength^i times Gaussian noise of ever coarser
 * grids, bilinearly enlarged, scaled back to unit variance. `annealing` is t / T: the strength of coarse grids falls
 * with it. dims is [N, C, h, w]; the first coarse level has full size, as in the original code.
 */
export function pyramidNoise(dims: readonly number[], stream: NoiseStream, strength = 0.9, annealing = 1): Tensor {
  const [count, channels, height, width] = dims;
  if (dims.length !== 4) throw unexpected("bad-argument", "noise shape", "[N, C, h, w]", dims);
  const first = (stream.draw ?? 0) * (2 * pyramidLevels);
  const noise = gaussian(elementCount(dims), { ...stream, draw: first });
  const ratios = uniform(pyramidLevels, { ...stream, draw: first + 1 });
  let size = { width, height };
  for (let level = 0; level < pyramidLevels; level++) {
    const shrink = (ratios[level] * 2 + 2) ** level;
    size = { width: Math.max(1, Math.trunc(size.width / shrink)), height: Math.max(1, Math.trunc(size.height / shrink)) };
    const area = size.width * size.height;
    const coarse = gaussian(count * channels * area, { ...stream, draw: first + 2 + level });
    const weight = (strength * annealing) ** level;
    for (let plane = 0; plane < count * channels; plane++) {
      const fine = resizeFloats(coarse.subarray(plane * area, (plane + 1) * area), size, 1, { width, height }, "bilinear-no-antialias");
      for (let p = 0; p < fine.length; p++) noise[plane * fine.length + p] += weight * fine[p];
    }
    if (size.width === 1 || size.height === 1) break;
  }
  return tensor(unitVariance(noise), dims);
}

const pyramidLevels = 10;
/** Rejections in a row that are allowed for; 64 happen with probability 1e-43. */
const maxAttempts = 64;

/** Marsaglia's polar method; the rejected points advance the counter's second word. */
function gaussianPair(key: readonly [number, number], index: number, draw: number): [number, number] {
  for (let attempt = draw; ; attempt++) {
    const words = threefry(key, [index, attempt]);
    const u = 2 * unit(words[0]) - 1;
    const v = 2 * unit(words[1]) - 1;
    const square = u * u + v * v;
    if (square >= 1) continue;
    const factor = Math.sqrt((-2 * naturalLog(square)) / square);
    return [u * factor, v * factor];
  }
}

/** Strictly between 0 and 1. */
function unit(word: number): number {
  return (word + 0.5) / 2 ** 32;
}

/**
 * ln x for 0 < x < 1, relative error about 1e-15, by halving the exponent away and
 * ln m = 2 atanh((m - 1) / (m + 1)) on 0.7 < m < 1.42. Math.log may differ in its last bit between engines.
 */
export function naturalLog(x: number): number {
  let exponent = 0;
  let mantissa = x;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const z = (mantissa - 1) / (mantissa + 1);
  let sum = 0;
  for (let power = 21; power >= 1; power -= 2) sum = sum * z * z + 1 / power;
  return 2 * z * sum + exponent * Math.LN2;
}

function unitVariance(values: Float32Array): Float32Array {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  const deviation = Math.sqrt(squares / Math.max(1, values.length - 1));
  return deviation > 0 ? values.map((value) => value / deviation) : values;
}

function streamKey({ seed, member, draw = 0 }: NoiseStream): [number, number] {
  const word = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
  if (!word(seed)) throw unexpected("bad-argument", "seed", "a whole number from 0 to 4294967295", seed);
  if (!word(member)) throw unexpected("bad-argument", "member", "a whole number from 0 to 4294967295", member);
  if (!word(draw * maxAttempts)) throw unexpected("bad-argument", "draw", "a whole number from 0 to 67108863", draw);
  return [seed, member];
}
