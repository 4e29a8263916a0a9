import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { readCachedMap } from "../../src/cache/runReader";
import { mapFromHalf } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { Task } from "../../src/core/semantics";
import type { RunSettings } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import { writeNpy } from "../../src/io/npy";
import type { MapRef, RunResult } from "../../src/protocol/inference";
import { buildInferenceChild } from "./inferenceChild";

const checkout = resolve(__dirname, "..", "..");
const heldOut = join(checkout, "test", "heldout");
const steps = 8;
const settings: RunSettings = { steps, spacing: "trailing", ensembleSize: 3, noise: { kind: "gaussian" }, seed: 7, processingResolution: 128 };

function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let most = 0;
  for (let i = 0; i < actual.length; i++) most = Math.max(most, Math.abs(actual[i] - expected[i]));
  assert.ok(Number.isFinite(most));
  return most;
}

describe("questions about the maps of a run", function () {
  this.timeout(120_000);
  let folder: string;
  let cacheDir: string;
  let engine: EngineClient;
  const results = new Map<string, RunResult>();
  const stepRefs = (task: Task): MapRef[] => Array.from({ length: steps }, (_, step) => ({ kind: "step", runKey: keyOf(task), step }));
  const keyOf = (task: Task): string => results.get(task)?.runKey ?? assert.fail("no key");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "plumbline-questions-"));
    cacheDir = join(folder, "runs");
    engine = startEngine({ childPath: await buildInferenceChild("mapQuestions") });
    const runs = (["depth", "normals"] as const).map((task) => ({ runId: task, modelDir: join(checkout, "models", `plumbline-${task}`), task, settings }));
    const params = { imagePath: join(heldOut, "000_rgb.png"), runs, device: "cpu", stepMaps: true, recordSteps: false, mapSize: "processing", cache: { dir: cacheDir, maxBytes: 1e9 } } as const;
    await engine.predict(params, { onEvent: (event) => void (event.type === "result" && results.set(event.result.runId, event.result)) });
  });
  after(async () => {
    await engine.dispose();
    await rm(folder, { recursive: true });
  });

  async function stepMaps(task: Task): Promise<FloatMap[]> {
    const maps: FloatMap[] = [];
    for (let step = 0; step < steps; step++) maps.push(mapFromHalf(await readCachedMap(cacheDir, { kind: "step", runKey: keyOf(task), step })));
    return maps;
  }

  it("answers the deviation over the steps as two passes over the maps do, and as it was streamed", async () => {
    const maps = await stepMaps("depth");
    const pixels = maps[0].data.length;
    const moments = maps.map(({ data }) => {
      const mean = data.reduce((sum, value) => sum + value, 0) / pixels;
      return { mean, deviation: Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pixels) };
    });
    const last = moments[steps - 1];
    const expected = Float64Array.from({ length: pixels }, (_, p) => {
      const values = maps.map(({ data }, k) => last.mean + (last.deviation * (data[p] - moments[k].mean)) / moments[k].deviation);
      const mean = values.reduce((sum, value) => sum + value) / steps;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / steps);
    });
    const { map } = await engine.spread({ cacheDir, refs: stepRefs("depth"), kind: "std" });
    assert.ok(largestDifference(map.data, expected) < 1e-5);
    assert.ok(Math.max(...map.data) > 0.01, "there is something to see");
    // What was streamed saw floats, these are halves of 11 bits.
    for (const task of ["depth", "normals"] as const) {
      const { map: stored } = await engine.spread({ cacheDir, refs: stepRefs(task), kind: "std" });
      const streamed = results.get(task)?.stdOverSteps;
      assert.ok(streamed);
      const tolerance = task === "depth" ? 1e-3 : 5e-3;
      assert.ok(largestDifference(stored.data, streamed.data) < tolerance, task);
    }
  });

  it("answers median deviation and range over steps, members and results", async () => {
    const members: MapRef[] = Array.from({ length: 3 }, (_, member) => ({ kind: "member", runKey: keyOf("depth"), member }));
    for (const refs of [stepRefs("depth"), members, stepRefs("normals"), [{ kind: "result", runKey: keyOf("depth") }, ...members] satisfies MapRef[]]) {
      const [std, mad, range] = [await engine.spread({ cacheDir, refs, kind: "std" }), await engine.spread({ cacheDir, refs, kind: "mad" }), await engine.spread({ cacheDir, refs, kind: "range" })];
      assert.deepEqual([std.map.width, std.map.height, std.map.channels], [128, 96, 1]);
      for (let p = 0; p < std.map.data.length; p++) {
        assert.ok(mad.map.data[p] >= 0 && mad.map.data[p] <= range.map.data[p] + 1e-6);
        assert.ok(std.map.data[p] <= range.map.data[p] + 1e-3);
      }
    }
    const { map: none } = await engine.spread({ cacheDir, refs: [members[0], members[0]], kind: "range" });
    assert.ok(none.data.every((value) => value === 0));
    await assert.rejects(engine.spread({ cacheDir, refs: [members[0]], kind: "std" }), { code: "bad-argument" });
    await assert.rejects(engine.spread({ cacheDir, refs: [members[0], stepRefs("normals")[0]], kind: "std" }), { code: "bad-argument", message: /depth each.*received "normals"/ });
    await assert.rejects(engine.spread({ cacheDir, refs: [members[0], { kind: "step", runKey: "0".repeat(64), step: 0 }], kind: "std" }), { code: "not-found", remedy: "Run it again." });
  });

  it("answers how the steps move, towards the last, a reference and the truth", async () => {
    for (const task of ["depth", "normals"] as const) {
      const truth = { kind: "file", path: join(heldOut, `000_${task === "depth" ? "depth" : "normal"}.png`), task } as const;
      const curves = await engine.curves({ cacheDir, refs: stepRefs(task), reference: stepRefs(task)[0], truth });
      assert.equal(curves.changeToPrevious.length, steps);
      assert.ok(Number.isNaN(curves.changeToPrevious[0]) && curves.changeToPrevious.slice(1).every((change) => change > 0));
      assert.ok(curves.distanceToLast[steps - 1] < 1e-6 && curves.distanceToLast[0] > curves.distanceToLast[steps - 2]);
      assert.ok((curves.distanceToReference ?? [1])[0] < 1e-6);
      const errors = curves.errorToTruth ?? [];
      assert.ok(errors.length === steps && errors.every((error) => error > 0 && error < (task === "depth" ? 1.5 : 120)), errors.join());
    }
  });

  it("answers values at points, channel by channel", async () => {
    const points = [{ u: 0, v: 0 }, { u: 0.5, v: 0.25 }, { u: 1, v: 1 }];
    const at = [0, (24 * 128 + 64) * 3, (96 * 128 - 1) * 3];
    const { values } = await engine.series({ cacheDir, refs: stepRefs("normals"), points });
    (await stepMaps("normals")).forEach(({ data }, k) => assert.deepEqual(values[k], at.map((i) => [...data.slice(i, i + 3)])));
    const truth = { kind: "file", path: join(folder, "truth.npy"), task: "depth" } as const;
    await writeNpy(truth.path, { dims: [1, 2], data: Float32Array.of(3, NaN) });
    assert.deepEqual((await engine.series({ cacheDir, refs: [truth], points: [points[0], points[2]] })).values, [[[3], [NaN]]]);
  });

  it("answers while a run is under way, between two of its steps", async () => {
    let answered = 0;
    const asked: Promise<unknown>[] = [];
    await engine.predict({ imagePath: join(heldOut, "000_rgb.png"), runs: [{ runId: "more", modelDir: join(checkout, "models", "plumbline-depth"), task: "depth", settings: { ...settings, steps: 30, ensembleSize: 1 } }], device: "cpu", stepMaps: false, recordSteps: false, mapSize: "processing" }, {
      onEvent: (event) => {
        if (event.type === "step" && event.step === 2) asked.push(engine.series({ cacheDir, refs: stepRefs("depth"), points: [{ u: 0.5, v: 0.5 }] }).then(() => answered++));
        if (event.type === "step" && event.step === 28) assert.equal(answered, 1);
      },
    });
    await Promise.all(asked);
    assert.equal(answered, 1);
  });

  it("lets others have a turn during a long question, and ends it when it is cancelled", async () => {
    const many = Array.from({ length: 300 }, () => stepRefs("depth")).flat();
    const order: string[] = [];
    const startedAt = performance.now();
    const long = engine.curves({ cacheDir, refs: many }).then(({ distanceToLast }) => (order.push("long"), distanceToLast));
    await engine.series({ cacheDir, refs: stepRefs("depth").slice(0, 1), points: [{ u: 0.5, v: 0.5 }] }).then(() => order.push("short"));
    assert.equal((await long).length, many.length);
    const wholeMillis = performance.now() - startedAt;
    assert.deepEqual(order, ["short", "long"]);
    const controller = new AbortController();
    const cancelled = engine.curves({ cacheDir, refs: many }, { signal: controller.signal });
    const rejected = assert.rejects(cancelled, { code: "cancelled" });
    // Answered after the long question has begun: it is under way.
    await engine.series({ cacheDir, refs: stepRefs("depth").slice(0, 1), points: [{ u: 0.5, v: 0.5 }] });
    controller.abort();
    await rejected;
    // Two that are as long as a turn each would be overtaken by what still worked on the cancelled one.
    const again = performance.now();
    for (let i = 0; i < 4; i++) await engine.curves({ cacheDir, refs: stepRefs("depth") });
    assert.ok(performance.now() - again < wholeMillis / 2, `${performance.now() - again} of ${wholeMillis} ms`);
  });

  it("reads ground truth of depth and normals", async () => {
    const { map: depth } = await engine.readMap({ kind: "file", path: join(heldOut, "000_depth.png"), task: "depth" });
    assert.equal(depth.data.length, depth.width * depth.height);
    const known = depth.data.filter(Number.isFinite);
    assert.ok(known.length > 0.3 * depth.data.length && known.every((millimetres) => millimetres > 100));
    const { map: normals } = await engine.readMap({ kind: "file", path: join(heldOut, "000_normal.png"), task: "normals" });
    for (let i = 0; i < normals.data.length; i += 3) {
      const length = Math.hypot(...normals.data.slice(i, i + 3));
      assert.ok(Number.isNaN(length) || Math.abs(length - 1) < 0.02);
    }
    const sixteen = join(folder, "sixteen.png");
    await sharp(Uint16Array.of(0, 1, 256, 65535), { raw: { width: 2, height: 2, channels: 1 } }).toColourspace("grey16").png().toFile(sixteen);
    assert.deepEqual((await engine.readMap({ kind: "file", path: sixteen, task: "depth" })).map, { width: 2, height: 2, channels: 1, data: Float32Array.of(NaN, 1, 256, 65535) });
    const array = join(folder, "normals.npy");
    await writeNpy(array, { dims: [1, 2, 3], data: Float32Array.of(0, 0, 0, 0, 0.6, 0.8) });
    assert.deepEqual([...(await engine.readMap({ kind: "file", path: array, task: "normals" })).map.data], [NaN, NaN, NaN, 0, ...Float32Array.of(0.6, 0.8)]);
  });

  it("refuses truth that is none, and names the file", async () => {
    const text = join(folder, "words.npy");
    await writeFile(text, "not an array");
    await assert.rejects(engine.readMap({ kind: "file", path: text, task: "depth" }), { code: "bad-tensor", message: /words\.npy/ });
    await assert.rejects(engine.readMap({ kind: "file", path: join(folder, "absent.npy"), task: "depth" }), { code: "not-found", message: /absent\.npy/ });
    await assert.rejects(engine.readMap({ kind: "file", path: join(folder, "truth.doc"), task: "depth" }), { code: "bad-image", message: /\.npy.*truth\.doc/ });
    await assert.rejects(engine.readMap({ kind: "file", path: join(heldOut, "000_rgb.png"), task: "depth" }), { code: "unsupported", message: /depth of one channel for .*3 channels/ });
    await assert.rejects(engine.readMap({ kind: "file", path: join(heldOut, "000_depth.png"), task: "normals" }), { code: "unsupported", message: /normals of three channels/ });
  });
});
