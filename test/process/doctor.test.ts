import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { zipSync } from "fflate";
import sharp from "sharp";
import { cudaFolder, cudaLibraries, onnxRuntimeVersion, runtimeLibrary } from "../../src/catalogue/cudaFolder";
import { diagnose, type DoctorOptions } from "../../src/doctor/diagnose";
import type { Diagnosis } from "../../src/doctor/diagnosis";
import { startEngine, type EngineClient } from "../../src/inference/client";
import { plumbline } from "./cliProcess";
import { buildInferenceChild } from "./inferenceChild";

const reference = resolve(__dirname, "..", "reference", "marigold");
const models = resolve(__dirname, "..", "..", "models");
/** A Vulkan driver that runs on the processor, part of Debian's chromium. */
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";

let folder: string;
let childPath: string;
const engines: EngineClient[] = [];
before(async function () {
  this.timeout(60_000);
  folder = await mkdtemp(join(tmpdir(), "plumbline-doctor-"));
  childPath = await buildInferenceChild("doctor");
});
after(async () => {
  for (const engine of engines) await engine.dispose();
  await rm(folder, { recursive: true });
});

function start(): EngineClient {
  const engine = startEngine({ childPath });
  engines.push(engine);
  return engine;
}

/** Runs with variables of the environment set, and puts them back. */
async function withEnvironment<T>(variables: Readonly<Record<string, string>>, use: () => Promise<T>): Promise<T> {
  const saved = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await use();
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const textOf = ({ sections }: Diagnosis): string => JSON.stringify(sections, null, 1);

describe("the self-test of the engine", function () {
  this.timeout(120_000);
  it("runs a model twice, gives the same map each time, and says what it took", async () => {
    const engine = start();
    for (const [task, channels] of [["depth", 1], ["normals", 3]] as const) {
      const { map, timingsMillis, peakBytes } = await engine.selfTest({ modelDir: reference, task, device: "cpu" });
      assert.deepEqual([map.width, map.height, map.channels], [128, 96, channels]);
      assert.ok(map.data.every(Number.isFinite));
      assert.ok(new Set(map.data).size > 100, "the picture shows");
      for (const millis of Object.values(timingsMillis)) assert.ok(millis > 0 && millis < 120_000);
      assert.ok(peakBytes > 50e6 && peakBytes < 4e9, `${peakBytes} bytes`);
      assert.deepEqual((await engine.selfTest({ modelDir: reference, task, device: "cpu" })).map, map);
    }
  });

  it("takes no other device than the one that is named", async () => {
    await assert.rejects(start().selfTest({ modelDir: reference, task: "depth", device: "cuda" }), { code: "engine-failed", message: /cuda/ });
  });

  it("names what is wrong with a model", async () => {
    await assert.rejects(start().selfTest({ modelDir: join(folder, "missing"), task: "depth", device: "cpu" }), { code: "not-found" });
    await assert.rejects(start().memory({ modelDir: join(folder, "missing"), width: 640, height: 480 }), { code: "not-found" });
  });
});

describe("the estimate of memory", function () {
  this.timeout(180_000);
  for (const [width, height] of [[384, 288], [960, 640]]) {
    it(`is near what a shipped model takes for ${width} x ${height}`, async function () {
      if (process.platform !== "linux") assert.fail("the peak of a process is read from Linux's /proc");
      const modelDir = join(models, "plumbline-e2e-depth");
      const imagePath = join(folder, `${width}.png`);
      await sharp({ create: { width, height, channels: 3, background: "#a08060" } }).png().toFile(imagePath);
      const engine = start();
      const { totalBytes, processingSize, weightBytes } = await engine.memory({ modelDir, width, height, processingResolution: 0 });
      assert.deepEqual(processingSize, { width, height });
      const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: 0 } as const;
      await engine.predict({ imagePath, runs: [{ runId: "depth", modelDir, task: "depth", settings }], device: "cpu", stepMaps: false, recordSteps: false, mapSize: "processing" });
      const status = await readFile(`/proc/${(await engine.info()).pid}/status`, "utf8");
      const peakBytes = 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]);
      assert.ok(weightBytes > 20e6 && weightBytes < 100e6, `${weightBytes} bytes of weights`);
      assert.ok(totalBytes > 0.8 * peakBytes && totalBytes < 1.6 * peakBytes, `estimated ${totalBytes / 1e6} MB, measured ${peakBytes / 1e6} MB`);
    });
  }
});

describe("the doctor", function () {
  this.timeout(300_000); // a driver on the processor spends most of it compiling shaders
  const options = (more: Partial<DoctorOptions> = {}): DoctorOptions => ({ childPath, testModels: [{ model: "depth", dir: reference, task: "depth" }, { model: "normals", dir: reference, task: "normals" }], ...more });
  const home = (name: string): Readonly<Record<string, string>> => ({ PLUMBLINE_HOME: join(folder, name) });

  it("tells what is there, tries it, and says what a model needs", async () => {
    const said: string[] = [];
    const diagnosis = await withEnvironment(home("none"), () => diagnose(options({ memoryOf: { model: "reference", dir: reference, imageSize: { width: 640, height: 480 } }, onProgress: (text) => said.push(text) })));
    assert.equal(diagnosis.engine?.devices.at(-1), "cpu");
    const cpu = diagnosis.selfTests.filter(({ device }) => device === "cpu");
    assert.deepEqual(cpu.map(({ model, failure, difference }) => [model, failure, difference]), [["depth", undefined, undefined], ["normals", undefined, undefined]]);
    assert.ok((diagnosis.memory?.estimate.totalBytes ?? 0) > 100e6);
    assert.ok(said.some((text) => text.includes("cpu")));
    assert.match(textOf(diagnosis), /CPU: works/);
    assert.match(textOf(diagnosis), /Memory for reference, an image of 640 x 480/);
    assert.deepEqual(JSON.parse(JSON.stringify(diagnosis)), diagnosis);
  });

  it("compares another device with the CPU", async () => {
    assert.ok(existsSync(softwareDriver), `${softwareDriver} is missing: apt-get install chromium libvulkan1`);
    const diagnosis = await withEnvironment({ ...home("none"), VK_ICD_FILENAMES: softwareDriver }, () => diagnose(options({ testModels: options().testModels.slice(0, 1), patienceMillis: 280_000 })));
    const test = diagnosis.selfTests.find(({ device }) => device === "webgpu");
    assert.equal(test?.failure, undefined);
    assert.ok(test?.difference && test.difference.max > 0 && test.difference.max < 1e-3, JSON.stringify(test));
    assert.match(textOf(diagnosis), /WebGPU: .*differs from the CPU by/);
  });

  it("names the library that an installed CUDA provider lacks, and goes on", async () => {
    const { runtimeFolder } = await start().info();
    const environment = home("broken");
    const dir = cudaFolder({ ...process.env, ...environment }) ?? assert.fail("Linux on x64 is needed");
    await mkdir(dir, { recursive: true });
    await copyFile(join(runtimeFolder, runtimeLibrary), join(dir, runtimeLibrary));
    for (const name of cudaLibraries) await writeFile(join(dir, name), "no library");
    const diagnosis = await withEnvironment(environment, () => diagnose(options({ testModels: options().testModels.slice(0, 1) })));
    assert.equal(diagnosis.cudaFolder, dir);
    assert.ok(diagnosis.engine?.devices.includes("cuda"));
    const cuda = diagnosis.selfTests.find(({ device }) => device === "cuda");
    assert.ok(cuda?.failure?.includes(join(dir, cudaLibraries[0])), cuda?.failure);
    assert.match(textOf(diagnosis), /CPU: works/);
  });

  it("survives an engine that does not start, and says why", async () => {
    const broken = join(folder, "broken.js");
    await writeFile(broken, 'process.stderr.write("libonnxruntime.so.1: version GLIBC_2.28 not found"); process.exit(1);');
    const diagnosis = await diagnose(options({ childPath: broken, memoryOf: { model: "reference", dir: reference, imageSize: { width: 64, height: 64 } } }));
    assert.equal(diagnosis.engine, undefined);
    assert.deepEqual(diagnosis.selfTests, []);
    const [fail] = diagnosis.sections[1].findings;
    assert.equal(fail.mark, "fail");
    assert.match(fail.text, /GLIBC_2\.28 not found/);
  });

  it("gives up on a device that takes too long", async () => {
    const diagnosis = await diagnose(options({ patienceMillis: 1 }));
    assert.equal(diagnosis.selfTests[0].failure, "no answer within 0.001 s");
  });

  it("ends when it is cancelled", async () => {
    const abort = new AbortController();
    await assert.rejects(diagnose(options({ signal: abort.signal, onProgress: (text) => text.includes("trying") && abort.abort() })), { code: "cancelled" });
  });
});

describe("plumbline doctor", function () {
  this.timeout(180_000);

  it("prints lines for people, and everything as JSON", async () => {
    const environment = { PLUMBLINE_HOME: join(folder, "none") };
    const text = await plumbline(["doctor", "--no-self-test"], undefined, environment);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /^Plumbline .*\n {2}✓ /);
    assert.match(text.stdout, /\n {2}· CPU: there, not tried\n/);
    assert.match(text.stdout, /\nMemory for plumbline-e2e-depth, an image of 1024 x 768 at /);
    const json = await plumbline(["doctor", "--no-self-test", "--json", "--image-size", "4000x3000", "--resolution", "768"], undefined, environment);
    assert.deepEqual((JSON.parse(json.stdout) as Diagnosis).memory?.estimate.processingSize, { width: 768, height: 576 });
    assert.match((await plumbline(["doctor", "--no-self-test", "--markdown"], undefined, environment)).stdout, /^# Plumbline: Doctor\n\n## /);
  });

  it("refuses what it does not understand", async () => {
    const { code, stderr } = await plumbline(["doctor", "--image-size", "large"]);
    assert.equal(code, 2);
    assert.match(stderr, /1024x768/);
  });

  describe("--install-cuda", () => {
    let server: Server;
    before(async () => {
      const nupkg = Buffer.from(zipSync(Object.fromEntries(cudaLibraries.map((name) => [`runtimes/linux-x64/native/${name}`, Buffer.from("no library")]))));
      server = createServer(({ url, headers }, response) => {
        const origin = `http://${headers.host}`;
        const json: Record<string, unknown> = {
          "/index.json": { resources: [{ "@id": `${origin}/registration/`, "@type": "RegistrationsBaseUrl/3.6.0" }] },
          [`/registration/microsoft.ml.onnxruntime.gpu.linux/${onnxRuntimeVersion}.json`]: { catalogEntry: `${origin}/entry.json`, packageContent: `${origin}/package.nupkg` },
          "/entry.json": { packageHash: createHash("sha512").update(nupkg).digest("base64"), packageHashAlgorithm: "SHA512", packageSize: nupkg.length },
        };
        if (url === "/package.nupkg") response.end(nupkg);
        else response.writeHead(url !== undefined && url in json ? 200 : 404).end(JSON.stringify(json[url ?? ""]));
      });
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    });
    after(() => new Promise((closed) => server.close(closed)));

    it("fetches the provider, which the engine then finds", async () => {
      const environment = { PLUMBLINE_HOME: join(folder, "installed"), PLUMBLINE_NUGET_FEED: `http://127.0.0.1:${(server.address() as AddressInfo).port}/index.json` };
      const { code, stdout, stderr } = await plumbline(["doctor", "--install-cuda", "--no-self-test", "--json"], undefined, environment);
      assert.equal(code, 0, stderr);
      const dir = cudaFolder({ ...process.env, ...environment }) ?? assert.fail("Linux on x64 is needed");
      assert.match(stderr, new RegExp(`The CUDA provider is in ${dir}`));
      const diagnosis = JSON.parse(stdout) as Diagnosis;
      assert.equal(diagnosis.cudaFolder, dir);
      assert.ok(diagnosis.engine?.devices.includes("cuda"));
      assert.equal(await readFile(join(dir, cudaLibraries[1]), "utf8"), "no library");
    });
  });
});
