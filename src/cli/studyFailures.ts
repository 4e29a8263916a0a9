import { join } from "node:path";
import { colorize } from "../core/colormap";
import { evaluateDepth } from "../core/metrics";
import { angleMap, colorFromNormals, convertFrame } from "../core/normals";
import { displayRange } from "../core/statistics";
import type { Task } from "../core/semantics";
import { writeFileAtomically } from "../io/atomicFile";
import { writeGrid, type GridCell } from "../io/composite";
import type { DecodedImage, RunResult } from "../protocol/inference";
import { duration, installation, predictImage, showStatus, type Session } from "./engine";
import { depthCaption, normalsCaption } from "./failureCaptions";
import { openHeldOut, readHeldOut, type HeldOutScene, type HeldOutSet } from "./heldOut";
import { colourOf, colourOfDeviation } from "./mapExports";
import { openPhotographs, readCredit, type Credit, type Photograph } from "./photographs";
import { modelsFingerprint } from "./studyPhotographs";
import { mean, requestsOf, resultOf, type StudyOptions } from "./studyScenes";

const tasks: readonly Task[] = ["depth", "normals"];
const shownScenes = 3;
/** Two side by side: as wide as a scene with truth, prediction and error. */
const shownPhotographs = 4;
/** Pixels; keeps a sheet below 60 KB. */
const cellSize = 116;
/** The error that has the brightest colour: a fraction of the depth, degrees. */
const brightest: Readonly<Record<Task, number>> = { depth: 0.5, normals: 60 };

/** A held-out scene under one task. */
export interface Failure {
  readonly id: string;
  /** AbsRel, a fraction; or the mean angle, degrees. */
  readonly error: number;
  /** What is wrong, in words. */
  readonly caption: string;
  readonly cells: readonly GridCell[];
}

interface Predicted {
  readonly image: DecodedImage;
  readonly results: ReadonlyMap<string, RunResult>;
}

/** Beside the card of each shipped end-to-end model: the held-out scenes with the greatest errors, and photographs whose layout it misses. */
export async function studyFailures(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const set = await openHeldOut(join(installation, "test", "heldout"));
  const ids = set.ids.slice(0, options.scenes);
  const failures: Readonly<Record<Task, Failure[]>> = { depth: [], normals: [] };
  const started = performance.now();
  for (const [i, id] of ids.entries()) {
    const scene = await readHeldOut(set, id);
    const predicted = await predict(session, scene.imagePath, options);
    failures.depth.push(depthFailure(id, scene, predicted));
    failures.normals.push(normalsFailure(id, scene, predicted, set));
    showStatus(`scene ${i + 1} of ${ids.length}, ${duration(((performance.now() - started) / (i + 1)) * (ids.length - i - 1))} left`);
  }
  const photographs = await openPhotographs(join(installation, "test", "photographs"));
  const credited = await Promise.all(photographs.photographs.map(async (photograph) => ({ ...photograph, ...(await readCredit(photograph.path)) })));
  const shown: Shown[] = [];
  for (const photograph of worstPhotographs(credited, shownPhotographs)) shown.push({ ...photograph, ...(await predict(session, photograph.path, options)) });
  const models = modelsFingerprint(tasks.map((task) => resultOf(shown[0].results, `e2e:${task}`).provenance));
  const written = tasks.map((task) => writeFailures(task, failures[task], shown, photographs.judgedModels === models, options));
  return (await Promise.all(written)).flat();
}

async function predict(session: Session, imagePath: string, { seed, device }: StudyOptions): Promise<Predicted> {
  const runs = await requestsOf([{ name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true }], seed);
  let image: DecodedImage = { width: 0, height: 0, rgb: new Uint8Array(0) };
  const { results } = await predictImage(session, { imagePath, runs, device, stepMaps: false, recordSteps: false, mapSize: "source" }, (event) => {
    if (event.type === "image") image = event.image;
  });
  return { image, results };
}

/** Both depths in the colours of the truth's range, so that a wrong distance has a wrong colour; no colour where there is no truth. */
function depthFailure(id: string, scene: HeldOutScene, { image, results }: Predicted): Failure {
  const { depth: truth, mask, width, height } = scene;
  const { aligned, metrics } = evaluateDepth(resultOf(results, "e2e:depth").map.data, truth, mask, width, { alignment: "depth", minDepth: 1e-6, maxDepth: Infinity });
  const known = (values: Float32Array): Float32Array => values.map((value, p) => (mask[p] ? value : NaN));
  const range = displayRange(truth.filter((_, p) => mask[p]), 2, 98);
  const colour = (values: Float32Array): Uint8Array => colorize(known(values), { colormap: "Spectral", range, nanColor: [255, 255, 255] });
  const error = { width, height, channels: 1 as const, data: known(aligned.map((value, p) => Math.abs(value - truth[p]) / truth[p])) };
  return {
    id, error: metrics.absRel, caption: depthCaption(aligned, scene),
    cells: [
      { label: `scene ${id}`, picture: image }, { label: "truth", picture: { rgb: colour(truth), width, height } },
      { label: "prediction", picture: { rgb: colour(aligned), width, height } },
      { label: `error ${(100 * metrics.absRel).toFixed(0)} %`, picture: { rgb: colourOfDeviation(error, brightest.depth), width, height } },
    ],
  };
}

function normalsFailure(id: string, scene: HeldOutScene, { image, results }: Predicted, { normalsFrame }: HeldOutSet): Failure {
  const { normals, mask, width, height } = scene;
  const { map, provenance: { semantics } } = resultOf(results, "e2e:normals");
  const truth = { width, height, channels: 3 as const, data: normals };
  const predicted = semantics.task === "normals" ? convertFrame(map, semantics.frame, normalsFrame) : map;
  const degrees = angleMap(predicted, truth).data.map((radians, p) => (mask[p] ? (radians * 180) / Math.PI : NaN));
  const error = mean(Array.from(degrees).filter((angle) => !Number.isNaN(angle)));
  return {
    id, error, caption: normalsCaption(degrees, scene),
    cells: [
      { label: `scene ${id}`, picture: image }, { label: "truth", picture: { rgb: colorFromNormals(truth), width, height } },
      { label: "prediction", picture: { rgb: colorFromNormals(predicted), width, height } },
      { label: `error ${error.toFixed(0)}°`, picture: { rgb: colourOfDeviation({ width, height, channels: 1, data: degrees }, brightest.normals), width, height } },
    ],
  };
}

/** The scenes with the greatest errors, the worst first. */
export function worstOf<T extends Pick<Failure, "error">>(failures: readonly T[], count: number): readonly T[] {
  return [...failures].sort((a, b) => b.error - a.error).slice(0, count);
}

/**
 * Those whose layout was called wrong, then those called partly right, each in the order of the set. The pictures travel with the models,
 * so that they are of those in the public domain or under a Creative Commons licence only.
 */
export function worstPhotographs<T extends Pick<Photograph, "layout"> & Pick<Credit, "licence">>(photographs: readonly T[], count: number): readonly T[] {
  const free = photographs.filter(({ licence }) => /CC0|CC BY|Public domain/.test(licence));
  return (["wrong", "partly"] as const).flatMap((layout) => free.filter((photograph) => photograph.layout === layout)).slice(0, count);
}

type Shown = Photograph & Credit & Predicted;

/** `areJudged`: the judgements are of these models. */
async function writeFailures(task: Task, failures: readonly Failure[], shown: readonly Shown[], areJudged: boolean, { out }: StudyOptions): Promise<readonly string[]> {
  const name = `plumbline-e2e-${task}`;
  const worst = worstOf(failures, shownScenes);
  const cellsOf = ({ kind, image, results }: Shown): GridCell[] => {
    const result = resultOf(results, `e2e:${task}`);
    return [{ label: kind, picture: image }, { label: "prediction", picture: { rgb: colourOf(result), width: result.map.width, height: result.map.height } }];
  };
  const pairs = Array.from({ length: Math.ceil(shown.length / 2) }, (_, row) => shown.slice(2 * row, 2 * row + 2).flatMap(cellsOf));
  await writeGrid(join(out, name, "failures.jpg"), `What ${name} gets wrong`, [...worst.map(({ cells }) => cells), ...pairs], cellSize, join(installation, "media", "fonts"));
  await writeFileAtomically(join(out, name, "failures.md"), pageOf(task, name, failures.length, worst, shown, areJudged));
  return [join(name, "failures.jpg"), join(name, "failures.md")];
}

function pageOf(task: Task, name: string, scenes: number, worst: readonly Failure[], photographs: readonly Shown[], areJudged: boolean): string {
  const isDepth = task === "depth";
  const errorOf = ({ error }: Failure): string => (isDepth ? `${(100 * error).toFixed(1)} %` : `${error.toFixed(1)}°`);
  const colours = isDepth ? "both in the colours of the true range, red is near, white has no truth" : "normals as colours";
  return `# What ${name} gets wrong

![Held-out scenes and photographs with the predictions of ${name}](failures.jpg)

Above: of ${scenes} held-out rendered scenes the ${worst.length} with the greatest ${isDepth ? "AbsRel" : "mean angle"}: image, truth, prediction (${colours}), error (bright: ${isDepth ? `${100 * brightest.depth} % of the depth` : `${brightest.normals}°`} or more).

| scene | ${isDepth ? "AbsRel" : "mean angle"} | what is wrong |
| --- | --- | --- |
${worst.map((failure) => `| ${failure.id} | ${errorOf(failure)} | ${failure.caption} |`).join("\n")}

Below: photographs whose layout was not called right, the wrong ones first${areJudged ? "" : ". **These judgements are of other weights and have to be made again**"} (docs/photographs.md in the repository has all).

| photograph | layout | depth and normals | author, licence |
| --- | --- | --- | --- |
${photographs.map(({ kind, layout, remark, author, licence }) => `| ${kind} | ${layout} | ${remark} | ${author}, ${licence} |`).join("\n")}

\`npm run plumbline -- study failures --out models\` makes this page and its picture again, from a checkout. The picture shows the photographs
scaled down, under their own licences; test/photographs/LICENCES.md and media/samples/LICENCES.md in the repository name their sources.
`;
}
