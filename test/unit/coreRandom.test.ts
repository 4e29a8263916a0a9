import assert from "node:assert/strict";
import fc from "fast-check";
import { gaussian, naturalLog, pyramidNoise, startingNoise, threefry, uniform } from "../../src/core/random";

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const variance = (values: ArrayLike<number>) => {
  const m = mean(values);
  return mean(Array.from(values, (v) => (v - m) ** 2));
};
const correlation = (a: Float32Array, b: Float32Array) => mean(a.map((v, i) => v * b[i]));

/** Normal distribution function, Abramowitz and Stegun 7.1.26 (absolute error below 1e-7). */
function normalCdf(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-z * z);
  return x > 0 ? 1 - tail / 2 : tail / 2;
}

/** Kolmogorov-Smirnov statistic times sqrt(n): above 1.95 with probability 0.001. */
function ksStatistic(values: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(values).sort();
  let largest = 0;
  sorted.forEach((x, i) => {
    const p = cdf(x);
    largest = Math.max(largest, Math.abs(p - i / sorted.length), Math.abs((i + 1) / sorted.length - p));
  });
  return largest * Math.sqrt(sorted.length);
}

describe("core/random", () => {
  it("is Threefry-2x32-20: the known answers of its authors", () => {
    assert.deepEqual(threefry([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
    assert.deepEqual(threefry([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]), [0x1cb996fc, 0xbb002be7]);
    assert.deepEqual(threefry([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);
  });

  it("draws standard normal numbers", () => {
    const values = gaussian(100_000, { seed: 7, member: 0 });
    assert.ok(Math.abs(mean(values)) < 0.012, `mean ${mean(values)}`);
    assert.ok(Math.abs(variance(values) - 1) < 0.018, `variance ${variance(values)}`);
    assert.ok(Math.abs(mean(values.map((v) => v ** 3))) < 0.05 && Math.abs(mean(values.map((v) => v ** 4)) - 3) < 0.15);
    assert.ok(ksStatistic(values, normalCdf) < 1.95);
    assert.ok(Math.max(...values.subarray(0, 50_000)) > 3.5);
    assert.ok(Math.abs(correlation(values.subarray(0, 99_999), values.subarray(1))) < 0.012);
  });

  it("draws uniform numbers", () => {
    const values = uniform(50_000, { seed: 7, member: 0 });
    assert.ok(ksStatistic(values, (x) => x) < 1.95);
    assert.ok(values.every((v) => v > 0 && v < 1));
  });

  it("repeats with its seed, extends without changing, and differs by seed, member and draw", () => {
    const base = { seed: 3, member: 0 };
    const values = gaussian(4001, base);
    assert.deepEqual(gaussian(4001, base), values);
    assert.deepEqual(gaussian(4000, base), values.subarray(0, 4000));
    for (const other of [{ seed: 4, member: 0 }, { seed: 3, member: 1 }, { seed: 3, member: 0, draw: 1 }, { seed: 0, member: 3 }]) {
      assert.ok(Math.abs(correlation(values, gaussian(4001, other))) < 0.06, JSON.stringify(other));
    }
  });

  it("refuses seeds that are not unsigned 32-bit integers", () => {
    for (const seed of [-1, 0.5, 2 ** 32, NaN]) assert.throws(() => gaussian(1, { seed, member: 0 }), /for seed but received/);
    assert.throws(() => gaussian(1, { seed: 0, member: -1 }), /for member/);
  });

  it("has a logarithm good to the last digits", () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -64, max: 1, maxExcluded: true, noNaN: true }), (x) => {
        assert.ok(Math.abs(naturalLog(x) - Math.log(x)) <= 4e-15 * Math.abs(Math.log(x)), String(x));
      }),
      { seed: 3, numRuns: 2000 },
    );
  });

  it("makes pyramid noise: unit variance, smooth where Gaussian noise is not", () => {
    const dims = [1, 4, 48, 64];
    const neighbours = (data: Float32Array) => {
      const m = mean(data);
      return mean(Array.from(data.subarray(1), (v, i) => (v - m) * (data[i] - m))) / variance(data);
    };
    const pyramid = pyramidNoise(dims, { seed: 5, member: 2 });
    assert.deepEqual(pyramid.dims, dims);
    assert.ok(Math.abs(variance(pyramid.data) - 1) < 1e-3);
    assert.ok(neighbours(pyramid.data) > 0.15, `${neighbours(pyramid.data)}`);
    assert.ok(Math.abs(neighbours(pyramidNoise(dims, { seed: 5, member: 2 }, 0.9, 0).data)) < 0.05);
    assert.deepEqual(pyramidNoise(dims, { seed: 5, member: 2 }), pyramid);
    assert.notDeepEqual(pyramidNoise(dims, { seed: 5, member: 3 }), pyramid);
    assert.deepEqual(pyramidNoise([1, 4, 1, 1], { seed: 5, member: 2 }).dims, [1, 4, 1, 1]);
  });

  it("offers the three kinds of starting latent", () => {
    const stream = { seed: 1, member: 0 };
    assert.deepEqual(startingNoise("zeros", [1, 4, 2, 3], stream).data, new Float32Array(24));
    assert.deepEqual(startingNoise("gaussian", [1, 4, 2, 3], stream).data, gaussian(24, stream));
    assert.deepEqual(startingNoise("pyramid", [1, 4, 2, 3], stream), pyramidNoise([1, 4, 2, 3], stream));
  });
});
