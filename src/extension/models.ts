import { join } from "node:path";
import type { LibraryModel } from "../catalogue/library";
import type { AdvisedModel } from "../core/advice";
import { PlumblineError } from "../core/errors";
import type { Task } from "../core/semantics";
import type { ModelChoice } from "../protocol/panel";

/** A model that a row may name, and where it is. */
export interface Model extends ModelChoice {
  /** Of the model's folder or file; absolute. */
  readonly dir: string;
  /** Longest side in pixels for which it was made. */
  readonly processingResolution: number;
  /** The folder of a tiny decoder that knows its latents. */
  readonly tinyDecoderDir?: string;
}

/**
 * The models of a library that can be used: those that ship, those that were downloaded, those of the Hugging Face cache and those of the
 * user's folders, whose id is their path; one of both tasks is listed once for each.
 */
export function usableModels(library: readonly LibraryModel[]): readonly Model[] {
  const tiny = library.find(({ entry, state, dir }) => entry?.family === "autoencoder-tiny" && dir !== undefined && state !== "incomplete" && state !== "available")?.dir;
  return library.flatMap(({ id, name, dir, description }) => {
    if (dir === undefined || !description) return [];
    const { family, tasks, endToEnd, defaults } = description;
    const advised: AdvisedModel = { family, endToEnd, defaults, ...("scheduler" in description && { scheduler: { kind: description.scheduler.kind } }) };
    const tinyDecoderDir = "vae" in description && description.vae.latentChannels === 4 && description.vae.downsamplingFactor === 8 ? tiny : undefined;
    const { processingResolution } = defaults;
    return tasks.map((task): Model => ({ id, name, task, endToEnd, family, advised, dir, processingResolution, ...(tinyDecoderDir !== undefined && { tinyDecoder: true, tinyDecoderDir }) }));
  });
}

/** What a page is told of a model. */
export function choiceOf({ id, name, task, endToEnd, family, tinyDecoder, advised }: Model): ModelChoice {
  return { id, name, task, endToEnd, family, ...(tinyDecoder && { tinyDecoder }), ...(advised && { advised }) };
}

/** The shipped models' folder inside the extension. */
export function shippedModelsDir(extensionPath: string): string {
  return join(extensionPath, "models");
}

/** The model with this id for this task. Throws `not-found` naming those that are there. */
export function modelOf(models: readonly Model[], id: string, task: Task): Model {
  const found = models.find((model) => model.id === id && model.task === task);
  if (found) return found;
  const known = models.filter((model) => model.task === task).map((model) => model.id);
  throw new PlumblineError("not-found", `Expected one of ${known.join(", ")} for the ${task} model but received "${id}".`, "Choose another model in the panel, or add it in the view Models.");
}
