import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { NetworkSource } from "../catalogue/modelFolder";
import type { Device } from "../core/settings";
import { componentFiles, convertComponent, type ConvertOptions } from "../graph/convert";
import { openOnnx } from "../io/onnxFile";
import type { Network } from "../pipeline/networks";
import { componentAdapter } from "./onnxNetwork";
import { createNetwork } from "./session";

/** A network that is ready to be created, and the files that it is made of, absolute. */
export interface OpenedNetwork {
  readonly files: readonly string[];
  /** Throws what `createNetwork` throws. */
  create(device: Device): Promise<Network>;
}

/**
 * Opens a network: builds its graph from a checkpoint's component, or reads what a file in ONNX format takes and gives. Throws what
 * `convertComponent`, `openOnnx` and `componentAdapter` throw.
 */
export async function openNetwork(source: NetworkSource, options: ConvertOptions): Promise<OpenedNetwork> {
  if (source.kind === "component") {
    const graph = await convertComponent(source.dir, { ...options, weightsFile: source.weightsFile });
    return { files: graph.files, create: (device) => createNetwork(graph, { device }) };
  }
  const file = await openOnnx(source.path);
  const adapt = componentAdapter(file, options);
  return { files: file.files, create: async (device) => adapt(await createNetwork(file, { device })) };
}

/** The `files` of that network and what is said of it beside it, without building it. Throws where they are missing or damaged. */
export async function sourceFiles(source: NetworkSource, options: ConvertOptions = {}): Promise<readonly string[]> {
  if (source.kind === "component") return componentFiles(source.dir, { ...options, weightsFile: source.weightsFile });
  const { files } = await openOnnx(source.path);
  const config = join(dirname(source.path), "config.json");
  return (await stat(config).then(() => true, () => false)) ? [...files, config] : files;
}
