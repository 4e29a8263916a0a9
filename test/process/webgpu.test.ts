import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import type { Device } from "../../src/core/settings";
import { startEngine, type EngineClient } from "../../src/inference/client";
import type { RunResult } from "../../src/protocol/inference";
import { buildInferenceChild } from "./inferenceChild";

const modelDir = resolve(__dirname, "..", "reference", "marigold");
/** A Vulkan driver that runs on the processor, part of Debian's chromium. A GPU's own driver is used where it is missing. */
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";

describe("WebGPU against the CPU", function () {
  this.timeout(300_000); // a driver on the processor spends most of it compiling shaders
  let folder: string;
  let engine: EngineClient;
  before(async () => {
    const childPath = await buildInferenceChild("webgpu");
    folder = await mkdtemp(join(tmpdir(), "plumbline-webgpu-"));
    await sharp(Uint8Array.from({ length: 40 * 32 * 3 }, (_, i) => (i * 7919) % 256), { raw: { width: 40, height: 32, channels: 3 } }).png().toFile(join(folder, "photo.png"));
    const saved = process.env.VK_ICD_FILENAMES;
    if (existsSync(softwareDriver)) process.env.VK_ICD_FILENAMES = softwareDriver;
    engine = startEngine({ childPath });
    await engine.info();
    if (saved === undefined) delete process.env.VK_ICD_FILENAMES;
    else process.env.VK_ICD_FILENAMES = saved;
  });
  after(async () => {
    await engine.dispose();
    await rm(folder, { recursive: true });
  });

  async function run(device: Device): Promise<RunResult[]> {
    const results: RunResult[] = [];
    const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 3, processingResolution: 0 } as const;
    const runs = (["depth", "normals"] as const).map((task) => ({ runId: task, modelDir, task, settings }));
    await engine.predict({ imagePath: join(folder, "photo.png"), runs, device, stepMaps: false, recordSteps: false, mapSize: "processing" }, {
      onEvent: (event) => {
        if (event.type === "result") results.push(event.result);
      },
    });
    return results;
  }

  it("gives the same depth and normals within the tolerance of float32 in another order", async () => {
    const [cpuDepth, cpuNormals] = await run("cpu");
    const [depth, normals] = await run("webgpu");
    for (const { provenance } of [depth, normals]) assert.deepEqual([provenance.device, provenance.deviceNote], ["webgpu", undefined]);
    const largest = depth.map.data.reduce((most, value, i) => Math.max(most, Math.abs(value - cpuDepth.map.data[i])), 0);
    assert.ok(largest < 1e-4, `depth differs by ${largest}`);
    let squares = 0;
    normals.map.data.forEach((value, i) => (squares += (value - cpuNormals.map.data[i]) ** 2));
    const rms = Math.sqrt(squares / normals.map.data.length);
    assert.ok(rms < 1e-4, `normals differ by ${rms}`);
  });
});
