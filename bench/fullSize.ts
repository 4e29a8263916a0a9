import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { convertComponent, type ConvertOptions } from "../src/graph/convert";
import { encodeModel, type Node } from "../src/graph/onnx";
import { createNetwork } from "../src/inference/session";
import type { Tensor } from "../src/core/tensor";
import type { Network } from "../src/pipeline/networks";
import { survey, writeCheckpoint, type NetworkName } from "./checkpoint";

// Networks of the size of Stable Diffusion 2 on the CPU, for an image of 576 x 768: `npx tsx bench/fullSize.ts [name...]`.
// Each runs in a process of its own, so that its peak memory is its own. THREADS (2) and ROUNDS (2) may be set. On a
// machine that does other things too, set THREADS=1 and read the columns in CPU seconds: one thread does not spin.

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

interface Seconds {
  readonly wall: number;
  readonly cpu: number;
}

/** GFLOP of a 2048 x 2048 matrix product through ONNX Runtime, and the seconds that it takes at best. */
async function gemm(): Promise<Seconds & { readonly gflop: number }> {
  const size = 2048;
  const weights = { name: "w", dims: [size, size], type: 1 as const, data: new Uint8Array(waves([size, size]).data.buffer) };
  const nodes: Node[] = [
    { name: "product", opType: "MatMul", domain: "", inputs: ["x", "w"], outputs: ["p"], attributes: {} },
    { name: "largest", opType: "ReduceMax", domain: "", inputs: ["p"], outputs: ["y"], attributes: { keepdims: 1 } },
  ];
  const model = encodeModel({ name: "gemm", nodes, initializers: [weights], inputs: [{ name: "x", type: 1, dims: [size, size] }], outputs: [{ name: "y", type: 1, dims: [1, 1] }] });
  const network = await createNetwork({ model, weightsDir: root }, { device: "cpu", threads });
  const x = waves([size, size]);
  const seconds = await best(8, () => network.run({ x }));
  await network.release();
  return { ...seconds, gflop: (2 * size ** 3) / 1e9 };
}

/** The least of several runs, in wall-clock and in CPU seconds of all threads. */
async function best(times: number, run: () => Promise<unknown>): Promise<Seconds> {
  const all: Seconds[] = [];
  for (let i = 0; i < times; i++) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    await run();
    const used = process.cpuUsage(cpu);
    all.push({ wall: (performance.now() - start) / 1000, cpu: (used.user + used.system) / 1e6 });
  }
  return { wall: Math.min(...all.map(({ wall }) => wall)), cpu: Math.min(...all.map(({ cpu }) => cpu)) };
}

async function measure(variant: Variant): Promise<Record<string, string | number>> {
  const name: NetworkName = variant === "unet-constant" ? "unet" : variant;
  const states = waves([1, 2, 1024]);
  const constants: ConvertOptions = variant === "unet-constant" ? { timestep: 999, encoderHiddenStates: states } : {};
  const part = name === "unet" ? undefined : name;
  const before = await gemm();

  let graphBytes = 0;
  let network: Network | undefined;
  const load = await best(1, async () => {
    const graph = await convertComponent(join(root, name === "unet" ? "unet" : "vae"), { part, ...constants });
    graphBytes = graph.model.length;
    network = await createNetwork(graph, { device: "cpu", threads });
  });

  const inputsOf: Record<Variant, Record<string, Tensor>> = {
    unet: { sample: waves([1, 8, h, w]), timestep: waves([1]), encoder_hidden_states: states },
    "unet-constant": { sample: waves([1, 8, h, w]) },
    encoder: { image: waves([1, 3, 8 * h, 8 * w]) },
    decoder: { latent: waves([1, 4, h, w]) },
  };
  const run = await best(rounds, () => (network as Network).run(inputsOf[variant]));
  const after = await gemm();
  const peak = { wall: before.gflop / Math.min(before.wall, after.wall), cpu: before.gflop / Math.min(before.cpu, after.cpu) };
  const { gflop } = survey(name, h, w, constants);
  return {
    network: variant, gflop, graphKilobytes: graphBytes / 1024, "import s": load.wall, "import CPU s": load.cpu, "run s": run.wall, "run CPU s": run.cpu,
    "GFLOP/s": gflop / run.wall, "GEMM GFLOP/s": peak.wall, share: gflop / run.wall / peak.wall,
    "GFLOP/CPU s": gflop / run.cpu, "GEMM GFLOP/CPU s": peak.cpu, "share, CPU": gflop / run.cpu / peak.cpu, "peak GB": process.resourceUsage().maxRSS / 2 ** 20,
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
  // Figures down, networks across.
  console.table(Object.fromEntries(Object.keys(rows[0]).slice(1).map((figure) => [figure, Object.fromEntries(rows.map((row) => [row.network, Number(row[figure].toPrecision(3))]))])));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
