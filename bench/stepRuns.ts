import { join } from "node:path";
import { version } from "../package.json";
import { runKeyOf } from "../src/cache/runKey";
import { writeRun } from "../src/cache/runWriter";
import { thumbnailOf } from "../src/cache/thumbnail";
import { halfFromMap } from "../src/core/half";
import type { RunSettings } from "../src/core/settings";
import { FileHashes } from "../src/inference/fileHash";
import { describeRun } from "../src/inference/modelLoader";
import { engineVersions } from "../src/inference/session";
import type { RowSettings } from "../src/protocol/panel";

/** The greatest value of a step, exact in binary16. */
export const topOf = (step: number): number => 1 + step / 64;

/** A ramp with waves; below, every other pixel has the step's greatest value, which no thumbnail has: it takes means. */
function depthOf(step: number, run: number, width: number, height: number): Float32Array {
  return Float32Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (y > 0.9 * height && (x + y) % 2 === 0) return topOf(step);
    return y / height / 2 + 0.2 + 0.05 * Math.sin(x / 20 + run);
  });
}

/**
 * Writes what the inference process of the checkout at `root` would have written for rows of one member of depth of an image of the size,
 * by this checkout's writer: made-up maps under the keys that it will look for.
 */
export async function writeStepRuns(cacheDir: string, root: string, imagePath: string, { width, height }: { readonly width: number; readonly height: number }, rows: readonly RowSettings[]): Promise<void> {
  const hashes = new FileHashes();
  const imageSha256 = await hashes.of(imagePath);
  const versions = { plumbline: version, program: await hashes.of(join(root, "dist/inference.js")), onnxruntime: engineVersions().onnxruntime };
  const modelDir = join(root, "models/plumbline-depth");
  for (const [run, { rowId, steps, spacing, seed = 0 }] of rows.entries()) {
    const settings: RunSettings = { steps, spacing, ensembleSize: 1, noise: { kind: "gaussian" }, seed, processingResolution: width };
    const { description, semantics, plan: plans, fileHashes } = await describeRun({ runId: rowId, modelDir, task: "depth", settings }, hashes, new AbortController().signal);
    const identity = { imageSha256, modelFiles: fileHashes, semantics, endToEnd: description.endToEnd, task: "depth", settings, device: "cpu", versions } as const;
    const writer = writeRun(cacheDir, { runKey: runKeyOf(identity), semantics, members: 1, steps: plans });
    const mapAt = (step: number) => ({ width, height, channels: 1, data: depthOf(step, run, width, height) }) as const;
    for (let step = 0; step < steps; step++) {
      const map = mapAt(step);
      await writer.step(halfFromMap(map), thumbnailOf(map));
      if (step === steps - 1) await writer.member(halfFromMap(map));
    }
    const last = mapAt(steps - 1);
    await writer.finish({ map: last, stdOverSteps: last }, {
      tool: { name: "plumbline", version }, image: { path: imagePath, width, height, sha256: imageSha256 }, model: { id: description.id, dir: modelDir, files: fileHashes },
      task: "depth", semantics, settings, processingSize: { width, height }, timesteps: plans.map(({ timestep }) => timestep), device: "cpu",
      timingsMillis: { load: 0, encode: 0, denoise: 0, decode: 0, combine: 0, total: 0 }, versions: { plumbline: version, ...engineVersions() }, finishedAt: new Date().toISOString(),
    });
  }
}
