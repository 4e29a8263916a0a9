import { rename, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import { readCatalogue } from "./catalogue";
import { claimModel } from "./download";
import { writing } from "./downloadFile";
import { readFolders, writeFolders } from "./folders";
import { findHere, findRepository, requireWhole, type Places } from "./library";
import { describeModel, type ModelDescription, type Statement } from "./modelFolder";
import { modelPaths, storageFolder } from "./storage";

/**
 * Adds a model's folder, or file in ONNX format, which stays where it is, with what its user states where its files do not tell. Throws what
 * `describeModel` does, and `bad-model` where files are missing.
 */
export async function addFolder({ environment = process.env }: Pick<Places, "environment">, path: string, statement: Statement = {}): Promise<ModelDescription> {
  const absolute = resolve(path);
  await requireWhole(absolute);
  const description = await describeModel(absolute, statement);
  const storage = storageFolder(environment);
  const others = (await readFolders(storage)).filter((folder) => folder.path !== absolute);
  await writeFolders(storage, [...others, { path: absolute, ...statement }]);
  return description;
}

/**
 * Removes what Plumbline downloaded of a model, complete or not, or forgets a folder that was added by hand, whose files stay. Resolves to what it did.
 * Throws `bad-argument` for a model that is not Plumbline's to remove, `not-found` where there is none.
 */
export async function removeModel(places: Places, name: string): Promise<{ readonly did: "removed" | "forgot"; readonly path: string }> {
  const { modelsDir, environment = process.env, folders = [] } = places;
  const catalogue = await readCatalogue(modelsDir);
  if (catalogue.shipped.some(({ id }) => id === name)) throw unexpected("bad-argument", "the model", "one that was downloaded or added", name, "It is a part of Plumbline.");
  const storage = storageFolder(environment);
  const added = await readFolders(storage);
  const path = resolve(name);
  if (added.some((folder) => folder.path === path)) {
    await writeFolders(storage, added.filter((folder) => folder.path !== path));
    return { did: "forgot", path };
  }
  if (folders.some((folder) => resolve(folder) === path)) throw unexpected("bad-argument", "the model", "one that was downloaded or added", name, "Take its folder out of the setting plumbline.models.");
  const repository = await findRepository(catalogue, name, environment);
  const removed = repository !== undefined && (await removeStored(storage, repository));
  if (removed) return { did: "removed", path: removed };
  const cached = repository === undefined ? undefined : await findHere(repository, environment);
  if (cached) throw new PlumblineError("bad-argument", `${cached.id} is in the Hugging Face cache, which belongs to other programs too.`, `Use their own command (hf cache), or delete ${cached.dir ?? "its folder"}.`);
  throw unexpected("not-found", "the model", "one that was downloaded or added", name, "plumbline models list shows what there is.");
}

async function removeStored(storage: string, repository: string): Promise<string | undefined> {
  const { installed, partial, lock, removed } = modelPaths(storage, repository);
  const isThere = async (path: string): Promise<boolean> => stat(path).then(() => true, () => false);
  if (!(await isThere(installed)) && !(await isThere(partial)) && !(await isThere(removed))) return undefined;
  const release = await claimModel(lock, repository);
  try {
    await writing(removed, async () => {
      await rm(removed, { recursive: true, force: true });
      // One rename, so that half of a model is never offered while it is deleted.
      if (await isThere(installed)) await rename(installed, removed);
      await rm(partial, { recursive: true, force: true });
      await rm(removed, { recursive: true, force: true });
    });
    return installed;
  } finally {
    await release();
  }
}
