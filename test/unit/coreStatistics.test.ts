import assert from "node:assert/strict";
import fc from "fast-check";
import { applyScaleShift, fitScaleShift } from "../../src/core/alignment";
import { gaussian } from "../../src/core/random";
import { AlignedStatistics, DirectionStatistics, displayRange, histogram, percentiles, PixelStatistics } from "../../src/core/statistics";
import { assertClose, referenceJson, referenceTensors } from "./coreReference";

/** Mean and standard deviation at each pixel, in two passes. */
function twoPass(maps: readonly ArrayLike<number>[], divisor: "population" | "sample"): { mean: number[]; std: number[] } {
  const mean = Array.from(maps[0], (_, p) => maps.reduce((sum, map) => sum + map[p], 0) / maps.length);
  const n = divisor === "population" ? maps.length : maps.length - 1;
  return { mean, std: mean.map((m, p) => Math.sqrt(maps.reduce((sum, map) => sum + (map[p] - m) ** 2, 0) / n)) };
}

const add = <T extends { add(map: Float32Array): void }>(statistics: T, maps: readonly Float32Array[]): T => {
  for (const map of maps) statistics.add(map);
  return statistics;
};

describe("core/statistics", () => {
  it("matches the reference standard deviations over the steps of Marigold runs", async () => {
    const get = await referenceTensors("marigold/io.safetensors");
    const { runs } = referenceJson<{ runs: { name: string; num_inference_steps: number; modality: string }[] }>("marigold/cases.json");
    const multiStep = runs.filter((run) => run.num_inference_steps > 1 && /^(depth|normals)-/.test(run.name));
    assert.ok(multiStep.length >= 5);
    for (const { name, num_inference_steps, modality } of multiStep) {
      const stack = get(`${name}.${modality}_per_step`).data;
      const length = stack.length / num_inference_steps;
      const maps = Array.from({ length: num_inference_steps }, (_, k) => stack.slice(k * length, (k + 1) * length));
      const statistics = add(new PixelStatistics(length), maps);
      for (const divisor of ["population", "sample"] as const) {
        assertClose(statistics.standardDeviation(divisor), get(`${name}.std_over_steps_${divisor}`).data, 1e-5, `${name} ${divisor}`);
      }
    }
  });

  it("equals two passes, also for a small spread on a large offset", () => {
    const noise = gaussian(50 * 64, { seed: 1, member: 0 });
    for (const [offset, spread] of [[0, 1], [1000, 0.01], [-5, 1e-4]]) {
      const maps = Array.from({ length: 50 }, (_, k) => noise.slice(k * 64, (k + 1) * 64).map((v) => offset + spread * v));
      const statistics = add(new PixelStatistics(64), maps);
      for (const divisor of ["population", "sample"] as const) {
        const expected = twoPass(maps, divisor);
        assertClose(statistics.standardDeviation(divisor).map((v) => v / spread), expected.std.map((v) => v / spread), 1e-5);
        assertClose(statistics.mean(), expected.mean.map(Math.fround), 1e-7 * Math.max(1, Math.abs(offset)));
      }
    }
  });

  it("has no spread over one map, and refuses a map of another size", () => {
    const statistics = new PixelStatistics(2);
    assert.deepEqual([...statistics.mean()], [NaN, NaN]);
    statistics.add(Float32Array.of(1, 2));
    assert.deepEqual([...statistics.standardDeviation("population")], [0, 0]);
    assert.deepEqual([...statistics.standardDeviation("sample")], [NaN, NaN]);
    assert.throws(() => statistics.add(new Float32Array(3)), /2 values like the first for map but received 3/);
    assert.equal(statistics.count, 1);
  });

  describe("aligned", () => {
    const base = gaussian(400, { seed: 2, member: 0 }).map((v) => 0.5 + 0.1 * v);

    it("does not see scale and shift", () => {
      const factor = fc.double({ min: 0.05, max: 20, noNaN: true });
      const offset = fc.double({ min: -5, max: 5, noNaN: true });
      fc.assert(
        fc.property(fc.array(fc.tuple(factor, offset), { minLength: 2, maxLength: 12 }), (pairs) => {
          const maps = pairs.map(([scale, shift]) => base.map((v) => scale * v + shift));
          const statistics = add(new AlignedStatistics(400), maps);
          const last = pairs[pairs.length - 1][0];
          assertClose(statistics.standardDeviation("population").map((v) => v / last), new Float32Array(400), 1e-4);
          assertClose(statistics.mean(), maps[maps.length - 1], 1e-4 * Math.max(1, last));
        }),
        { seed: 6, numRuns: 50 },
      );
    });

    it("equals aligning by mean and deviation in two passes, in units of the last map", () => {
      const maps = Array.from({ length: 9 }, (_, k) => {
        const noise = gaussian(400, { seed: 3, member: k });
        return base.map((v, p) => (1 + k) * (v + (0.1 / (k + 1)) * noise[p]) - k);
      });
      const moments = maps.map((map) => {
        const { mean, std } = twoPass(Array.from(map, (v) => [v]), "population");
        return { mean: mean[0], std: std[0] };
      });
      const last = moments[8];
      const aligned = maps.map((map, k) => Array.from(map, (v) => last.mean + (last.std * (v - moments[k].mean)) / moments[k].std));
      const statistics = add(new AlignedStatistics(400), maps);
      for (const divisor of ["population", "sample"] as const) {
        const expected = twoPass(aligned, divisor);
        assertClose(statistics.standardDeviation(divisor), expected.std, 1e-5);
        assertClose(statistics.mean(), expected.mean, 1e-5);
      }
    });

    it("agrees with a least squares fit to the last map where the maps resemble it", () => {
      const maps = Array.from({ length: 10 }, (_, k) => {
        const noise = gaussian(400, { seed: 4, member: k });
        return base.map((v, p) => (1 + 0.2 * k) * (v + 0.01 * noise[p]) + 0.3);
      });
      const fitted = maps.map((map) => applyScaleShift(map, fitScaleShift(map, maps[9])));
      const expected = twoPass(fitted, "population").std;
      const own = add(new AlignedStatistics(400), maps).standardDeviation("population");
      const total = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(total(own) / total(expected) - 1) < 0.02);
    });

    it("stays finite with flat maps", () => {
      const flat = new Float32Array(400).fill(0.3);
      assert.ok(add(new AlignedStatistics(400), [flat, base, flat]).standardDeviation("population").every((v) => v === 0));
      assert.ok(add(new AlignedStatistics(400), [flat, base]).standardDeviation("population").every(Number.isFinite));
    });
  });

  describe("directions", () => {
    const cone = (angle: number, count: number) =>
      Array.from({ length: count }, (_, k) => {
        const turn = (2 * Math.PI * k) / count;
        return Float32Array.of(Math.sin(angle) * Math.cos(turn), Math.sin(angle) * Math.sin(turn), Math.cos(angle)).map((v) => v * (1 + k));
      });

    it("gives the angle of a cone about its axis, whatever the vectors' lengths", () => {
      for (const angle of [0, 0.001, 0.3, 1.2, Math.PI / 2]) {
        const statistics = add(new DirectionStatistics(3), cone(angle, 7));
        assertClose(statistics.angularDeviation(), [angle], 1e-4);
        if (angle < 1.5) assertClose(statistics.meanDirection(), [0, 0, 1], 1e-6);
      }
    });

    it("is the root mean squared angle to the mean direction for small spreads", () => {
      const noise = gaussian(300, { seed: 8, member: 0 });
      const maps = Array.from({ length: 100 }, (_, k) => Float32Array.of(0.2 * noise[2 * k], 0.2 * noise[2 * k + 1], 1));
      const statistics = add(new DirectionStatistics(3), maps);
      const [x, y, z] = statistics.meanDirection();
      const squares = maps.map(([a, b, c]) => Math.acos((a * x + b * y + c * z) / Math.hypot(a, b, c)) ** 2);
      const expected = Math.sqrt(squares.reduce((a, b) => a + b, 0) / maps.length);
      assert.ok(Math.abs(statistics.angularDeviation()[0] / expected - 1) < 0.02);
    });

    it("counts zero vectors as 90 degrees off and opposite ones as no direction", () => {
      assertClose(add(new DirectionStatistics(3), [Float32Array.of(0, 0, 0)]).angularDeviation(), [Math.PI / 2], 1e-6);
      const opposite = add(new DirectionStatistics(3), [Float32Array.of(0, 1, 0), Float32Array.of(0, -1, 0)]);
      assert.deepEqual([...opposite.meanDirection()], [0, 0, 0]);
      assertClose(opposite.angularDeviation(), [Math.PI / 2], 1e-6);
    });
  });

  it("computes exact percentiles of what is finite", () => {
    const values = Float32Array.of(5, NaN, 1, 3, Infinity, 2, 4, -Infinity);
    assert.deepEqual(percentiles(values, [0, 25, 50, 90, 100]).map((v) => Math.round(v * 1e6) / 1e6), [1, 2, 3, 4.6, 5]);
    assert.deepEqual(percentiles(Float32Array.of(NaN), [50]), [NaN]);
    assert.throws(() => percentiles(values, [101]), /0 to 100 for percentile but received 101/);
  });

  it("always gives a range with extent", () => {
    assert.deepEqual(displayRange(Float32Array.of(1, 3, NaN)), { low: 1, high: 3 });
    assert.deepEqual(displayRange(Float32Array.of(NaN)), { low: 0, high: 1 });
    for (const value of [0, 0.5, -1e6, 1e-30]) {
      const { low, high } = displayRange(new Float32Array(5).fill(value));
      assert.ok(low < value && value < high && (low + high) / 2 - value < 1e-6 * Math.max(1, Math.abs(value)));
    }
    const ramp = Float32Array.from({ length: 101 }, (_, i) => i);
    assert.deepEqual(displayRange(ramp, 2, 98), { low: 2, high: 98 });
  });

  it("counts each value in one bin", () => {
    const values = Float32Array.of(0, 0.24, 0.25, 0.5, 1, NaN, -1, 2);
    assert.deepEqual([...histogram(values, { low: 0, high: 1 }, 4)], [2, 1, 1, 1]);
    assert.throws(() => histogram(values, { low: 1, high: 1 }, 4), /histogram range/);
  });
});
