import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { NetworkSource } from "../catalogue/modelFolder";
import { componentFiles, convertComponent, type ConvertOptions, type NetworkGraph } from "../graph/convert";
import { notFound } from "../io/jsonFile";

/** The graph of a network: built from a checkpoint's component, or a file as it is, which the options do not change. Throws what `convertComponent` throws. */
export async function graphOf(source: NetworkSource, options: ConvertOptions): Promise<NetworkGraph> {
  if (source.kind === "component") return convertComponent(source.dir, { ...options, weightsFile: source.weightsFile });
  const model = await readFile(source.path).catch((cause: unknown) => Promise.reject(notFound(source.path, cause)));
  return { model, weightsDir: dirname(source.path), files: [source.path] };
}

/** The `files` of that graph, without building it. Throws where they are missing or damaged. */
export async function sourceFiles(source: NetworkSource, options: ConvertOptions = {}): Promise<readonly string[]> {
  return source.kind === "component" ? componentFiles(source.dir, { ...options, weightsFile: source.weightsFile }) : [source.path];
}
