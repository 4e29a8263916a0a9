import { basename, join } from "node:path";
import { readCatalogue } from "../catalogue/catalogue";
import { describeModel } from "../catalogue/modelFolder";
import { PlumblineError } from "../core/errors";
import type { Task } from "../core/semantics";
import type { ModelChoice } from "../protocol/panel";

/** A model that a row may name, and where it is. */
export interface Model extends ModelChoice {
  /** Absolute. */
  readonly dir: string;
  /** Longest side in pixels for which it was made. */
  readonly processingResolution: number;
}

/** Models that can be used, and what was wrong with the folders that cannot. */
export interface Models {
  readonly models: readonly Model[];
  readonly problems: readonly unknown[];
}

/**
 * The models that ship with Plumbline (`modelsDir` holds their catalogue.json), then those of the user's folders,
 * whose id is their path; a checkpoint of either task is listed once for each. Throws when the shipped catalogue is damaged.
 */
export async function findModels(modelsDir: string, folders: readonly string[]): Promise<Models> {
  const shipped = (await readCatalogue(modelsDir)).shipped.map(({ id, name, task, endToEnd, dir, defaults }): Model => ({ id, name, task, endToEnd, dir, processingResolution: defaults.processingResolution }));
  const found = await Promise.allSettled(folders.map(modelsOfFolder));
  return {
    models: [...shipped, ...found.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : []))],
    problems: found.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])),
  };
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
  throw new PlumblineError("not-found", `Expected one of ${known.join(", ")} for the ${task} model but received "${id}".`, "Choose another model in the panel, or add its folder to the setting plumbline.models.");
}

async function modelsOfFolder(folder: string): Promise<readonly Model[]> {
  const { tasks, endToEnd, dir, defaults } = await describeModel(folder);
  return tasks.map((task) => ({ id: folder, name: basename(dir), task, endToEnd, dir, processingResolution: defaults.processingResolution }));
}
