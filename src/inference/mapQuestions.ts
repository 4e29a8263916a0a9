import { openCachedMap } from "../cache/mapRows";
import { stepCurves } from "../core/curves";
import { throwIfCancelled, unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import type { Semantics } from "../core/semantics";
import { spreadOfMaps, type MapRows } from "../core/spread";
import type { InferenceApi, MapRef } from "../protocol/inference";
import type { Handlers } from "../protocol/rpc";
import { readFloatFile } from "./floatFile";
import { readTruth } from "./mapFile";

type OpenMap = MapRows & { readonly semantics: Semantics };

/**
 * The questions about maps that are there: they use no network and hold a few maps at most, whatever the number asked about. One over
 * many large maps takes seconds: between two maps others have their turn, and a question that is cancelled ends.
 */
export const mapQuestions: Pick<Handlers<InferenceApi>, "spread" | "curves" | "series" | "readMap" | "readFloats"> = {
  spread: async ({ cacheDir, refs, kind }, { signal }) => {
    const maps = (await openMaps(cacheDir, refs)).map(takingTurns(signal));
    const isAffine = maps.some(({ semantics }) => semantics.task === "depth" && semantics.depthKind !== "metric-depth");
    return { map: await spreadOfMaps(maps, { kind, isAffine, signal }) };
  },

  curves: async ({ cacheDir, refs, reference, truth }, { signal }) => {
    const maps = (await openMaps(cacheDir, refs)).map(takingTurns(signal));
    const semantics = maps[0]?.semantics;
    const referenceMap = reference && (await openMap(cacheDir, reference, semantics));
    const truthMap = truth && (await openMap(cacheDir, truth, semantics));
    return stepCurves(maps.map((map) => () => wholeOf(map)), semantics, {
      ...(referenceMap && { reference: { map: await wholeOf(referenceMap), semantics: referenceMap.semantics } }),
      ...(truthMap && { truth: await wholeOf(truthMap) }),
      signal,
    });
  },

  series: async ({ cacheDir, refs, points }, { signal }) => {
    const values: (readonly (readonly number[])[])[] = [];
    for (const ref of refs) {
      throwIfCancelled(signal);
      const map = await openMap(cacheDir, ref);
      values.push(await Promise.all(points.map((point) => valueAt(map, point))));
    }
    return { values };
  },

  readMap: async ({ path, task }) => ({ map: await readTruth(path, task) }),

  readFloats: readFloatFile,
};

/** Milliseconds that a question works before others have a turn. */
const leastTurn = 40;

/**
 * Gives others a turn before a map is read, if this question has had one. Only then does the process hear that the question was cancelled,
 * and a run of a network that is under way goes on; it may take seconds, so that the question works as long before it waits again.
 */
function takingTurns(signal: AbortSignal): (map: OpenMap) => OpenMap {
  let turnEnds = performance.now() + leastTurn;
  const turn = async (): Promise<void> => {
    const now = performance.now();
    if (now < turnEnds) return;
    await new Promise((done) => setImmediate(done));
    const back = performance.now();
    turnEnds = back + Math.max(leastTurn, back - now);
    throwIfCancelled(signal);
  };
  return (map) => ({ ...map, read: (first, rows) => turn().then(() => map.read(first, rows)) });
}

/** Throws `bad-argument` unless all are of one task. */
async function openMaps(cacheDir: string, refs: readonly MapRef[]): Promise<readonly OpenMap[]> {
  const maps: OpenMap[] = [];
  for (const ref of refs) maps.push(await openMap(cacheDir, ref, maps[0]?.semantics));
  const other = maps.find(({ semantics }) => semantics.task !== maps[0].semantics.task);
  if (other) throw unexpected("bad-argument", "the maps", `${maps[0].semantics.task} each`, other.semantics.task);
  return maps;
}

/** A file does not say what it holds: depth is taken for metric, normals for being in the frame of what they are compared with. */
async function openMap(cacheDir: string, ref: MapRef, comparedWith?: Semantics): Promise<OpenMap> {
  if (ref.kind !== "file") return openCachedMap(cacheDir, ref);
  const { data, ...size } = await readTruth(ref.path, ref.task);
  const frame = comparedWith?.task === "normals" ? comparedWith.frame : "LUB";
  const rowLength = size.width * size.channels;
  return {
    ...size,
    semantics: ref.task === "depth" ? { task: "depth", depthKind: "metric-depth" } : { task: "normals", frame },
    read: (first, rows) => data.subarray(first * rowLength, (first + rows) * rowLength),
  };
}

async function wholeOf(map: OpenMap): Promise<FloatMap> {
  const { width, height, channels } = map;
  return { width, height, channels, data: await map.read(0, height) };
}

/** The channels of the pixel at (u, v), 0..1 from the top left corner; only its row is read. */
async function valueAt(map: OpenMap, { u, v }: { readonly u: number; readonly v: number }): Promise<readonly number[]> {
  const pixel = (at: number, side: number): number => Math.min(side - 1, Math.max(0, Math.floor(at * side)));
  const row = await map.read(pixel(v, map.height), 1);
  const start = pixel(u, map.width) * map.channels;
  return [...row.subarray(start, start + map.channels)];
}
