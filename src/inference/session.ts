import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import * as ort from "onnxruntime-node";
import { PlumblineError, unexpected } from "../core/errors";
import { floatsFromHalves, halfFromFloats } from "../core/half";
import type { Device } from "../core/settings";
import { tensor, type Tensor } from "../core/tensor";
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

/** The folder of ONNX Runtime's own library, in its package. */
export function runtimeFolder(): string {
  return join(dirname(require.resolve("onnxruntime-node/package.json")), "bin", "napi-v6", process.platform, process.arch);
}

/**
 * Loads a graph, or a file in ONNX format, onto a device. The weights are read from where they are.
 * Throws `engine-failed` when the provider cannot be used or refuses the network.
 */
export async function createNetwork(graph: Pick<NetworkGraph, "model" | "weightsDir"> | { readonly path: string }, { device, threads }: NetworkOptions): Promise<Network> {
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: [device],
    ...(threads !== undefined && { intraOpNumThreads: threads }),
    // Warnings of ONNX Runtime concern its own optimiser; errors arrive as exceptions.
    logSeverityLevel: 3,
  };
  const created = "path" in graph
    ? ort.InferenceSession.create(graph.path, options)
    : ort.InferenceSession.create(graph.model, { ...options, extra: { session: { model_external_initializers_file_folder_path: graph.weightsDir } } });
  const session = await created.catch((cause: unknown) => Promise.reject(failed("load a network", device, cause)));
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, feed(input, inputs[input.name])]));
      const unknown = Object.keys(inputs).find((name) => !(name in feeds));
      if (unknown !== undefined) throw unexpected("bad-tensor", "the network's inputs", session.inputNames.join(", "), unknown);
      const outputs = await session.run(feeds).catch((cause: unknown) => Promise.reject(failed("run a network", device, cause)));
      return Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, tensor(floatsOf(output), output.dims)]));
    },
    release: () => session.release(),
  };
}

function feed(input: ort.InferenceSession.ValueMetadata, value: Tensor | BigIntTensor | undefined): ort.Tensor {
  if (!input.isTensor) throw new TypeError(`${input.name} is not a tensor`);
  if (value === undefined) throw unexpected("bad-tensor", `input "${input.name}"`, "a tensor", undefined);
  const fits = value.dims.length === input.shape.length && input.shape.every((size, i) => typeof size === "string" || size === value.dims[i]);
  if (!fits) throw unexpected("bad-tensor", `input "${input.name}"`, `shape [${input.shape.join(", ")}]`, value.dims);
  return new ort.Tensor(input.type, elementsOf(input, value), value.dims);
}

/** The values as the network stores them; timesteps and images come in every type. */
function elementsOf({ name, type }: ort.InferenceSession.TensorValueMetadata, { data }: Tensor | BigIntTensor): Float32Array | Float64Array | Uint16Array | Uint8Array | Int32Array | BigInt64Array {
  const wantsWhole = type === "int64" || type === "int32";
  if (wantsWhole && data instanceof Float32Array && !data.every(Number.isInteger)) throw unexpected("bad-tensor", `input "${name}"`, `whole numbers (${type})`, "fractions");
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data, Number);
  switch (type) {
    case "float32":
      return numbers;
    case "float16":
      return halfFromFloats(numbers);
    case "float64":
      return Float64Array.from(numbers);
    case "uint8":
      return new Uint8Array(Uint8ClampedArray.from(numbers).buffer);
    case "int32":
      return Int32Array.from(data, Number);
    case "int64":
      return data instanceof BigInt64Array ? data : BigInt64Array.from(data, BigInt);
    default:
      throw unexpected("unsupported", `input "${name}"`, "elements of type float32, float16, float64, uint8, int32 or int64", type);
  }
}

function floatsOf({ data, type }: ort.Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  // Halves come as their bits where the engine's JavaScript has no type for them.
  if (data instanceof Uint16Array && type === "float16") return floatsFromHalves(data);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/**
 * The CUDA provider is not part of the package: it lies beside ONNX Runtime's own library, which the dynamic loader takes
 * from the first folder of LD_LIBRARY_PATH that has it, else from the package.
 */
function hasCudaProvider(): boolean {
  const preferred = (process.env["LD_LIBRARY_PATH"] ?? "").split(":").find((folder) => folder !== "" && existsSync(join(folder, "libonnxruntime.so.1")));
  return ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"].some((name) => existsSync(join(preferred ?? runtimeFolder(), name)));
}

function failed(action: string, device: Device, cause: unknown): PlumblineError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const remedy = device === "cpu" ? "Free memory, or choose a smaller processing resolution." : "Choose the device cpu.";
  return new PlumblineError("engine-failed", `ONNX Runtime could not ${action} on ${device}: ${message}`, remedy, { cause });
}
