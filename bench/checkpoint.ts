import { mkdir, open, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { elementCount } from "../src/core/tensor";
import { GraphBuilder, type Dim, type Value } from "../src/graph/builder";
import { Config } from "../src/graph/config";
import { bytesFromFloats } from "../src/io/floatFormat";
import type { Attribute } from "../src/graph/onnx";
import { buildUNet, type UNetOptions } from "../src/graph/unet";
import { buildDecoder, buildEncoder } from "../src/graph/vae";

// Random weights for any network that Plumbline builds, checkpoints of the size of Stable Diffusion 2 of them, and the
// arithmetic that their networks need.

export const unetConfig = {
  _class_name: "UNet2DConditionModel", in_channels: 8, out_channels: 4, block_out_channels: [320, 640, 1280, 1280],
  attention_head_dim: [5, 10, 20, 20], layers_per_block: 2, cross_attention_dim: 1024, norm_num_groups: 32, norm_eps: 1e-5,
  use_linear_projection: true, flip_sin_to_cos: true, freq_shift: 0,
  down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
};
export const vaeConfig = {
  _class_name: "AutoencoderKL", in_channels: 3, out_channels: 3, latent_channels: 4, block_out_channels: [128, 256, 512, 512],
  layers_per_block: 2, norm_num_groups: 32,
  down_block_types: new Array<string>(4).fill("DownEncoderBlock2D"), up_block_types: new Array<string>(4).fill("UpDecoderBlock2D"),
};
export type NetworkName = "unet" | "encoder" | "decoder";

/** Builds without weights: keeps the shapes that a network asks for, and counts its multiplications and additions. */
class Survey extends GraphBuilder {
  readonly shapes = new Map<string, readonly number[]>();
  flop = 0;

  constructor(private readonly sizes: Readonly<Record<string, number>>) {
    super("survey", { path: "survey", dataPaths: [], metadata: {}, tensors: new Map() }, new Map());
  }

  override weight(name: string, dims: readonly number[], { rows, as }: { rows?: readonly [number, number]; as?: readonly number[] } = {}): Value {
    this.shapes.set(this.keyOf(name), dims);
    return { name, dims: as ?? (rows ? [rows[1] - rows[0], ...dims.slice(1)] : dims) };
  }

  override node(opType: string, module: string, inputs: readonly (Value | undefined)[], dims: readonly Dim[], attributes?: Readonly<Record<string, Attribute>>, domain?: "" | "com.microsoft"): Value {
    const out = this.count(dims);
    const perRow = (value: Value | undefined, first: number) => this.count(value?.dims.slice(first) ?? []);
    if (opType === "Conv") this.flop += 2 * out * perRow(inputs[1], 1);
    if (opType === "Gemm") this.flop += 2 * out * perRow(inputs[0], 1);
    if (opType === "MultiHeadAttention") this.flop += 4 * out * perRow(inputs[1], 1) / perRow(inputs[1], 2);
    return super.node(opType, module, inputs, dims, attributes, domain);
  }

  /** The product of dims; names like "N*h/2*w/2" are worked out. */
  private count(dims: readonly Dim[]): number {
    const size = (dim: Dim) => String(dim).split("*").map((factor) => {
      const [first, ...divisors] = factor.split("/");
      return divisors.reduce((value, divisor) => Math.ceil(value / Number(divisor)), this.sizes[first] ?? Number(first));
    });
    return dims.flatMap(size).reduce((product, value) => product * value, 1);
  }
}

/** Shapes of a network's weights, and its GFLOP for one latent of h x w (an image of 8h x 8w). */
export function survey(network: NetworkName, h: number, w: number, constants: UNetOptions = {}) {
  const s = new Survey({ N: 1, T: 1, S: 2, h, w, H: 8 * h, W: 8 * w });
  if (network === "unet") buildUNet(s, new Config("unet", unetConfig), constants);
  else (network === "encoder" ? buildEncoder : buildDecoder)(s, new Config("vae", vaeConfig));
  return { shapes: s.shapes, gflop: s.flop / 1e9 };
}

/** Shapes of the weights that a network asks for, by their names in the file. */
export function weightShapes(build: (g: GraphBuilder) => void): ReadonlyMap<string, readonly number[]> {
  const s = new Survey({});
  build(s);
  return s.shapes;
}

/** Writes `unet/` and `vae/` under `root`, unless they are there. Seeded: the same numbers each time. */
export async function writeCheckpoint(root: string): Promise<void> {
  const unet = survey("unet", 8, 8).shapes;
  const vae = new Map([...survey("encoder", 8, 8).shapes, ...survey("decoder", 8, 8).shapes]);
  for (const [name, config, shapes] of [["unet", unetConfig, unet], ["vae", vaeConfig, vae]] as const) {
    const dir = join(root, name);
    const path = join(dir, "diffusion_pytorch_model.safetensors");
    if (await stat(join(dir, "config.json")).then(() => true, () => false)) continue;
    await mkdir(dir, { recursive: true });
    await writeRandom(path, shapes);
    await writeFile(join(dir, "config.json"), JSON.stringify(config));
  }
}

/** Writes a `.safetensors` file of seeded random numbers in the given shapes; a large tensor repeats its first 2^18 + 3. */
export async function writeRandom(path: string, shapes: ReadonlyMap<string, readonly number[]>, dtype: "F32" | "F16" = "F32", metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const byteLength = (shape: readonly number[]) => elementCount(shape) * (dtype === "F16" ? 2 : 4);
  let end = 0;
  for (const [name, shape] of shapes) header[name] = { dtype, shape, data_offsets: [end, (end += byteLength(shape))] };
  const text = JSON.stringify(header);
  // Data from a multiple of 8 bytes on, as other writers leave it.
  const json = Buffer.from(text.padEnd(8 * Math.ceil(text.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const pool = randomPool(2 ** 18 + 3);
  const file = await open(path, "w");
  try {
    await file.writeFile(Buffer.concat([length, json]));
    let drawn = 0;
    for (const [name, shape] of shapes) {
      const isNorm = shape.length === 1 && name.endsWith(".weight");
      const scale = shape.length === 1 ? 0.1 : (elementCount(shape) / shape[0]) ** -0.5;
      const period = Math.min(elementCount(shape), pool.length);
      // Each tensor starts elsewhere in the pool, so that two of one shape differ.
      const block = bytesFromFloats(Float32Array.from({ length: period }, () => (isNorm ? 1 : 0) + scale * pool[drawn++ % pool.length]), dtype);
      drawn += 9973;
      for (let left = byteLength(shape); left > 0; left -= block.length) await file.writeFile(block.subarray(0, Math.min(left, block.length)));
    }
  } finally {
    await file.close();
  }
}

/** Uniform numbers of variance 1 from a 32-bit linear congruential generator. */
function randomPool(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * Math.sqrt(12);
  });
}
