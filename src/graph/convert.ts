import { access, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlumblineError } from "../core/errors";
import type { Device } from "../core/settings";
import type { Tensor } from "../core/tensor";
import { describe, readJsonObject } from "../io/jsonFile";
import { openSafetensors, type SafetensorsFile } from "../io/safetensors";
import { GraphBuilder } from "./builder";
import { buildClipText } from "./clip";
import { Config, type Inert } from "./config";
import { buildUNet, type UNetConstants } from "./unet";
import { buildDecoder, buildEncoder } from "./vae";

export interface ConvertOptions {
  /** Which half of an AutoencoderKL; needed there, meaningless elsewhere. */
  readonly part?: "encoder" | "decoder";
  /** UNet: makes the timestep (a training index, 0-based) a constant. */
  readonly timestep?: number;
  /** UNet: makes the prompt embedding [1, S, C] a constant. */
  readonly encoderHiddenStates?: Tensor;
  /** Where the network will run, "cpu" by default: a graph for one device may give wrong numbers on another. */
  readonly device?: Device;
}

/** An ONNX model whose weights are ranges of files of `weightsDir`. */
export interface NetworkGraph {
  readonly model: Uint8Array;
  readonly weightsDir: string;
  /** Every file that the network was made from: config, index, weights. Absolute, as found in the checkpoint. */
  readonly files: readonly string[];
}

/** How one class of component is built. */
interface Architecture {
  /** Name of the weights file, before `.safetensors`. */
  readonly weightsName: string;
  build(g: GraphBuilder, config: Config, options: ConvertOptions): void;
  /** Weights that the built part must use, all of them. */
  uses(tensor: string, options: ConvertOptions): boolean;
  /** Fields of the config that the build does not read. */
  readonly inert: Readonly<Record<string, Inert>>;
}

/**
 * Builds the ONNX graph of one component folder of a checkpoint in diffusers layout (`unet/`, `vae/`,
 * `text_encoder/`): `config.json` beside `.safetensors`, single or sharded, fp32, fp16 or bf16.
 * Throws `not-found` where files are missing, `unsupported` for an architecture or a field that is not built,
 * `bad-model` where the files are damaged or do not belong together.
 */
export async function convertComponent(dir: string, options: ConvertOptions = {}): Promise<NetworkGraph> {
  const { configPath, fields, name, architecture, weights, files } = await openComponent(dir, options);
  const { weightsDir, locations } = await locate(weights);
  const config = new Config(configPath, fields);
  const g = new GraphBuilder(name, weights, locations, options.device);
  architecture.build(g, config, options);
  config.checkRest(architecture.inert);
  const unused = [...weights.tensors.keys()].find((tensor) => architecture.uses(tensor, options) && !g.usedWeights.has(tensor));
  if (unused !== undefined) {
    throw new PlumblineError("bad-model", `Expected only tensors of a ${name} for ${weights.path} but received "${unused}", which its config.json does not call for.`, "Check that config.json belongs to these weights.");
  }
  return { model: g.finish(), weightsDir, files };
}

/** The `files` of the graph that `convertComponent` would build, without building it. Throws where they are missing or damaged. */
export async function componentFiles(dir: string, options: ConvertOptions = {}): Promise<readonly string[]> {
  return (await openComponent(dir, options)).files;
}

async function openComponent(dir: string, options: ConvertOptions) {
  const configPath = join(dir, "config.json");
  const fields = await readJsonObject(configPath);
  const [name, architecture] = architectureOf(configPath, fields, options);
  const weights = await openSafetensors(await findWeights(dir, architecture.weightsName));
  return { configPath, fields, name, architecture, weights, files: [...new Set([configPath, weights.path, ...weights.dataPaths])] };
}

function architectureOf(path: string, fields: Readonly<Record<string, unknown>>, { part }: ConvertOptions): [string, Architecture] {
  const name = fields._class_name ?? (Array.isArray(fields.architectures) ? (fields.architectures[0] as unknown) : undefined);
  if (typeof name !== "string" || !Object.hasOwn(architectures, name)) {
    throw new PlumblineError("unsupported", `Expected ${Object.keys(architectures).join(", ")} for the class of ${path} but received ${describe(name)}.`, "Choose a component folder (unet, vae or text_encoder) of a Stable Diffusion 1 or 2 checkpoint.");
  }
  if ((name === "AutoencoderKL") !== (part !== undefined)) {
    throw new PlumblineError("bad-argument", `Expected ${part ? "no part" : "part encoder or decoder"} for the ${name} of ${path} but received ${describe(part)}.`);
  }
  return [name, architectures[name]];
}

/** The first of the files that diffusers would take: full precision before fp16, single before sharded. */
async function findWeights(dir: string, name: string): Promise<string> {
  const candidates = [`${name}.safetensors`, `${name}.safetensors.index.json`, `${name}.fp16.safetensors`, `${name}.safetensors.index.fp16.json`, `${name}.fp16.safetensors.index.json`];
  for (const candidate of candidates) {
    if (await exists(join(dir, candidate))) return join(dir, candidate);
  }
  const pickled = await exists(join(dir, name === "model" ? "pytorch_model.bin" : `${name}.bin`));
  throw new PlumblineError(
    "not-found",
    `Expected ${candidates[0]}, ${candidates[2]} or ${candidates[1]} for the weights of ${dir} but received ${pickled ? "only a .bin file, which is a Python pickle" : "none of them"}.`,
    pickled ? "Save the checkpoint with safe_serialization=True, or download its .safetensors variant." : "Check that the download of the checkpoint is complete.",
  );
}

/**
 * Where ONNX Runtime finds the data. Download caches keep links to files elsewhere, and a graph may not reach outside
 * its folder, so links are followed first.
 */
async function locate(weights: SafetensorsFile): Promise<{ weightsDir: string; locations: ReadonlyMap<string, string> }> {
  const real = new Map<string, string>();
  for (const path of weights.dataPaths) real.set(path, await realpath(path));
  const folders = new Set([...real.values()].map(dirname));
  if (folders.size !== 1) throw new PlumblineError("bad-model", `Expected all shards in one folder for ${weights.path} but received ${[...folders].join(", ")}.`, "Copy the shards into one folder.");
  return { weightsDir: [...folders][0], locations: new Map([...real].map(([path, target]) => [path, basename(target)])) };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

const none = [null, false];
const architectures: Readonly<Record<string, Architecture>> = {
  UNet2DConditionModel: {
    weightsName: "diffusion_pytorch_model",
    build: (g, config, { timestep, encoderHiddenStates }) => buildUNet(g, config, { timestep, encoderHiddenStates } satisfies UNetConstants),
    uses: () => true,
    inert: {
      act_fn: ["silu", "swish"], addition_embed_type: none, addition_embed_type_num_heads: "any", addition_time_embed_dim: none, attention_type: ["default"],
      center_input_sample: [false], class_embed_type: none, class_embeddings_concat: [false], conv_in_kernel: [3], conv_out_kernel: [3],
      cross_attention_norm: none, downsample_padding: [1], dropout: "any", dual_cross_attention: [false], encoder_hid_dim: none, encoder_hid_dim_type: none,
      mid_block_only_cross_attention: none, mid_block_scale_factor: [1], mid_block_type: ["UNetMidBlock2DCrossAttn"], num_attention_heads: none, num_class_embeds: none,
      only_cross_attention: [false], projection_class_embeddings_input_dim: "any", resnet_out_scale_factor: [1], resnet_skip_time_act: [false],
      resnet_time_scale_shift: ["default"], reverse_transformer_layers_per_block: none, sample_size: "any", time_cond_proj_dim: none,
      time_embedding_act_fn: none, time_embedding_dim: none, time_embedding_type: ["positional"], timestep_post_act: none, upcast_attention: "any",
    },
  },
  AutoencoderKL: {
    weightsName: "diffusion_pytorch_model",
    build: (g, config, { part }) => (part === "encoder" ? buildEncoder(g, config) : buildDecoder(g, config)),
    uses: (tensor, { part }) => {
      const [own, other] = part === "encoder" ? [/^(encoder|quant_conv)\./, /^(decoder|post_quant_conv)\./] : [/^(decoder|post_quant_conv)\./, /^(encoder|quant_conv)\./];
      return own.test(tensor) || !other.test(tensor);
    },
    inert: {
      act_fn: ["silu", "swish"], down_block_types: "any", up_block_types: "any", in_channels: "any", out_channels: "any", use_quant_conv: "any", use_post_quant_conv: "any",
      force_upcast: "any", latents_mean: none, latents_std: none, sample_size: "any", scaling_factor: "any", shift_factor: [null, 0],
    },
  },
  CLIPTextModel: {
    weightsName: "model",
    build: buildClipText,
    uses: (tensor) => tensor !== "text_model.embeddings.position_ids",
    inert: {
      architectures: "any", attention_dropout: "any", bos_token_id: "any", dropout: "any", eos_token_id: "any", initializer_factor: "any", initializer_range: "any",
      model_type: ["clip_text_model"], pad_token_id: "any", projection_dim: "any", torch_dtype: "any", dtype: "any", transformers_version: "any",
    },
  },
};
