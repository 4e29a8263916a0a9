import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import sharp from "sharp";
import type { Crop } from "../../src/core/image";
import { startEngine, type EngineClient } from "../../src/inference/client";
import { ImageReadAhead } from "../../src/inference/imageReadAhead";
import type { PredictParams, RunResult } from "../../src/protocol/inference";
import { repository } from "./cliProcess";

const photo = join(repository, "media", "samples", "coffee.jpg");
const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 1, processingResolution: 64 } as const;
const paramsOf = (imagePath: string, crop?: Crop): PredictParams => ({
  imagePath, ...(crop && { crop }), runs: [{ runId: "a", modelDir: join(repository, "models", "plumbline-e2e-depth"), task: "depth", settings }],
  device: "cpu", stepMaps: false, recordSteps: false, mapSize: "source",
});

describe("images of requests", function () {
  this.timeout(60_000);
  let dir: string;
  let engine: EngineClient;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-parts-"));
    engine = startEngine({ childPath: join(repository, "dist", "inference.js") });
  });
  after(async () => {
    await engine.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  async function predict(imagePath: string, crop?: Crop): Promise<RunResult> {
    let result: RunResult | undefined;
    await engine.predict(paramsOf(imagePath, crop), { onEvent: (event) => void (event.type === "result" && (result = event.result)) });
    return result ?? assert.fail("no result");
  }

  it("are predicted in a part as a file that holds only that part, whatever was predicted before", async () => {
    const part = { left: 40, top: 96, width: 320, height: 200 };
    const whole = await predict(photo);
    const cut = join(dir, "part.png");
    await sharp(photo).extract(part).png().toFile(cut);
    const [expected, actual] = [await predict(cut), await predict(photo, part)];
    assert.deepEqual([actual.map.width, actual.map.height], [320, 200]);
    assert.deepEqual(actual.map.data, expected.map.data);
    assert.deepEqual(actual.provenance.image.crop, part);
    assert.equal(actual.provenance.image.sha256, whole.provenance.image.sha256);
    assert.deepEqual((await predict(photo)).map.data, whole.map.data);
    await assert.rejects(predict(photo, { ...part, left: 400 }), /a rectangle within 600 x 400/);
  });

  it("are read before their turn, two at a time", async () => {
    const paths = ["1", "2", "3", "4"].map((name) => join(dir, `${name}.jpg`));
    for (const path of paths) await copyFile(photo, path);
    const ahead = new ImageReadAhead();
    const images = paths.map((path) => ahead.announce(paramsOf(path)));
    await pause(1500);
    for (const path of paths) await rm(path);
    assert.equal((await images[0].read()).image.width, 600);
    assert.equal((await images[1].read()).image.width, 600);
    await assert.rejects(images[2].read(), /no such file/);
    images[3].done();
  });
});
