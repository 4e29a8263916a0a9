import { join, resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { isCancelled, PlumblineError, unexpected } from "../core/errors";
import type { DeviceChoice } from "../core/settings";
import { examiner } from "../evaluation/examine";
import { readJournal } from "../evaluation/journal";
import { claim } from "../io/lock";
import { journalOf, lockOf, removeUnfinished, writeSetup } from "../evaluation/resultFolder";
import { findSamples, shardOf } from "../evaluation/samples";
import { fingerprintOf, parseSpec, readSpec, type SpotCheckSpec } from "../evaluation/spec";
import { recordsOf, runSpotCheck, type SpotEntry, type SpotProgress, type SpotRunOptions, type SpotSample } from "../evaluation/spotRun";
import { taskOfTruth, truthSourceOf, type TruthSource } from "../evaluation/truthSource";
import { writeFileAtomically } from "../io/atomicFile";
import { report, shippedModelsDir, withEngine } from "./engine";
import { deviceOption } from "./programOptions";
import { writeResults } from "./report";
import { enginePredict, prepareRuns, type PreparedRuns } from "./spotPrediction";
import { spotControl, type SpotControl } from "./spotProgress";

interface SpotCheckOptions {
  readonly config?: string;
  readonly out: string;
  readonly shard: { readonly index: number; readonly count: number };
  readonly device: DeviceChoice;
  readonly retryFailed?: true;
  readonly jsonProgress?: true;
}

/**
 * Images under way at once: one in the networks, two that are read meanwhile, and those that are measured, drawn and written to the disk, which may take
 * longer than the networks do. With truth their maps are as large as the images, so fewer are held.
 */
const inFlight = { alone: 8, withTruth: 4 };

/** Declares `plumbline spot-check`. */
export function addSpotCheck(program: Command): void {
  program
    .command("spot-check")
    .description("Estimate a folder of images and find out where the geometry is wrong; goes on where it was stopped.")
    .argument("[dir]", "folder of the images (default: what the file says, else the working directory)")
    .option("--config <file>", "what is looked at and how: plumbline.spotcheck.json (default: all images, the shipped end-to-end models)")
    .option("--out <dir>", "where the results go", "plumbline-spot-check")
    .addOption(new Option("--shard <i/n>", "every n-th image from the i-th, counted from 1; plumbline merge puts shards together").argParser(shard).default({ index: 1, count: 1 }, "1/1"))
    .addOption(deviceOption())
    .option("--retry-failed", "look again at images that failed earlier")
    .option("--json-progress", "report on stdout, a JSON object a line; stdin takes the lines pause, resume, cancel")
    .addHelpText("after", `
Writes samples.csv, summary.json, report.html, small pictures, and the settings as plumbline.spotcheck.json. A run that was stopped
in any way continues when it is started again. SIGUSR1 pauses, SIGUSR2 resumes. An image that cannot be looked at is a result, not an error.

Examples:
  plumbline spot-check photos --out result
  plumbline spot-check --config plumbline.spotcheck.json --out shard-3 --shard 3/16`)
    .action(runCommand);
}

async function runCommand(dir: string | undefined, options: SpotCheckOptions): Promise<void> {
  const out = resolve(options.out);
  const spec = await specOf(dir, options.config);
  const truth = truthSourceOf(spec.truth);
  requireTask(spec, truth);
  const runs = await prepareRuns(spec.runs, shippedModelsDir);
  const fingerprint = fingerprintOf(spec, runs.weights);
  const samples = shardOf(await findSamples(spec, truth, out), options.shard);
  const release = await claim(lockOf(out));
  try {
    await requireSame(out, fingerprint);
    await removeUnfinished(out);
    await writeFileAtomically(join(out, "plumbline.spotcheck.json"), `${JSON.stringify(spec, undefined, 2)}\n`);
    await writeSetup(out, setupOf({ spec, truth, runs, fingerprint, samples, out }, options));
    await examineFolder({ spec, truth, runs, fingerprint, samples, out }, options);
  } finally {
    await release();
  }
}

interface Work {
  readonly spec: SpotCheckSpec;
  readonly truth: TruthSource | undefined;
  readonly runs: PreparedRuns;
  readonly fingerprint: string;
  readonly samples: readonly SpotSample[];
  readonly out: string;
}

async function examineFolder({ spec, truth, runs, fingerprint, samples, out }: Work, options: SpotCheckOptions): Promise<void> {
  await withEngine(async (session) => {
    const control = spotControl(options.jsonProgress === true, session.signal);
    await spotChecked(control, out, {
      samples,
      fingerprint,
      journalPath: journalOf(out),
      examine: examiner({ folder: spec.folder, out, ...(truth && { truth }), predict: enginePredict(session, spec, runs, options.device) }),
      inFlight: truth ? inFlight.withTruth : inFlight.alone,
      retryFailed: options.retryFailed === true,
    });
  });
}

/** Runs, then writes tables and report; `control` is told how it ends. */
export async function spotChecked(control: SpotControl, out: string, run: Omit<SpotRunOptions, "gate" | "signal" | "onRecord">): Promise<void> {
  try {
    control.begin(await progressBefore(run));
    const { done, failed } = await runSpotCheck({ ...run, gate: control.gate, signal: control.signal, onRecord: control.onRecord });
    await writeResults(out);
    report(`${done} images${failed > 0 ? `, ${failed} of them failed` : ""} -> ${join(out, "report.html")}`);
    control.end("done");
  } catch (error) {
    control.end(isCancelled(error) ? "cancelled" : "failed", error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    control.dispose();
  }
}

/** How far earlier runs came; what they found is not held any longer than that takes. */
async function progressBefore({ samples, journalPath, retryFailed }: Pick<SpotRunOptions, "samples" | "journalPath" | "retryFailed">): Promise<SpotProgress> {
  const known = recordsOf((await readJournal<SpotEntry>(journalPath)).entries);
  const earlier = samples.flatMap(({ id }) => known.get(id) ?? []).filter(({ status }) => status === "done" || !retryFailed);
  return { done: earlier.length, failed: earlier.filter(({ status }) => status === "failed").length, total: samples.length };
}

/** The file's spec, or one of all images of a folder with the shipped end-to-end models; a folder that is named counts before the file's. */
async function specOf(dir: string | undefined, config: string | undefined): Promise<SpotCheckSpec> {
  const run = { name: "e2e", depth: "plumbline-e2e-depth", normals: "plumbline-e2e-normals" };
  const spec = config === undefined ? parseSpec({ format: "plumbline-spotcheck", version: 1, runs: [run] }, "the default") : await readSpec(config);
  return { ...spec, folder: dir === undefined ? resolve(spec.folder) : resolve(dir) };
}

function setupOf({ spec, truth, runs: { settings }, fingerprint, samples }: Work, { device, shard: { index, count } }: SpotCheckOptions): Parameters<typeof writeSetup>[1] {
  return {
    version: 1,
    title: "Spot check",
    folder: spec.folder,
    fingerprint,
    runs: spec.runs.map(({ name }) => name),
    settings: [
      ["Images", spec.folder],
      ["Sample", Object.entries(spec.sampling).map(([key, value]) => (key === "kind" ? String(value) : `${key} ${String(value)}`)).join(", ")],
      ...(count > 1 ? [["Shard", `${index} of ${count}`] as const] : []),
      ...settings,
      ["Device", device],
      ...(truth ? truthWords(truth) : []),
    ],
    ...(truth && { truth: { task: taskOfTruth(truth), title: truth.title } }),
    ids: samples.map(({ id }) => id),
  };
}

/** A protocol in words, for a report. */
export function truthWords({ title, encoding, minDepth, maxDepth, crop, inputCrop, rangeClipsOnly, note }: TruthSource): readonly (readonly [string, string])[] {
  const range = encoding.kind === "depth" ? `depth between ${minDepth} and ${maxDepth} m${rangeClipsOnly ? " (clips the prediction only)" : ""}` : `normals in the frame ${encoding.frame}`;
  const regions = [inputCrop && "benchmark crop of the image", crop && `evaluated in the region ${crop}`].filter((part) => part !== undefined);
  return [["Ground truth", [title, range, ...regions].join("; ")], ...(note === undefined ? [] : [["Note", note] as const])];
}

/** Throws where no run gives what there is truth of. */
function requireTask({ runs }: SpotCheckSpec, truth: TruthSource | undefined): void {
  if (!truth) return;
  const task = taskOfTruth(truth);
  if (!runs.some((run) => run[task] !== undefined)) throw unexpected("bad-argument", "the runs", `a ${task} model, as the ground truth is of ${task}`, "none", "Add one, or choose other ground truth.");
}

/** Before anything is overwritten: results of other settings stay as they are. */
async function requireSame(out: string, fingerprint: string): Promise<void> {
  const begun = (await readJournal<SpotEntry>(journalOf(out))).entries.find((entry) => entry.type === "begin");
  if (!begun || begun.fingerprint === fingerprint) return;
  throw new PlumblineError("bad-argument", `Expected results of these runs, models and ground truth in ${out} but received those of others.`, "Choose another folder with --out, or delete this one.");
}

function shard(text: string): SpotCheckOptions["shard"] {
  const [index, count] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (!(index >= 1 && index <= count)) throw new InvalidArgumentError("Expected i/n with i from 1 to n.");
  return { index, count };
}
