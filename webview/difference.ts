import { applyScaleShift, fitScaleShift } from "../src/core/alignment";
import type { FloatMap } from "../src/core/image";
import { angleMap, convertFrame } from "../src/core/normals";
import type { RunResult } from "../src/protocol/inference";

const computed = new WeakMap<RunResult, { readonly reference: RunResult; readonly map: FloatMap }>();

/**
 * How far a result is from another of the same task and size, H x W x 1: for depth the absolute difference after
 * the least-squares scale and shift (both are known up to these only), for normals the angle in radians, in a
 * common frame. Undefined where the sizes or kinds differ.
 */
export function differenceTo(result: RunResult, reference: RunResult): FloatMap | undefined {
  const known = computed.get(result);
  if (known?.reference === reference) return known.map;
  const a = result.map;
  const b = reference.map;
  if (a.width !== b.width || a.height !== b.height || a.channels !== b.channels) return undefined;
  const mine = result.provenance.semantics;
  const theirs = reference.provenance.semantics;
  if (mine.task === "depth" && theirs.task === "depth" && mine.depthKind !== theirs.depthKind) return undefined;
  const map = mine.task === "normals" && theirs.task === "normals" ? angleMap(convertFrame(a, mine.frame, theirs.frame), b) : { ...a, data: alignedDifference(a.data, b.data) };
  computed.set(result, { reference, map });
  return map;
}

function alignedDifference(from: Float32Array, to: Float32Array): Float32Array {
  const mask = Uint8Array.from(from, (value, i) => Number(Number.isFinite(value) && Number.isFinite(to[i])));
  const aligned = applyScaleShift(from, fitScaleShift(from, to, mask));
  return aligned.map((value, i) => Math.abs(value - to[i]));
}
