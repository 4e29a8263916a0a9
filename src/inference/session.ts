import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import * as ort from "onnxruntime-node";
import { PlumblineError, unexpected } from "../core/errors";
import type { Device } from "../core/settings";
import type { Tensor } from "../core/tensor";
import type { NetworkGraph } from "../graph/convert";
import type { BigIntTensor, Network } from "../pipeline/networks";

export interface NetworkOptions {
  readonly device: Device;
  /** CPU threads; by default one for each physical core. */
  readonly threads?: number;
}

/** Best first. */
const deviceOrder: readonly Device[] = ["cuda", "webgpu", "dml", "coreml", "cpu"];

/** Devices whose execution provider is there, best first; always ends with "cpu". Whether a GPU answers shows when a network is created. */
export function availableDevices(): readonly Device[] {
  const bundled = new Set(ort.listSupportedBackends().filter((backend) => backend.bundled).map((backend) => backend.name));
  return deviceOrder.filter((device) => device === "cpu" || bundled.has(device) || (device === "cuda" && hasCudaProvider()));
}

/** Versions of ONNX Runtime and of Node, by name. */
export function engineVersions(): Readonly<Record<string, string>> {
  return { onnxruntime: ort.env.versions.node ?? ort.env.versions.common, node: process.versions.node };
}

/**
 * Loads a graph onto a device. The weights are read from where they are.
 * Throws `engine-failed` when the provider cannot be used or refuses the network.
 */
export async function createNetwork(graph: Pick<NetworkGraph, "model" | "weightsDir">, { device, threads }: NetworkOptions): Promise<Network> {
  const session = await ort.InferenceSession.create(graph.model, {
    executionProviders: [device],
    ...(threads !== undefined && { intraOpNumThreads: threads }),
    // Warnings of ONNX Runtime concern its own optimiser; errors arrive as exceptions.
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: graph.weightsDir } },
  }).catch((cause: unknown) => Promise.reject(failed("load a network", device, cause)));
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, feed(input, inputs[input.name])]));
      const unknown = Object.keys(inputs).find((name) => !(name in feeds));
      if (unknown !== undefined) throw unexpected("bad-tensor", "the network's inputs", session.inputNames.join(", "), unknown);
      const outputs = await session.run(feeds).catch((cause: unknown) => Promise.reject(failed("run a network", device, cause)));
      return Object.fromEntries(Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data: data as Float32Array }]));
    },
    release: () => session.release(),
  };
}

function feed(input: ort.InferenceSession.ValueMetadata, value: Tensor | BigIntTensor | undefined): ort.Tensor {
  if (!input.isTensor) throw new TypeError(`${input.name} is not a tensor`);
  if (value === undefined) throw unexpected("bad-tensor", `input "${input.name}"`, "a tensor", undefined);
  const fits = value.dims.length === input.shape.length && input.shape.every((size, i) => typeof size === "string" || size === value.dims[i]);
  if (!fits) throw unexpected("bad-tensor", `input "${input.name}"`, `shape [${input.shape.join(", ")}]`, value.dims);
  if (input.type === "int64") {
    if (value.data instanceof Float32Array) throw unexpected("bad-tensor", `input "${input.name}"`, "whole numbers (int64)", "float32");
    return new ort.Tensor("int64", value.data, value.dims);
  }
  // Timesteps are stored as int64 by some tools.
  return new ort.Tensor("float32", value.data instanceof Float32Array ? value.data : Float32Array.from(value.data, Number), value.dims);
}

/** The CUDA provider is not part of the package: it is a library that the user adds beside it. */
function hasCudaProvider(): boolean {
  const folder = join(dirname(require.resolve("onnxruntime-node/package.json")), "bin", "napi-v6", process.platform, process.arch);
  return ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"].some((name) => existsSync(join(folder, name)));
}

function failed(action: string, device: Device, cause: unknown): PlumblineError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const remedy = device === "cpu" ? "Free memory, or choose a smaller processing resolution." : "Choose the device cpu.";
  return new PlumblineError("engine-failed", `ONNX Runtime could not ${action} on ${device}: ${message}`, remedy, { cause });
}
