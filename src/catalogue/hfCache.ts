import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { isObject, readJsonObject } from "../io/jsonFile";
import type { FileHash } from "./hubClient";
import { expand, huggingFaceHome, type Environment } from "./environment";
import { isRepositoryName } from "./storage";

/*
 * The cache of Hugging Face's own programs:
 *   models--OWNER--NAME/refs/main              the commit that a branch was at
 *   models--OWNER--NAME/snapshots/COMMIT/...   a file tree, of links into
 *   models--OWNER--NAME/blobs/HASH             each file once; HASH.incomplete while it is downloaded
 * On systems without links the tree holds the files themselves.
 */

/** A repository in the cache, at one commit. */
export interface CachedRepository {
  readonly repository: string;
  readonly commit: string;
  /** Absolute: the file tree, used in place. */
  readonly dir: string;
  /** What keeps it from being used, in words: links to files that are missing, shards that are missing. Empty where nothing does. */
  readonly lacks: readonly string[];
}

/** HF_HUB_CACHE, else `hub` in the folder of Hugging Face's programs. */
export function hubCacheFolder(environment: Environment = process.env): string {
  const stated = environment["HF_HUB_CACHE"] || environment["HUGGINGFACE_HUB_CACHE"];
  return stated ? expand(stated, environment) : join(huggingFaceHome(environment), "hub");
}

/**
 * Every repository of models in a cache, at the commit that `main` was at, or at another one that is there in full where that one is not.
 * A cache that is not there is empty.
 */
export async function listHubCache(folder: string): Promise<readonly CachedRepository[]> {
  const names = (await readdir(folder).catch(() => [])).sort();
  const found = await Promise.all(names.map((name) => findRepository(folder, name)));
  return found.filter((repository) => repository !== undefined);
}

/** The hash of a file of a snapshot, which its blob is named by; undefined where the file is no link. */
export function hashOfBlob(realPath: string): FileHash | undefined {
  const hex = basename(realPath);
  if (/^[0-9a-f]{64}$/.test(hex)) return { kind: "sha256", hex };
  return /^[0-9a-f]{40}$/.test(hex) ? { kind: "git-sha1", hex } : undefined;
}

async function findRepository(folder: string, name: string): Promise<CachedRepository | undefined> {
  const repository = /^models--(.+)$/.exec(name)?.[1].replace("--", "/");
  if (repository === undefined || !isRepositoryName(repository)) return undefined;
  const home = join(folder, name);
  const main = (await readFile(join(home, "refs", "main"), "utf8").catch(() => "")).trim();
  const commits = await readdir(join(home, "snapshots")).catch(() => []);
  const newestFirst = await Promise.all(commits.map(async (commit) => ({ commit, time: commit === main ? Infinity : (await stat(join(home, "snapshots", commit))).mtimeMs })));
  newestFirst.sort((a, b) => b.time - a.time);
  let first: CachedRepository | undefined;
  for (const { commit } of newestFirst) {
    const dir = join(home, "snapshots", commit);
    const snapshot = { repository, commit, dir, lacks: await lacksOf(dir) };
    if (snapshot.lacks.length === 0) return snapshot;
    first ??= snapshot;
  }
  return first;
}

/** Files of a model folder that other files of it speak of and that are not there. */
export async function lacksOf(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true }).catch(() => []);
  const isThere = async (path: string): Promise<boolean> => stat(join(dir, path)).then(() => true, () => false);
  const lacks = await Promise.all(entries.map(async (path) => {
    if (!(await isThere(path))) return [path];
    return path.endsWith(".index.json") ? missingShards(dir, path) : [];
  }));
  return [...new Set(lacks.flat())].sort();
}

async function missingShards(dir: string, indexPath: string): Promise<readonly string[]> {
  const { weight_map: map } = await readJsonObject(join(dir, indexPath)).catch((): Record<string, unknown> => ({}));
  if (!isObject(map)) return [];
  const folder = indexPath.slice(0, -basename(indexPath).length);
  const shards = [...new Set(Object.values(map))].filter((shard) => typeof shard === "string").map((shard) => `${folder}${shard}`);
  const there = await Promise.all(shards.map((shard) => stat(join(dir, shard)).then(() => true, () => false)));
  return shards.filter((_, i) => !there[i]);
}
