import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ModelDescription, NetworkSource } from "../catalogue/modelFolder";
import { onceForEach } from "../core/onceForEach";
import { fileSha256 } from "../io/fileSha256";
import { openOnnx } from "../io/onnxFile";

/** What the numbers of a model folder come from: its configurations and weights; not its card, nor files beside it. */
const counted = /\.(?:safetensors|bin|ckpt|json)$/;

/**
 * Changes with what a model's numbers come from, wherever that lies: the configurations and weights of its folder and of the components that it
 * takes from elsewhere, or its networks in ONNX format with what says how they are run. SHA-256 in hexadecimal. Rejects with the system's error.
 */
export async function modelHash(model: ModelDescription): Promise<string> {
  const sources: readonly NetworkSource[] = model.family === "feedforward" ? [model.network] : [model.unet, model.vae.encoder, model.vae.decoder];
  const folders = [...(model.family === "feedforward" ? [] : [model.dir]), ...sources.flatMap((source) => (source.kind === "component" ? [source.dir] : []))];
  const networks = await Promise.all(sources.flatMap((source) => (source.kind === "onnx" ? [openOnnx(source.path)] : [])));
  const files = networks.length > 0 ? [...networks.flatMap((network) => network.files), ...model.files] : [];
  const ofFile = onceForEach(fileSha256); // a component's folder lies in its model's: gigabytes are read once
  const hashes = [
    ...(await Promise.all([...new Set(folders)].map((folder) => folderHash(folder, ofFile)))),
    ...(await Promise.all([...new Set(files)].map(async (path) => `${await ofFile(path)} ${basename(path)}`))),
  ];
  return createHash("sha256").update(hashes.join()).digest("hex");
}

async function folderHash(dir: string, ofFile: (path: string) => Promise<string>): Promise<string> {
  const names = (await readdir(dir, { recursive: true })).map((name) => name.replaceAll("\\", "/")).filter((name) => counted.test(name)).sort();
  const all = createHash("sha256");
  for (const name of names) all.update(`${await ofFile(join(dir, name))} ${name}\n`);
  return all.digest("hex");
}
