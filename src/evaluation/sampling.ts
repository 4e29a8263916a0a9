import { posix } from "node:path";
import picomatch from "picomatch";
import { unexpected } from "../core/errors";
import { threefry } from "../core/random";

/** Which of a folder's images are looked at. All rules keep the order of the paths. */
export type Sampling =
  | { readonly kind: "all" }
  | { readonly kind: "first"; readonly count: number }
  /** Without repetition; the same for the same paths and seed, whatever their order on the disk. */
  | { readonly kind: "random"; readonly count: number; readonly seed: number }
  /** As many of every folder as of every other, as far as it has them; random within. */
  | { readonly kind: "stratified"; readonly count: number; readonly seed: number }
  | { readonly kind: "every"; readonly nth: number }
  /** Paths that match a glob (`*`, `**`, `?`, `[...]`, `{a,b}`). */
  | { readonly kind: "glob"; readonly pattern: string }
  /** The lines of a file, a path each. */
  | { readonly kind: "list"; readonly paths: readonly string[] };

/**
 * Chooses among `paths` (relative, forward slashes), which come back sorted by code unit. Throws `bad-argument` for a count or step that is no
 * positive whole number, and names the first paths of a list that are not there.
 */
export function sample(paths: readonly string[], sampling: Sampling): readonly string[] {
  const sorted = [...paths].sort();
  switch (sampling.kind) {
    case "all":
      return sorted;
    case "first":
      return sorted.slice(0, whole("count", sampling.count));
    case "random":
      return shuffled(sorted, sampling.seed).slice(0, whole("count", sampling.count)).sort();
    case "stratified":
      return stratified(sorted, whole("count", sampling.count), sampling.seed).sort();
    case "every": {
      const nth = whole("step", sampling.nth);
      return sorted.filter((_, i) => i % nth === 0);
    }
    case "glob": {
      const isMatch = picomatch(sampling.pattern);
      return sorted.filter((path) => isMatch(path));
    }
    case "list":
      return fromList(sorted, sampling.paths);
  }
}

function whole(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw unexpected("bad-argument", `the ${name} of the sampling`, "a whole number from 1", value, "Change the sampling.");
  return value;
}

/** Sorted by a hash of (seed, path): a path keeps its place when others come or go. */
function shuffled(paths: readonly string[], seed: number): string[] {
  const keyed = paths.map((path) => ({ path, key: hash(path, seed) }));
  keyed.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || (a.path < b.path ? -1 : 1));
  return keyed.map(({ path }) => path);
}

/** Two 32-bit words: FNV-1a over the path's code units, mixed with the seed by Threefry. */
function hash(path: string, seed: number): [number, number] {
  let word = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) word = Math.imul(word ^ path.charCodeAt(i), 0x01000193);
  return threefry([seed >>> 0, 0], [word >>> 0, path.length]);
}

function stratified(paths: readonly string[], count: number, seed: number): string[] {
  const folders = new Map<string, string[]>();
  for (const path of shuffled(paths, seed)) {
    const folder = posix.dirname(path);
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  const chosen: string[] = [];
  const queues = [...folders.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, queue]) => queue);
  for (let round = 0; chosen.length < count && queues.some((queue) => round < queue.length); round++) {
    for (const queue of queues) if (round < queue.length && chosen.length < count) chosen.push(queue[round]);
  }
  return chosen;
}

function fromList(sorted: readonly string[], wanted: readonly string[]): readonly string[] {
  const known = new Set(sorted);
  const missing = wanted.filter((path) => !known.has(path));
  if (missing.length > 0) {
    throw unexpected("bad-argument", "the list of images", "paths relative to the folder, of images that are there", `${missing.length} that are not, first ${missing.slice(0, 3).join(", ")}`, "Correct the list.");
  }
  return [...new Set(wanted)].sort();
}
