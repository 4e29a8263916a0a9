import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import type { Device } from "../core/settings";
import { describe, readJsonObject } from "../io/jsonFile";
import { architectures, type Architecture, type BuildOptions } from "./architectures";
import { GraphBuilder } from "./builder";
import { Config } from "./config";
import { locate, openWeights } from "./weights";

export interface ConvertOptions extends BuildOptions {
  /** Where the network will run, "cpu" by default: a graph for one device may give wrong numbers on another. */
  readonly device?: Device;
}

/** An ONNX model whose weights are ranges of files of `weightsDir`. */
export interface NetworkGraph {
  readonly model: Uint8Array;
  readonly weightsDir: string;
  /** Every file that the network was made from: config, index, weights. Absolute, as found in the checkpoint. */
  readonly files: readonly string[];
}

/**
 * Builds the ONNX graph of one component folder of a checkpoint in diffusers layout (`unet/`, `vae/`,
 * `text_encoder/`, `image_encoder/`): `config.json` beside `.safetensors`, single or sharded, fp32, fp16 or bf16.
 * Throws `not-found` where files are missing, `unsupported` for an architecture or a field that is not built,
 * `bad-model` where the files are damaged or do not belong together.
 */
export async function convertComponent(dir: string, options: ConvertOptions = {}): Promise<NetworkGraph> {
  const { configPath, fields, name, architecture, weights, files } = await openComponent(dir, options);
  const { weightsDir, locations } = await locate(weights);
  const config = new Config(configPath, fields);
  const g = new GraphBuilder(name, weights, locations, options.device);
  architecture.build(g, config, options);
  config.checkRest(architecture.inert);
  const unused = [...weights.tensors.keys()].find((tensor) => architecture.uses(tensor, options) && !g.usedWeights.has(tensor));
  if (unused !== undefined) {
    throw new PlumblineError("bad-model", `Expected only tensors of a ${name} for ${weights.path} but received "${unused}", which its config.json does not call for.`, "Check that config.json belongs to these weights.");
  }
  return { model: g.finish(), weightsDir, files };
}

/** The `files` of the graph that `convertComponent` would build, without building it. Throws where they are missing or damaged. */
export async function componentFiles(dir: string, options: ConvertOptions = {}): Promise<readonly string[]> {
  return (await openComponent(dir, options)).files;
}

async function openComponent(dir: string, options: ConvertOptions) {
  const configPath = join(dir, "config.json");
  const fields = await readJsonObject(configPath);
  const [name, architecture] = architectureOf(configPath, fields, options);
  const weights = await openWeights(dir, architecture.weightsName);
  return { configPath, fields, name, architecture, weights, files: [...new Set([configPath, weights.path, ...weights.dataPaths])] };
}

function architectureOf(path: string, fields: Readonly<Record<string, unknown>>, { part }: ConvertOptions): [string, Architecture] {
  const name = fields._class_name ?? (Array.isArray(fields.architectures) ? (fields.architectures[0] as unknown) : undefined);
  if (typeof name !== "string" || !Object.hasOwn(architectures, name)) {
    throw new PlumblineError("unsupported", `Expected ${Object.keys(architectures).join(", ")} for the class of ${path} but received ${describe(name)}.`, "Choose a component folder (unet, vae, text_encoder or image_encoder) of a Stable Diffusion 1 or 2 checkpoint, or of an estimator made from one.");
  }
  if ((architectures[name].hasParts === true) !== (part !== undefined)) {
    throw new PlumblineError("bad-argument", `Expected ${part ? "no part" : "part encoder or decoder"} for the ${name} of ${path} but received ${describe(part)}.`);
  }
  return [name, architectures[name]];
}
