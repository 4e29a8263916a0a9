import assert from "node:assert/strict";
import fc from "fast-check";
import { applyScaleShift, fitScaleShift } from "../../src/core/alignment";
import { depthMetrics, evaluateDepth, meanDepthMetrics, normalsErrors, normalsMetrics, type DepthMetrics, type NormalsMetrics } from "../../src/core/metrics";
import type { Tensor } from "../../src/core/tensor";
import { assertClose, referenceJson, referenceMap, referenceTensors } from "./coreReference";

type Values = Record<string, number | "NaN">;
interface DepthCase {
  name: string;
  alignment: "least_square" | "least_square_disparity" | null;
  min_depth: number;
  max_depth: number;
  alignment_max_res: number | null;
  valid_pixels: number;
  scale?: number;
  shift?: number;
  metrics: Values;
  metrics_float64: Values;
}
interface NormalsCase {
  name: string;
  valid_pixels: number;
  metrics: Values;
}

const depthKeys: Record<keyof DepthMetrics, string> = {
  absRel: "abs_relative_difference",
  sqRel: "squared_relative_difference",
  rmse: "rmse_linear",
  rmseLog: "rmse_log",
  log10: "log10",
  delta1: "delta1_acc",
  delta2: "delta2_acc",
  delta3: "delta3_acc",
  irmse: "i_rmse",
  silog: "silog_rmse",
};
const entries = Object.entries(depthKeys) as [keyof DepthMetrics, string][];

function assertDepthMetrics(actual: DepthMetrics, expected: Values, validPixels: number): void {
  for (const [key, name] of entries) {
    const value = Number(expected[name]);
    if (Number.isNaN(value)) {
      assert.ok(Number.isNaN(actual[key]), `${key} is ${actual[key]} instead of NaN`);
      continue;
    }
    const absolute = key.startsWith("delta") ? 2 / validPixels : key === "silog" && value < 1e-2 ? 1e-2 : 1e-6;
    assert.ok(Math.abs(actual[key] - value) <= absolute + 1e-4 * Math.abs(value), `${key} is ${actual[key]} instead of ${value}`);
  }
}

function assertNormalsMetrics(actual: NormalsMetrics, expected: Values, degrees: number): void {
  for (const key of ["mean", "median", "rmse"] as const) {
    assert.ok(Math.abs(actual[key] - Number(expected[key])) <= degrees, `${key} is ${actual[key]} instead of ${expected[key]}`);
  }
  assertClose(
    [actual.below["5"], actual.below["7.5"], actual.below["11.25"], actual.below["22.5"], actual.below["30"]],
    ["a1", "a2", "a3", "a4", "a5"].map((key) => Number(expected[key])),
    1e-9,
  );
}

describe("core/metrics", () => {
  describe("depth", () => {
    const { cases } = referenceJson<{ cases: DepthCase[] }>("metrics/depth.json");
    let get: (name: string) => Tensor;
    before(async () => {
      get = await referenceTensors("metrics/depth.safetensors");
    });
    for (const c of cases) {
      it(c.name, () => {
        const [prediction, truth, mask] = [get(`${c.name}.pred`), get(`${c.name}.gt`), get(`${c.name}.mask`)];
        const result = evaluateDepth(prediction.data, truth.data, mask.data, prediction.dims[1], {
          alignment: c.alignment === null ? "none" : c.alignment === "least_square" ? "depth" : "disparity",
          minDepth: c.min_depth,
          maxDepth: c.max_depth,
          alignmentMaxResolution: c.alignment_max_res ?? undefined,
        });
        if (c.scale === undefined || c.shift === undefined) {
          assert.equal(result.scale, undefined);
        } else {
          assert.ok(result.scale !== undefined && result.shift !== undefined);
          const size = Math.max(Math.abs(c.scale), Math.abs(c.shift), 1e-3);
          assertClose([result.scale / size, result.shift / size], [c.scale / size, c.shift / size], 1e-5);
        }
        const aligned = get(`${c.name}.aligned_depth`).data;
        aligned.forEach((value, i) => assert.ok(Math.abs(result.aligned[i] - value) <= 1e-4 * Math.abs(value), `aligned pixel ${i}: ${result.aligned[i]} for ${value}`));
        assertDepthMetrics(result.metrics, c.metrics, c.valid_pixels);
        assertDepthMetrics(depthMetrics(aligned, truth.data, mask.data), c.metrics_float64, c.valid_pixels);
      });
    }

    it("counts ratios strictly below the thresholds", () => {
      const { delta1, delta2 } = depthMetrics(Float32Array.of(1.25, 1, 1.5625, 1), Float32Array.of(1, 1.25, 1, 1), [1, 1, 1, 1]);
      assert.deepEqual([delta1, delta2], [0.25, 0.75]);
    });

    it("averages over images", () => {
      const one = depthMetrics(Float32Array.of(2, 2), Float32Array.of(1, 4), [1, 1]);
      const other = depthMetrics(Float32Array.of(1, 3), Float32Array.of(1, 3), [1, 1]);
      const mean = meanDepthMetrics([one, other]);
      assertClose([one.absRel, mean.absRel, mean.delta1], [0.75, 0.375, 0.5], 1e-12);
      assert.ok(Number.isNaN(meanDepthMetrics([]).absRel));
    });
  });

  describe("normals", () => {
    const { cases } = referenceJson<{ cases: NormalsCase[] }>("metrics/normals.json");
    let get: (name: string) => Tensor;
    before(async () => {
      get = await referenceTensors("metrics/normals.safetensors");
    });
    const extreme = (name: string) => name === "identical" || name === "opposite";
    for (const c of cases.filter((one) => one.name !== "pooled")) {
      it(c.name, () => {
        const mask = get(`${c.name}.mask`).data;
        const errors = normalsErrors(referenceMap(get(`${c.name}.pred`)).data, referenceMap(get(`${c.name}.gt`)).data, mask);
        const expected = get(`${c.name}.error_degrees`).data.filter((_, i) => mask[i] !== 0);
        assert.equal(errors.length, c.valid_pixels);
        errors.forEach((error, i) => {
          const nearEnds = expected[i] < 1.5 || expected[i] > 178.5;
          assert.ok(Math.abs(error - expected[i]) <= (nearEnds ? 0.05 : 1e-3), `pixel ${i}: ${error} for ${expected[i]}`);
        });
        assertNormalsMetrics(normalsMetrics(errors), c.metrics, extreme(c.name) ? 0.05 : 1e-3);
      });
    }
    it("pooled: statistics over the errors of several images together", () => {
      const pooled = cases.find((c) => c.name === "pooled");
      assert.ok(pooled);
      assertNormalsMetrics(normalsMetrics(get("pooled.errors").data), pooled.metrics, 1e-3);
    });
    it("counts angles strictly below the thresholds", () => {
      assert.deepEqual(normalsMetrics(Float32Array.of(5, 7.5, 11.25, 22.5)).below, { "5": 0, "7.5": 25, "11.25": 50, "22.5": 75, "30": 100 });
    });
    it("has no numbers without pixels", () => {
      const { mean, median, rmse, below } = normalsMetrics(new Float32Array(0));
      for (const value of [mean, median, rmse, below["30"]]) assert.ok(Number.isNaN(value));
    });
  });
});

describe("core/alignment", () => {
  it("recovers any scale and shift, looking at masked pixels only", () => {
    const finite = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true });
    fc.assert(
      fc.property(finite(100), finite(100), fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 30 }), (scale, shift, xs) => {
        const source = Float32Array.from([...xs, 7]);
        const target = applyScaleShift(source, { scale, shift });
        target[xs.length] = NaN;
        const fit = fitScaleShift(source, target, [...xs.map(() => 1), 0]);
        assertClose([fit.scale, fit.shift], [scale, shift], 2e-3);
      }),
      { seed: 5, numRuns: 100 },
    );
  });

  it("keeps its digits far from zero, and does not take a nearly constant source for a constant one", () => {
    const source = Float32Array.of(1000, 1000.001, 1000.002, 1000.003);
    const target = Float32Array.from(source.keys());
    const fit = fitScaleShift(source, target);
    assertClose(applyScaleShift(source, fit), target, 0.06);
  });

  it("refuses maps of different size", () => {
    assert.throws(() => fitScaleShift(new Float32Array(2), new Float32Array(3)), /for alignment/);
    assert.throws(() => fitScaleShift(new Float32Array(2), new Float32Array(2), [1]), /for alignment/);
  });
});
