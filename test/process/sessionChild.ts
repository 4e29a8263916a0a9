// Runs one network on one device and prints what came of it as JSON: `node --import tsx sessionChild.ts JSON`.
// A process of its own, because drivers are chosen when ONNX Runtime starts and peak memory is counted by process.
import { convertComponent } from "../../src/graph/convert";
import { createNetwork } from "../../src/inference/session";
import { openSafetensors, readTensor } from "../../src/io/safetensors";
import type { Device } from "../../src/core/settings";
import type { Tensor } from "../../src/core/tensor";

export interface ChildTask {
  readonly dir: string;
  readonly part?: "encoder" | "decoder";
  readonly device: Device;
  readonly output: string;
  /** Inputs by name: a tensor of a file, or a shape to be filled with waves. */
  readonly inputs: Readonly<Record<string, readonly [path: string, tensor: string] | { readonly dims: readonly number[] }>>;
}

export interface ChildResult {
  readonly dims: readonly number[];
  readonly data: readonly number[];
  readonly peakBytes: number;
}

async function main({ dir, part, device, output, inputs }: ChildTask): Promise<ChildResult> {
  const network = await createNetwork(await convertComponent(dir, { part, device }), { device, threads: 1 });
  const tensors: Record<string, Tensor> = {};
  for (const [name, source] of Object.entries(inputs)) {
    tensors[name] = "dims" in source
      ? { dims: source.dims, data: Float32Array.from({ length: source.dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)) }
      : await readTensor(await openSafetensors(source[0]), source[1]);
  }
  const { dims, data } = (await network.run(tensors))[output];
  return { dims, data: [...data], peakBytes: process.resourceUsage().maxRSS * 1024 };
}

main(JSON.parse(process.argv[2]) as ChildTask).then(
  (result) => process.stdout.write(JSON.stringify(result)),
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
