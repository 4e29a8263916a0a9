import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { survey, unetConfig } from "../../bench/checkpoint";
import { PlumblineError, type ErrorCode } from "../../src/core/errors";
import { elementCount } from "../../src/core/tensor";
import { convertComponent, type ConvertOptions } from "../../src/graph/convert";
import { decodeModel, type Node } from "../../src/graph/onnx";
import { openSafetensors, readTensor, writeSafetensors, type WritableTensor } from "../../src/io/safetensors";

const reference = join(__dirname, "..", "reference");
const weightsName = "diffusion_pytorch_model.safetensors";

let dir: string;
beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), "plumbline-graph-"))));
afterEach(() => rm(dir, { recursive: true }));

type Json = Record<string, unknown>;
function configOf(folder: string): Json {
  return JSON.parse(readFileSync(join(reference, folder, "config.json"), "utf8")) as Json;
}

/** The reference component with its config and its tensors changed. */
async function changed(folder: string, changeConfig: (config: Json) => void, changeTensors?: (tensors: Record<string, WritableTensor>) => void): Promise<string> {
  const config = configOf(folder);
  changeConfig(config);
  await writeFile(join(dir, "config.json"), JSON.stringify(config));
  const weights = folder === "depthfm" ? "unet_ldm_layout.safetensors" : folder.startsWith("clip") ? "model.safetensors" : weightsName;
  if (!changeTensors) {
    await copyFile(join(reference, folder, weights), join(dir, weights));
  } else {
    const file = await openSafetensors(join(reference, folder, weights));
    const tensors: Record<string, WritableTensor> = {};
    for (const name of file.tensors.keys()) tensors[name] = await readTensor(file, name);
    changeTensors(tensors);
    await writeSafetensors(join(dir, weights), tensors);
  }
  return dir;
}

async function assertRefused(converted: Promise<unknown>, code: ErrorCode, ...words: (string | RegExp)[]): Promise<void> {
  await assert.rejects(converted, (error: unknown) => {
    assert.ok(error instanceof PlumblineError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.remedy, "");
    for (const word of words) assert.ok(typeof word === "string" ? error.message.includes(word) : word.test(error.message), `${error.message} should tell ${String(word)}`);
    return true;
  });
}

describe("config.json that asks for what is not built", () => {
  const unet: [string, Json, ...(string | RegExp)[]][] = [
    ["another class", { _class_name: "SD3Transformer2DModel" }, "UNet2DConditionModel", "SD3Transformer2DModel"],
    ["added embeddings (SDXL)", { addition_embed_type: "text_time" }, '"addition_embed_type"', '"text_time"'],
    ["another activation", { act_fn: "relu" }, '"act_fn"', '"relu"'],
    ["another kind of block", { down_block_types: ["CrossAttnDownBlock2D", "AttnDownBlock2D", "DownBlock2D"] }, '"down_block_types"', "AttnDownBlock2D"],
    ["another number of blocks", { up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"] }, '"up_block_types"', "3 of"],
    ["another number of heads than levels", { attention_head_dim: [2, 3] }, '"attention_head_dim"', "3 of them", "[2,3]"],
    ["heads that do not divide the channels", { attention_head_dim: [3, 3, 4] }, "down_blocks.0.attentions.0", "attention of 3 heads", "16"],
    ["groups that do not divide the channels", { norm_num_groups: 7 }, "GroupNorm of 7 groups", "[N, 16, h, w]"],
    ["class embeddings that are not projected", { class_embed_type: "timestep" }, '"class_embed_type"', '"timestep"'],
    ["class embeddings without their width", { class_embed_type: "projection" }, '"projection_class_embeddings_input_dim"', "whole number"],
    ["a field that is not known", { use_linear_projektion: true }, '"use_linear_projektion"', "no such field"],
    ["a field of another type", { norm_eps: "1e-5" }, '"norm_eps"', '"1e-5"'],
    ["padding that is not 1", { downsample_padding: 0 }, '"downsample_padding"', "received 0"],
  ];
  for (const [what, changes, ...words] of unet) {
    it(`UNet: ${what}`, async () => {
      const code: ErrorCode = what.includes("divide") ? "bad-model" : "unsupported";
      await assertRefused(convertComponent(await changed("unet-lowvar", (config) => Object.assign(config, changes))), code, ...words, dir);
    });
  }

  it("UNet: every field that shapes the network must be there", async () => {
    for (const field of ["block_out_channels", "attention_head_dim", "layers_per_block", "cross_attention_dim", "norm_num_groups", "norm_eps", "in_channels", "out_channels", "flip_sin_to_cos", "freq_shift", "down_block_types", "up_block_types"]) {
      await assertRefused(convertComponent(await changed("unet-lowvar", (config) => delete config[field])), "unsupported", `"${field}"`, "nothing");
    }
  });

  it("VAE and CLIP", async () => {
    await assertRefused(convertComponent(await changed("vae/f4", (config) => (config.latents_mean = [0, 0, 0, 0])), { part: "decoder" }), "unsupported", '"latents_mean"');
    await assertRefused(convertComponent(await changed("vae/f4", (config) => (config.up_block_types = ["AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"])), { part: "decoder" }), "unsupported", "AttnUpDecoderBlock2D");
    await assertRefused(convertComponent(await changed("clip-text/sd2-gelu", (config) => (config.hidden_act = "relu"))), "unsupported", '"hidden_act"', "gelu or quick_gelu");
    await assertRefused(convertComponent(await changed("clip-vision/gelu", (config) => (config.hidden_act = "relu"))), "unsupported", '"hidden_act"', "gelu or quick_gelu");
    await assertRefused(convertComponent(await changed("clip-vision/gelu", (config) => (config.num_queries = 4))), "unsupported", '"num_queries"', "no such field");
    await assertRefused(convertComponent(await changed("clip-vision/gelu", (config) => (config.image_size = 40))), "bad-model", "position_embedding", "[26, 24]", "[17, 24]");
  });

  it("VAE: the files of Stable Diffusion 1 leave out the number of groups, which is 32 then", async () => {
    await assertRefused(convertComponent(await changed("vae/f4", (config) => delete config.norm_num_groups), { part: "decoder" }), "bad-model", "GroupNorm of 32 groups", "16");
  });

  it("UNet of latent diffusion", async () => {
    const withHparams = (changes: Json) => changed("depthfm", (config) => Object.assign(config.ldm_hparams as Json, changes));
    const cases: [Json, ErrorCode, ...string[]][] = [
      [{ use_scale_shift_norm: true }, "unsupported", '"use_scale_shift_norm"', "ldm_hparams", "received true"],
      [{ num_res_block: 1 }, "unsupported", '"num_res_block"', "no such field"],
      [{ context_dim: null }, "unsupported", '"context_dim"', "null"],
      [{ num_heads: -1 }, "unsupported", '"num_heads"', "-1"],
      [{ num_head_channels: 5 }, "unsupported", '"num_head_channels"', "32, 32"],
      [{ num_heads: 5 }, "bad-model", "attention of 5 heads", "32"],
      // Weights are told by the names that they have in the file.
      [{ attention_resolutions: [1] }, "bad-model", "output_blocks.1.1.conv.weight", "no such tensor"],
      [{ model_channels: 64 }, "bad-model", "time_embed.0.weight", "[256, 64]", "[128, 32]"],
      [{ num_res_blocks: 2 }, "bad-model", "input_blocks.2.0.in_layers.0.weight", "no such tensor"],
    ];
    for (const [changes, code, ...words] of cases) await assertRefused(convertComponent(await withHparams(changes)), code, ...words);
    await assertRefused(convertComponent(await changed("depthfm", (config) => (config.ldm_hparams = 3))), "unsupported", '"ldm_hparams"', "an object");
    await assertRefused(convertComponent(await changed("depthfm", (config) => (config.sampler = "euler"))), "unsupported", '"sampler"', "no such field");
  });

  it("UNet of latent diffusion: heads may be stated by their width", async () => {
    const folder = await changed("depthfm", (config) => Object.assign(config.ldm_hparams as Json, { num_heads: -1, num_head_channels: 8 }));
    assert.deepEqual((await convertComponent(folder)).model, (await convertComponent(join(reference, "depthfm"))).model);
  });

  it("AutoencoderTiny", async () => {
    const part = "decoder";
    const cases: [Json, ErrorCode, ...string[]][] = [
      [{ act_fn: "gelu" }, "unsupported", '"act_fn"', '"gelu"'],
      [{ upsampling_scaling_factor: 4 }, "unsupported", '"upsampling_scaling_factor"', "received 4"],
      [{ num_decoder_blocks: [3, 3, 1] }, "unsupported", '"num_decoder_blocks"', "4 of them"],
      [{ latent_norm: 1 }, "unsupported", '"latent_norm"', "no such field"],
      [{ latent_channels: 16 }, "bad-model", "decoder.layers.0.weight", "[8, 16, 3, 3]", "[8, 4, 3, 3]"],
      [{ num_decoder_blocks: [3, 2, 2, 2] }, "bad-model", "decoder.layers.16.conv.0.weight", "no such tensor"],
      [{ decoder_block_out_channels: [8, 8, 8], num_decoder_blocks: [3, 2, 2] }, "bad-model", "decoder.layers.13.weight", "no such tensor"],
    ];
    for (const [changes, code, ...words] of cases) await assertRefused(convertComponent(await changed("taesd", (config) => Object.assign(config, changes)), { part }), code, ...words);
    const surplus: WritableTensor = { dims: [1], data: new Float32Array(1) };
    await assertRefused(convertComponent(await changed("taesd", () => undefined, (tensors) => (tensors["decoder.layers.99.bias"] = surplus)), { part }), "bad-model", "decoder.layers.99.bias");
    await convertComponent(dir, { part: "encoder" });
  });

  it("a part where there is none, and none where there are two", async () => {
    await assertRefused2(convertComponent(join(reference, "unet-sd2"), { part: "decoder" }));
    await assertRefused2(convertComponent(join(reference, "vae/f4")));
    await assertRefused2(convertComponent(join(reference, "taesd")));
    async function assertRefused2(converted: Promise<unknown>): Promise<void> {
      await assert.rejects(converted, (error: unknown) => error instanceof PlumblineError && error.code === "bad-argument" && /part/.test(error.message));
    }
  });
});

describe("weights that do not belong to their config", () => {
  const name = "down_blocks.0.resnets.0.conv1.weight";
  const same = () => undefined;

  it("are refused with the tensor's name, the file and both shapes", async () => {
    const one: WritableTensor = { dims: [16, 16, 3, 1], data: new Float32Array(16 * 16 * 3) };
    await assertRefused(convertComponent(await changed("unet-lowvar", same, (tensors) => (tensors[name] = one))), "bad-model", `"${name}"`, "[16, 16, 3, 3]", "[16, 16, 3, 1]", join(dir, weightsName));
    await assertRefused(convertComponent(await changed("unet-lowvar", same, (tensors) => delete tensors[name])), "bad-model", `"${name}"`, "[16, 16, 3, 3]", "no such tensor");
    await assertRefused(convertComponent(await changed("unet-lowvar", same, (tensors) => (tensors.surplus = one))), "bad-model", '"surplus"', weightsName);
    await assertRefused(convertComponent(await changed("unet-lowvar", same, (tensors) => (tensors[name] = { dims: [16, 16, 3, 3], data: new Uint8Array(16 * 16 * 9) }))), "bad-model", `"${name}"`, "dtype U8");
    await assertRefused(convertComponent(await changed("unet-lowvar", (config) => (config.cross_attention_dim = 21))), "bad-model", "attn2.to_k.weight", "[16, 21]", "[16, 20]");
    await assertRefused(convertComponent(await changed("unet-lowvar", (config) => (config.use_linear_projection = false))), "bad-model", "proj_in.weight", "[16, 16, 1, 1]", "[16, 16]");
  });

  it("are missed or damaged: no file, an empty one, no config", async () => {
    await writeFile(join(dir, "config.json"), JSON.stringify(configOf("unet-lowvar")));
    await assertRefused(convertComponent(dir), "not-found", "diffusion_pytorch_model as .safetensors", dir, "none of them");
    await assertRefused(convertComponent(dir, { weightsFile: "mine.safetensors" }), "not-found", join(dir, "mine.safetensors"));
    await writeFile(join(dir, "diffusion_pytorch_model.bin"), "");
    await assertRefused(convertComponent(dir), "bad-model", "diffusion_pytorch_model.bin");
    await writeFile(join(dir, "diffusion_pytorch_model.fp16.safetensors"), "");
    await assertRefused(convertComponent(dir), "bad-model", "diffusion_pytorch_model.fp16.safetensors");
    await assertRefused(convertComponent(join(dir, "unet")), "not-found", "config.json");
  });

  it("of one part are not asked for by the other", async () => {
    const withoutEncoder = await changed("vae/f4", same, (tensors) => Object.keys(tensors).filter((key) => /^(encoder|quant_conv)\./.test(key)).forEach((key) => delete tensors[key]));
    await convertComponent(withoutEncoder, { part: "decoder" });
    await assertRefused(convertComponent(withoutEncoder, { part: "encoder" }), "bad-model", '"encoder.conv_in.weight"');
  });
});

describe("graphs", () => {
  const nodesOf = async (folder: string, options?: ConvertOptions): Promise<Node[]> => decodeModel((await convertComponent(folder, options)).model).nodes;
  const count = (nodes: readonly Node[], opType: string) => nodes.filter((node) => node.opType === opType).length;

  it("hold every attention as one operator that works in tiles, and no softmax of their own", async () => {
    const nodes = await nodesOf(join(reference, "unet-sd2"));
    // 3 down blocks of 2 transformers, the middle, 3 up blocks of 3; each has self- and cross-attention.
    assert.deepEqual([count(nodes, "MultiHeadAttention"), count(nodes, "Softmax")], [2 * (3 * 2 + 1 + 3 * 3), 0]);
  });

  it("lose the time embedding's waves with a constant timestep and half the attentions with a constant prompt", async () => {
    const encoderHiddenStates = { dims: [1, 2, 40], data: new Float32Array(80) };
    const nodes = await nodesOf(join(reference, "unet-sd2"), { timestep: 999, encoderHiddenStates });
    assert.deepEqual([count(nodes, "Sin"), count(nodes, "MultiHeadAttention")], [0, 16]);
    const inputs = new Set(nodes.flatMap((node) => node.inputs));
    assert.deepEqual([inputs.has("timestep"), inputs.has("encoder_hidden_states"), inputs.has("sample")], [false, false, true]);
  });

  it("refuse a constant prompt of another width", async () => {
    await assertRefused(convertComponent(join(reference, "unet-sd2"), { encoderHiddenStates: { dims: [1, 2, 20], data: new Float32Array(40) } }), "bad-model", "encoder_hidden_states", "20", "40");
  });

  it("of autoencoders may have no attention in the middle", async () => {
    const folder = await changed("vae/f4", (config) => (config.mid_block_add_attention = false), (tensors) => Object.keys(tensors).filter((key) => key.includes("attentions")).forEach((key) => delete tensors[key]));
    for (const part of ["encoder", "decoder"] as const) assert.equal(count(await nodesOf(folder, { part }), "MultiHeadAttention"), 0);
    await mkdir(join(dir, "full"));
    await writeFile(join(dir, "full", "config.json"), JSON.stringify({ ...configOf("vae/f4"), mid_block_add_attention: false }));
    await copyFile(join(reference, "vae/f4", weightsName), join(dir, "full", weightsName));
    await assertRefused(convertComponent(join(dir, "full"), { part: "decoder" }), "bad-model", "attentions");
  });

  it("of the size of Stable Diffusion 2 take less than 2 MB and are built in a moment", async () => {
    const header: Json = {};
    let end = 0;
    for (const [name, shape] of survey("unet", 8, 8).shapes) header[name] = { dtype: "F16", shape, data_offsets: [end, (end += 2 * elementCount(shape))] };
    assert.equal(end, 2 * 865_922_244); // parameters of Marigold's UNet: Stable Diffusion 2's and four more input channels
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const handle = await open(join(dir, weightsName), "w");
    await handle.write(Buffer.concat([length, json]));
    await handle.truncate(8 + json.length + end); // a hole: nothing is stored
    await handle.close();
    await writeFile(join(dir, "config.json"), JSON.stringify(unetConfig));
    const { model, weightsDir } = await convertComponent(dir);
    assert.ok(model.length < 2e6, `${model.length} bytes`);
    assert.equal(weightsDir, dir);
  });
});
