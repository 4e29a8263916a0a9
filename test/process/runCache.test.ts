import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { readCachedMap, readRunInfo } from "../../src/cache/runReader";
import { halfFromMap } from "../../src/core/half";
import type { RunSettings } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import type { PredictEvent, PredictParams, RunResult } from "../../src/protocol/inference";
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
    assert.ok(planned[0].steps[0].toldNoise < 0.05);
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
});
