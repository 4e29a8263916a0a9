import { resolveModel } from "../catalogue/library";
import { semanticsOf, type ModelDescription } from "../catalogue/modelFolder";
import { PlumblineError, unexpected } from "../core/errors";
import { onceForEach } from "../core/onceForEach";
import type { Task } from "../core/semantics";
import type { DeviceChoice, RunRequest } from "../core/settings";
import type { Predict } from "../evaluation/examine";
import { modelHash } from "../evaluation/modelHash";
import type { Estimate, EstimatedMap, EstimatedRun } from "../evaluation/judge";
import type { SpotCheckSpec, SpotRunSpec } from "../evaluation/spec";
import type { DecodedImage, RunResult } from "../protocol/inference";
import { predictImage, report, type Session } from "./engine";

const tasks = ["depth", "normals"] as const;

/** The runs of a spec as the engine takes them, and in words. */
export interface PreparedRuns {
  readonly requests: readonly RunRequest[];
  readonly settings: readonly (readonly [label: string, value: string])[];
  /** Hash of the model of every request, with what its user stated of it: a journal continues only under the same. */
  readonly weights: readonly string[];
  /** What the models' folders do not say and was assumed. */
  readonly assumptions: ReadonlySet<string>;
}

/** Looks up every model. Throws `bad-argument` for a model of another task, and what `resolveModel` throws. */
export async function prepareRuns(runs: readonly SpotRunSpec[], modelsDir: string): Promise<PreparedRuns> {
  const requests: RunRequest[] = [];
  const settings: [string, string][] = [];
  const assumptions = new Set<string>();
  const hashOf = onceForEach(modelHash, ({ path }) => path);
  const weights: Promise<string>[] = [];
  for (const run of runs) {
    for (const task of tasks) {
      const named = run[task];
      if (named === undefined) continue;
      const model = await resolveModel(modelsDir, named);
      if (!model.tasks.includes(task)) throw unexpected("bad-argument", `the ${task} model of the run "${run.name}"`, `a model for ${task}`, named, "Name another model.");
      const request = requestOf(run, task, model);
      requests.push(request);
      settings.push([`${run.name}, ${task}`, `${model.id}: ${wordsOf(request)}`]);
      for (const assumption of model.assumptions) assumptions.add(assumption);
      const hash = hashOf(model);
      weights.push(model.stated ? hash.then((files) => `${files} ${JSON.stringify(semanticsOf(model, task))}`) : hash);
    }
  }
  return { requests, settings, weights: await Promise.all(weights), assumptions };
}

/** Estimates images with the engine: at the images' size where there is truth to compare with, else at the networks', which is less to compute on. */
export function enginePredict(session: Session, { runs, truth }: SpotCheckSpec, { requests, assumptions }: PreparedRuns, device: DeviceChoice): Predict {
  const noted = new Set<string>();
  return async ({ path, id }, { crop, signal }) => {
    let image: DecodedImage | undefined;
    const { results } = await predictImage(
      { ...session, signal },
      { imagePath: path, ...(crop && { crop }), runs: requests, device, stepMaps: false, recordSteps: false, stdOverSteps: false, mapSize: truth ? "source" : "processing" },
      (event) => {
        if (event.type === "image") image = event.image;
        if (event.type !== "device" || event.note === undefined || noted.has(event.note)) return;
        noted.add(event.note);
        report(event.note);
      },
    );
    const [first] = results.values();
    if (!image || !first) throw new PlumblineError("engine-failed", `Expected results for ${id} but the engine sent none.`);
    const { sha256 } = first.provenance.image;
    const notes = (first.provenance.notes ?? []).filter((note) => !assumptions.has(note));
    return { image: { ...image, sha256, notes }, runs: runs.map((run) => estimatedRun(run, results)) } satisfies Estimate;
  };
}

function estimatedRun({ name }: SpotRunSpec, results: ReadonlyMap<string, RunResult>): EstimatedRun {
  const mapOf = (task: Task): EstimatedMap | undefined => {
    const result = results.get(runIdOf(name, task));
    return result && { map: result.map, semantics: result.provenance.semantics, ...(result.stdOverMembers && { stdOverMembers: result.stdOverMembers }) };
  };
  const [depth, normals] = tasks.map(mapOf);
  return { name, ...(depth && { depth }), ...(normals && { normals }) };
}

function requestOf({ name, steps, spacing, ensembleSize, noise, seed, processingResolution }: SpotRunSpec, task: Task, { path, defaults }: ModelDescription): RunRequest {
  return {
    runId: runIdOf(name, task),
    modelDir: path,
    task,
    settings: { steps, spacing, ensembleSize, noise: { kind: noise ?? defaults.noise }, seed, processingResolution: processingResolution ?? defaults.processingResolution },
  };
}

function runIdOf(name: string, task: Task): string {
  return `${task} of ${name}`;
}

function wordsOf({ settings: { steps, spacing, ensembleSize, noise, seed, processingResolution } }: RunRequest): string {
  const members = ensembleSize > 1 ? `, ${ensembleSize} members` : "";
  const size = processingResolution === 0 ? "at the image's size" : `at ${processingResolution} pixels`;
  return `${steps} ${steps === 1 ? "step" : "steps"}, ${spacing}, ${noise.kind === "zeros" ? "no noise" : `${noise.kind} noise, seed ${seed}`}${members}, ${size}`;
}
