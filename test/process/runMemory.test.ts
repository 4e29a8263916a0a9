import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import sharp from "sharp";
import { engineHandlers } from "../../src/inference/jobs";
import type { PredictEvent, PredictParams } from "../../src/protocol/inference";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("the memory of a run", function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "plumbline-memory-"));
  });
  after(() => rm(folder, { recursive: true }));

  it("does not grow with the steps, though each of them is decoded, kept in the cache and sent", async () => {
    const imagePath = join(folder, "photo.png");
    const [width, height] = [192, 128];
    await sharp(Uint8Array.from({ length: width * height * 3 }, (_, i) => i % 251), { raw: { width, height, channels: 3 } }).png().toFile(imagePath);
    const steps = 50;
    const run = { runId: "row", modelDir: resolve(__dirname, "..", "..", "models", "plumbline-depth"), task: "depth", settings: { steps, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 1, processingResolution: width } } as const;
    const params: PredictParams = { imagePath, runs: [run], device: "cpu", stepMaps: true, recordSteps: false, mapSize: "processing", cache: { dir: join(folder, "runs"), maxBytes: 1e9 } };

    const maps: WeakRef<Uint16Array>[] = [];
    const heldBytes: number[] = [];
    const report = async (event: PredictEvent): Promise<void> => {
      if (event.type !== "step" || !event.map) return;
      maps.push(new WeakRef(event.map.data));
      await setImmediate(); // a WeakRef holds what it refers to until the end of the turn
      collectGarbage();
      heldBytes.push(process.memoryUsage().arrayBuffers);
    };
    const handlers = engineHandlers();
    try {
      await handlers.predict(params, { signal: new AbortController().signal, report });
    } finally {
      await handlers.release({}, { signal: new AbortController().signal, report: async () => undefined });
    }
    assert.equal(maps.length, steps);
    await setImmediate();
    collectGarbage();
    assert.ok(maps.filter((map) => map.deref()).length <= 1, "the last one at most");
    const mapBytes = 4 * width * height;
    // A collection now and then leaves what only the next one finds: the least of a stretch is what is really held.
    // The first step has no deviation yet, which is a map of its own.
    const growth = Math.min(...heldBytes.slice(-20)) - Math.min(...heldBytes.slice(2, 22));
    assert.ok(growth < mapBytes, `${(growth / mapBytes).toFixed(1)} maps more at the end than at the start, of ${steps}`);
  });
});
