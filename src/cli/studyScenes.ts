import { join } from "node:path";
import { resolveModel } from "../catalogue/library";
import { PlumblineError } from "../core/errors";
import { evaluateDepth, normalsErrors, normalsMetrics } from "../core/metrics";
import { convertFrame } from "../core/normals";
import type { Task } from "../core/semantics";
import type { DeviceChoice, NoiseChoice, RunRequest, TimestepSpacing } from "../core/settings";
import type { Provenance, RunResult } from "../protocol/inference";
import { duration, installation, predictImage, shippedModelsDir, showStatus, type Session } from "./engine";
import { openHeldOut, readHeldOut, type HeldOutScene } from "./heldOut";

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
  readonly endToEnd?: boolean;
}

/** Errors by scene, in the order of the scenes. */
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
  readonly of: (run: string) => Scores;
  readonly provenance: readonly Provenance[];
}

/** Requests for both tasks of every run on the shipped models; run ids are `${name}:${task}`. */
export async function requestsOf(runs: readonly StudyRun[], seed: number, tasks: readonly Task[] = ["depth", "normals"]): Promise<RunRequest[]> {
  const requests = runs.flatMap(({ name, steps, spacing, noise, endToEnd }) =>
    tasks.map(async (task): Promise<RunRequest> => {
      const { dir, defaults } = await resolveModel(shippedModelsDir, `plumbline-${endToEnd ? "e2e-" : ""}${task}`);
      return { runId: `${name}:${task}`, modelDir: dir, task, settings: { steps, spacing, ensembleSize: 1, noise, seed, processingResolution: defaults.processingResolution } };
    }),
  );
  return Promise.all(requests);
}

/** Runs every setting on the held-out scenes and measures it against their ground truth, as `plumbline table` does. */
export async function measureHeldOut(session: Session, runs: readonly StudyRun[], { scenes, seed, device }: StudyOptions): Promise<Measured> {
  const started = performance.now();
  const set = await openHeldOut(join(installation, "test", "heldout"));
  const ids = set.ids.slice(0, scenes);
  const requests = await requestsOf(runs, seed);
  const scores = new Map(runs.map(({ name }) => [name, { absRel: [] as number[], delta1: [] as number[], meanAngle: [] as number[], below11: [] as number[] }]));
  let provenance: readonly Provenance[] = [];
  for (const [i, id] of ids.entries()) {
    const scene = await readHeldOut(set, id);
    const { results } = await predictImage(session, { imagePath: scene.imagePath, runs: requests, device, stepMaps: false, stdOverSteps: false, recordSteps: false, mapSize: "source" });
    for (const { name } of runs) {
      const own = scores.get(name);
      const depth = depthMetricsOf(resultOf(results, `${name}:depth`), scene);
      const normals = normalsMetricsOf(resultOf(results, `${name}:normals`), scene, set.normalsFrame);
      own?.absRel.push(depth.absRel);
      own?.delta1.push(depth.delta1);
      own?.meanAngle.push(normals.mean);
      own?.below11.push(normals.below["11.25"]);
    }
    provenance = [...results.values()].map((result) => result.provenance);
    showStatus(`scene ${i + 1} of ${ids.length}, ${duration(((performance.now() - started) / (i + 1)) * (ids.length - i - 1))} left`);
  }
  return { scenes: ids, of: (run) => found(scores.get(run), run), provenance };
}

export function resultOf(results: ReadonlyMap<string, RunResult>, runId: string): RunResult {
  return found(results.get(runId), runId);
}

function found<T>(value: T | undefined, name: string): T {
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
