import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { dependencies } from "../../package.json";
import type { Environment } from "./environment";
import { storageFolder } from "./storage";

/** The version of ONNX Runtime that Plumbline was made with; its CUDA provider must be of the same. */
export const onnxRuntimeVersion: string = dependencies["onnxruntime-node"];

/** ONNX Runtime itself, as its Node package calls it, and the parts of the CUDA provider, which it looks for beside itself. */
export const runtimeLibrary = "libonnxruntime.so.1";
export const cudaLibraries = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"] as const;

/** Where the CUDA provider is kept: beside the storage folder of models. Undefined where ONNX Runtime has none for this system. */
export function cudaFolder(environment: Environment = process.env, system = `${process.platform}-${process.arch}`): string | undefined {
  return system === "linux-x64" ? join(dirname(storageFolder(environment)), "runtime", `onnxruntime-${onnxRuntimeVersion}-cuda12`) : undefined;
}

/** That folder where the provider has been installed. */
export function installedCudaFolder(environment: Environment = process.env): string | undefined {
  const folder = cudaFolder(environment);
  return folder !== undefined && [runtimeLibrary, ...cudaLibraries].every((name) => existsSync(join(folder, name))) ? folder : undefined;
}

/**
 * The environment of a process that is to use the installed provider. The dynamic loader takes ONNX Runtime from a folder of
 * LD_LIBRARY_PATH before the package's own, and ONNX Runtime takes its providers from its own folder.
 */
export function libraryEnvironment(environment: Environment = process.env): Environment {
  const folder = installedCudaFolder(environment);
  return folder === undefined ? environment : { ...environment, LD_LIBRARY_PATH: [folder, environment["LD_LIBRARY_PATH"]].filter(Boolean).join(delimiter) };
}
