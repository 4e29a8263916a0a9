import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { Task } from "../core/semantics";
import { isObject } from "../io/jsonFile";
import { booleanAt, choiceAt, numberAt, objectAt, readJsonFile, required, stringAt, type JsonFile } from "./jsonFile";
import { describeModel, type ModelDefaults, type ModelDescription } from "./modelFolder";

/** A model that Plumbline knows by id. */
export interface CatalogueEntry {
  readonly id: string;
  readonly name: string;
  readonly family: "marigold";
  readonly task: Task;
  /** Absolute. */
  readonly dir: string;
  readonly endToEnd: boolean;
  readonly defaults: ModelDefaults;
  /** SPDX identifier. */
  readonly licence: string;
}

/** Reads `catalogue.json` of the folder that holds the models. Throws `not-found` or `bad-model`, naming the entry. */
export async function readCatalogue(modelsDir: string): Promise<readonly CatalogueEntry[]> {
  const file = await readJsonFile(join(modelsDir, "catalogue.json"), "Install Plumbline again: its models are missing.");
  const models = file.values["models"];
  if (!Array.isArray(models)) throw unexpected("bad-model", `"models" of ${file.path}`, "a list", models);
  const entries = models.map((model: unknown, i) => readEntry({ path: `${file.path}, model ${i + 1}`, values: isObject(model) ? model : {} }, modelsDir));
  const repeated = entries.find(({ id }, i) => entries.findIndex((other) => other.id === id) !== i);
  if (repeated) throw new PlumblineError("bad-model", `Expected every id of ${file.path} once but received "${repeated.id}" twice.`);
  return entries;
}

/**
 * The model that a user names: an id of the catalogue, or a folder in diffusers layout (relative to the working directory).
 * Throws `not-found` listing the ids where it is neither, and what `describeModel` throws.
 */
export async function resolveModel(modelsDir: string, idOrDir: string): Promise<ModelDescription> {
  const catalogue = await readCatalogue(modelsDir);
  const entry = catalogue.find(({ id, dir }) => id === idOrDir || dir === resolve(idOrDir));
  if (entry) return { ...(await describeModel(entry.dir)), id: entry.id, tasks: [entry.task], endToEnd: entry.endToEnd, defaults: entry.defaults };
  const isFolder = await stat(idOrDir).then((found) => found.isDirectory(), () => false);
  if (!isFolder) throw unexpected("not-found", "the model", `${catalogue.map(({ id }) => id).join(", ")} or a folder in diffusers layout`, idOrDir, "Check the spelling or the path.");
  return describeModel(idOrDir);
}

function readEntry(file: JsonFile, modelsDir: string): CatalogueEntry {
  const text = (key: string): string => required(stringAt(file, key), file, key);
  return {
    id: text("id"),
    name: text("name"),
    family: required(choiceAt(file, "family", ["marigold"]), file, "family"),
    task: required(choiceAt(file, "task", ["depth", "normals"]), file, "task"),
    dir: resolve(modelsDir, text("dir")),
    endToEnd: required(booleanAt(file, "endToEnd"), file, "endToEnd"),
    defaults: readDefaults(objectAt(file, "defaults")),
    licence: text("licence"),
  };
}

function readDefaults(file: JsonFile): ModelDefaults {
  return {
    steps: required(numberAt(file, "steps"), file, "steps"),
    spacing: required(choiceAt(file, "spacing", ["trailing", "leading", "linspace"]), file, "spacing"),
    noise: required(choiceAt(file, "noise", ["gaussian", "zeros"]), file, "noise"),
    processingResolution: required(numberAt(file, "processingResolution"), file, "processingResolution"),
  };
}
