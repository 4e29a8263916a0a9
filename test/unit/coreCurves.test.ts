import assert from "node:assert/strict";
import { errorTo, stepCurves } from "../../src/core/curves";
import type { FloatMap } from "../../src/core/image";
import type { Semantics } from "../../src/core/semantics";
import { assertClose } from "./coreReference";

const depth: Semantics = { task: "depth", depthKind: "affine-depth" };
const metric: Semantics = { task: "depth", depthKind: "metric-depth" };
const normals: Semantics = { task: "normals", frame: "LUB" };
const depthMap = (...values: readonly number[]): FloatMap => ({ width: values.length, height: 1, channels: 1, data: Float32Array.from(values) });
const turned = (...degrees: readonly number[]): FloatMap => ({ width: degrees.length, height: 1, channels: 3, data: Float32Array.from(degrees.flatMap((angle) => [Math.sin((angle * Math.PI) / 180), 0, Math.cos((angle * Math.PI) / 180)])) });
const loadsOf = (maps: readonly FloatMap[]): (() => Promise<FloatMap>)[] => maps.map((map) => async () => map);

/** Mean |s a + t - b| after the least squares fit, written out. */
function distance(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const s = a.reduce((sum, value, i) => sum + (value - ma) * (b[i] - mb), 0) / a.reduce((sum, value) => sum + (value - ma) ** 2, 0);
  return mean(a.map((value, i) => Math.abs(s * (value - ma) + mb - b[i])));
}

describe("the curves of a run", () => {
  const steps = [[0.1, 0.9, 0.3, 0.5], [0.2, 0.7, 0.4, 0.5], [0.6, 1.9, 1.1, 1.4]];

  it("fits depth by least squares before it takes a distance", async () => {
    const reference = [3, 8, 5, 7];
    const curves = await stepCurves(loadsOf(steps.map((values) => depthMap(...values))), depth, { reference: { map: depthMap(...reference), semantics: depth } });
    assert.ok(Number.isNaN(curves.changeToPrevious[0]));
    assertClose(curves.changeToPrevious.slice(1), [distance(steps[1], steps[0]), distance(steps[2], steps[1])], 1e-6);
    assertClose(curves.distanceToLast, [distance(steps[0], steps[2]), distance(steps[1], steps[2]), 0], 1e-6);
    assertClose(curves.distanceToReference ?? [], steps.map((step) => distance(step, reference)), 1e-6);
    assert.equal(curves.errorToTruth, undefined);
  });

  it("sees no distance in scale and shift alone", async () => {
    const maps = [depthMap(1, 2, 5, 3), depthMap(10, 20, 50, 30), depthMap(-1, 0, 3, 1)];
    const { changeToPrevious, distanceToLast } = await stepCurves(loadsOf(maps), depth, {});
    assertClose([...changeToPrevious.slice(1), ...distanceToLast], [0, 0, 0, 0, 0], 1e-5);
  });

  it("measures normals in degrees", async () => {
    const maps = [turned(10, 40), turned(0, 20), turned(0, 0)];
    const curves = await stepCurves(loadsOf(maps), normals, { reference: { map: turned(30, 30), semantics: normals }, truth: turned(5, -5) });
    assertClose(curves.changeToPrevious.slice(1), [15, 10], 1e-3);
    assertClose(curves.distanceToLast, [25, 10, 0], 1e-3);
    assertClose(curves.distanceToReference ?? [], [15, 20, 30], 1e-3);
    assertClose(curves.errorToTruth ?? [], [25, 15, 5], 1e-3);
  });

  it("takes AbsRel to the truth where there is one, by hand", () => {
    // The prediction is (truth - 1) / 2 but for the last pixel of those that count; the pixel without truth would spoil the fit.
    const truth = depthMap(2, 4, 6, NaN, 0);
    assert.ok(errorTo(truth, depthMap(0.5, 1.5, 2.5, 99, -99), depth) < 1e-6);
    // Fit of 0, 1, 5 to 2, 4, 6: mean 2 and 4, s = (-2*-2 + -1*0 + 3*2) / (4 + 1 + 9) = 10 / 14; 2.571429, 3.285714, 6.142857.
    assert.ok(Math.abs(errorTo(truth, depthMap(0, 1, 5, 7, 7), depth) - (0.571429 / 2 + 0.714286 / 4 + 0.142857 / 6) / 3) < 1e-6);
    assert.ok(Math.abs(errorTo(truth, depthMap(1, 4, 6, 7, 7), metric) - 0.5 / 3) < 1e-6, "metric depth is not fitted");
    const disparity: Semantics = { task: "depth", depthKind: "affine-disparity" };
    assert.ok(errorTo(truth, depthMap(1 / 2, 1 / 4, 1 / 6, 1, 1), disparity) < 1e-6, "disparity is fitted to 1 / truth");
  });

  it("brings maps of other sizes to the size of the truth, and of what they are compared with", async () => {
    const ramp = (width: number): FloatMap => depthMap(...Array.from({ length: width }, (_, x) => (x + 0.5) / width));
    const truth: FloatMap = depthMap(...Array.from({ length: 16 }, (_, x) => 1 + (x + 0.5) / 16));
    const { errorToTruth, distanceToReference } = await stepCurves(loadsOf([ramp(64), ramp(16)]), depth, { truth, reference: { map: ramp(32), semantics: depth } });
    for (const error of [...(errorToTruth ?? []), ...(distanceToReference ?? [])]) assert.ok(error < 0.01, String(error));
    const small = errorTo(turnedGrid(8), turnedGrid(2), normals);
    assert.ok(small < 1e-3, String(small));
  });

  it("loads each map once, one after another, and the last one twice", async () => {
    const loaded: number[] = [];
    let loading = 0;
    const loads = steps.map((values, k) => async () => {
      assert.equal(++loading, 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      loading--;
      loaded.push(k);
      return depthMap(...values);
    });
    await stepCurves(loads, depth, {});
    assert.deepEqual(loaded, [2, 0, 1, 2]);
  });

  it("refuses no map, truth of the other task, and what cannot be compared", async () => {
    await assert.rejects(stepCurves([], depth, {}), { code: "bad-argument", message: /at least one/ });
    assert.throws(() => errorTo(turned(1, 2), depthMap(1, 2), depth), { code: "bad-argument", message: /1 channel for the ground truth.*received 3/ });
    await assert.rejects(stepCurves(loadsOf([depthMap(1, 2)]), depth, { reference: { map: turned(1, 2), semantics: normals } }), { code: "bad-argument" });
    await assert.rejects(stepCurves(loadsOf([depthMap(1, 2)]), depth, { signal: AbortSignal.abort() }), { code: "cancelled" });
  });
});

function turnedGrid(side: number): FloatMap {
  const { data } = turned(...new Array<number>(side * side).fill(20));
  return { width: side, height: side, channels: 3, data };
}
