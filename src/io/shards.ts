import { basename, dirname, join } from "node:path";
import { damaged, describe, isObject, readJsonObject } from "./jsonFile";
import type { SafetensorsEntry, SafetensorsFile } from "./safetensors";

/** True for the index of a checkpoint in several files: `NAME.index.json`, or `NAME.index.VARIANT.json`. */
export function isShardIndex(path: string): boolean {
  return /\.index(\.\w+)?\.json$/.test(path);
}

/**
 * All tensors of a checkpoint whose index says which file holds which: `{"weight_map": {tensor: file}}`. The files must
 * be of the index's own folder, end with `extension`, and hold no tensor that the index does not name.
 * Throws `not-found`, `bad-model`, and what `openShard` throws.
 */
export async function openShards(path: string, extension: string, openShard: (path: string) => Promise<SafetensorsFile>): Promise<SafetensorsFile> {
  const weightMap = (await readJsonObject(path)).weight_map;
  if (!isObject(weightMap)) throw damaged(path, 'an object "weight_map"', describe(weightMap));
  const shardNames = [...new Set(Object.values(weightMap))].sort();
  const shards = new Map<unknown, SafetensorsFile>();
  for (const shard of shardNames) {
    // A plain name: an index must not reach into other folders.
    if (typeof shard !== "string" || shard !== basename(shard) || shard.includes("\\") || !shard.endsWith(extension)) {
      throw damaged(path, `names of ${extension} files of its own folder in "weight_map"`, describe(shard));
    }
    shards.set(shard, await openShard(join(dirname(path), shard)));
  }
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, shard] of Object.entries(weightMap)) {
    const entry = shards.get(shard)?.tensors.get(name);
    if (!entry) throw damaged(path, `tensor "${name}" in ${String(shard)}`, "a file without it");
    tensors.set(name, entry);
  }
  for (const [shard, file] of shards) {
    for (const name of file.tensors.keys()) {
      if (weightMap[name] !== shard) throw damaged(path, `"${name}" of ${file.path} in "weight_map"`, describe(weightMap[name]));
    }
  }
  return { path, dataPaths: [...shards.values()].map((shard) => shard.path), metadata: {}, tensors };
}
