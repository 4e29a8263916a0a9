import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { convertComponent, type ConvertOptions } from "../src/graph/convert";
import { encodeModel, type Node } from "../src/graph/onnx";
import { createNetwork } from "../src/inference/session";
import type { Tensor } from "../src/core/tensor";
import { survey, writeCheckpoint, type NetworkName } from "./checkpoint";

// Networks of the size of Stable Diffusion 2 on the CPU, for an image of 576 x 768: `npx tsx bench/fullSize.ts [name...]`.
// Each runs in a process of its own, so that its peak memory is its own. THREADS (2) and ROUNDS (2) may be set.

const root = join(__dirname, "..", ".cache", "bench");
const [h, w] = [72, 96];
const threads = Number(process.env.THREADS ?? 2);
const rounds = Number(process.env.ROUNDS ?? 2);
const variants = ["unet", "unet-constant", "encoder", "decoder"] as const;
type Variant = (typeof variants)[number];

/** Deterministic numbers of spread about 0.7. */
function waves(dims: readonly number[]): Tensor {
  return { dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(0.37 * i)) };
}

/** GFLOP/s of a 2048 x 2048 matrix product through ONNX Runtime: best of a few, wall clock. */
async function gemmPeak(): Promise<number> {
  const size = 2048;
  const weights = { name: "w", dims: [size, size], type: 1 as const, data: new Uint8Array(waves([size, size]).data.buffer) };
  const nodes: Node[] = [
    { name: "product", opType: "MatMul", domain: "", inputs: ["x", "w"], outputs: ["p"], attributes: {} },
    { name: "largest", opType: "ReduceMax", domain: "", inputs: ["p"], outputs: ["y"], attributes: { keepdims: 1 } },
  ];
  const model = encodeModel({ name: "gemm", nodes, initializers: [weights], inputs: [{ name: "x", type: 1, dims: [size, size] }], outputs: [{ name: "y", type: 1, dims: [1, 1] }] });
  const network = await createNetwork({ model, weightsDir: root }, { device: "cpu", threads });
  const seconds = await best(8, () => network.run({ x: waves([size, size]) }));
  await network.release();
  return (2 * size ** 3) / seconds / 1e9;
}

async function best(times: number, run: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, (performance.now() - start) / 1000);
  }
  return least;
}

async function measure(variant: Variant): Promise<Record<string, string | number>> {
  const network: NetworkName = variant === "unet-constant" ? "unet" : variant;
  const states = waves([1, 2, 1024]);
  const constants: ConvertOptions = variant === "unet-constant" ? { timestep: 999, encoderHiddenStates: states } : {};
  const part = network === "unet" ? undefined : network;
  const before = await gemmPeak();

  const start = performance.now();
  const graph = await convertComponent(join(root, network === "unet" ? "unet" : "vae"), { part, ...constants });
  const converted = performance.now();
  const loaded = await createNetwork(graph, { device: "cpu", threads });
  const importSeconds = (performance.now() - start) / 1000;

  const inputsOf: Record<Variant, Record<string, Tensor>> = {
    unet: { sample: waves([1, 8, h, w]), timestep: waves([1]), encoder_hidden_states: states },
    "unet-constant": { sample: waves([1, 8, h, w]) },
    encoder: { image: waves([1, 3, 8 * h, 8 * w]) },
    decoder: { latent: waves([1, 4, h, w]) },
  };
  const cpu = process.cpuUsage();
  const seconds = await best(rounds, () => loaded.run(inputsOf[variant]));
  const used = process.cpuUsage(cpu);
  const peak = Math.max(before, await gemmPeak());
  const { gflop } = survey(network, h, w, constants);
  return {
    network: variant, importSeconds, convertSeconds: (converted - start) / 1000, graphKilobytes: Math.round(graph.model.length / 1024), seconds,
    cpuSecondsPerRun: (used.user + used.system) / 1e6 / rounds, gflop: Math.round(gflop), gflopPerSecond: gflop / seconds, gemmPeak: peak,
    shareOfPeak: gflop / seconds / peak, secondsTimesPeak: Math.round(seconds * peak), peakGigabytes: process.resourceUsage().maxRSS / 2 ** 20,
  };
}

async function main(): Promise<void> {
  const [child, name] = process.argv.slice(2);
  if (child === "--one") {
    console.log(JSON.stringify(await measure(name as Variant)));
    return;
  }
  await writeCheckpoint(root);
  const chosen = variants.filter((variant) => process.argv.length <= 2 || process.argv.includes(variant));
  const rows = chosen.map((variant) => {
    const output = execFileSync(process.execPath, ["--import", "tsx", __filename, "--one", variant], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    return JSON.parse(output.trim().split("\n").pop() as string) as Record<string, number>;
  });
  console.table(rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, typeof value === "number" ? Number(value.toPrecision(4)) : value]))));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
