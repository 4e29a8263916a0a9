import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor";
import { convertComponent, type ConvertOptions } from "../../src/graph/convert";
import { createNetwork } from "../../src/inference/session";
import type { BigIntTensor, Network } from "../../src/pipeline/networks";

// Running components of checkpoints and comparing what comes of it with reference data.

export const reference = join(__dirname, "..", "reference");

/** Case names listed in `cases.json`. */
export function caseNames(folder: string): string[] {
  const { cases } = JSON.parse(readFileSync(join(reference, folder, "cases.json"), "utf8")) as { cases: { name: string }[] };
  return cases.map(({ name }) => name);
}

/** Networks by folder and options: loading one takes longer than running it. */
const loaded = new Map<string, Promise<Network>>();

/** Frees every network that `runComponent` kept. */
export async function releaseNetworks(): Promise<void> {
  await Promise.all([...loaded.values()].map(async (network) => (await network).release()));
  loaded.clear();
}

/** One output of a component on the CPU. The network is kept for the next call. */
export async function runComponent(dir: string, inputs: Record<string, Tensor | BigIntTensor>, output: string, options?: ConvertOptions): Promise<Tensor> {
  const key = JSON.stringify([dir, options, [...(options?.encoderHiddenStates?.data ?? [])]]);
  const network = loaded.get(key) ?? convertComponent(dir, options).then((graph) => createNetwork(graph, { device: "cpu", threads: 1 }));
  loaded.set(key, network);
  return (await (await network).run(inputs))[output];
}

/** The same for files that will change or go: the network is not kept. */
export async function runOnce(dir: string, inputs: Record<string, Tensor | BigIntTensor>, output: string, options?: ConvertOptions): Promise<Tensor> {
  const network = await createNetwork(await convertComponent(dir, options), { device: "cpu", threads: 1 });
  try {
    return (await network.run(inputs))[output];
  } finally {
    await network.release();
  }
}

/** Root mean square of the difference over that of the expected values, and the largest difference. */
export function distance(actual: Tensor, expected: Tensor): { rmsRel: number; maxAbs: number } {
  assert.deepEqual(actual.dims, expected.dims);
  let [squares, norm, maxAbs] = [0, 0, 0];
  expected.data.forEach((value, i) => {
    const difference = actual.data[i] - value;
    assert.ok(Number.isFinite(difference));
    squares += difference ** 2;
    norm += value ** 2;
    maxAbs = Math.max(maxAbs, Math.abs(difference));
  });
  return { rmsRel: Math.sqrt(squares / norm), maxAbs };
}

/** The reference's tolerance for network outputs. */
export function assertClose(actual: Tensor, expected: Tensor): void {
  const { rmsRel, maxAbs } = distance(actual, expected);
  assert.ok(rmsRel < 2e-5, `rms_rel ${rmsRel}`);
  assert.ok(maxAbs < 2e-4, `max_abs ${maxAbs}`);
}
