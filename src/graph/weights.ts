import { access, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import { openSafetensors, type SafetensorsFile } from "../io/safetensors";
import { openTorchFile } from "../io/torchFile";

/**
 * What diffusers adds to a file's name: safetensors before files of PyTorch, full precision before fp16, single before
 * sharded. `.ckpt` is what the latent-diffusion code saves.
 */
const endings = [
  ".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".safetensors.index.fp16.json", ".fp16.safetensors.index.json",
  ".bin", ".bin.index.json", ".fp16.bin", ".bin.index.fp16.json", ".fp16.bin.index.json", ".ckpt",
];

/**
 * Opens the weights of a component folder: the file `stated`, or the first that is called one of `names` before its
 * ending. Throws `not-found`, `bad-model`, or `unsupported` for a file of PyTorch that holds more than tensors and numbers.
 */
export async function openWeights(dir: string, names: readonly string[], stated?: string): Promise<SafetensorsFile> {
  const path = stated === undefined ? await findWeights(dir, names) : join(dir, stated);
  return /\.safetensors(\.|$)/.test(basename(path)) ? openSafetensors(path) : openTorchFile(path);
}

async function findWeights(dir: string, names: readonly string[]): Promise<string> {
  for (const ending of endings) {
    for (const name of names) {
      const path = join(dir, name + ending);
      if (await exists(path)) return path;
    }
  }
  throw new PlumblineError(
    "not-found",
    `Expected ${names.join(" or ")} as .safetensors (one file, shards or fp16), else as a file of PyTorch, for the weights of ${dir} but received none of them.`,
    "Check that the download of the checkpoint is complete.",
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
