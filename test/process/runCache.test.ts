import assert from "node:assert/strict";
import { copyFile, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { readCachedMap, readRunInfo } from "../../src/cache/runReader";
import { isCancelled } from "../../src/core/errors";
import { halfFromMap } from "../../src/core/half";
import type { RunSettings } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import { writeNpy } from "../../src/io/npy";
import type { PredictEvent, PredictParams, RunResult } from "../../src/protocol/inference";
import { folderBytes } from "../folderBytes";
import { buildInferenceChild } from "./inferenceChild";

const models = resolve(__dirname, "..", "..", "models");
const depthModel = join(models, "plumbline-depth");
const settings: RunSettings = { steps: 3, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 7, processingResolution: 96 };

type EventOf<T extends PredictEvent["type"]> = Extract<PredictEvent, { type: T }>;

interface Outcome {
  readonly planned: readonly EventOf<"planned">[];
  readonly steps: readonly EventOf<"step">[];
  readonly results: readonly RunResult[];
  readonly events: readonly PredictEvent[];
}

describe("runs in the cache", function () {
  this.timeout(60_000);
  let childPath: string;
  let folder: string;
  let photo: string;
  let dir: string;
  let engine: EngineClient;
  const engines: EngineClient[] = [];

  before(async () => {
    childPath = await buildInferenceChild("runCache");
    folder = await mkdtemp(join(tmpdir(), "plumbline-cache-"));
    photo = await writeImage("photo.png", 3);
    engine = start();
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(folder, "runs-"));
  });
  after(async () => {
    await Promise.all(engines.map((each) => each.dispose()));
    await rm(folder, { recursive: true });
  });

  function start(): EngineClient {
    const started = startEngine({ childPath });
    engines.push(started);
    return started;
  }
  async function writeImage(name: string, seed: number): Promise<string> {
    const path = join(folder, name);
    const pixels = Uint8Array.from({ length: 96 * 64 * 3 }, (_, i) => 128 + 100 * Math.sin(i * 0.01 * seed));
    await sharp(pixels, { raw: { width: 96, height: 64, channels: 3 } }).png().toFile(path);
    return path;
  }
  function paramsFor(changes: Partial<RunSettings> = {}, rest: Partial<PredictParams> = {}): PredictParams {
    const runs = [{ runId: "row", modelDir: depthModel, task: "depth", settings: { ...settings, ...changes } } as const];
    return { imagePath: photo, runs, device: "cpu", stepMaps: true, recordSteps: false, mapSize: "processing", cache: { dir, maxBytes: 1e9 }, ...rest };
  }
  async function run(params: PredictParams, on: EngineClient = engine): Promise<Outcome> {
    const events: PredictEvent[] = [];
    await on.predict(params, { onEvent: (event) => events.push(event) });
    const only = <T extends PredictEvent["type"]>(type: T): EventOf<T>[] => events.filter((event): event is EventOf<T> => event.type === type);
    return { planned: only("planned"), steps: only("step"), results: only("result").map(({ result }) => result), events };
  }
  const keyOf = ({ planned }: Outcome): string => planned[0].runKey ?? assert.fail("no key");

  it("answers the second request from the cache, equal in every float", async () => {
    const first = await run(paramsFor({ ensembleSize: 2 }));
    const second = await run(paramsFor({ ensembleSize: 2 }));
    assert.deepEqual([first.planned, second.planned].map(([{ cached, runKey }]) => ({ cached, runKey })), [{ cached: false, runKey: keyOf(first) }, { cached: true, runKey: keyOf(first) }]);
    assert.deepEqual(second.results, first.results);
    assert.deepEqual(second.planned[0].steps, first.planned[0].steps);
    assert.deepEqual(second.steps.map(({ thumbnail }) => thumbnail), first.steps.filter(({ member }) => member === 0).map(({ thumbnail }) => thumbnail));
    assert.ok(first.steps.slice(0, 3).every(({ map }) => map) && second.steps.every(({ map, stdSoFar }) => !map && !stdSoFar));
    assert.equal(second.results[0].runKey, keyOf(first));
    assert.deepEqual(await readdir(dir), [keyOf(first)]);
    const fractions = second.events.flatMap((event) => (event.type === "progress" ? [event.fraction] : []));
    assert.equal(fractions.at(-1), 1);
  });

  it("plans every run first, also without a cache", async () => {
    const { planned, events } = await run(paramsFor({ spacing: "leading", steps: 1 }, { cache: undefined }));
    const own = events.filter((event) => event.type !== "image" && event.type !== "device");
    assert.equal(own[0].type, "planned");
    assert.deepEqual([planned[0].runKey, planned[0].cached, planned[0].steps.map(({ timestep, inputNoise }) => [timestep, inputNoise])], [undefined, false, [[1, 1]]]);
    assert.ok((planned[0].steps[0].toldNoise ?? 1) < 0.05);
    assert.deepEqual(await readdir(dir), []);
  });

  it("holds every step, each member's last map and the result where the host finds them", async () => {
    const computed = await run(paramsFor({ ensembleSize: 2 }));
    const runKey = keyOf(computed);
    for (const { step, member, map } of computed.steps) if (member === 0) assert.deepEqual(await readCachedMap(dir, { kind: "step", runKey, step }), map);
    assert.deepEqual(await readCachedMap(dir, { kind: "result", runKey }), computed.results[0].map);
    assert.deepEqual(await readCachedMap(dir, { kind: "member", runKey, member: 0 }), computed.steps[2].map);
    const alone = await run(paramsFor({ ensembleSize: 1 }));
    assert.deepEqual(await readCachedMap(dir, { kind: "member", runKey: keyOf(alone), member: 0 }), halfFromMap(alone.results[0].map));
    assert.notDeepEqual(await readCachedMap(dir, { kind: "member", runKey, member: 1 }), computed.steps[2].map);
    assert.equal((await readRunInfo(dir, runKey)).steps.length, 3);
    await assert.rejects(readCachedMap(dir, { kind: "step", runKey, step: 3 }), { code: "bad-argument", message: /from 0 to 2.*received 3/ });
    await assert.rejects(readCachedMap(dir, { kind: "step", runKey: "../../etc", step: 0 }), { code: "bad-argument" });
    await assert.rejects(readCachedMap(dir, { kind: "result", runKey: "0".repeat(64) }), { code: "not-found", remedy: "Run it again." });
  });

  it("lets a run be read while it is under way", async () => {
    let key = "";
    let seen: Promise<unknown> | undefined;
    await engine.predict(paramsFor({ steps: 6 }), {
      onEvent: (event) => {
        if (event.type === "step" && event.step === 2) seen = Promise.all([readdir(dir), readRunInfo(dir, key), readCachedMap(dir, { kind: "step", runKey: key, step: 2 }).then((map) => assert.deepEqual(map, event.map))]);
        if (event.type === "planned") key = event.runKey ?? "";
      },
    });
    assert.ok(await seen);
    assert.ok((await readRunInfo(dir, key)).finished);
  });
  it("finds a run after a restart, wherever the same image lies by then", async () => {
    const first = await run(paramsFor());
    const moved = join(folder, "moved.png");
    await copyFile(photo, moved);
    const { planned, results } = await run(paramsFor({}, { imagePath: moved }), start());
    assert.equal(planned[0].cached, true);
    const { provenance } = results[0];
    assert.deepEqual(provenance, { ...first.results[0].provenance, image: { ...first.results[0].provenance.image, path: moved } });
    assert.deepEqual(results[0].map, first.results[0].map);
  });

  it("computes anew what differs in image, seed, task, model or noise file", async () => {
    const noise = { kind: "file", path: join(folder, "noise.npy") } as const;
    const writeNoise = (value: number): Promise<void> => writeNpy(noise.path, { dims: [1, 4, 16, 24], data: Float32Array.from({ length: 4 * 16 * 24 }, (_, i) => Math.sin(i + value)) });
    const imagePath = await writeImage("changing.png", 3);
    await writeNoise(1);
    const first = await run(paramsFor({ noise }, { imagePath }));
    assert.equal((await run(paramsFor({ noise }, { imagePath }))).planned[0].cached, true);
    await writeNoise(2);
    const otherNoise = await run(paramsFor({ noise }, { imagePath }));
    await writeImage("changing.png", 4);
    const otherImage = await run(paramsFor({ noise }, { imagePath }));
    const otherSeed = await run(paramsFor({ noise, seed: 8 }, { imagePath }));
    const asNormals = [{ runId: "row", modelDir: join(models, "plumbline-normals"), task: "normals", settings } as const];
    const otherModel = await run(paramsFor({}, { runs: asNormals }));
    const all = [first, otherNoise, otherImage, otherSeed, otherModel];
    assert.ok(all.every(({ planned }) => !planned[0].cached));
    assert.equal(new Set(all.map(keyOf)).size, all.length);
    assert.notDeepEqual(otherNoise.results[0].map, first.results[0].map);
    assert.notDeepEqual(otherImage.results[0].map, otherNoise.results[0].map);
  });

  it("gives a run from the cache at the size and with the maps that are asked for", async () => {
    const ask = { mapSize: "source", stepMaps: false, stdOverSteps: false } as const;
    const imagePath = join(folder, "wide.png");
    await sharp(photo).resize(200, 120).png().toFile(imagePath);
    const first = await run(paramsFor({ ensembleSize: 2 }, { ...ask, imagePath }));
    const second = await run(paramsFor({ ensembleSize: 2 }, { ...ask, imagePath }));
    const [{ map, stdOverSteps, stdOverMembers }] = second.results;
    assert.deepEqual([map.width, map.height, stdOverSteps, stdOverMembers?.width], [200, 120, undefined, 200]);
    assert.deepEqual(second.results, first.results);
    assert.deepEqual([second.planned[0].cached, first.steps.some(({ map: stepMap }) => stepMap)], [true, false]);
    const { results: [all] } = await run(paramsFor({ ensembleSize: 2 }, { imagePath }));
    assert.deepEqual([all.map.width, all.stdOverSteps?.width], [96, 96]);
  });

  it("performs one of two equal runs of a request", async () => {
    const row = (runId: string) => ({ runId, modelDir: depthModel, task: "depth", settings }) as const;
    const { planned, results } = await run(paramsFor({}, { runs: [row("a"), row("b")] }));
    assert.deepEqual(planned.map(({ runId, cached }) => ({ runId, cached })), [{ runId: "a", cached: false }, { runId: "b", cached: true }]);
    assert.deepEqual(results[1], { ...results[0], runId: "b" });
  });

  it("finds after a restart what was computed on whichever device there was", async () => {
    const first = await run(paramsFor({}, { device: "auto" }), start());
    const second = await run(paramsFor({}, { device: "auto" }), start());
    assert.deepEqual(second.planned.map(({ cached, runKey }) => ({ cached, runKey })), [{ cached: true, runKey: first.planned.at(-1)?.runKey }]);
    assert.deepEqual(second.results, first.results);
    const devices = ({ events }: Outcome): readonly PredictEvent[] => events.filter(({ type }) => type === "device");
    assert.deepEqual(devices(second), devices(first));
  });

  it("counts cached runs as done", async () => {
    const row = (runId: string, seed: number) => ({ runId, modelDir: depthModel, task: "depth", settings: { ...settings, seed } }) as const;
    await run(paramsFor({}, { runs: [row("a", 1), row("b", 2)] }));
    const { events, planned } = await run(paramsFor({}, { runs: [row("a", 1), row("b", 2), row("c", 3)] }));
    assert.deepEqual(planned.map(({ cached }) => cached), [true, true, false]);
    const progress = events.flatMap((event) => (event.type === "progress" ? [event] : []));
    assert.ok((progress.find(({ runId }) => runId === "c")?.fraction ?? 0) >= 2 / 3 - 1e-9);
    assert.deepEqual(progress.map(({ fraction }) => fraction), progress.map(({ fraction }) => fraction).sort((a, b) => a - b));
    assert.equal(progress.at(-1)?.fraction, 1);
  });

  it("encodes an image once for all requests, as long as it is one of the last four", async () => {
    const cold = start();
    // Large enough that a pause of the process is short beside encoding.
    const large = { steps: 1, processingResolution: 384 } as const;
    const first = await run(paramsFor(large, { cache: undefined }), cold);
    const later = await run(paramsFor({ ...large, seed: 1 }, { cache: undefined }), cold);
    const millis = ({ results }: Outcome): number => results[0].provenance.timingsMillis.encode;
    assert.ok(millis(later) < millis(first) / 20, `${millis(later)} ms after ${millis(first)} ms`);
    for (const other of [11, 12, 13, 14]) await run(paramsFor({ steps: 1 }, { cache: undefined, imagePath: await writeImage(`other${other}.png`, other) }), cold);
    const again = await run(paramsFor(large, { cache: undefined }), cold);
    assert.ok(millis(again) > 5 * millis(later), `${millis(again)} ms after ${millis(later)} ms`);
    assert.deepEqual(again.results[0].map, first.results[0].map);
  });

  for (const [what, damage] of [
    ["truncated", (path: string) => truncate(path, 100)],
    ["missing", (path: string) => rm(path)],
  ] as const) {
    it(`runs again where a file of the cache is ${what}, says so, and heals it`, async () => {
      const first = await run(paramsFor());
      await damage(join(dir, keyOf(first), "steps.f16"));
      const second = await run(paramsFor());
      assert.equal(second.planned[0].cached, false);
      assert.match((second.results[0].provenance.notes ?? []).join(), /damaged, so that it was run again: .*steps\.f16/);
      assert.deepEqual(second.results[0].map, first.results[0].map);
      const third = await run(paramsFor());
      assert.deepEqual([third.planned[0].cached, third.results[0].provenance.notes], [true, first.results[0].provenance.notes]);
    });
  }

  it("keeps to its size, but keeps all that the request needs", async () => {
    const { planned: [{ runKey: first }] } = await run(paramsFor());
    const one = await folderBytes(dir);
    const { planned: [{ runKey: second }] } = await run(paramsFor({ seed: 1 }, { cache: { dir, maxBytes: 1.5 * one } }));
    assert.deepEqual(await readdir(dir), [second]);
    const row = (runId: string, seed: number) => ({ runId, modelDir: depthModel, task: "depth", settings: { ...settings, seed } }) as const;
    await run(paramsFor({}, { runs: [row("a", 1), row("b", 2)], cache: { dir, maxBytes: 1 } }));
    assert.equal((await readdir(dir)).length, 2);
    assert.notEqual(first, second);
  });

  it("shares one folder between two processes that do the same at once", async () => {
    const [one, two] = await Promise.all([run(paramsFor({ steps: 5 }), start()), run(paramsFor({ steps: 5 }), start())]);
    assert.equal(keyOf(one), keyOf(two));
    assert.deepEqual(one.results[0].map, two.results[0].map);
    assert.deepEqual(await readdir(dir), [keyOf(one)]);
    assert.equal((await run(paramsFor({ steps: 5 }))).planned[0].cached, true);
  });

  it("leaves nothing of a cancelled run", async () => {
    const controller = new AbortController();
    let written: Promise<readonly string[]> | undefined;
    const onEvent = (event: PredictEvent): void => {
      if (event.type !== "step" || event.step !== 2) return;
      written = readdir(dir);
      controller.abort();
    };
    await assert.rejects(engine.predict(paramsFor({ steps: 100 }), { signal: controller.signal, onEvent }), isCancelled);
    await run(paramsFor({ steps: 1 }, { cache: undefined })); // waits for the end of the cancelled one
    assert.equal((await written)?.length, 1);
    assert.deepEqual(await readdir(dir), []);
  });

  it("reads nothing of what a killed process left, and removes it", async () => {
    const doomed = start();
    const { pid } = await doomed.info();
    let runKey = "";
    const onEvent = (event: PredictEvent): void => {
      if (event.type === "planned") runKey = event.runKey ?? "";
      if (event.type === "step" && event.step === 2) process.kill(pid, "SIGKILL");
    };
    await assert.rejects(doomed.predict(paramsFor({ steps: 100 }), { onEvent }), { code: "engine-died" });
    assert.deepEqual(await readdir(dir), [`${runKey}.${pid}.part`]);
    const { planned } = await run(paramsFor({ steps: 1 }));
    assert.deepEqual([planned[0].cached, await readdir(dir)], [false, [planned[0].runKey]]);
  });

  it("runs without a cache that cannot be written, and says so", async () => {
    const blocked = join(folder, "blocked");
    await writeFile(blocked, "a file where the folder should be");
    const { results, planned } = await run(paramsFor({}, { cache: { dir: blocked, maxBytes: 1e9 } }));
    assert.equal(planned[0].cached, false);
    assert.equal(results[0].runKey, undefined);
    assert.match((results[0].provenance.notes ?? []).join(), /could not be kept in the cache: .*blocked/);
  });

  it("does not hand out a cached run where raw tensors are asked for", async () => {
    await run(paramsFor());
    const { recorded } = await engine.predict(paramsFor({}, { recordSteps: true }));
    assert.equal(recorded.row.length, 6);
  });
});
