import { PlumblineError } from "../core/errors";
import type { Task } from "../core/semantics";
import type { DeviceChoice } from "../core/settings";
import type { DecodedImage, MapRef, RunResult, StepCurves, StepPlan } from "../protocol/inference";
import type { ComparedRun } from "./comparedRuns";
import { predictImage, progressOf, type Session } from "./engine";

/** One task of one row, done. */
export interface ComparedTask {
  readonly run: ComparedRun;
  readonly task: Task;
  /** At processing size. */
  readonly result: RunResult;
  readonly plan: readonly StepPlan[];
  readonly curves: StepCurves;
  /** AbsRel (a fraction) or mean angle (degrees) of the result to the ground truth. */
  readonly error?: number;
  readonly cached: boolean;
}

export interface Compared {
  readonly photo: DecodedImage;
  readonly tasks: readonly ComparedTask[];
}

/** Ground-truth files by task. */
export type Truth = Readonly<Partial<Record<Task, string>>>;

/** Runs every row on one image (one request: they share the image's latent), then asks how the steps of each lie. */
export async function compareRuns(session: Session, imagePath: string, runs: readonly ComparedRun[], truth: Truth, cache: { readonly dir: string; readonly maxBytes: number }, device: DeviceChoice): Promise<Compared> {
  // A file that cannot be read is told before the networks have worked for minutes.
  for (const [task, path] of Object.entries(truth)) await session.engine.readMap({ kind: "file", path, task: task as Task });
  const plans = new Map<string, { readonly steps: readonly StepPlan[]; readonly cached: boolean }>();
  let photo: DecodedImage | undefined;
  const show = progressOf(imagePath);
  const params = { imagePath, runs: runs.flatMap(({ requests }) => requests), device, stepMaps: false, recordSteps: false, mapSize: "processing", cache } as const;
  const { results } = await predictImage(session, params, (event) => {
    show(event);
    if (event.type === "image") photo = event.image;
    if (event.type === "planned") plans.set(event.runId, event);
  });
  const tasks: ComparedTask[] = [];
  for (const run of runs) {
    for (const { runId, task } of run.requests) {
      const [result, planned] = [results.get(runId), plans.get(runId)];
      if (!result || !planned) throw new PlumblineError("engine-failed", `Expected a result for ${runId} but the engine sent none.`);
      tasks.push({ run, task, result, plan: planned.steps, cached: planned.cached, ...(await curvesOf(session, result, planned.steps, truth[task], cache.dir)) });
    }
  }
  if (!photo) throw new PlumblineError("engine-failed", "Expected the decoded image but the engine sent none.");
  return { photo, tasks };
}

async function curvesOf({ engine }: Session, { runKey = "", provenance: { task } }: RunResult, plan: readonly StepPlan[], truthPath: string | undefined, cacheDir: string): Promise<Pick<ComparedTask, "curves" | "error">> {
  const refs = plan.map((_, step): MapRef => ({ kind: "step", runKey, step }));
  const truth = truthPath === undefined ? undefined : ({ kind: "file", path: truthPath, task } as const);
  const curves = await engine.curves({ cacheDir, refs, truth });
  if (!truth) return { curves };
  const { errorToTruth } = await engine.curves({ cacheDir, refs: [{ kind: "result", runKey }], truth });
  return { curves, error: errorToTruth?.[0] };
}
