import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import type { Device } from "../core/settings";
import { describe, readJsonObject } from "../io/jsonFile";
import { architectures, type Architecture, type BuildOptions } from "./architectures";
import { GraphBuilder } from "./builder";
import { Config } from "./config";
import { configFromMetadata } from "./latentDiffusion";
import { exists, locate, openWeights } from "./weights";

export interface ConvertOptions extends BuildOptions {
  /** What config.json would hold, for a folder whose own is not to be read. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Name of the weights file in the folder, where it has none of the usual ones. */
  readonly weightsFile?: string;
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
 * `text_encoder/`, `image_encoder/`): `config.json` beside `.safetensors` or `.bin`, single or sharded, fp32, fp16 or
 * bf16; or of a folder with a UNet of the latent-diffusion code, whose `config.json` or weights file tells its `ldm_hparams`.
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
  const config = await readConfig(dir, options);
  const [name, architecture] = architectureOf(config.path, config.fields, options);
  const weights = await openWeights(dir, architecture.weightsNames, options.weightsFile);
  return { configPath: config.path, fields: config.fields, name, architecture, weights, files: [...new Set([...config.files, weights.path, ...weights.dataPaths])] };
}

/** The config as given, that of the folder, or, where there is none, the one that a checkpoint of the latent-diffusion code states itself. */
async function readConfig(dir: string, { config, weightsFile }: ConvertOptions) {
  if (config) return { path: `the config given for ${dir}`, fields: config, files: [] };
  const path = join(dir, "config.json");
  if (!(await exists(path))) {
    const weights = await openWeights(dir, architectures.UNetModel.weightsNames, weightsFile).catch(undefinedWhereNotFound);
    const stated = weights && configFromMetadata(weights.metadata);
    if (stated) return { path: weights.path, fields: stated, files: [] };
  }
  return { path, fields: await readJsonObject(path), files: [path] };
}

function undefinedWhereNotFound(error: unknown): undefined {
  if (!(error instanceof PlumblineError && error.code === "not-found")) throw error;
}

function architectureOf(path: string, fields: Readonly<Record<string, unknown>>, { part }: ConvertOptions): [string, Architecture] {
  const listed = Array.isArray(fields.architectures) ? (fields.architectures[0] as unknown) : undefined;
  const name = fields._class_name ?? listed ?? (Object.hasOwn(fields, "ldm_hparams") ? "UNetModel" : undefined);
  const byName: Readonly<Record<string, Architecture>> = architectures;
  if (typeof name !== "string" || !Object.hasOwn(byName, name)) {
    throw new PlumblineError("unsupported", `Expected ${Object.keys(byName).join(", ")} for the class of ${path} but received ${describe(name)}.`, "Choose a component folder (unet, vae, text_encoder or image_encoder) of a Stable Diffusion 1 or 2 checkpoint, or of an estimator made from one.");
  }
  if ((byName[name].hasParts === true) !== (part !== undefined)) {
    throw new PlumblineError("bad-argument", `Expected ${part ? "no part" : "part encoder or decoder"} for the ${name} of ${path} but received ${describe(part)}.`);
  }
  return [name, byName[name]];
}
