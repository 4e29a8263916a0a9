import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { Option, type Command } from "commander";
import { fitScaleShift } from "../core/alignment";
import { colormapNames, type ColormapName } from "../core/colormap";
import { csvFrom } from "../core/csv";
import { compareMaps, type ComparedMap, type DifferenceKind, type MapDifference } from "../core/difference";
import { PlumblineError, unexpected } from "../core/errors";
import { figureSvg, type FigureRow, type FigureTile } from "../core/figure";
import type { FloatMap } from "../core/image";
import { noiseStory } from "../core/noiseStory";
import { noisePlan } from "../core/schedulers/noiseLevels";
import { presetIds, presets, type Preset } from "../core/presets";
import { resizeMap } from "../core/resize";
import type { Task } from "../core/semantics";
import type { DeviceChoice } from "../core/settings";
import { writeFileAtomically } from "../io/atomicFile";
import { writeFigure } from "../io/figureFile";
import { comparedRuns, parseRun, presetOf, type ComparedRun, type RunText, type SharedOptions } from "./comparedRuns";
import { compareRuns, type Compared, type ComparedTask, type Truth } from "./comparedTasks";
import { meanOf, photoTile, resultTile, settingsText, shortNumber, variationTile, withoutEmptyColumns, writeCloud, writeSteps, type Projection, type Variation } from "./comparePictures";
import { duration, report, shippedModelsDir, withEngine, type Session } from "./engine";
import { collect, deviceOption, wholeNumber } from "./programOptions";
import { alignColumns } from "./table";

interface CompareOptions extends SharedOptions {
  readonly preset?: Preset;
  readonly run: readonly RunText[];
  readonly truth?: string;
  readonly truthNormals?: string;
  readonly colormap: ColormapName;
  readonly fov: number;
  readonly device: DeviceChoice;
  readonly cache?: string;
  readonly out: string;
  readonly json?: true;
}

/** Of a folder given with --cache; what is kept only while the command runs is not limited. */
const keptCacheBytes = 8 * 2 ** 30;
const temporaryCacheBytes = 2 ** 50;

/** Declares `plumbline compare`. */
export function addCompare(program: Command): void {
  program
    .command("compare")
    .description("Set runs of one image beside each other: a figure, the steps as animations, their curves, clouds.")
    .argument("<image>", "image file")
    .addOption(new Option("--preset <name>", `a comparison of the paper: ${presetIds.join(", ")} (default: flaw, where there is no --run)`).argParser(presetOf))
    .addOption(new Option("--run <settings>", "a run, as label=,steps=,spacing=,noise=,ensemble=,seed=,model= separated by commas; again for more").argParser(parseRun).default([], "none"))
    .addOption(new Option("--model <id|dir>", "model of the runs that name none; again for the other task").argParser(collect).default([], "the shipped ones"))
    .addOption(new Option("--task <task>", "what to estimate (default: both, or what the models were made for)").choices(["depth", "normals", "both"]))
    .option("--truth <file>", "ground-truth depth: .npy, .npz, .pfm, .exr, .dpt, 16-bit .png (0 is no value)")
    .option("--truth-normals <file>", "ground-truth normals, of three channels, in the model's frame")
    .addOption(new Option("--colormap <name>", "colours of depth").choices(colormapNames).default("Spectral"))
    .addOption(new Option("--fov <degrees>", "horizontal field of view of the clouds").argParser(wholeNumber(1, 170)).default(60))
    .addOption(new Option("--resolution <pixels>", "longest side at which the networks run, 0 for the image's own (default: the model's own)").argParser(wholeNumber(0, 8192)))
    .addOption(new Option("--seed <n>", "seed of the noise").argParser(wholeNumber(0, 0xffffffff)).default(2024))
    .addOption(deviceOption())
    .option("--cache <dir>", "keep the runs here, and take from here what was run before")
    .requiredOption("--out <dir>", "where to write")
    .option("--json", "print provenance.json on stdout instead of the table")
    .addHelpText("after", `
Writes figure.svg, figure.png (the runs with their settings, on white), curves.csv (every step: timestep, noise told and
real, how far it moved), RUN_TASK_steps.webp (animation, runs of several steps), RUN_cloud.ply, and provenance.json.

Presets:
${presets.map(({ id, about }) => `  ${id.padEnd(9)} ${about}`).join("\n")}

Examples:
  plumbline compare room.jpg --out compared                          the flaw of the schedule, in one figure
  plumbline compare room.jpg --preset fig2 --task depth --out fig2
  plumbline compare room.jpg --run steps=1 --run "label=Ten,steps=10,seed=7" --truth room_depth.npy --out steps`)
    .action(runCompare);
}

async function runCompare(image: string, options: CompareOptions): Promise<void> {
  const started = performance.now();
  const preset = options.preset ?? (options.run.length === 0 ? presetOf("flaw") : undefined);
  const runs = await comparedRuns(preset, options.run, options, shippedModelsDir);
  const truth = truthOf(options, runs);
  await withEngine(async (session) => {
    const temporary = options.cache === undefined ? await mkdtemp(join(tmpdir(), "plumbline-compare-")) : undefined;
    try {
      const cache = temporary !== undefined ? { dir: temporary, maxBytes: temporaryCacheBytes } : { dir: resolve(options.cache ?? ""), maxBytes: keptCacheBytes };
      const compared = await compareRuns(session, resolve(image), runs, truth, cache, options.device);
      const provenance = await writeComparison(session, compared, cache.dir, preset, truth, image, options);
      report(`${image}: ${runs.length} ${runs.length === 1 ? "run" : "runs"} in ${duration(performance.now() - started)} -> ${options.out}`);
      process.stdout.write(options.json ? `${JSON.stringify(provenance, null, 2)}\n` : comparisonText(compared, truth));
    } finally {
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    }
  });
}

function truthOf({ truth, truthNormals }: CompareOptions, runs: readonly ComparedRun[]): Truth {
  const tasks = new Set(runs.flatMap(({ requests }) => requests.map(({ task }) => task)));
  if (truth !== undefined && !tasks.has("depth")) throw unexpected("bad-argument", "--truth", "a run of depth", "none", "Give ground truth of normals with --truth-normals.");
  if (truthNormals !== undefined && !tasks.has("normals")) throw unexpected("bad-argument", "--truth-normals", "a run of normals", "none", "Give ground truth of depth with --truth.");
  return { ...(truth !== undefined && { depth: resolve(truth) }), ...(truthNormals !== undefined && { normals: resolve(truthNormals) }) };
}

async function writeComparison(session: Session, compared: Compared, cacheDir: string, preset: Preset | undefined, truth: Truth, image: string, { out, colormap, fov }: CompareOptions): Promise<object> {
  const { photo, tasks } = compared;
  const runs = [...new Set(tasks.map(({ run }) => run))];
  const truthDepth = truth.depth === undefined ? undefined : (await session.engine.readMap({ kind: "file", path: truth.depth, task: "depth" })).map;
  const files: string[] = [];
  const clouds: Record<string, Projection> = {};
  for (const run of runs) {
    const own = tasks.filter((task) => task.run === run);
    for (const task of own) if (task.plan.length > 1) files.push(...(await writeSteps(out, `${run.slug}_${task.task}_steps`, cacheDir, task, colormap)));
    const [depth, normals] = (["depth", "normals"] as const).map((wanted) => own.find(({ task }) => task === wanted)?.result);
    if (!depth) continue;
    clouds[run.slug] = projectionOf(depth.map, depth.provenance.semantics, truthDepth, fov);
    files.push(await writeCloud(out, `${run.slug}_cloud`, depth, normals, photo, clouds[run.slug]));
  }
  await writeFileAtomically(join(out, "curves.csv"), curvesCsv(tasks));
  const provenance = {
    image: tasks[0].result.provenance.image,
    ...(preset && { preset: preset.id }),
    ...(Object.keys(truth).length > 0 && { truth }),
    runs: tasks.map((task) => ({ label: task.run.label, slug: task.run.slug, cached: task.cached, ...task.result.provenance, meanStdOverSteps: meanStd(task), errorToTruth: task.error })),
    clouds,
  };
  const title = preset ? `${preset.title}: ${basename(image)}` : basename(image);
  files.push(...(await writeFigure(out, "figure", figureSvg({ title, rows: await figureRows(compared, runs, colormap), footer: footerOf(tasks) }), provenance)), "curves.csv");
  const whole = { ...provenance, files };
  await writeFileAtomically(join(out, "provenance.json"), `${JSON.stringify(whole, null, 2)}\n`);
  return whole;
}

async function figureRows({ photo, tasks }: Compared, runs: readonly ComparedRun[], colormap: ColormapName): Promise<readonly FigureRow[]> {
  const variationTask = tasks.some(({ task }) => task === "depth") ? "depth" : "normals";
  const reference = referenceOf(tasks.filter(({ task }) => task === variationTask));
  const variations = new Map(runs.map((run) => [run, variationOf(tasks.find((task) => task.run === run && task.task === variationTask), reference)]));
  const rows = runs.map(async (run): Promise<FigureRow> => {
    const own = tasks.filter((task) => task.run === run);
    const variation = variations.get(run);
    const tileOf = (wanted: Task): Promise<FigureTile> | undefined => {
      const task = own.find((candidate) => candidate.task === wanted);
      return task && resultTile(task, colormap);
    };
    const tiles = await Promise.all([photoTile(photo), tileOf("depth"), tileOf("normals"), variation && variationTile(variation, [...variations.values()])]);
    const models = own.map(({ result }) => result.provenance.model.id).join(", ");
    return { label: run.label, settings: `${settingsText(own[0].result.provenance.settings)}; ${models}`, tiles };
  });
  return withoutEmptyColumns(await Promise.all(rows));
}

/** What the others are set against where nothing else can be shown: the first run whose network is told the truth about the noise, else the first. */
function referenceOf(tasks: readonly ComparedTask[]): ComparedTask | undefined {
  const isTold = ({ plan }: ComparedTask): boolean => noisePlan(plan).every(({ toldNoise, inputNoise }) => Math.abs(toldNoise - inputNoise) <= 0.02);
  return tasks.find(isTold) ?? tasks[0];
}

function variationOf(task: ComparedTask | undefined, reference: ComparedTask | undefined): Variation | undefined {
  if (!task) return undefined;
  const { stdOverMembers, stdOverSteps } = task.result;
  const unit = task.task === "depth" ? "in units of the depth map" : "radians";
  if (stdOverMembers) return { heading: `std of ${task.task} over the members`, unit, map: stdOverMembers };
  if (stdOverSteps) return { heading: `std of ${task.task} over the steps`, unit, map: stdOverSteps };
  if (!reference || task === reference) return undefined;
  const [map, other] = [task, reference].map(({ result }) => ({ map: result.map, semantics: result.provenance.semantics }));
  const difference = differenceOf(map, other, task.task === "depth" ? "absolute" : "angle");
  return difference && { heading: `difference of ${task.task} to “${reference.run.label}”`, unit: task.task === "depth" ? "after scale and shift, in its units" : "degrees", map: difference.map };
}

/** Absent where a disparity does not fall as the depth grows: nothing brings one onto the other. */
function differenceOf(map: ComparedMap, other: ComparedMap, kind: DifferenceKind): MapDifference | undefined {
  try {
    return compareMaps(map, other, { kind });
  } catch (error) {
    if (error instanceof PlumblineError && error.code === "bad-argument") return undefined;
    throw error;
  }
}

/** Of affine-invariant depth only the ground truth knows scale and shift; without it a shift keeps the nearest point off the camera. */
function projectionOf(map: FloatMap, semantics: ComparedTask["result"]["provenance"]["semantics"], truth: FloatMap | undefined, fovDegrees: number): Projection {
  if (semantics.task === "depth" && semantics.depthKind === "metric-depth") return { fovDegrees, scale: 1, shift: 0, units: "metres" };
  if (truth && semantics.task === "depth") {
    const resized = resizeMap(map, { width: truth.width, height: truth.height }, "bilinear").data;
    const target = semantics.depthKind === "affine-disparity" ? truth.data.map((depth) => 1 / depth) : truth.data;
    const mask = new Uint8Array(target.length).map((_, p) => (Number.isFinite(target[p]) && truth.data[p] > 0 ? 1 : 0));
    const { scale, shift } = fitScaleShift(resized, target, mask);
    if (scale > 0) return { fovDegrees, scale, shift, units: "units of the ground truth" };
  }
  return { fovDegrees, scale: 1, shift: 0.5, units: "arbitrary units" };
}

function footerOf(tasks: readonly ComparedTask[]): string {
  const { tool, image, processingSize, device } = tasks[0].result.provenance;
  return `Plumbline ${tool.version}; image sha256 ${image.sha256.slice(0, 16)}, run at ${processingSize.width} × ${processingSize.height} on ${device}. Depth is coloured between its 2nd and 98th percentile; deviations of one kind share a scale. All settings, model hashes and timesteps: provenance.json.`;
}

function meanStd({ result: { stdOverSteps } }: ComparedTask): number | undefined {
  return stdOverSteps && meanOf(stdOverSteps.data);
}

/** A line a step. Depth distances are in units of the map compared with, those of normals in degrees; AbsRel is a fraction. */
export function curvesCsv(tasks: readonly ComparedTask[]): string {
  const header = ["run", "task", "step", "steps", "timestep", "alpha_bar", "told_noise", "input_noise", "change_to_previous", "distance_to_last", "error_to_truth"];
  const rows = tasks.flatMap(({ run, task, plan, curves }) =>
    plan.map(({ timestep, alphaBar, toldNoise, inputNoise }, i) => [run.label, task, i + 1, plan.length, timestep, alphaBar, toldNoise, inputNoise, curves.changeToPrevious[i], curves.distanceToLast[i], curves.errorToTruth?.[i]]),
  );
  return csvFrom(header, rows);
}

function comparisonText({ tasks }: Compared, truth: Truth): string {
  const withTruth = Object.keys(truth).length > 0;
  const header = ["", "", "steps", "first t", "told noise", "input noise", "mean std", "first to last", ...(withTruth ? ["error"] : []), "time"];
  const lines = tasks.map((task) => {
    const { run, plan, curves, error, cached, result } = task;
    const unit = task.task === "normals" ? "°" : "";
    const std = meanStd(task);
    const stdText = std === undefined ? "-" : task.task === "normals" ? `${((std * 180) / Math.PI).toFixed(1)}°` : shortNumber(std);
    const errorText = error === undefined ? "-" : task.task === "normals" ? `${error.toFixed(2)}°` : `${(100 * error).toFixed(2)} %`;
    return [
      run.label, task.task, String(plan.length), String(plan[0].timestep), plan[0].toldNoise?.toFixed(3) ?? "-", plan[0].inputNoise?.toFixed(3) ?? "-",
      stdText, plan.length > 1 ? `${shortNumber(curves.distanceToLast[0])}${unit}` : "-", ...(withTruth ? [errorText] : []), cached ? "cached" : duration(result.provenance.timingsMillis.total),
    ];
  });
  const plans = [...new Map(tasks.map((task) => [task.run, task])).values()];
  const story = noiseStory(plans.map(({ run, plan, result }) => ({ label: run.label, plan, zeros: result.provenance.settings.noise.kind === "zeros", endToEnd: run.endToEnd })));
  return `${alignColumns([header, ...lines], 2)}\n${story.join("\n")}\n`;
}
