import { access, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import { openSafetensors, type SafetensorsFile } from "../io/safetensors";

/** Opens the weights of a component folder, whose file is called `name` before its ending. Throws `not-found` or `bad-model`. */
export async function openWeights(dir: string, name: string): Promise<SafetensorsFile> {
  return openSafetensors(await findWeights(dir, name));
}

/** The first of the files that diffusers would take: full precision before fp16, single before sharded. */
async function findWeights(dir: string, name: string): Promise<string> {
  const candidates = [`${name}.safetensors`, `${name}.safetensors.index.json`, `${name}.fp16.safetensors`, `${name}.safetensors.index.fp16.json`, `${name}.fp16.safetensors.index.json`];
  for (const candidate of candidates) {
    if (await exists(join(dir, candidate))) return join(dir, candidate);
  }
  const pickled = await exists(join(dir, name === "model" ? "pytorch_model.bin" : `${name}.bin`));
  throw new PlumblineError(
    "not-found",
    `Expected ${candidates[0]}, ${candidates[2]} or ${candidates[1]} for the weights of ${dir} but received ${pickled ? "only a .bin file, which is a Python pickle" : "none of them"}.`,
    pickled ? "Save the checkpoint with safe_serialization=True, or download its .safetensors variant." : "Check that the download of the checkpoint is complete.",
  );
}

/**
 * Where ONNX Runtime finds the data: a folder, and what each data file is called in it. Download caches keep links to
 * files elsewhere, and a graph may not reach outside its folder, so links are followed first.
 */
export async function locate(weights: SafetensorsFile): Promise<{ weightsDir: string; locations: ReadonlyMap<string, string> }> {
  const real = new Map<string, string>();
  for (const path of weights.dataPaths) real.set(path, await realpath(path));
  const folders = new Set([...real.values()].map(dirname));
  if (folders.size !== 1) throw new PlumblineError("bad-model", `Expected all shards in one folder for ${weights.path} but received ${[...folders].join(", ")}.`, "Copy the shards into one folder.");
  return { weightsDir: [...folders][0], locations: new Map([...real].map(([path, target]) => [path, basename(target)])) };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
