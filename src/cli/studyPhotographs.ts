import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { evaluateDepth, meanDepthMetrics, type DepthMetrics } from "../core/metrics";
import { writeFileAtomically } from "../io/atomicFile";
import { stackPictures, writeGrid, type GridCell } from "../io/composite";
import type { DecodedImage, Provenance, RunResult } from "../protocol/inference";
import { duration, installation, predictImage, showStatus, type Session } from "./engine";
import { colourOf } from "./mapExports";
import { openPhotographs, readMeasuredDepth, type Layout, type Photograph, type PhotographSet } from "./photographs";
import { commandOf, lastingPart } from "./studyPage";
import { requestsOf, resultOf, type StudyOptions } from "./studyScenes";

/** Pixels. */
const cellSize = 200;
/** Photographs side by side on the sheet. */
const pairs = 2;
/** Of the overview: photographs side by side, and pixels of each of their three pictures. */
const overview = { columns: 10, width: 120, height: 90 };

/** Errors against the measured depth, of the model and of the guess that depth changes evenly from top to bottom. */
export interface Compared {
  readonly file: string;
  readonly model: DepthMetrics;
  readonly ramp: DepthMetrics;
}

/** What the end-to-end models make of real photographs: a contact sheet, errors where depth was measured, and a judgement of each. */
export async function studyPhotographs(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const set = await openPhotographs(join(installation, "test", "photographs"));
  const photographs = set.photographs.slice(0, options.scenes);
  const requests = await requestsOf([{ name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true }], options.seed);
  const started = performance.now();
  const cells: GridCell[][] = [];
  const compared: Compared[] = [];
  let provenance: readonly Provenance[] = [];
  for (const [i, photograph] of photographs.entries()) {
    let image: DecodedImage | undefined;
    const params = { imagePath: photograph.path, runs: requests, device: options.device, stepMaps: false, recordSteps: false, mapSize: "source" } as const;
    const { results } = await predictImage(session, params, (event) => {
      if (event.type === "image") image = event.image;
    });
    const [depth, normals] = [resultOf(results, "e2e:depth"), resultOf(results, "e2e:normals")];
    cells.push(cellsOf(`${i + 1} ${photograph.kind}`, image, depth, normals));
    if (photograph.depthPath !== undefined) compared.push(await compareDepth(basename(photograph.path), photograph.depthPath, depth));
    provenance = [depth.provenance, normals.provenance];
    showStatus(`photograph ${i + 1} of ${photographs.length}, ${duration(((performance.now() - started) / (i + 1)) * (photographs.length - i - 1))} left`);
  }
  await writeGrid(join(options.out, "photographs.jpg"), "Real photographs under the shipped end-to-end models: depth (relative; red is near) and normals", sheetRows(cells), cellSize, join(installation, "media", "fonts"));
  await writeOverview(join(options.out, "photographs-overview.jpg"), cells);
  const models = modelsFingerprint(provenance);
  const stored = { judgedModels: set.judgedModels, models, photographs: photographs.map(({ path, ...rest }) => ({ file: basename(path), kind: rest.kind, layout: rest.layout, judgements: rest.judgements })), compared, runs: provenance.map(lastingPart) };
  await writeFileAtomically(join(options.out, "photographs.json"), `${JSON.stringify(stored, null, 2)}\n`);
  await writeFileAtomically(join(options.out, "photographs.md"), pageOf(photographs, set.judgedModels, models, compared, options));
  return ["photographs.md", "photographs.jpg", "photographs-overview.jpg", "photographs.json"];
}

/** Names the weights and settings of models: the same models, the same twelve characters. */
export function modelsFingerprint(runs: readonly Pick<Provenance, "model">[]): string {
  return createHash("sha256").update(JSON.stringify(runs.map(({ model: { id, files } }) => [id, files]))).digest("hex").slice(0, 12);
}

function cellsOf(label: string, image: DecodedImage | undefined, depth: RunResult, normals: RunResult): GridCell[] {
  const mapCell = (name: string, result: RunResult): GridCell => ({ label: name, picture: { rgb: colourOf(result), width: result.map.width, height: result.map.height } });
  return [{ label, ...(image && { picture: image }) }, mapCell("depth", depth), mapCell("normals", normals)];
}

function sheetRows(cells: readonly GridCell[][]): GridCell[][] {
  return Array.from({ length: Math.ceil(cells.length / pairs) }, (_, row) => cells.slice(pairs * row, pairs * (row + 1)).flat());
}

/** All photographs at one glance, each above its depth and its normals, cut to one shape. */
async function writeOverview(path: string, cells: readonly GridCell[][]): Promise<void> {
  const stacked = await Promise.all(cells.map(async (own) => ({ label: own[0].label.replace(/^\d+ /, ""), picture: await stackPictures(own.flatMap(({ picture }) => picture ?? []), overview.width, overview.height) })));
  const rows = Array.from({ length: Math.ceil(stacked.length / overview.columns) }, (_, row) => stacked.slice(row * overview.columns, (row + 1) * overview.columns));
  await writeGrid(path, "Photographs, and below each its depth (relative; red is near) and its normals", rows, 3 * overview.height, join(installation, "media", "fonts"));
}

async function compareDepth(file: string, depthPath: string, { map: { width, height, data } }: RunResult): Promise<Compared> {
  const { map: truth, mask } = await readMeasuredDepth(depthPath);
  // Which way depth grows is left to the fit, as its scale may be negative.
  const ramp = Float32Array.from({ length: width * height }, (_, p) => Math.floor(p / width) / height);
  const measure = (prediction: Float32Array): DepthMetrics => evaluateDepth(prediction, truth.data, mask, width, { alignment: "depth", minDepth: 1e-6, maxDepth: Infinity }).metrics;
  return { file, model: measure(data), ramp: measure(ramp) };
}

/** How the models do against the ramp, in a sentence. */
export function findingOf(compared: readonly Compared[]): string {
  const mean = (of: (row: Compared) => DepthMetrics): DepthMetrics => meanDepthMetrics(compared.map(of));
  const [model, ramp] = [mean((row) => row.model), mean((row) => row.ramp)];
  const better = compared.filter((row) => row.model.absRel < row.ramp.absRel).length;
  const verdict = model.absRel < ramp.absRel ? "is nearer the measured depth than a vertical ramp" : "is no nearer the measured depth than a vertical ramp";
  return `On average the depth model ${verdict}: AbsRel ${percent(model.absRel)} against ${percent(ramp.absRel)}, delta1 ${percent(model.delta1)} against ${percent(ramp.delta1)}; it is nearer on ${better} of ${compared.length} photographs.`;
}

/** How many layouts were called right, partly right and wrong, in a sentence; and how many each judgement alone called right. */
export function countOf(photographs: readonly Pick<Photograph, "layout" | "judgements">[]): string {
  const count = (layout: Layout): number => photographs.filter((photograph) => photograph.layout === layout).length;
  const judges = photographs[0]?.judgements.map((_, i) => photographs.filter(({ judgements }) => judgements[i] === "right").length) ?? [];
  return `Of ${photographs.length} layouts ${count("right")} were called right, ${count("partly")} partly right and ${count("wrong")} wrong (the middle one of ${judges.length} judgements each; one by one they called ${judges.join(", ")} right).`;
}

function pageOf(photographs: readonly Photograph[], judgedModels: PhotographSet["judgedModels"], models: string, compared: readonly Compared[], options: StudyOptions): string {
  const stale = judgedModels === models ? "" : `\n**The judgements below were made of other models (${judgedModels}) than those of the sheet (${models}): they have to be made again.**\n`;
  const depthRows = compared.map(({ file, model, ramp }) => [file, percent(model.absRel), percent(ramp.absRel), percent(model.delta1), percent(ramp.delta1)]);
  return `# Real photographs

What the shipped end-to-end models make of ${photographs.length} freely licensed photographs of as many kinds of scene, none of which is used in training.
Sources and licences: [test/photographs](../test/photographs/LICENCES.md) and [media/samples](../media/samples/LICENCES.md); the sheet shows them in small under the same licences.

![For each photograph: the photograph, its depth and its normals](photographs.jpg)

## Against measured depth

${compared.length > 0 ? `**${findingOf(compared)}**\n\n${tableOf(["", "AbsRel, model", "AbsRel, ramp", "delta1, model", "delta1, ramp"], depthRows)}` : "None of these photographs has measured depth."}

Depth cameras took these photographs, so that all are within ten metres, and edges, dark and far surfaces are in part unmeasured: such pixels do not count. Both model and ramp are aligned by scale and shift (least squares). The ramp is the guess that depth changes evenly from the top row to the bottom row, in whichever direction fits.

## Is the layout right?

Whether a layout is right has to be judged by a person who looks at the sheet. What follows are first judgements, not a person's count: one by the maker of the models, with its reasons, and others made from the sheet and the next three sentences alone; the middle one counts. Right: what is near and far, and the surfaces that carry the scene, are as in the photograph. Partly: the main order is right, with a part that is clearly wrong. Wrong: a person would take the scene for another one.
${stale}
**${countOf(photographs)}**

${tableOf(["", "kind", "file", "layout", "judgements", "why"], photographs.map(({ kind, path, layout, judgements, remark }, i) => [String(i + 1), kind, basename(path), layout, judgements.join(", "), remark]))}

## How it was made

- One step from zeros with plumbline-e2e-depth and plumbline-e2e-normals, at their usual resolution; depth in colour from its 2nd to its 98th percentile.
- The judgements and the fingerprint of the models that they are of are in test/photographs/photographs.json. With other models: make the page, look at the sheet, change them there (the new fingerprint is ${models}), and make the page again.
- \`${commandOf("photographs", options)}\` makes this page again, with the same numbers; [photographs.json](photographs.json) holds them all, with the hashes of the models.
`;
}

function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}
