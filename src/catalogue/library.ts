import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { Semantics } from "../core/semantics";
import { readCatalogue, type Catalogue, type DownloadableModel, type ShippedModel } from "./catalogue";
import type { Environment } from "./environment";
import { describeFolder, readFolders } from "./folders";
import { hubCacheFolder, lacksOf, listHubCache, type CachedRepository } from "./hfCache";
import { parseInstallRecord, type InstallRecord } from "./installRecord";
import { describeModel, semanticsOf, type ModelDescription } from "./modelFolder";
import { installRecord, isRepositoryName, modelPaths, storageFolder } from "./storage";

/** Where models are looked for. */
export interface Places {
  /** Holds catalogue.json and the shipped models. */
  readonly modelsDir: string;
  /** Folders that the user's settings name. */
  readonly folders?: readonly string[];
  /** Says where the storage folder and the Hugging Face cache are. */
  readonly environment?: Environment;
}

/**
 * shipped: with Plumbline. installed: downloaded by it. cached: in the Hugging Face cache, used in place. folder: added by hand. incomplete: some
 * of it is here, and it cannot be used. available: can be downloaded.
 */
export type ModelState = "shipped" | "installed" | "cached" | "folder" | "incomplete" | "available";

export interface Licence {
  /** SPDX identifier, or where to look. */
  readonly name: string;
  readonly url?: string;
  /** Absent where it is not known. */
  readonly nonCommercial?: boolean;
}

/** A model as a list shows it. */
export interface LibraryModel {
  /** What `resolveModel` takes: the id of a shipped model, a repository, or an absolute path. */
  readonly id: string;
  readonly name: string;
  readonly state: ModelState;
  readonly family: string;
  readonly semantics: readonly Semantics[];
  readonly licence?: Licence;
  /** Absolute; absent where nothing is here. */
  readonly dir?: string;
  /** The version that is here, or that would be downloaded. */
  readonly revision?: string;
  /** The checked model, where it can be used. */
  readonly description?: ModelDescription;
  /** What is known of a model that can be downloaded. */
  readonly entry?: DownloadableModel;
  /** Why what is here cannot be used. */
  readonly problem?: string;
}

/** One of these lies in the folder of every model that can be used. */
const modelFiles = /^(model_index|plumbline\.model|preprocessor_config)\.json$|^depthfm/;

/** Everything that is here or can be downloaded, each once: shipped, installed, cached, added by hand, then what is not here. */
export async function listModels(places: Places): Promise<readonly LibraryModel[]> {
  const { modelsDir, environment = process.env } = places;
  const { shipped, downloads } = await readCatalogue(modelsDir);
  const entryOf = (repository: string): DownloadableModel | undefined => downloads.find((entry) => isSame(entry.repository, repository));
  const [own, installed, cached, folders] = await Promise.all([
    Promise.all(shipped.map(listShipped)),
    listInstalled(storageFolder(environment)).then((found) => Promise.all(found.map((repository) => listStored(repository, environment, entryOf(repository))))),
    listHubCache(hubCacheFolder(environment)).then((found) => Promise.all(found.map((repository) => listCached(repository, entryOf(repository.repository))))),
    listFolders(places),
  ]);
  const here = new Map<string, LibraryModel>();
  // A copy that can be used stands for one that cannot.
  for (const model of [...installed, ...cached].filter((found) => found !== undefined)) {
    const other = here.get(model.id.toLowerCase());
    if (!other || (other.state === "incomplete" && model.state !== "incomplete")) here.set(model.id.toLowerCase(), model);
  }
  const missing = downloads.filter(({ repository }) => !here.has(repository.toLowerCase())).map(listAvailable);
  return [...own, ...here.values(), ...folders, ...missing];
}

/**
 * The model that a user names: the id of a shipped model, a path (relative to the working directory), or a repository that is installed or in the
 * Hugging Face cache, by its whole name or by the part after the slash. Throws `not-found`, saying how to get a model that is known but not
 * here, and what `describeModel` throws.
 */
export async function resolveModel(modelsDir: string, name: string, environment: Environment = process.env): Promise<ModelDescription> {
  const catalogue = await readCatalogue(modelsDir);
  const entry = catalogue.shipped.find(({ id, dir }) => id === name || dir === resolve(name));
  if (entry) return describeShipped(entry);
  if (await stat(name).then(() => true, () => false)) return describeFolder(name, environment);
  const repository = await findRepository(catalogue, name, environment);
  if (repository === undefined) {
    throw unexpected("not-found", "the model", `${catalogue.shipped.map(({ id }) => id).join(", ")}, a repository that is here, or a model's folder`, name, "Check the spelling or the path; plumbline models list shows what there is.");
  }
  const model = await findHere(repository, environment, catalogue.downloads.find((download) => isSame(download.repository, repository)));
  if (model?.description) return model.description;
  if (model?.entry?.family === "autoencoder-tiny") throw unexpected("bad-argument", "the model", "one that estimates depth or normals", repository, "It is a decoder for other models.");
  throw new PlumblineError("not-found", model?.problem === undefined ? `${repository} is not here yet.` : `${repository} cannot be used: ${model.problem}`, `Download it: plumbline models pull ${repository}`);
}

/** One of `listModels`, by its id, the part of it after the slash, or a path, which need not be in the list. Throws `not-found`, or `bad-argument` where several fit. */
export async function findModel(places: Places, name: string): Promise<LibraryModel> {
  const models = await listModels(places);
  const whole = models.find(({ id }) => isSame(id, name) || id === resolve(name));
  if (whole) return whole;
  if (await stat(name).then(() => true, () => false)) return listFolder(resolve(name), places.environment ?? process.env);
  const ending = models.filter(({ id, state }) => state !== "folder" && isSame(id.split("/").at(-1) ?? "", name));
  if (ending.length === 1) return ending[0];
  if (ending.length > 1) throw unexpected("bad-argument", "the model", `one of ${ending.map(({ id }) => id).join(", ")}`, name);
  throw unexpected("not-found", "the model", "one of the list, or a model's folder", name, "plumbline models list shows what there is.");
}

/** A repository that is installed or in the cache; undefined where it is neither. */
export async function findHere(repository: string, environment: Environment, entry?: DownloadableModel): Promise<LibraryModel | undefined> {
  const stored = await listStored(repository, environment, entry);
  if (stored && stored.state !== "incomplete") return stored;
  const cached = (await listHubCache(hubCacheFolder(environment))).find((found) => isSame(found.repository, repository));
  return (cached && (await listCached(cached, entry))) ?? stored;
}

/** The repository that a name stands for: itself, or the only one known or here that ends with it. Throws `bad-argument` where several do. */
export async function findRepository({ downloads }: Pick<Catalogue, "downloads">, name: string, environment: Environment): Promise<string | undefined> {
  const known = [...downloads.map(({ repository }) => repository), ...(await listInstalled(storageFolder(environment))), ...(await listHubCache(hubCacheFolder(environment))).map(({ repository }) => repository)];
  const whole = known.find((repository) => isSame(repository, name));
  if (whole !== undefined || isRepositoryName(name)) return whole ?? name;
  const ending = [...new Map(known.filter((repository) => isSame(repository.split("/")[1], name)).map((repository) => [repository.toLowerCase(), repository])).values()];
  if (ending.length > 1) throw unexpected("bad-argument", "the model", `one of ${ending.join(", ")}`, name);
  return ending[0];
}

/** What was written beside an installed model; undefined where it is missing or damaged. */
export async function readInstallRecord(dir: string): Promise<InstallRecord | undefined> {
  const bytes = await readFile(join(dir, installRecord)).catch(() => undefined);
  return bytes && parseInstallRecord(bytes);
}

async function describeShipped({ id, dir, task, endToEnd, defaults }: ShippedModel): Promise<ModelDescription> {
  return { ...(await describeModel(dir)), id, tasks: [task], endToEnd, defaults };
}

async function listShipped(model: ShippedModel): Promise<LibraryModel> {
  const { id, name, family, licence, dir } = model;
  const common = { id, name, family, dir, licence: { name: licence, nonCommercial: false } };
  return withDescription({ ...common, state: "shipped" }, () => describeShipped(model));
}

/** Repositories with something in the storage folder, complete or not. */
async function listInstalled(storage: string): Promise<readonly string[]> {
  const names = (await readdir(storage).catch(() => [])).filter((name) => !name.endsWith(".lock") && name.includes("--"));
  const repositories = names.map((name) => name.replace(/\.partial$/, "").replace("--", "/")).filter(isRepositoryName);
  return [...new Set(repositories)].sort();
}

async function listStored(repository: string, environment: Environment, entry: DownloadableModel | undefined): Promise<LibraryModel | undefined> {
  const { installed, partial } = modelPaths(storageFolder(environment), repository);
  const isHere = async (path: string): Promise<boolean> => stat(path).then((found) => found.isDirectory(), () => false);
  if (await isHere(installed)) {
    const record = await readInstallRecord(installed);
    const base = { ...known(repository, entry), dir: installed, revision: record?.commit };
    const licence = base.licence ?? (record?.licence === undefined ? undefined : licenceOf(record.licence));
    return withDescription({ ...base, licence, state: "installed" }, async () => ({ ...(await describeModel(installed)), id: repository }));
  }
  if (!(await isHere(partial))) return undefined;
  return { ...known(repository, entry), dir: partial, state: "incomplete", problem: "Its download has not finished." };
}

/** Nothing for a repository that is no model of ours: a cache holds many others. */
async function listCached({ repository, commit, dir, lacks }: CachedRepository, entry: DownloadableModel | undefined): Promise<LibraryModel | undefined> {
  // The networks of others can be large, and are not opened to find that out.
  if (!entry && !(await readdir(dir).catch(() => [])).some((name) => modelFiles.test(name))) return undefined;
  const base = { ...known(repository, entry), dir, revision: commit };
  if (lacks.length > 0) return entry && { ...base, state: "incomplete", problem: `The Hugging Face cache holds a part of it only: ${lacks.slice(0, 3).join(", ")} ${lacks.length > 1 ? "are" : "is"} missing.` };
  const model = await withDescription({ ...base, state: "cached" }, async () => ({ ...(await describeModel(dir)), id: repository }));
  return model.description || entry ? model : undefined;
}

async function listFolders({ folders = [], environment = process.env }: Places): Promise<readonly LibraryModel[]> {
  const recorded = await readFolders(storageFolder(environment));
  const paths = [...new Set([...recorded.map(({ path }) => path), ...folders.map((folder) => resolve(folder))])];
  return Promise.all(paths.map((path) => listFolder(path, environment)));
}

async function listFolder(path: string, environment: Environment): Promise<LibraryModel> {
  return withDescription({ id: path, name: basename(path), family: "", dir: path, state: "folder" }, () => describeFolder(path, environment));
}

function listAvailable(entry: DownloadableModel): LibraryModel {
  return { ...known(entry.repository, entry), state: "available", revision: entry.revision };
}

/** What is known of a repository before its files are looked at. */
function known(repository: string, entry: DownloadableModel | undefined): Pick<LibraryModel, "id" | "name" | "family" | "semantics" | "licence" | "entry"> {
  if (!entry) return { id: repository, name: repository.split("/")[1], family: "", semantics: [] };
  const { depth, normals } = entry.predicts;
  const semantics: Semantics[] = [...(depth ? [{ task: "depth" as const, depthKind: depth }] : []), ...(normals ? [{ task: "normals" as const, frame: normals }] : [])];
  return { id: entry.repository, name: entry.name, family: entry.family, semantics, licence: entry.licence, entry };
}

/** The model with what its files say; one whose files cannot be used says why, and is not offered. */
async function withDescription(model: Omit<LibraryModel, "description" | "semantics"> & Partial<Pick<LibraryModel, "semantics">>, describe: () => Promise<ModelDescription>): Promise<LibraryModel> {
  const semantics = model.semantics ?? [];
  // A decoder belongs to models, and is none.
  if (model.entry?.family === "autoencoder-tiny") return { ...model, semantics };
  try {
    if (model.dir !== undefined && model.state === "folder") await requireWhole(model.dir);
    const description = await describe();
    return { ...model, family: description.family, semantics: description.tasks.map((task) => semanticsOf(description, task)), description };
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error;
    return { ...model, semantics, state: "incomplete", problem: error.message };
  }
}

/** Throws `bad-model` where files of a folder speak of others that are not there. */
export async function requireWhole(dir: string): Promise<void> {
  const lacks = await lacksOf(dir);
  if (lacks.length > 0) throw unexpected("bad-model", dir, "all files that it speaks of", `a folder without ${lacks.slice(0, 3).join(", ")}`, "Download the model completely.");
}

/** A licence that is known by name only. */
export function licenceOf(name: string): Licence {
  return { name, ...(/(^|[-_ ])nc([-_ ]|$)|non-?commercial/i.test(name) && { nonCommercial: true }) };
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
