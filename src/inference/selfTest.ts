import type { RgbImage } from "../core/image";
import type { RunSettings } from "../core/settings";
import { predict } from "../pipeline/predict";
import type { InferenceApi, SelfTestResult } from "../protocol/inference";
import { FileHashes } from "./fileHash";
import { describeRun, loadModel } from "./modelLoader";
import { NetworkStore } from "./networkStore";

/** Small enough for a software renderer in the place of a GPU, and with sides that differ. */
const size = { width: 128, height: 96 };

/**
 * Runs a model twice on one device and on nothing else: what a device is worth, and whether it computes the right numbers.
 * Networks are loaded anew and freed afterwards. Throws what the model or the device is at fault for.
 */
export async function selfTest({ modelDir, task, device }: InferenceApi["selfTest"]["params"], signal: AbortSignal): Promise<SelfTestResult> {
  const store = new NetworkStore();
  const settings: RunSettings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: 0 };
  const run = { runId: "self-test", modelDir, task, settings };
  try {
    const started = performance.now();
    const estimator = await loadModel(run, await describeRun(run, new FileHashes(), signal), device, store, { isEncoded: false, signal });
    const loaded = performance.now();
    const image = testImage(size);
    const once = async () => predict(image, estimator, settings, {
      imageLatents: { get: () => undefined, set: () => undefined },
      stepMaps: false,
      observer: { unitDone: async () => undefined, stepDone: async () => undefined },
      signal,
    });
    await once();
    const first = performance.now();
    const { map } = await once();
    const timingsMillis = { load: loaded - started, first: first - loaded, again: performance.now() - first };
    return { map, timingsMillis, peakBytes: process.resourceUsage().maxRSS * 1024 };
  } finally {
    await store.clear();
  }
}

/** A sphere over a chequered floor that fades with distance. */
function testImage({ width, height }: { readonly width: number; readonly height: number }): RgbImage {
  const data = new Uint8Array(width * height * 3);
  const [radius, centreX, centreY] = [0.28 * height, 0.5 * width, 0.45 * height];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [(x - centreX) / radius, (y - centreY) / radius];
      const squared = 1 - dx * dx - dy * dy;
      const distance = 1 / Math.max(0.02, y / height - 0.5);
      const floor = y < 0.52 * height ? 200 : (Math.floor(((x - centreX) * distance) / 60) + Math.floor(4 * distance)) % 2 === 0 ? 170 : 90;
      const light = squared > 0 ? 60 + 180 * Math.max(0, 0.6 * Math.sqrt(squared) - 0.5 * dx - 0.6 * dy) : floor;
      data.set([light, 0.9 * light, 0.8 * light], 3 * (y * width + x));
    }
  }
  return { width, height, data };
}
