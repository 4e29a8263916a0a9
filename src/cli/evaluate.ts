import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { PlumblineError, unexpected } from "../core/errors";
import type { DepthKind, NormalsFrame, Semantics } from "../core/semantics";
import { examiner } from "../evaluation/examine";
import { claim } from "../io/lock";
import { filePredict } from "../evaluation/predictions";
import { datasetPresets } from "../evaluation/presets";
import { journalOf, lockOf, writeSetup } from "../evaluation/resultFolder";
import { findSamples } from "../evaluation/samples";
import { presetOf } from "../evaluation/truthSource";
import type { TruthSource } from "../evaluation/truthSource";
import { spotChecked, truthWords } from "./spotCheck";
import { spotControl } from "./spotProgress";

interface EvaluateOptions {
  readonly pred: string;
  readonly gt: string;
  readonly preset: string;
  readonly kind?: DepthKind | "normals";
  readonly frame?: NormalsFrame;
  readonly unitsPerMetre: number;
  readonly out: string;
}

/** Declares `plumbline evaluate`. */
export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("Measure predictions of any program against a data set's ground truth.")
    .requiredOption("--pred <dir>", "predictions, in folders as the images': .npy, .npz, .pfm, .exr, .dpt, .tif, or 16-bit .png, named as the image")
    .requiredOption("--gt <dir>", "the data set as it is distributed, with its images")
    .addOption(new Option("--preset <id>", "which data set, and so which layout, mask, crop and range").choices(datasetPresets.map(({ id }) => id)).makeOptionMandatory())
    .addOption(new Option("--kind <kind>", "what the predictions are (default: affine-depth, or normals where the truth is)").choices(["affine-depth", "affine-disparity", "metric-depth", "normals"]))
    .addOption(new Option("--frame <frame>", "of predicted normals: RUB (x right, y up, z to the viewer) or LUB (x left)").choices(["RUB", "LUB"]))
    .option("--units-per-metre <n>", "of metric depth: 1000 for millimetres", positive, 1)
    .option("--out <dir>", "where the results go", "plumbline-evaluation")
    .addHelpText("after", `
Examples:
  plumbline evaluate --pred marigold/nyu --gt nyuv2 --preset nyuv2
  plumbline evaluate --pred dsine/ibims --gt dsine_eval/ibims --preset ibims1-normals --frame LUB`)
    .action(runEvaluate);
}

async function runEvaluate(options: EvaluateOptions): Promise<void> {
  const [out, pred, folder] = [options.out, options.pred, options.gt].map((path) => resolve(path));
  const truth: TruthSource = presetOf(options.preset);
  const semantics = semanticsOf(options, truth);
  const samples = await findSamples({ folder, images: "**", sampling: { kind: "all" } }, truth, out);
  const fingerprint = createHash("sha256").update(JSON.stringify({ pred, folder, preset: options.preset, semantics, unitsPerMetre: options.unitsPerMetre })).digest("hex");
  const name = basename(pred);
  const said = semantics.task === "depth" ? semantics.depthKind : `normals in the frame ${semantics.frame}`;
  const release = await claim(lockOf(out));
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    // Files may have changed since they were last measured, and are quickly measured again.
    await rm(journalOf(out), { force: true });
    await writeSetup(out, {
      version: 1, title: "Evaluation", folder, fingerprint, runs: [name],
      settings: [["Predictions", pred], ["They are", said], ["Images", folder], ...truthWords(truth)],
      truth: { task: truth.encoding.kind, title: truth.title },
      ids: samples.map(({ id }) => id),
    });
    await spotChecked(spotControl(false, interrupted.signal), out, {
      samples, fingerprint, journalPath: journalOf(out),
      examine: examiner({ folder, out, truth, predict: filePredict({ dir: pred, name, semantics, unitsPerMetre: options.unitsPerMetre }) }),
      inFlight: 2,
      retryFailed: false,
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await release();
  }
}

/** What the predictions are; normals have to say their frame, which no file does. Throws `bad-argument`. */
function semanticsOf({ kind, frame, preset }: EvaluateOptions, { encoding }: TruthSource): Semantics {
  if ((kind ?? encoding.kind) === "normals" !== (encoding.kind === "normals")) throw unexpected("bad-argument", "--kind", `${encoding.kind === "normals" ? "normals" : "a kind of depth"}, as ${preset} has`, kind, "Choose another preset.");
  if (encoding.kind === "normals") {
    if (!frame) throw new PlumblineError("bad-argument", "Expected --frame for normals but received none.", "RUB: x right, y up, z to the viewer (Marigold, E2E-FT). LUB: x left (DSINE).");
    return { task: "normals", frame };
  }
  return { task: "depth", depthKind: kind === undefined || kind === "normals" ? "affine-depth" : kind };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("Expected a positive number.");
  return value;
}
