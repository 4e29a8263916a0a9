import { join } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { readCatalogue } from "../catalogue/catalogue";
import { runtimeLibrary } from "../catalogue/cudaFolder";
import { installCuda, type CudaProgress } from "../catalogue/cudaProvider";
import { resolveModel } from "../catalogue/library";
import { diagnose } from "../doctor/diagnose";
import { formatMarkdown, formatText, problemsOf } from "../doctor/report";
import { duration, report, shippedModelsDir, showStatus, withEngine } from "./engine";
import { wholeNumber } from "./programOptions";

interface DoctorCommandOptions {
  readonly model: string;
  readonly imageSize: { readonly width: number; readonly height: number };
  readonly resolution?: number;
  readonly selfTest: boolean;
  readonly json?: true;
  readonly markdown?: true;
  readonly installCuda?: true;
}

/** Declares `plumbline doctor`. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("Look at this machine: hardware, ONNX Runtime's providers, memory; try every provider on the shipped models.")
    .option("--model <id|dir>", "whose need of memory is estimated", "plumbline-e2e-depth")
    .addOption(new Option("--image-size <size>", "of the image that it is estimated for, WIDTHxHEIGHT").argParser(imageSize).default({ width: 1024, height: 768 }, "1024x768"))
    .addOption(new Option("--resolution <pixels>", "longest side at which the networks run, 0 for the image's own (default: the model's own)").argParser(wholeNumber(0, 8192)))
    .option("--no-self-test", "do not run the shipped models")
    .addOption(new Option("--json", "print everything as JSON on stdout").conflicts("markdown"))
    .option("--markdown", "print Markdown, for a report")
    .option("--install-cuda", "first fetch ONNX Runtime's CUDA provider (Linux on x64; from nuget.org, or the feed that PLUMBLINE_NUGET_FEED names)")
    .addHelpText("after", `
The self-test runs each shipped model twice on each provider, compares its maps with the CPU's and takes about a minute.
Memory is an estimate from the weights and the size at which the networks run.
Exit code 1: something is wrong that needs to be put right.

Examples:
  plumbline doctor
  plumbline doctor --model ./marigold-depth-v1-1 --image-size 4032x3024 --no-self-test
  plumbline doctor --install-cuda`)
    .action(runDoctor);
}

async function runDoctor(options: DoctorCommandOptions): Promise<void> {
  await withEngine(async ({ engine, signal }) => {
    if (options.installCuda) {
      const { runtimeFolder } = await engine.info();
      const folder = await installCuda({ runtimePath: join(runtimeFolder, runtimeLibrary), onProgress: showCudaProgress, signal });
      report(`The CUDA provider is in ${folder}`);
      // The process that runs has loaded ONNX Runtime without it.
      await engine.dispose();
    }
    const { id, dir } = await resolveModel(shippedModelsDir, options.model);
    const { shipped } = await readCatalogue(shippedModelsDir);
    const diagnosis = await diagnose({
      childPath: join(__dirname, "inference.js"),
      testModels: options.selfTest ? shipped.map((model) => ({ model: model.id, dir: model.dir, task: model.task })) : [],
      memoryOf: { model: id, dir, imageSize: options.imageSize, processingResolution: options.resolution },
      onProgress: (text) => showStatus(`doctor: ${text}`),
      signal,
    });
    showStatus("");
    process.stdout.write(options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : options.markdown ? formatMarkdown(diagnosis) : formatText(diagnosis));
    if (problemsOf(diagnosis).some(({ mark }) => mark === "fail")) process.exitCode = 1;
  });
}

function showCudaProgress(progress: CudaProgress): void {
  if (progress.phase === "asking") showStatus("CUDA provider: asking for the package");
  else if (progress.phase === "waiting") report(`${progress.reason} Trying again in ${duration(progress.waitMillis)}.`);
  else if (progress.phase === "unpacking") showStatus(`CUDA provider: unpacking ${progress.file}`);
  else showStatus(`CUDA provider: ${progress.phase} ${(progress.bytes / 1e6).toFixed(0)} of ${(progress.totalBytes / 1e6).toFixed(0)} MB`);
}

function imageSize(text: string): { readonly width: number; readonly height: number } {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/i.exec(text) ?? [];
  if (!(Number(width) > 0 && Number(height) > 0)) throw new InvalidArgumentError("Expected WIDTHxHEIGHT in pixels, as 1024x768.");
  return { width: Number(width), height: Number(height) };
}
