import { extname } from "node:path";
import { unexpected } from "../core/errors";
import type { Tensor } from "../core/tensor";
import { readNpy } from "../io/npy";
import { openSafetensors, readTensor } from "../io/safetensors";

/**
 * Reads starting latents: the array of a .npy file, or of a .safetensors file the tensor `init_noise` or the only one.
 * Throws `bad-argument` for other files, and what the readers throw.
 */
export async function readNoiseFile(path: string): Promise<Tensor> {
  const extension = extname(path).toLowerCase();
  if (extension === ".npy") return readNpy(path);
  if (extension !== ".safetensors") throw unexpected("bad-argument", "the noise file", "a .npy or .safetensors file", path);
  const file = await openSafetensors(path);
  const names = [...file.tensors.keys()];
  const name = names.includes("init_noise") ? "init_noise" : names.length === 1 ? names[0] : undefined;
  if (name === undefined) throw unexpected("bad-argument", `the tensors of ${path}`, "one named init_noise, or only one", names);
  return readTensor(file, name);
}
