import assert from "node:assert/strict";
import type { FloatMap } from "../../src/core/image";
import { gaussian } from "../../src/core/random";
import { spreadOfMaps, type MapRows, type SpreadKind } from "../../src/core/spread";
import { AlignedStatistics, DirectionStatistics } from "../../src/core/statistics";
import { assertClose, referenceMap, referenceTensors } from "./coreReference";

function rowsOf({ width, height, channels, data }: FloatMap): MapRows {
  return { width, height, channels, read: async (first, rows) => data.slice(first * width * channels, (first + rows) * width * channels) };
}
const depthMap = (width: number, values: ArrayLike<number>): FloatMap => ({ width, height: values.length / width, channels: 1, data: Float32Array.from(values) });
const normalsMap = (...vectors: readonly (readonly number[])[]): FloatMap => ({ width: vectors.length, height: 1, channels: 3, data: Float32Array.from(vectors.flat()) });
const spread = async (maps: readonly FloatMap[], kind: SpreadKind, isAffine = true): Promise<Float32Array> => (await spreadOfMaps(maps.map(rowsOf), { kind, isAffine })).data;

/** Mean and population standard deviation in two passes. */
function twoPass(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

/** Every map with mean and deviation of the last, then at each pixel. */
function twoPassAligned(maps: readonly FloatMap[]): number[] {
  const moments = maps.map(({ data }) => twoPass([...data]));
  const last = moments[moments.length - 1];
  const aligned = maps.map(({ data }, k) => Array.from(data, (value) => last.mean + (last.std * (value - moments[k].mean)) / moments[k].std));
  return aligned[0].map((_, p) => twoPass(aligned.map((map) => map[p])).std);
}

/** arccos of the mean cosine to the mean direction, pixel by pixel. */
function twoPassAngular(maps: readonly FloatMap[]): number[] {
  const pixels = maps[0].data.length / 3;
  return Array.from({ length: pixels }, (_, p) => {
    const units = maps.map(({ data }) => {
      const vector = [...data.slice(3 * p, 3 * p + 3)];
      return vector.map((value) => value / Math.hypot(...vector));
    });
    const sum = [0, 1, 2].map((c) => units.reduce((total, unit) => total + unit[c], 0));
    const mean = sum.map((value) => value / Math.hypot(...sum));
    const cosine = units.reduce((total, unit) => total + unit[0] * mean[0] + unit[1] * mean[1] + unit[2] * mean[2], 0) / units.length;
    return Math.acos(Math.min(1, cosine));
  });
}

/** 50 maps that drift in scale and shift and settle, as steps do. */
const drifting = Array.from({ length: 50 }, (_, k) => {
  const noise = gaussian(24 * 17, { seed: 11, member: k });
  return depthMap(24, Array.from(noise, (value, p) => (1 + 0.05 * k) * (0.5 + 0.3 * Math.sin(p / 9) + (0.1 * value) / (1 + k)) - 0.02 * k));
});

describe("the spread of maps", () => {
  it("is the standard deviation of two passes and of the streamed statistics, on random maps", async () => {
    const data = await spread(drifting, "std");
    assertClose(data, twoPassAligned(drifting), 1e-5);
    const streamed = new AlignedStatistics(24 * 17);
    for (const map of drifting) streamed.add(map.data);
    assertClose(data, streamed.standardDeviation("population"), 1e-5);
    assertClose(await spread(drifting, "std", false), drifting[0].data.map((_, p) => twoPass(drifting.map((map) => map.data[p])).std), 1e-5, "metric depth is not aligned");
  });

  it("is the same on the steps of Marigold runs", async () => {
    const get = await referenceTensors("marigold/io.safetensors");
    for (const task of ["depth", "normals"]) {
      const { dims, data } = get(`${task}-trailing-4.${task}_per_step`);
      const length = data.length / dims[0];
      const maps = Array.from({ length: dims[0] }, (_, k) => referenceMap({ dims: dims.slice(1), data: data.slice(k * length, (k + 1) * length) }));
      const own = await spread(maps, "std");
      assertClose(own, task === "depth" ? twoPassAligned(maps) : twoPassAngular(maps), 1e-5, task);
      const streamed = task === "depth" ? new AlignedStatistics(maps[0].data.length) : new DirectionStatistics(maps[0].data.length);
      for (const map of maps) streamed.add(map.data);
      assertClose(own, streamed instanceof AlignedStatistics ? streamed.standardDeviation("population") : streamed.angularDeviation(), 1e-5, task);
    }
  });

  it("takes the median deviation and the range, by hand", async () => {
    const maps = [[1, 5], [2, 5], [4, 6], [9, 5], [3, 9]].map((values) => depthMap(2, values));
    // Medians 3 and 5; deviations 2 1 1 6 0 and 0 0 1 0 4.
    assert.deepEqual([...(await spread(maps, "mad", false))], [1, 0]);
    assert.deepEqual([...(await spread(maps, "range", false))], [8, 4]);
    assert.deepEqual([...(await spread(maps.slice(0, 4), "mad", false))], [1.5, 0], "the mean of the middle two: deviations 2 1 1 6 from 3");
  });

  it("measures median and range of aligned maps in units of the last", async () => {
    const base = [0, 1, 2, 3];
    const same = [base.map((v) => 10 * v - 7), base, base.map((v) => 2 * v + 1)].map((values) => depthMap(2, values));
    for (const kind of ["std", "mad", "range"] as const) assertClose(await spread(same, kind), [0, 0, 0, 0], 1e-6, kind);
    // Mean 1.5 and deviation sqrt(1.25) both; the last is the first upside down, so that values v and 3 - v meet.
    const flipped = [depthMap(2, base), depthMap(2, [3, 2, 1, 0])];
    assertClose(await spread(flipped, "range"), [3, 1, 1, 3], 1e-6);
    assertClose(await spread(flipped, "mad"), [1.5, 0.5, 0.5, 1.5], 1e-6);
  });

  it("measures normals by their angles to the mean direction", async () => {
    const tilted = (degrees: number): readonly number[] => [Math.sin((degrees * Math.PI) / 180), 0, Math.cos((degrees * Math.PI) / 180)];
    const maps = [-30, -10, 0, 10, 30].map((angle) => normalsMap(tilted(angle), [0, 0, 2]));
    const degrees = (radians: Float32Array): number[] => Array.from(radians, (value) => (value * 180) / Math.PI);
    assertClose(degrees(await spread(maps, "mad")), [10, 0], 1e-4);
    assertClose(degrees(await spread(maps, "range")), [30, 0], 1e-4);
    const opposite = [normalsMap([0, 1, 0], [0, 0, 0]), normalsMap([0, -1, 0], [0, 0, 0])];
    for (const kind of ["std", "mad", "range"] as const) assertClose(degrees(await spread(opposite, kind)), [90, 90], 1e-4, kind);
  });

  it("has no value where one map has none, and takes no notice of it elsewhere", async () => {
    const holed = [depthMap(2, [0, 1, 2, NaN]), depthMap(2, [1, 3, 5, 7])];
    const data = await spread(holed, "range");
    assert.deepEqual([...data].map(Number.isNaN), [false, false, false, true]);
    assert.ok(data.slice(0, 3).every((value) => value >= 0));
  });

  it("reads a map at most and then blocks of rows, however many maps there are", async () => {
    let [held, most] = [0, 0];
    const width = 512;
    const height = 64;
    const maps = Array.from({ length: 400 }, (_, k): MapRows => ({
      width, height, channels: 1,
      read: async (first, rows) => {
        // What is read from the first map on belongs to one block; whole maps are taken one at a time.
        held = rows === height || k === 0 ? rows * width : held + rows * width;
        most = Math.max(most, held);
        return Float32Array.from({ length: rows * width }, (_, i) => first + i + k * (i % 3));
      },
    }));
    const { data } = await spreadOfMaps(maps, { kind: "std", isAffine: true });
    assert.equal(data.length, width * height);
    assert.ok(most <= 1 << 21, `${most} values at once, of ${400 * width * height}`);
  });

  it("refuses fewer than two maps and other sizes, and stops when it is cancelled", async () => {
    await assert.rejects(spread([drifting[0]], "std"), { code: "bad-argument", message: /at least two.*received 1/ });
    await assert.rejects(spread([drifting[0], depthMap(2, [1, 2])], "std"), { code: "bad-argument", message: /24 x 17 x 1 each.*2 x 1 x 1/ });
    await assert.rejects(spreadOfMaps(drifting.map(rowsOf), { kind: "mad", isAffine: true, signal: AbortSignal.abort() }), { code: "cancelled" });
  });
});
