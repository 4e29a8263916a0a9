import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { mapFromTensor, type FloatMap } from "../../src/core/image";
import type { Tensor } from "../../src/core/tensor";
import { openSafetensors, readTensor } from "../../src/io/safetensors";

const root = resolve(__dirname, "../reference");

/** A JSON file of test/reference. */
export function referenceJson<T>(path: string): T {
  return JSON.parse(readFileSync(resolve(root, path), "utf8")) as T;
}

/** All tensors of a .safetensors file of test/reference, by name; an unknown name is a failure. */
export async function referenceTensors(path: string): Promise<(name: string) => Tensor> {
  const file = await openSafetensors(resolve(root, path));
  const all = new Map<string, Tensor>();
  for (const name of file.tensors.keys()) all.set(name, await readTensor(file, name));
  return (name) => {
    const found = all.get(name);
    assert.ok(found, `${path} has no tensor ${name}`);
    return found;
  };
}

/** [N,C,H,W], [C,H,W] or [H,W] as a map. */
export function referenceMap(planar: Tensor): FloatMap {
  const dims = [1, 1, 1, 1, ...planar.dims].slice(-4);
  return mapFromTensor({ dims, data: planar.data });
}

/** The largest absolute difference; unequal lengths and a NaN on one side only are failures. */
export function maxAbsDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    const difference = Math.abs(actual[i] - expected[i]);
    assert.ok(!Number.isNaN(difference), `element ${i}: ${actual[i]} instead of ${expected[i]}`);
    largest = Math.max(largest, difference);
  }
  return largest;
}

/** Fails unless every element is within `tolerance` of what is expected. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what = "values"): void {
  const difference = maxAbsDifference(actual, expected);
  assert.ok(difference <= tolerance, `${what}: differs by ${difference}, allowed ${tolerance}`);
}
