import type { GraphBuilder } from "./builder";
import type { Config, Inert } from "./config";
import { buildUNetOf, type UNetOptions } from "./unet";
import type { UNetConfig } from "./unetConfig";

// UNetModel of the latent-diffusion code (ldm/modules/diffusionmodules/openaimodel.py), which DepthFM uses: the network
// of diffusers' UNet2DConditionModel under other names. Here the names of diffusers are the ones that are built from.

/**
 * Builds `sample`, `timestep`, `encoder_hidden_states` -> `out_sample` from a config whose `ldm_hparams` are the
 * arguments of UNetModel. `rescale_attention` (true by default) is what DepthFM's own code does where xformers is not
 * installed: scores of self-attention are reduced with the resolution.
 */
export function buildLatentDiffusionUNet(g: GraphBuilder, config: Config, options: UNetOptions): void {
  const hparams = config.nested("ldm_hparams");
  const unet = { ...readHparams(hparams), rescalesSelfAttention: config.flag("rescale_attention", true) };
  hparams.checkRest(inertHparams);
  g.keyOf = latentDiffusionKeys(unet);
  buildUNetOf(g, unet, options);
}

const none = [null, false];
/** Arguments of UNetModel that are not read; the number of heads is, unless their width is given. */
const inertHparams: Readonly<Record<string, Inert>> = {
  image_size: "any", dropout: "any", num_heads: "any", use_checkpoint: "any", use_fp16: "any", use_bf16: "any", load_from_ckpt: "any",
  conv_resample: [true], dims: [2], num_classes: none, use_scale_shift_norm: [false], resblock_updown: [false], n_embed: none, adm_in_channels: none,
  use_spatial_transformer: [true], disable_self_attentions: none, disable_middle_self_attn: [false], num_attention_blocks: none,
  // Of the attention that stands where there is no spatial transformer.
  legacy: "any", num_heads_upsample: "any", use_new_attention_order: "any",
};

/** The config that a checkpoint itself states: `ldm_hparams` among what it holds besides tensors, each value as text. */
export function configFromMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> | undefined {
  const prefix = "ldm_hparams.";
  const stated = Object.entries(metadata).filter(([name]) => name.startsWith(prefix));
  return stated.length === 0 ? undefined : { ldm_hparams: Object.fromEntries(stated.map(([name, text]) => [name.slice(prefix.length), valueOf(text)])) };
}

/** Numbers, lists, true, false and null are written as in JSON; any other text stands for itself. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function readHparams(hparams: Config): Omit<UNetConfig, "rescalesSelfAttention"> {
  const width = hparams.count("model_channels");
  const channels = hparams.counts("channel_mult").map((factor) => factor * width);
  const levels = channels.length;
  const resolutions = hparams.counts("attention_resolutions");
  const downAttends = channels.map((_, level) => resolutions.includes(2 ** level));
  const headWidth = hparams.optionalCount("num_head_channels");
  const heads = channels.map((count) => (headWidth === undefined ? hparams.count("num_heads") : count / headWidth));
  if (!heads.every(Number.isInteger)) throw hparams.unsupported("num_head_channels", `a divisor of ${channels.join(", ")}`, headWidth);
  return {
    inChannels: hparams.count("in_channels"),
    outChannels: hparams.count("out_channels"),
    channels,
    layers: hparams.countPerLevel("num_res_blocks", levels),
    downAttends,
    upAttends: [...downAttends].reverse(),
    heads,
    depths: hparams.countPerLevel("transformer_depth", levels, 1),
    // Fixed in that code, as is the order of the time's sinusoids.
    groups: 32,
    epsilon: 1e-5,
    frequencyShift: 0,
    cosFirst: true,
    linearProjection: hparams.flag("use_linear_in_transformer", false),
    contextWidth: hparams.count("context_dim"),
  };
}

const outerKeys: Readonly<Record<string, string>> = {
  "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2",
};
const resnetKeys: Readonly<Record<string, string>> = {
  norm1: "in_layers.0", conv1: "in_layers.2", time_emb_proj: "emb_layers.1", norm2: "out_layers.0", conv2: "out_layers.3", conv_shortcut: "skip_connection",
};

/**
 * What the files call a weight of diffusers' name. `input_blocks` counts the first convolution, then each level's ResNet
 * blocks and its downsampling; `output_blocks` counts ResNet blocks, upsampling being the last part of a level's last.
 * A transformer is the part after its ResNet block.
 */
function latentDiffusionKeys({ layers, upAttends }: UNetConfig): (name: string) => string {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count + 1, 0);
  const upLayers = [...layers].reverse();
  return (name) => {
    const [, module, parameter] = /^(.+)\.(weight|bias)$/.exec(name) as RegExpExecArray;
    if (Object.hasOwn(outerKeys, module)) return `${outerKeys[module]}.${parameter}`;
    const [, way, block, kind, index, rest] = /^(down|mid|up)_blocks?(?:\.(\d+))?\.(\w+)\.(\d+)\.(.+)$/.exec(module) as RegExpExecArray;
    const [i, j] = [Number(block), Number(index)];
    const inner = kind === "resnets" ? resnetKeys[rest] : rest;
    const part = kind === "attentions" ? 1 : 0;
    const place = way === "mid" ? `middle_block.${2 * j + part}`
      : kind === "downsamplers" ? `input_blocks.${sum(layers.slice(0, i + 1))}.0`
      : kind === "upsamplers" ? `output_blocks.${sum(upLayers.slice(0, i + 1)) - 1}.${upAttends[i] ? 2 : 1}`
      : way === "down" ? `input_blocks.${1 + sum(layers.slice(0, i)) + j}.${part}`
      : `output_blocks.${sum(upLayers.slice(0, i)) + j}.${part}`;
    return `${place}.${kind === "downsamplers" ? "op" : inner}.${parameter}`;
  };
}
