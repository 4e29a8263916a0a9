import { access, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import { openSafetensors, type SafetensorsFile } from "../io/safetensors";

/** What diffusers adds to a file's name: full precision before fp16, single before sharded. */
const endings = [".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".safetensors.index.fp16.json", ".fp16.safetensors.index.json"];

/**
 * Opens the weights of a component folder: the file `stated`, or the first that is called one of `names` before its
 * ending. Throws `not-found` or `bad-model`.
 */
export async function openWeights(dir: string, names: readonly string[], stated?: string): Promise<SafetensorsFile> {
  return openSafetensors(stated === undefined ? await findWeights(dir, names) : join(dir, stated));
}

async function findWeights(dir: string, names: readonly string[]): Promise<string> {
  for (const name of names) {
    for (const ending of endings) {
      const path = join(dir, name + ending);
      if (await exists(path)) return path;
    }
  }
  const pickled = await exists(join(dir, names[0] === "model" ? "pytorch_model.bin" : `${names[0]}.bin`));
  throw new PlumblineError(
    "not-found",
    `Expected ${names.map((name) => `${name}.safetensors`).join(" or ")}, a variant for fp16 or shards for the weights of ${dir} but received ${pickled ? "only a .bin file, which is a Python pickle" : "none of them"}.`,
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

export async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
