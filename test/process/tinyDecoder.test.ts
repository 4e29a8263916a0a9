import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describeModel } from "../../src/catalogue/modelFolder";
import { describeTinyDecoder } from "../../src/catalogue/tinyDecoder";
import type { FloatMap } from "../../src/core/image";
import { angleBetween } from "../../src/core/normals";
import type { Task } from "../../src/core/semantics";
import type { RunSettings } from "../../src/core/settings";
import { FileHashes } from "../../src/inference/fileHash";
import { startEngine } from "../../src/inference/client";
import { describeRun } from "../../src/inference/modelLoader";
import { plannedWork } from "../../src/pipeline/predict";
import type { RunResult } from "../../src/protocol/inference";
import { buildInferenceChild } from "./inferenceChild";
import { runComponent } from "./networkReference";
import { distance, referenceDir, useReference } from "./pipelineReference";

const tiny = referenceDir("taesd");
const settings: RunSettings = { steps: 3, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 4, processingResolution: 0 };
const tinySettings: RunSettings = { ...settings, decoder: "tiny" };

/** Mean absolute difference of depth, mean angle of normals in degrees. */
function meanDistance(a: FloatMap, b: FloatMap, task: Task): number {
  const count = a.width * a.height;
  let sum = 0;
  for (let p = 0; p < count; p++) sum += task === "depth" ? Math.abs(a.data[p] - b.data[p]) : (angleBetween(a.data, 3 * p, b.data, 3 * p) * 180) / Math.PI;
  return sum / count;
}

for (const [family, tasks] of [["marigold", ["depth", "normals"]], ["geowizard", ["depth", "normals"]]] as const) {
  describe(`the tiny decoder under ${family}`, function () {
    this.timeout(60_000);
    const { run, load } = useReference(family, undefined, tiny);

    for (const task of tasks) {
      it(`decodes every step of ${task}, and tells how far the last is from the full decoder's`, async () => {
        const full = await run(task, settings, "image");
        const { prediction, steps } = await run(task, tinySettings, "image");
        const { family: conventions } = await load(task, settings);
        for (const [k, { latents, map }] of steps.entries()) {
          assert.deepEqual(latents.predOriginalSample.data, full.steps[k].latents.predOriginalSample.data, "the latents are the same");
          // Its latents are those of diffusion as they are: not divided by the model's scaling factor.
          const decoded = await runComponent(tiny, { latent: conventions.latentOf(latents.predOriginalSample, task) }, "image", { part: "decoder" });
          assert.ok(map);
          assert.ok(distance(map.data, conventions.mapOf(decoded, task).data).maxAbs < 1e-4);
        }
        assert.equal(full.prediction.decoderDifference, undefined);
        const expected = meanDistance(prediction.map, full.prediction.map, task);
        assert.ok(expected > 0.01);
        assert.ok(Math.abs((prediction.decoderDifference ?? NaN) - expected) < 1e-4 * expected, `${prediction.decoderDifference} for ${expected}`);
      });
    }

    it("is one decoding more than planned without it", () => {
      assert.deepEqual(plannedWork(tinySettings, true), { ...plannedWork(settings, true), decode: plannedWork(settings, true).decode + 1 });
    });
  });
}

describe("the folder of a tiny decoder", () => {
  const { signal } = new AbortController();
  const request = { runId: "a", modelDir: referenceDir("marigold"), task: "depth", settings: tinySettings } as const;
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-tiny-"));
    await cp(tiny, dir, { recursive: true });
  });
  afterEach(() => rm(dir, { recursive: true }));
  const edit = async (changes: object): Promise<void> => writeFile(join(dir, "config.json"), JSON.stringify({ ...(JSON.parse(await readFile(join(dir, "config.json"), "utf8")) as object), ...changes }));

  it("counts towards a run's files by what is in it, not by where it lies", async () => {
    const [here, there] = await Promise.all([tiny, dir].map((folder) => describeRun(request, new FileHashes(), signal, folder)));
    assert.deepEqual(here.fileHashes, there.fileHashes);
    assert.ok("tiny decoder/diffusion_pytorch_model.safetensors" in here.fileHashes);
    const without = await describeRun({ ...request, settings }, new FileHashes(), signal, dir);
    assert.deepEqual(Object.keys(without.fileHashes).filter((name) => name.startsWith("tiny")), []);
    await edit({ _diffusers_version: "0.31.0" });
    assert.notDeepEqual((await describeRun(request, new FileHashes(), signal, dir)).fileHashes, here.fileHashes);
  });

  it("is refused with what was expected of it", async () => {
    await assert.rejects(describeRun(request, new FileHashes(), signal), { code: "bad-argument", message: /folder of an AutoencoderTiny/ });
    const model = await describeModel(referenceDir("marigold"));
    assert.equal(model.family, "marigold");
    await assert.rejects(describeTinyDecoder(join(dir, "elsewhere"), model), { code: "not-found", message: /the tiny decoder/, remedy: /AutoencoderTiny/ });
    await assert.rejects(describeTinyDecoder(join(referenceDir("vae"), "f8"), model), { code: "unsupported", message: /AutoencoderTiny.*AutoencoderKL/ });
    await edit({ latent_channels: 16 });
    await assert.rejects(describeTinyDecoder(dir, model), { code: "unsupported", message: /4 for "latent_channels".*16/ });
    const other = { ...model, vae: { ...model.vae, downsamplingFactor: 4 } };
    await assert.rejects(describeTinyDecoder(tiny, other), { code: "unsupported", message: /latents of marigold .*4 channels at 1\/4/, remedy: /full decoder/ });
  });
});

describe("a run with the tiny decoder", function () {
  this.timeout(120_000);

  it("says in its provenance how approximate it was, also from the cache", async () => {
    const dir = await mkdtemp(join(tmpdir(), "plumbline-tiny-"));
    const engine = startEngine({ childPath: await buildInferenceChild("tinyDecoder") });
    try {
      const imagePath = join(dir, "photo.png");
      await sharp({ create: { width: 64, height: 48, channels: 3, background: "#4080c0", noise: { type: "gaussian", mean: 128, sigma: 40 } } }).png().toFile(imagePath);
      const run = async (decoder: "full" | "tiny"): Promise<RunResult> => {
        let result: RunResult | undefined;
        const runs = [{ runId: "a", modelDir: referenceDir("marigold"), task: "depth", settings: { ...settings, decoder } }] as const;
        await engine.predict({ imagePath, runs, tinyDecoderDir: tiny, device: "cpu", stepMaps: false, recordSteps: false, mapSize: "processing", cache: { dir: join(dir, "cache"), maxBytes: 1e8 } }, { onEvent: (event) => void (event.type === "result" && (result = event.result)) });
        return result ?? assert.fail("no result");
      };
      const [full, first, again] = [await run("full"), await run("tiny"), await run("tiny")];
      assert.notEqual(full.runKey, first.runKey);
      assert.equal(full.provenance.decoderDifference, undefined);
      const expected = meanDistance(first.map, full.map, "depth");
      // What the cache holds has half precision.
      for (const { provenance } of [first, again]) assert.ok(Math.abs((provenance.decoderDifference ?? NaN) - expected) < 1e-3, `${provenance.decoderDifference} for ${expected}`);
      assert.match((again.provenance.notes ?? []).join(" "), /tiny decoder.*approximate.*of the range of depth/);
      assert.equal(again.runKey, first.runKey);
    } finally {
      await engine.dispose();
      await rm(dir, { recursive: true });
    }
  });
});
