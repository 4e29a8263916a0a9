import { mkdir } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import type { Command } from "commander";
import { isCancelled, PlumblineError } from "../core/errors";
import type { Task } from "../core/semantics";
import type { DeviceChoice, RunRequest } from "../core/settings";
import { exportMaps } from "../io/export";
import { writeSafetensors } from "../io/safetensors";
import type { Provenance, RecordedTensor, RunResult } from "../protocol/inference";
import { duration, predictImage, progressOf, report, shippedModelsDir, withEngine, type Session } from "./engine";
import { mapExports } from "./mapExports";
import { addRunOptions, adviceOfRuns, deviceOption, resolveRuns, resolveTinyDecoder, type RunOptions } from "./programOptions";

interface EstimateOptions extends RunOptions {
  readonly device: DeviceChoice;
  readonly out: string;
  readonly saveSteps?: true;
  readonly json?: true;
}

/** What --json prints for one image. */
type ImageReport =
  | { readonly image: string; readonly out: string; readonly files: readonly string[]; readonly runs: readonly Provenance[] }
  | { readonly image: string; readonly error: { readonly code: string; readonly message: string; readonly remedy: string } };

/** Declares `plumbline estimate`. */
export function addEstimate(program: Command): void {
  addRunOptions(program.command("estimate").description("Estimate depth and surface normals of images.").argument("<image...>", "image files"))
    .addOption(deviceOption())
    .option("--out <dir>", "where to write; several images get a folder each in it", "plumbline-out")
    .option("--save-steps", "also write the raw tensors of every step: steps.safetensors")
    .option("--json", "print what was done as JSON on stdout")
    .addHelpText("after", `
Writes depth.npy [H, W], normals.npy [H, W, 3], std.npy (how much the steps differ), coloured and 16-bit PNGs,
and run.json, which says where every number came from. With both tasks std.npy and steps.safetensors are those
of depth; those of normals are normals_std.npy and normals_steps.safetensors.

Examples:
  plumbline estimate room.jpg                                   depth and normals in one step
  plumbline estimate room.jpg --task depth --steps 10           ten steps, and how much they differ
  plumbline estimate room.jpg --task depth --steps 1 --spacing leading    the flaw
  plumbline estimate *.jpg --ensemble 10 --seed 7 --out results
  plumbline estimate room.jpg --model ./marigold-depth-v1-1 --resolution 768 --save-steps
  plumbline estimate street.jpg --model lemonaddie/Geowizard --domain outdoor --decoder tiny`)
    .action(runEstimate);
}

async function runEstimate(images: readonly string[], options: EstimateOptions): Promise<void> {
  const runs = await resolveRuns(options, shippedModelsDir);
  const tinyDecoderDir = await resolveTinyDecoder(options, shippedModelsDir);
  for (const sentence of await adviceOfRuns(runs, shippedModelsDir)) report(sentence);
  const folders = outputFolders(images, options.out);
  const reports: ImageReport[] = [];
  await withEngine(async (session) => {
    for (const [i, image] of images.entries()) reports.push(await estimateImage(session, image, folders[i], { runs, tinyDecoderDir }, options));
  });
  if (options.json) process.stdout.write(`${JSON.stringify({ images: reports }, null, 2)}\n`);
  if (reports.some((item) => "error" in item)) process.exitCode = 1;
}

/** One image; a failure is reported and does not stop the others, cancelling does. */
async function estimateImage(session: Session, image: string, out: string, { runs, tinyDecoderDir }: { readonly runs: readonly RunRequest[]; readonly tinyDecoderDir?: string }, options: EstimateOptions): Promise<ImageReport> {
  const started = performance.now();
  try {
    const { results, recorded } = await predictImage(
      session,
      { imagePath: resolve(image), runs, tinyDecoderDir, device: options.device, stepMaps: false, recordSteps: options.saveSteps === true, mapSize: "source" },
      progressOf(image),
    );
    const files = await writeResults(out, runs, results, recorded);
    for (const { provenance } of results.values()) if (provenance.decoderDifference !== undefined) report(`${image}: ${decoderText(provenance.decoderDifference, provenance.task)}`);
    report(`${image}: ${[...results.keys()].join(" and ")} in ${duration(performance.now() - started)} -> ${out}`);
    return { image, out, files, runs: runs.map(({ runId }) => resultOf(results, runId).provenance) };
  } catch (error) {
    if (!(error instanceof PlumblineError) || isCancelled(error)) throw error;
    // What another command line would avoid is wrong for every image.
    if (error.code === "bad-argument") throw error;
    report(`${image}: ${error.message}${error.remedy && ` ${error.remedy}`}`);
    return { image, error: { code: error.code, message: error.message, remedy: error.remedy } };
  }
}

async function writeResults(out: string, runs: readonly RunRequest[], results: ReadonlyMap<string, RunResult>, recorded: Readonly<Record<string, readonly RecordedTensor[]>>): Promise<string[]> {
  const stepFiles: string[] = [];
  await makeFolder(out);
  for (const [i, { runId, task }] of runs.entries()) {
    const tensors = recorded[runId];
    if (!tensors) continue;
    const name = `${i === 0 ? "" : `${task}_`}steps.safetensors`;
    await writeSafetensors(join(out, name), Object.fromEntries(tensors.map(({ name: tensor, dims, data }) => [tensor, { dims, data }])));
    stepFiles.push(name);
  }
  const maps = runs.flatMap(({ runId }, i) => mapExports(resultOf(results, runId), i === 0));
  const provenance = { runs: runs.map(({ runId }) => resultOf(results, runId).provenance), ...(stepFiles.length > 0 && { stepFiles }) };
  return [...stepFiles, ...(await exportMaps(out, maps, provenance))];
}

function decoderText(difference: number, task: Task): string {
  return `the tiny decoder's map of ${task} is ${task === "depth" ? `${difference.toFixed(4)} of its range` : `${difference.toFixed(2)}°`} from the full decoder's on average`;
}

async function makeFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true }).catch((cause: unknown) => {
    throw new PlumblineError("write-failed", `Could not make the folder ${dir}: ${String(cause)}`, "Choose another folder with --out.", { cause });
  });
}

function resultOf(results: ReadonlyMap<string, RunResult>, runId: string): RunResult {
  const result = results.get(runId);
  if (!result) throw new PlumblineError("engine-failed", `Expected a result for ${runId} but the engine sent none.`);
  return result;
}

/** `out` itself for one image, `out/NAME` for each of several; equal names are numbered. */
export function outputFolders(images: readonly string[], out: string): string[] {
  if (images.length === 1) return [out];
  const used = new Set<string>();
  return images.map((image) => {
    const name = basename(image, extname(image));
    let unique = name;
    for (let n = 2; used.has(unique); n++) unique = `${name}-${n}`;
    used.add(unique);
    return join(out, unique);
  });
}
