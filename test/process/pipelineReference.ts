import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tensorFromMap, type FloatMap, type RgbImage } from "../../src/core/image";
import type { Task } from "../../src/core/semantics";
import type { NoiseChoice, RunSettings, TimestepSpacing } from "../../src/core/settings";
import type { Tensor } from "../../src/core/tensor";
import { FileHashes } from "../../src/inference/fileHash";
import { LatentStore } from "../../src/inference/imageLatents";
import { describeRun, loadModel } from "../../src/inference/modelLoader";
import { NetworkStore } from "../../src/inference/networkStore";
import { openSafetensors, readTensor } from "../../src/io/safetensors";
import { predict, type LatentEstimator, type Prediction } from "../../src/pipeline/predict";
import type { ObservedStep } from "../../src/pipeline/work";

// Whole runs of a checkpoint folder, and comparing what comes of them with reference data.

export const referenceDir = (folder: string): string => join(__dirname, "..", "reference", folder);

/** A run of the Marigold checkpoint as its reference data describe it. */
export interface MarigoldCase {
  readonly name: string;
  readonly modality?: Task;
  readonly num_inference_steps: number;
  readonly timestep_spacing: TimestepSpacing;
  readonly noise: "gaussian" | "zeros";
  readonly image: string;
  readonly timesteps: readonly number[];
  readonly scheduler?: Readonly<Record<string, unknown>>;
}

export function marigoldCases(): readonly MarigoldCase[] {
  return (JSON.parse(readFileSync(join(referenceDir("marigold"), "cases.json"), "utf8")) as { readonly runs: readonly MarigoldCase[] }).runs;
}

/** The settings of a case; other noise than zeros comes from its file. */
export function settingsOfCase({ num_inference_steps: steps, timestep_spacing: spacing }: Pick<MarigoldCase, "num_inference_steps" | "timestep_spacing">, noise: NoiseChoice): RunSettings {
  return { steps, spacing, ensembleSize: 1, noise, seed: 0, processingResolution: 0 };
}

/** The reference data of a folder, and the checkpoint in it; loaded networks are freed at the end of the describing block. */
export function useReference(folder: string, modelDir = referenceDir(folder), tinyDecoderDir?: string) {
  const store = new NetworkStore();
  const expected = new Map<string, Tensor>();
  before(async () => {
    const file = await openSafetensors(join(referenceDir(folder), "io.safetensors"));
    for (const name of file.tensors.keys()) expected.set(name, await readTensor(file, name));
  });
  after(() => store.clear());

  function stored(name: string): Tensor {
    const tensor = expected.get(name);
    assert.ok(tensor, `no reference tensor ${name}`);
    return tensor;
  }
  function imageOf(name: string): RgbImage {
    const { dims, data } = stored(name);
    return { width: dims[1], height: dims[0], data: Uint8Array.from(data) };
  }
  async function load(task: Task, settings: RunSettings): Promise<LatentEstimator> {
    const request = { runId: "reference", modelDir, task, settings };
    const { signal } = new AbortController();
    const estimator = await loadModel(request, await describeRun(request, new FileHashes(), signal, tinyDecoderDir), "cpu", store, { isEncoded: false, signal });
    assert.equal(estimator.kind, "latent");
    return estimator;
  }
  /** Every step and the result of a run on an image of the reference; noise of the kind "file" is `fileNoise`. */
  async function run(task: Task, settings: RunSettings, image: string, fileNoise?: Tensor): Promise<{ readonly prediction: Prediction; readonly steps: readonly ObservedStep[]; readonly estimator: LatentEstimator }> {
    const steps: ObservedStep[] = [];
    const observer = { unitDone: async () => undefined, stepDone: async (step: ObservedStep) => void steps.push(step) };
    const estimator = await load(task, settings);
    const prediction = await predict(imageOf(image), estimator, settings, { imageLatents: new LatentStore().of(image, ""), fileNoise, stepMaps: true, observer });
    return { prediction, steps, estimator };
  }
  return { store, stored, imageOf, load, run };
}

/** rms(difference) / rms(expected), and the largest absolute difference. */
export function distance(actual: Float32Array, expected: Float32Array): { rmsRel: number; maxAbs: number } {
  assert.equal(actual.length, expected.length);
  let [squares, norm, maxAbs] = [0, 0, 0];
  expected.forEach((value, i) => {
    const difference = Math.abs(actual[i] - value);
    assert.ok(Number.isFinite(difference));
    squares += difference ** 2;
    norm += value ** 2;
    maxAbs = Math.max(maxAbs, difference);
  });
  return { rmsRel: norm === 0 ? squares : Math.sqrt(squares / norm), maxAbs };
}

export function assertLatent(actual: Tensor, expected: Tensor, what: string): void {
  assert.equal(actual.dims.join(), expected.dims.slice(-4).join(), what);
  const { rmsRel } = distance(actual.data, expected.data);
  assert.ok(rmsRel < 5e-5, `${what}: rms_rel ${rmsRel}`);
}

export function assertMap(actual: FloatMap, expected: Tensor, task: Task, what: string): void {
  const planar = tensorFromMap(actual);
  assert.equal(planar.dims.join(), expected.dims.slice(-4).join(), what);
  const { rmsRel, maxAbs } = distance(planar.data, expected.data);
  if (task === "depth") assert.ok(maxAbs < 1e-4, `${what}: max_abs ${maxAbs}`);
  else assert.ok(rmsRel < 1e-4, `${what}: rms_rel ${rmsRel}`);
}

/** Row k of a tensor whose first axis counts steps. */
export function atStep({ dims, data }: Tensor, k: number): Tensor {
  const length = data.length / dims[0];
  return { dims: dims.slice(1), data: data.slice(k * length, (k + 1) * length) };
}
