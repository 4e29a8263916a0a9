import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PlumblineError } from "../../core/errors";
import { defaultResolution, displayFrame, semanticsOfOutput, type FeedForwardSpec } from "../../core/feedForward";
import { describeTensor } from "../../core/networkSignature";
import type { DepthKind } from "../../core/semantics";
import { openOnnx } from "../../io/onnxFile";
import { knownManifest } from "../feedForward/known";
import { manifestName, readManifest, type Manifest } from "../feedForward/manifest";
import { resolveManifest } from "../feedForward/resolve";
import { manifestFromTransformers } from "../feedForward/transformers";
import { isFile, repositoryOf } from "./components";
import type { FeedForwardDescription } from "./description";

/** Full precision before half, half before quantised: the first that is there is taken. */
const networkNames = ["model.onnx", "model_fp16.onnx", "model_quantized.onnx"];

const processorFiles = ["config.json", "preprocessor_config.json"];

/** Whether a path can be a feed-forward estimator: a network in ONNX format, or a folder that holds one and says how to run it. */
export async function isFeedForward(path: string): Promise<boolean> {
  if (path.endsWith(".onnx")) return true;
  if (await isFile(join(path, "model_index.json"))) return false;
  return (await isFile(join(path, manifestName))) || (await findNetworks(path)).length > 0;
}

/**
 * Describes a feed-forward estimator: a network in ONNX format, or the folder of one, with `plumbline.model.json`, in the layout of
 * transformers.js, or with a network that is known by its name. Throws `not-found`, `bad-model` where manifest and network do not fit, `unsupported`
 * where nothing says how to run the network.
 */
export async function describeFeedForward(path: string): Promise<FeedForwardDescription> {
  const place = await locate(resolve(path));
  const { manifest, files, isInferred } = place;
  const network = await openOnnx(place.networkPath);
  const { spec, assumptions } = resolveManifest(manifest, network, { isInferred });
  const normals = spec.outputs.find((output) => output.kind === "normals");
  return {
    family: "feedforward",
    id: place.id,
    name: manifest.name,
    ...(manifest.licence !== undefined && { licence: manifest.licence }),
    dir: place.dir,
    path: resolve(path),
    tasks: tasksOf(spec),
    depthKind: depthKindOf(spec),
    normalsFrame: normals ? displayFrame(normals.frame) : "LUB",
    open: [],
    endToEnd: false,
    network: { kind: "onnx", path: place.networkPath },
    spec,
    defaults: { steps: 1, spacing: "trailing", noise: "zeros", processingResolution: defaultResolution(spec.size) },
    assumptions: basename(place.networkPath).includes("quantized") ? [...assumptions, `${basename(place.networkPath)} is quantised: its numbers are coarser than the model's own.`] : assumptions,
    files,
  };
}

function tasksOf({ outputs }: FeedForwardSpec): FeedForwardDescription["tasks"] {
  return outputs.map(({ kind }) => (kind === "normals" ? ("normals" as const) : ("depth" as const)));
}

function depthKindOf({ outputs }: FeedForwardSpec): DepthKind | undefined {
  const semantics = outputs.map(semanticsOfOutput).find(({ task }) => task === "depth");
  return semantics?.task === "depth" ? semantics.depthKind : undefined;
}

interface Place {
  readonly id: string;
  readonly dir: string;
  readonly networkPath: string;
  readonly manifest: Manifest;
  /** Of the manifest; absolute. */
  readonly files: readonly string[];
  /** The manifest was made up from other files, or is Plumbline's own. */
  readonly isInferred: boolean;
}

async function locate(path: string): Promise<Place> {
  const isNetwork = path.endsWith(".onnx");
  if (!(await stat(path).then(() => true, () => false))) throw new PlumblineError("not-found", `Expected a network or a model folder at ${path} but there is none.`, "Choose a file in ONNX format, or a folder that holds one.");
  const folder = isNetwork ? dirname(path) : path;
  const dir = isNetwork && basename(folder) === "onnx" && !(await isFile(join(folder, manifestName))) ? dirname(folder) : folder;
  const repository = repositoryOf(dir);
  const id = isNetwork ? basename(path, ".onnx") : repository;
  const manifestPath = join(dir, manifestName);
  if (await isFile(manifestPath)) {
    const manifest = await readManifest(dir);
    const networkPath = isNetwork ? path : manifest.network === undefined ? await onlyNetwork(dir) : resolve(dir, manifest.network);
    return { id, dir, networkPath, manifest, files: [manifestPath], isInferred: false };
  }
  const networkPath = isNetwork ? path : await onlyNetwork(dir);
  const processor = processorFiles.map((name) => join(dir, name));
  if ((await isFile(processor[0])) && (await isFile(processor[1]))) {
    return { id: isNetwork ? `${repository} ${id}` : id, dir, networkPath, manifest: await manifestFromTransformers(dir, repository), files: processor, isInferred: true };
  }
  const manifest = knownManifest(basename(networkPath));
  if (manifest) return { id, dir, networkPath, manifest, files: [], isInferred: true };
  const { inputs, outputs } = await openOnnx(networkPath);
  throw new PlumblineError(
    "unsupported",
    `Expected ${manifestName}, or config.json and preprocessor_config.json, in ${dir} to say how ${basename(networkPath)} is run (inputs: ${inputs.map(describeTensor).join("; ")}; outputs: ${outputs.map(describeTensor).join("; ")}) but received neither.`,
    `Write ${manifestName} beside it; docs/manifest.md describes it.`,
  );
}

/** The network of a folder, in it or in its folder `onnx`. */
async function onlyNetwork(dir: string): Promise<string> {
  const networks = await findNetworks(dir);
  const preferred = networkNames.map((name) => networks.find((path) => basename(path) === name)).find((path) => path !== undefined);
  if (preferred !== undefined) return preferred;
  if (networks.length === 1) return networks[0];
  throw new PlumblineError(networks.length === 0 ? "not-found" : "bad-argument", `Expected one network in ONNX format in ${dir} but received ${networks.length === 0 ? "none" : networks.map((path) => basename(path)).join(", ")}.`, networks.length === 0 ? "Download the model completely." : 'Choose one of the files, or name it as "network" in plumbline.model.json.');
}

async function findNetworks(dir: string): Promise<readonly string[]> {
  const inFolder = async (folder: string): Promise<string[]> => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".onnx")).sort().map((name) => join(folder, name));
  const own = await inFolder(dir);
  return own.length > 0 ? own : inFolder(join(dir, "onnx"));
}
