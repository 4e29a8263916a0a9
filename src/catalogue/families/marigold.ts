import { unexpected } from "../../core/errors";
import type { NormalsFrame, Task } from "../../core/semantics";
import { booleanAt, choiceAt, numberAt } from "../jsonFile";
import { findEmptyPrompt, promptFiles, readScheduler, readUnet, readVae, repositoryOf, schedulerPath, type Checkpoint } from "./components";
import type { MarigoldDescription } from "./description";

/** The task that each pipeline class was made for; undefined where one class serves both. */
const taskOfClass: Readonly<Record<string, Task | undefined>> = {
  MarigoldDepthPipeline: "depth",
  MarigoldNormalsPipeline: "normals",
  MarigoldPipeline: undefined,
  StableDiffusionPipeline: undefined,
  // As Optimum and older exporters call it in folders of ONNX files.
  ORTStableDiffusionPipeline: undefined,
  OnnxStableDiffusionPipeline: undefined,
};

/** The pipeline classes of this family. */
export const marigoldClasses = Object.keys(taskOfClass);

/** Marigold, its end-to-end fine-tuned descendants, and Stable Diffusion fine-tuned end to end. Throws as `describeModel`. */
export async function describeMarigold(checkpoint: Checkpoint): Promise<MarigoldDescription> {
  const { dir, index, own, className, names } = checkpoint;
  if (!Object.hasOwn(taskOfClass, className)) throw unexpected("unsupported", `"_class_name" of ${index.path}`, marigoldClasses.join(", "), className);
  const unet = await readUnet(checkpoint);
  const vae = await readVae(checkpoint);
  const emptyPrompt = await findEmptyPrompt(checkpoint);
  const scheduler = await readScheduler(checkpoint);
  const endToEnd = booleanAt(own, "e2e") ?? names.some((name) => /e2e/.test(name));
  const task = choiceAt(own, "task", ["depth", "normals"]) ?? choiceAt(index, "prediction_type", ["depth", "normals"]) ?? taskOfClass[className] ?? names.map(taskInName).find((found) => found !== undefined);
  const statedFrame = choiceAt(own, "normals_frame", ["RUB", "LUB"]);
  return {
    family: "marigold",
    id: repositoryOf(dir),
    dir,
    path: dir,
    tasks: task ? [task] : ["depth", "normals"],
    normalsFrame: statedFrame ?? likelyFrame(checkpoint, endToEnd),
    open: ["depthKind", ...(task ? [] : ["task" as const]), ...(statedFrame ? [] : ["normalsFrame" as const])],
    endToEnd,
    unet: unet.source,
    vae,
    resizeFilter: "bilinear",
    emptyPrompt,
    scheduler,
    defaults: {
      steps: endToEnd ? 1 : (numberAt(own, "default_steps") ?? numberAt(index, "default_denoising_steps") ?? (scheduler.kind === "lcm" ? 4 : 10)),
      spacing: "trailing",
      noise: endToEnd ? "zeros" : "gaussian",
      processingResolution: numberAt(index, "default_processing_resolution") ?? unet.sampleSize * vae.downsamplingFactor,
    },
    assumptions: vae.assumptions ?? [],
    files: [index.path, schedulerPath(checkpoint), ...promptFiles(emptyPrompt)],
  };
}

function taskInName(name: string): Task | undefined {
  if (/normal/.test(name)) return "normals";
  return /depth/.test(name) ? "depth" : undefined;
}

/**
 * The published normals models of prs-eth use RUB (their class is MarigoldNormalsPipeline, or their index says whether z takes
 * its full range); the E2E fine-tuning code and what was trained with it use LUB. The files themselves say nothing about it.
 */
function likelyFrame({ index, className, names: [repository] }: Checkpoint, endToEnd: boolean): NormalsFrame {
  const isMarigolds = className === "MarigoldNormalsPipeline" || booleanAt(index, "use_full_z_range") !== undefined || repository.startsWith("prs-eth/");
  return isMarigolds && !endToEnd && !repository.startsWith("gonzalomg/") ? "RUB" : "LUB";
}
