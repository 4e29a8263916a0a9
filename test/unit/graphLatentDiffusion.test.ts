import assert from "node:assert/strict";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { elementCount } from "../../src/core/tensor";
import { convertComponent } from "../../src/graph/convert";

interface Hparams {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly model_channels: number;
  readonly channel_mult: readonly number[];
  readonly num_res_blocks: number | readonly number[];
  readonly attention_resolutions: readonly number[];
  readonly context_dim: number;
  readonly num_heads: number;
  readonly use_linear_in_transformer?: boolean;
}

type Shapes = Record<string, number[]>;

/** Shapes of the weights as the constructor of UNetModel lays its modules out, one list after the other. */
function unetModelShapes(hparams: Hparams): Shapes {
  const { model_channels: width, channel_mult: factors, context_dim: context } = hparams;
  const shapes: Shapes = {};
  const conv = (name: string, from: number, to: number, kernel = 3) => Object.assign(shapes, { [`${name}.weight`]: [to, from, kernel, kernel], [`${name}.bias`]: [to] });
  const linear = (name: string, from: number, to: number, bias = true) => Object.assign(shapes, { [`${name}.weight`]: [to, from] }, bias && { [`${name}.bias`]: [to] });
  const norm = (name: string, channels: number) => Object.assign(shapes, { [`${name}.weight`]: [channels], [`${name}.bias`]: [channels] });
  const resBlock = (name: string, from: number, to: number) => {
    norm(`${name}.in_layers.0`, from);
    conv(`${name}.in_layers.2`, from, to);
    linear(`${name}.emb_layers.1`, 4 * width, to);
    norm(`${name}.out_layers.0`, to);
    conv(`${name}.out_layers.3`, to, to);
    if (from !== to) conv(`${name}.skip_connection`, from, to, 1);
  };
  const spatialTransformer = (name: string, channels: number) => {
    norm(`${name}.norm`, channels);
    for (const projection of ["proj_in", "proj_out"]) {
      if (hparams.use_linear_in_transformer) linear(`${name}.${projection}`, channels, channels);
      else conv(`${name}.${projection}`, channels, channels, 1);
    }
    const block = `${name}.transformer_blocks.0`;
    for (const i of [1, 2, 3]) norm(`${block}.norm${i}`, channels);
    for (const [attention, seen] of [["attn1", channels], ["attn2", context]] as const) {
      linear(`${block}.${attention}.to_q`, channels, channels, false);
      for (const key of ["to_k", "to_v"]) linear(`${block}.${attention}.${key}`, seen, channels, false);
      linear(`${block}.${attention}.to_out.0`, channels, channels);
    }
    linear(`${block}.ff.net.0.proj`, channels, 8 * channels);
    linear(`${block}.ff.net.2`, 4 * channels, channels);
  };
  const blocksOf = (level: number) => (typeof hparams.num_res_blocks === "number" ? hparams.num_res_blocks : hparams.num_res_blocks[level]);

  linear("time_embed.0", width, 4 * width);
  linear("time_embed.2", 4 * width, 4 * width);
  conv("input_blocks.0.0", hparams.in_channels, width);
  const kept = [width];
  let [channels, stride] = [width, 1];
  factors.forEach((factor, level) => {
    for (let i = 0; i < blocksOf(level); i++) {
      resBlock(`input_blocks.${kept.length}.0`, channels, factor * width);
      channels = factor * width;
      if (hparams.attention_resolutions.includes(stride)) spatialTransformer(`input_blocks.${kept.length}.1`, channels);
      kept.push(channels);
    }
    if (level === factors.length - 1) return;
    conv(`input_blocks.${kept.length}.0.op`, channels, channels);
    kept.push(channels);
    stride *= 2;
  });
  resBlock("middle_block.0", channels, channels);
  spatialTransformer("middle_block.1", channels);
  resBlock("middle_block.2", channels, channels);
  let output = 0;
  for (let level = factors.length - 1; level >= 0; level--) {
    for (let i = 0; i <= blocksOf(level); i++) {
      const parts = [`output_blocks.${output}.0`, `output_blocks.${output}.1`, `output_blocks.${output}.2`];
      resBlock(parts.shift() as string, channels + (kept.pop() as number), factors[level] * width);
      channels = factors[level] * width;
      if (hparams.attention_resolutions.includes(stride)) spatialTransformer(parts.shift() as string, channels);
      if (level > 0 && i === blocksOf(level)) {
        conv(`${parts[0]}.conv`, channels, channels);
        stride /= 2;
      }
      output++;
    }
  }
  norm("out.0", channels);
  conv("out.2", width, hparams.out_channels);
  return shapes;
}

/** A checkpoint of which only the header is stored: the rest is a hole. */
async function writeHollow(path: string, shapes: Shapes): Promise<number> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) header[name] = { dtype: "F16", shape, data_offsets: [end, (end += 2 * elementCount(shape))] };
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const handle = await open(path, "w");
  await handle.write(Buffer.concat([length, json]));
  await handle.truncate(8 + json.length + end);
  await handle.close();
  return end / 2;
}

describe("UNetModel of latent diffusion", () => {
  let dir: string;
  beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), "plumbline-ldm-"))));
  afterEach(() => rm(dir, { recursive: true }));

  const stableDiffusion1: Hparams = { in_channels: 4, out_channels: 4, model_channels: 320, channel_mult: [1, 2, 4, 4], num_res_blocks: 2, attention_resolutions: [4, 2, 1], context_dim: 768, num_heads: 8 };
  const cases: [string, Hparams, number?][] = [
    // The well-known number of parameters of its UNet.
    ["Stable Diffusion 1", stableDiffusion1, 859_520_964],
    ["Stable Diffusion 2 with the channels of DepthFM", { ...stableDiffusion1, in_channels: 8, context_dim: 1024, use_linear_in_transformer: true }, 865_922_244],
    ["blocks that differ from level to level, attention at some", { ...stableDiffusion1, model_channels: 32, channel_mult: [1, 1, 2], num_res_blocks: [1, 3, 2], attention_resolutions: [2] }],
    ["attention at the coarsest level only", { ...stableDiffusion1, model_channels: 32, channel_mult: [1, 2], num_res_blocks: [2, 1], attention_resolutions: [2] }],
  ];
  for (const [what, hparams, parameters] of cases) {
    it(`finds every weight, and leaves none: ${what}`, async () => {
      const count = await writeHollow(join(dir, "depthfm-v1.safetensors"), unetModelShapes(hparams));
      if (parameters !== undefined) assert.equal(count, parameters);
      await writeFile(join(dir, "config.json"), JSON.stringify({ ldm_hparams: { ...hparams, image_size: 32, use_spatial_transformer: true, legacy: false } }));
      const { model } = await convertComponent(dir);
      assert.ok(model.length < 2e6, `${model.length} bytes`);
    });
  }
});
