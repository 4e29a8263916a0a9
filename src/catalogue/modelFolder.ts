import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { Semantics, Task } from "../core/semantics";
import { repositoryOf, type Checkpoint } from "./families/components";
import type { ModelDescription, Statement } from "./families/description";
import { describeDepthFm, isDepthFm } from "./families/depthfm";
import { describeFeedForward, isFeedForward } from "./families/feedForward";
import { describeGeoWizard, geoWizardClass } from "./families/geowizard";
import { describeMarigold, marigoldClasses } from "./families/marigold";
import { objectAt, readJsonFile, required, stringAt } from "./jsonFile";
import { withStatement } from "./statement";

export { readEmptyPromptIds } from "./families/components";
export type { EmptyPrompt, FeedForwardDescription, GeoWizardDescription, LatentModelDescription, MarigoldDescription, ModelDefaults, ModelDescription, NetworkSource, Statement } from "./families/description";

const folderRemedy = "Choose a folder in diffusers layout, the one that holds model_index.json.";

/**
 * Reads and checks what says how a model is run: the JSON files of a checkpoint folder in diffusers layout, or those beside a network in
 * ONNX format. Its family is read from the class that
 * model_index.json names; a component may live elsewhere, as `_plumbline.components` there says.
 * `statement` is what its user says where they do not. Throws `not-found`, `bad-model` or `unsupported`, naming the file and what was
 * expected in it, and `bad-argument` for a statement that they contradict.
 */
export async function describeModel(path: string, statement: Statement = {}): Promise<ModelDescription> {
  return withStatement(await describeFiles(path), statement);
}

async function describeFiles(path: string): Promise<ModelDescription> {
  if (await isFeedForward(resolve(path))) return describeFeedForward(path);
  if (await isDepthFm(resolve(path))) return describeDepthFm(resolve(path));
  const checkpoint = await openCheckpoint(path);
  const { className, index } = checkpoint;
  if (marigoldClasses.includes(className)) return describeMarigold(checkpoint);
  if (className === geoWizardClass) return describeGeoWizard(checkpoint);
  throw new PlumblineError("unsupported", `Expected ${[...marigoldClasses, geoWizardClass].join(", ")} for "_class_name" of ${index.path} but received "${className}".`, "Choose a checkpoint of Marigold, GeoWizard, one of their E2E fine-tuned descendants, or DepthFM.");
}

/** What the numbers of a model's maps mean for one task. Throws `bad-argument` when the model was not trained for it. */
export function semanticsOf(model: Pick<ModelDescription, "id" | "tasks" | "depthKind" | "normalsFrame">, task: Task): Semantics {
  if (!model.tasks.includes(task)) throw unexpected("bad-argument", `the task of model ${model.id}`, model.tasks.join(" or "), task, `Choose a model for ${task}.`);
  return task === "depth" ? { task, depthKind: model.depthKind ?? "affine-depth" } : { task, frame: model.normalsFrame };
}

async function openCheckpoint(path: string): Promise<Checkpoint> {
  const dir = resolve(path);
  const isFolder = await stat(dir).then((found) => found.isDirectory(), () => false);
  if (!isFolder) throw new PlumblineError("not-found", `Expected a model folder at ${path} but there is none.`, folderRemedy);
  const index = await readJsonFile(join(dir, "model_index.json"), folderRemedy);
  return {
    dir,
    index,
    own: objectAt(index, "_plumbline"),
    className: required(stringAt(index, "_class_name"), index, "_class_name"),
    names: [repositoryOf(dir), stringAt(index, "_name_or_path") ?? ""].map((name) => name.toLowerCase()),
  };
}
