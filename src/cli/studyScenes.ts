import { join } from "node:path";
import { resolveModel } from "../catalogue/library";
import { PlumblineError } from "../core/errors";
import { evaluateDepth, normalsErrors, normalsMetrics } from "../core/metrics";
import { convertFrame } from "../core/normals";
import { onceForEach } from "../core/onceForEach";
import type { Task } from "../core/semantics";
import type { DeviceChoice, NoiseChoice, RunRequest, TimestepSpacing } from "../core/settings";
import { modelHash } from "../evaluation/modelHash";
import type { RunResult } from "../protocol/inference";
import { installation, predictImage, progressOf, shippedModelsDir, type Session } from "./engine";
import { openHeldOut, readHeldOut, type HeldOutScene } from "./heldOut";
import { lastingPart } from "./studyPage";
import { sceneHashOf, scoreKey, ScoresCache, type KeptScore, type SceneScores } from "./studyScores";

/** What every study is made with. */
export interface StudyOptions {
  readonly out: string;
  /** Only so many of the held-out scenes; all when absent. */
  readonly scenes?: number;
  readonly seed: number;
  readonly device: DeviceChoice;
}

/** A setting of a study; `name` is unique in it. */
export interface StudyRun {
  readonly name: string;
  readonly steps: number;
  readonly spacing: TimestepSpacing;
  readonly noise: NoiseChoice & { readonly kind: "gaussian" | "pyramid" | "zeros" };
  /** Members; 1 when absent. */
  readonly ensembleSize?: number;
  readonly endToEnd?: boolean;
  /** Both when absent. */
  readonly tasks?: readonly Task[];
}

/** Errors by scene, in the order of the scenes; empty for a task that was not run. */
export interface Scores {
  /** Fractions. */
  readonly absRel: readonly number[];
  readonly delta1: readonly number[];
  /** Degrees. */
  readonly meanAngle: readonly number[];
  /** Percent of the pixels. */
  readonly below11: readonly number[];
}

export interface Measured {
  readonly scenes: readonly string[];
  readonly seeds: readonly number[];
  /** By seed, in the order of the seeds; of a run from zeros, which draws nothing, one entry. */
  readonly of: (run: string) => readonly Scores[];
  /** What the runs of the first seed were made with (`lastingPart`). */
  readonly runs: readonly object[];
}

const tasksOf = ({ tasks }: StudyRun): readonly Task[] => tasks ?? ["depth", "normals"];

/** Where a study finds its scenes and models, and keeps its scores for the next one. */
export interface StudyPlaces {
  readonly heldOut: string;
  readonly models: string;
  readonly scores: string;
}

const ownPlaces: StudyPlaces = { heldOut: join(installation, "test", "heldout"), models: shippedModelsDir, scores: join(installation, ".cache", "studies", "scores.jsonl") };

/** Requests for every run and its tasks on the shipped models; run ids are `${name}:${task}`. */
export async function requestsOf(runs: readonly StudyRun[], seed: number, only: readonly Task[] = ["depth", "normals"], models = shippedModelsDir): Promise<RunRequest[]> {
  const requests = runs.flatMap((run) =>
    tasksOf(run).filter((task) => only.includes(task)).map(async (task): Promise<RunRequest> => {
      const { name, steps, spacing, noise, ensembleSize = 1 } = run;
      const { dir, defaults } = await resolveModel(models, modelIdOf(run, task));
      return { runId: `${name}:${task}`, modelDir: dir, task, settings: { steps, spacing, ensembleSize, noise, seed, processingResolution: defaults.processingResolution } };
    }),
  );
  return Promise.all(requests);
}

function modelIdOf({ endToEnd }: StudyRun, task: Task): string {
  return `plumbline-${endToEnd ? "e2e-" : ""}${task}`;
}

/** Seeds of a study that looks at the spread over them. */
export function seedsFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => (first + i) >>> 0);
}

/** A map to measure on every scene: a run, its task, its seed. */
interface Wanted {
  readonly name: string;
  readonly seedIndex: number;
  readonly request: RunRequest;
  readonly modelHash: string;
}

/**
 * Measures every setting with every seed on the held-out scenes against their ground truth, as `plumbline table` does. What was measured before
 * with the same models, settings and scenes is taken from the file of scores; what is new goes there at once.
 */
export async function measureHeldOut(session: Session, runs: readonly StudyRun[], { scenes, seed, device }: StudyOptions, seeds: readonly number[] = [seed], places = ownPlaces): Promise<Measured> {
  const set = await openHeldOut(places.heldOut);
  const ids = set.ids.slice(0, scenes);
  const [cache, wanted, { versions }] = await Promise.all([ScoresCache.open(places.scores), wantedOf(runs, seeds, places.models), session.engine.info()]);
  const found = new Map<Wanted, KeptScore[]>(wanted.map((item) => [item, []]));
  for (const [i, id] of ids.entries()) {
    const sceneHash = await sceneHashOf(set.dir, id);
    const keys = new Map(wanted.map((item) => [item, scoreKey({ sceneHash, modelHash: item.modelHash, task: item.request.task, settings: item.request.settings, device, onnxruntime: versions["onnxruntime"] })]));
    const missing = [...keys].filter(([, key]) => cache.get(key) === undefined);
    if (missing.length > 0) {
      await measureScene(session, `scene ${i + 1} of ${ids.length}`, await readHeldOut(set, id), set.normalsFrame, device, missing.map(([item, key]) => ({ request: item.request, keep: (score) => cache.put(key, id, score) })));
    }
    for (const [item, key] of keys) found.get(item)?.push(present(cache.get(key), item.request.runId));
  }
  return {
    scenes: ids,
    seeds,
    of: (run) => scoresOf(present(runs.find(({ name }) => name === run), run), found),
    runs: wanted.filter(({ seedIndex }) => seedIndex === 0).map((item) => present(found.get(item)?.[0], item.name).run),
  };
}

/** Depth first, then normals, the models one after another. */
async function wantedOf(runs: readonly StudyRun[], seeds: readonly number[], models: string): Promise<readonly Wanted[]> {
  const hashOf = onceForEach(async (id: string) => modelHash(await resolveModel(models, id)));
  const wanted: Wanted[] = [];
  for (const task of ["depth", "normals"] as const) {
    for (const run of [...runs].sort((a, b) => Number(a.endToEnd ?? false) - Number(b.endToEnd ?? false))) {
      for (const [seedIndex, seed] of (run.noise.kind === "zeros" ? seeds.slice(0, 1) : seeds).entries()) {
        for (const request of await requestsOf([run], seed, [task], models)) wanted.push({ name: run.name, seedIndex, request: { ...request, runId: `${request.runId}:${seed}` }, modelHash: await hashOf(modelIdOf(run, task)) });
      }
    }
  }
  return wanted;
}

/** Runs one scene; every score is kept as soon as its map is there. */
async function measureScene(session: Session, label: string, scene: HeldOutScene, frame: "RUB" | "LUB", device: DeviceChoice, missing: readonly { readonly request: RunRequest; readonly keep: (score: KeptScore) => Promise<void> }[]): Promise<void> {
  const keepers = new Map(missing.map(({ request, keep }) => [request.runId, keep]));
  const kept: Promise<void>[] = [];
  const params = { imagePath: scene.imagePath, runs: missing.map(({ request }) => request), device, stepMaps: false, stdOverSteps: false, recordSteps: false, mapSize: "source" } as const;
  const showProgress = progressOf(label);
  await predictImage(session, params, (event) => {
    showProgress(event);
    if (event.type !== "result") return;
    const { runId, provenance } = event.result;
    const keep = keepers.get(runId);
    if (!keep) return;
    const writing = keep({ scores: scoreMap(event.result, scene, frame), run: lastingPart(provenance) });
    writing.catch(() => undefined); // thrown below, when the engine is done
    kept.push(writing);
  });
  await Promise.all(kept);
}

function scoreMap(result: RunResult, scene: HeldOutScene, frame: "RUB" | "LUB"): SceneScores {
  if (result.provenance.task === "depth") {
    const { absRel, delta1 } = depthMetricsOf(result, scene);
    return { absRel, delta1 };
  }
  const { mean: meanAngle, below } = normalsMetricsOf(result, scene, frame);
  return { meanAngle, below11: below["11.25"] };
}

/** By seed. */
function scoresOf(run: StudyRun, found: ReadonlyMap<Wanted, readonly KeptScore[]>): readonly Scores[] {
  const own = [...found].filter(([{ name }]) => name === run.name);
  const seedCount = 1 + Math.max(...own.map(([{ seedIndex }]) => seedIndex));
  return Array.from({ length: seedCount }, (_, index) => {
    const ofSeed = own.filter(([{ seedIndex }]) => seedIndex === index).flatMap(([, scores]) => scores.map((kept) => kept.scores));
    const column = (name: keyof SceneScores): readonly number[] => ofSeed.map((scores) => scores[name]).filter((value) => value !== undefined);
    return { absRel: column("absRel"), delta1: column("delta1"), meanAngle: column("meanAngle"), below11: column("below11") };
  });
}

export function resultOf(results: ReadonlyMap<string, RunResult>, runId: string): RunResult {
  return present(results.get(runId), runId);
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new PlumblineError("engine-failed", `Expected a result for ${name} but the engine sent none.`);
  return value;
}

function depthMetricsOf({ map }: RunResult, { depth, mask, width }: HeldOutScene): ReturnType<typeof evaluateDepth>["metrics"] {
  return evaluateDepth(map.data, depth, mask, width, { alignment: "depth", minDepth: 1e-6, maxDepth: Infinity }).metrics;
}

function normalsMetricsOf({ map, provenance: { semantics } }: RunResult, { normals, mask }: HeldOutScene, frame: "RUB" | "LUB"): ReturnType<typeof normalsMetrics> {
  const inFrame = semantics.task === "normals" ? convertFrame(map, semantics.frame, frame) : map;
  return normalsMetrics(normalsErrors(inFrame.data, normals, mask));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** In how many places `a` is below `b`. */
export function countBelow(a: readonly number[], b: readonly number[]): number {
  return a.filter((value, i) => value < b[i]).length;
}
