import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { isCancelled, PlumblineError } from "../../src/core/errors";
import { halfFromMap } from "../../src/core/half";
import type { RunSettings } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import { openSafetensors, readTensor, writeSafetensors } from "../../src/io/safetensors";
import { protocolVersion, type InferenceApi, type PredictEvent, type PredictParams, type RecordedTensor, type RunResult } from "../../src/protocol/inference";
import { ipcChannel } from "../../src/protocol/ipcChannel";
import { connect } from "../../src/protocol/rpc";
import { buildInferenceChild } from "./inferenceChild";

const modelDir = resolve(__dirname, "..", "reference", "marigold");
const settings: RunSettings = { steps: 2, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 7, processingResolution: 64 };

type EventOf<T extends PredictEvent["type"]> = Extract<PredictEvent, { type: T }>;
function eventsOf<T extends PredictEvent["type"]>(events: readonly PredictEvent[], type: T): EventOf<T>[] {
  return events.filter((event): event is EventOf<T> => event.type === type);
}

describe("engine: the child process and its client", function () {
  this.timeout(60_000);
  let childPath: string;
  let folder: string;
  let photo: string;
  let engine: EngineClient;
  const engines: EngineClient[] = [];

  before(async () => {
    childPath = await buildInferenceChild("engine");
    folder = await mkdtemp(join(tmpdir(), "plumbline-engine-"));
    photo = await writeImage("photo.png", 96, 64, (i) => (i * 7919) % 256);
    engine = start();
  });
  after(async () => {
    await Promise.all(engines.map((each) => each.dispose()));
    await rm(folder, { recursive: true });
  });

  function start(options: { childPath?: string; idleMillis?: number } = {}): EngineClient {
    const started = startEngine({ childPath, ...options });
    engines.push(started);
    return started;
  }
  async function writeImage(name: string, width: number, height: number, value: (i: number) => number): Promise<string> {
    const path = join(folder, name);
    await sharp(Uint8Array.from({ length: width * height * 3 }, (_, i) => value(i)), { raw: { width, height, channels: 3 } }).png().toFile(path);
    return path;
  }
  function paramsFor(changes: Partial<RunSettings> = {}, rest: Partial<PredictParams> = {}): PredictParams {
    const runs = [{ runId: "depth", modelDir, task: "depth", settings: { ...settings, ...changes } } as const];
    return { imagePath: photo, runs, device: "cpu", stepMaps: false, recordSteps: false, mapSize: "source", ...rest };
  }
  /** Runs to the end and returns what was reported and recorded. */
  async function run(params: PredictParams, on: EngineClient = engine): Promise<{ events: PredictEvent[]; results: RunResult[]; recorded: Readonly<Record<string, readonly RecordedTensor[]>> }> {
    const events: PredictEvent[] = [];
    const { recorded } = await on.predict(params, { onEvent: (event) => events.push(event) });
    return { events, results: eventsOf(events, "result").map(({ result }) => result), recorded };
  }

  it("shakes hands and tells what it is", async () => {
    const info = await engine.info();
    assert.equal(info.protocolVersion, protocolVersion);
    assert.notEqual(info.pid, process.pid);
    assert.equal(info.devices.at(-1), "cpu");
    assert.match(info.versions.onnxruntime, /^\d+\.\d+/);
  });

  it("reports image, device, progress, steps and results in this order, for both tasks", async () => {
    const both = (["depth", "normals"] as const).map((task) => ({ runId: task, modelDir, task, settings: { ...settings, steps: 3 } }));
    const { events, results } = await run(paramsFor({}, { runs: both, stepMaps: true }));
    assert.equal(events[0].type, "image");
    const [{ image }] = eventsOf(events, "image");
    assert.deepEqual([image.width, image.height, image.rgb.length], [96, 64, 96 * 64 * 3]);
    assert.equal(image.rgb[1], 7919 % 256);
    assert.deepEqual(eventsOf(events, "device"), [{ type: "device", device: "cpu" }]);
    assert.deepEqual(eventsOf(events, "step").map(({ runId, member, step, timestep }) => `${runId} ${member} ${step} ${timestep}`), ["depth 0 0 999", "depth 0 1 666", "depth 0 2 332", "normals 0 0 999", "normals 0 1 666", "normals 0 2 332"]);
    const fractions = eventsOf(events, "progress").map(({ fraction }) => fraction);
    assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
    assert.equal(fractions.at(-1), 1);
    assert.ok(eventsOf(events, "progress").some(({ remainingMillis }) => (remainingMillis ?? 0) > 0));
    assert.deepEqual(results.map(({ runId }) => runId), ["depth", "normals"]);
    assert.equal(events.at(-1)?.type, "result");
  });

  it("sends step maps at processing size, results at the source's or processing size", async () => {
    const { events, results: [atSource] } = await run(paramsFor({}, { stepMaps: true }));
    const steps = eventsOf(events, "step");
    assert.deepEqual(steps.map(({ map }) => `${map?.width} x ${map?.height} x ${map?.channels}`), ["64 x 40 x 1", "64 x 40 x 1"]);
    assert.deepEqual(steps.map(({ stdSoFar }) => stdSoFar?.data.length), [undefined, 64 * 40]);
    assert.deepEqual([atSource.map.width, atSource.map.height, atSource.stdOverSteps?.width], [96, 64, 96]);
    const { results: [atProcessing] } = await run(paramsFor({}, { mapSize: "processing", stdOverSteps: false }));
    assert.deepEqual([atProcessing.map.width, atProcessing.map.height, atProcessing.stdOverSteps], [64, 40, undefined]);
    assert.deepEqual(halfFromMap(atProcessing.map), steps[1].map, "the same seed gives the same map");
  });

  it("states where a result comes from", async () => {
    const { results: [{ provenance }] } = await run(paramsFor({ ensembleSize: 2, steps: 1 }));
    assert.deepEqual(provenance.settings, { ...settings, ensembleSize: 2, steps: 1 });
    assert.deepEqual(provenance.semantics, { task: "depth", depthKind: "affine-depth" });
    assert.deepEqual([provenance.timesteps, provenance.device, provenance.model.id], [[999], "cpu", "marigold"]);
    assert.deepEqual(provenance.processingSize, { width: 64, height: 42 });
    assert.deepEqual(Object.keys(provenance.model.files).filter((file) => file.endsWith(".safetensors")).sort(), ["text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"]);
    for (const hash of [provenance.image.sha256, ...Object.values(provenance.model.files)]) assert.match(hash, /^[0-9a-f]{64}$/);
    assert.ok(provenance.timingsMillis.total >= provenance.timingsMillis.denoise + provenance.timingsMillis.decode);
  });

  it("returns the recorded steps of a reference case, noise read from a file", async () => {
    const io = await openSafetensors(join(modelDir, "io.safetensors"));
    const pixels = await readTensor(io, "image");
    const imagePath = await writeImage("reference.png", pixels.dims[1], pixels.dims[0], (i) => pixels.data[i]);
    const path = join(folder, "noise.safetensors");
    await writeSafetensors(path, { init_noise: await readTensor(io, "depth-trailing-4.init_noise") });
    const { recorded } = await run(paramsFor({ steps: 4, noise: { kind: "file", path }, processingResolution: 0 }, { imagePath, recordSteps: true }));
    const tensors = new Map(recorded.depth.map((tensor) => [tensor.name, tensor]));
    assert.deepEqual([...tensors.keys()], ["init_noise", "model_output", "prev_sample", "pred_original_sample", "depth_per_step", "timesteps"]);
    assert.deepEqual(tensors.get("timesteps")?.data, BigInt64Array.of(999n, 749n, 499n, 249n));
    for (const name of ["init_noise", "model_output", "prev_sample", "pred_original_sample", "depth_per_step"]) {
      const expected = await readTensor(io, `depth-trailing-4.${name}`);
      const { dims, data } = tensors.get(name) as { dims: readonly number[]; data: Float32Array };
      assert.deepEqual(dims, expected.dims, name);
      const largest = expected.data.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i])), 0);
      assert.ok(largest < 1e-4, `${name}: ${largest}`);
    }
  });

  it("runs one component on given tensors", async () => {
    const io = await openSafetensors(join(modelDir, "io.safetensors"));
    const ids = { dims: [1, 2], data: BigInt64Array.of(532n, 533n) };
    const { outputs } = await engine.component({ dir: join(modelDir, "text_encoder"), inputs: { input_ids: ids }, device: "cpu" });
    const expected = await readTensor(io, "empty_text_embed");
    assert.deepEqual(outputs.last_hidden_state.dims, expected.dims);
    assert.ok(expected.data.every((value, i) => Math.abs(value - outputs.last_hidden_state.data[i]) < 2e-5));
  });

  it("falls back to the CPU where a device is not there, and says so", async () => {
    const device = process.platform === "win32" ? "coreml" : "dml";
    const { events, results: [{ provenance }] } = await run(paramsFor({}, { device }));
    const [reported] = eventsOf(events, "device");
    assert.equal(reported.device, "cpu");
    assert.match(reported.note ?? "", new RegExp(`${device} could not be used`));
    assert.deepEqual([provenance.device, provenance.deviceNote], ["cpu", reported.note]);
  });

  it("cancels within one step: rejects at once, and the next request does not wait for the rest", async () => {
    const controller = new AbortController();
    const stepTimes: number[] = [];
    const many = engine.predict(paramsFor({ steps: 500, processingResolution: 256 }), {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "step" && stepTimes.push(performance.now()) === 4) controller.abort();
      },
    });
    await assert.rejects(many, isCancelled);
    const cancelled = performance.now();
    const stepMillis = (stepTimes[3] - stepTimes[0]) / 3;
    await run(paramsFor({ steps: 1 }));
    const waited = performance.now() - cancelled;
    assert.equal(stepTimes.length, 4, "no event arrives after the cancellation");
    assert.ok(waited < 20 * stepMillis + 1000, `waited ${waited} ms where a step takes ${stepMillis} ms and 496 were left`);
  });

  it("cancels a request that is still in the queue without running it", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const first = run(paramsFor({ steps: 4 }));
    const second = engine.predict(paramsFor(), { signal: controller.signal, onEvent: ({ type }) => seen.push(type) });
    const third = run(paramsFor({ steps: 1 }));
    controller.abort();
    await assert.rejects(second, isCancelled);
    assert.equal((await first).results.length, 1);
    assert.equal((await third).results.length, 1);
    assert.deepEqual(seen, []);
  });

  it("rejects what was pending when the child is killed, and starts a new one", async () => {
    const { pid } = await engine.info();
    const steps = engine.predict(paramsFor({ steps: 500, processingResolution: 256 }), { onEvent: (event) => void (event.type === "step" && event.step === 1 && process.kill(pid, "SIGKILL")) });
    const queued = engine.predict(paramsFor());
    await assert.rejects(steps, { code: "engine-died", message: /SIGKILL/ });
    await assert.rejects(queued, { code: "engine-died" });
    assert.equal((await run(paramsFor())).results.length, 1);
    assert.notEqual((await engine.info()).pid, pid);
  });

  it("repeats what a crashing child wrote to stderr", async () => {
    const script = join(folder, "crash.js");
    await writeFile(script, `console.error("out of memory in layer 7"); process.exitCode = 3; process.disconnect();`);
    await assert.rejects(start({ childPath: script }).info(), { code: "engine-died", message: /exit code 3[^]*layer 7/ });
    await assert.rejects(start({ childPath: join(folder, "absent.js") }).info(), { code: "engine-died", message: /Cannot find module/ });
  });

  it("refuses another protocol version, on either side", async () => {
    const child = fork(childPath, [], { serialization: "advanced", execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    try {
      const channel = ipcChannel({ send: (message, callback) => child.send(message as object, callback), onMessage: (listener) => void child.on("message", listener), onClose: () => undefined, close: () => undefined });
      await assert.rejects(connect<InferenceApi>(channel).call("hello", { protocolVersion: protocolVersion + 1 }), { code: "protocol-mismatch" });
    } finally {
      child.kill();
    }
    const script = join(folder, "other.js");
    await writeFile(script, `process.on("message", ({ body }) => body && process.send({ kind: "message", body: { type: "ok", id: body.id, result: { protocolVersion: 999 } } }));`);
    await assert.rejects(start({ childPath: script }).predict(paramsFor()), { code: "protocol-mismatch", message: /received 999/ });
  });

  const faults: [string, () => Partial<PredictParams>, { code: string; message: RegExp }][] = [
    ["a missing image", () => ({ imagePath: join(folder, "absent.png") }), { code: "bad-image", message: /absent\.png/ }],
    ["a missing model", () => ({ runs: [{ ...paramsFor().runs[0], modelDir: join(folder, "absent") }] }), { code: "not-found", message: /absent/ }],
    ["no run", () => ({ runs: [] }), { code: "bad-argument", message: /runs/ }],
    ["no step", () => ({ runs: paramsFor({ steps: 0 }).runs }), { code: "bad-argument", message: /steps/ }],
    ["a missing noise file", () => ({ runs: paramsFor({ noise: { kind: "file", path: join(folder, "absent.npy") } }).runs }), { code: "not-found", message: /absent\.npy/ }],
  ];
  for (const [what, change, expected] of faults) {
    it(`answers ${what} with an error, and goes on`, async () => {
      await assert.rejects(engine.predict(paramsFor({}, change())), (error: unknown) => {
        assert.ok(error instanceof PlumblineError);
        assert.equal(error.code, expected.code);
        assert.match(error.message, expected.message);
        return true;
      });
      assert.equal((await run(paramsFor())).results.length, 1);
    });
  }

  it("refuses noise of another shape than the latent", async () => {
    const path = join(folder, "small.safetensors");
    await writeSafetensors(path, { noise: { dims: [1, 4, 2, 2], data: new Float32Array(16) } });
    await assert.rejects(engine.predict(paramsFor({ noise: { kind: "file", path } })), { code: "bad-argument", message: /small\.safetensors.*\[1, 4, 2, 2\]|\[1, 4, 5, 8\].*small/ });
  });

  it("never holds the host's event loop for 50 ms", async () => {
    const large = await writeImage("large.png", 1536, 1024, (i) => (i * 31) % 256);
    const runs = [{ runId: "normals", modelDir, task: "normals", settings: { ...settings, processingResolution: 768 } } as const];
    const own = start();
    await own.info();
    const delay = watchEventLoop();
    const { results } = await run(paramsFor({}, { imagePath: large, runs, stepMaps: true, recordSteps: true }), own);
    const { turns, longestMillis } = delay.stop();
    assert.equal(results[0].map.data.length, 1536 * 1024 * 3);
    assert.ok(turns > 20, `${turns} turns of the event loop were watched`);
    assert.ok(longestMillis < 50, `${longestMillis.toFixed(1)} ms`);
  });

  it("stops an idle child, and starts another for the next request", async () => {
    const own = start({ idleMillis: 50 });
    const { pid } = await own.info();
    for (let i = 0; i < 100 && isAlive(pid); i++) await new Promise((done) => setTimeout(done, 50));
    assert.equal(isAlive(pid), false);
    assert.notEqual((await own.info()).pid, pid);
  });

  it("rejects pending and later requests when it is disposed of", async () => {
    const own = start();
    const { pid } = await own.info();
    const pending = own.predict(paramsFor({ steps: 500, processingResolution: 256 }));
    const rejected = assert.rejects(pending, { code: "engine-died", message: /stopped/ });
    await own.dispose();
    await rejected;
    assert.equal(isAlive(pid), false);
    await assert.rejects(own.info(), { code: "engine-died" });
  });
});

/**
 * Watches the turns of the event loop from now on. A turn counts for the time that this process kept the loop to itself:
 * its wall time, or the processor time that was used in it where that is less, because a process that is kept from
 * running by others (all cores busy) blocks nothing itself.
 */
function watchEventLoop(): { stop(): { turns: number; longestMillis: number } } {
  let [turns, longestMillis] = [0, 0];
  let start = performance.now();
  let processor = process.cpuUsage();
  const timer = setInterval(() => {
    const now = performance.now();
    const used = process.cpuUsage(processor);
    longestMillis = Math.max(longestMillis, Math.min(now - start, (used.user + used.system) / 1000));
    turns++;
    start = now;
    processor = process.cpuUsage();
  }, 2);
  return {
    stop: () => {
      clearInterval(timer);
      return { turns, longestMillis };
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
