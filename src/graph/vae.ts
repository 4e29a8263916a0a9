import type { GraphBuilder, Value } from "./builder";
import type { Config } from "./config";
import { attention, channelCount, conv2d, groupNorm, linear, mapFromTokens, resnetBlock, silu, tokensFromMap, upsampleTwiceConv, type ResnetSettings } from "./layers";

// AutoencoderKL of diffusers. The scaling factor of the latents is not part of these networks.

/** Fixed in diffusers, not in the config. */
const epsilon = 1e-6;

/** Builds `image` [N, 3, H, W] in -1..1 -> `moments` [N, 2 L, h, w]: mean and log-variance of L latent channels. */
export function buildEncoder(g: GraphBuilder, config: Config): void {
  const channels = config.counts("block_out_channels");
  const layers = config.count("layers_per_block");
  const resnet: ResnetSettings = { groups: config.count("norm_num_groups", 32), epsilon };
  const momentCount = 2 * config.count("latent_channels");
  config.choices("down_block_types", channels.length, ["DownEncoderBlock2D"]);

  let x = conv2d(g, "encoder.conv_in", g.input("image", ["N", config.count("in_channels"), "H", "W"]), channels[0]);
  channels.forEach((outChannels, i) => {
    const block = `encoder.down_blocks.${i}`;
    for (let j = 0; j < layers; j++) x = resnetBlock(g, `${block}.resnets.${j}`, x, outChannels, resnet);
    if (i < channels.length - 1) {
      // Padded below and to the right only.
      x = conv2d(g, `${block}.downsamplers.0.conv`, x, outChannels, { stride: 2, pads: [0, 0, 1, 1] });
    }
  });
  x = midBlock(g, "encoder.mid_block", config, x, resnet);
  x = silu(g, "encoder.conv_norm_out", groupNorm(g, "encoder.conv_norm_out", x, resnet.groups, epsilon));
  x = conv2d(g, "encoder.conv_out", x, momentCount);
  if (config.flag("use_quant_conv", true)) x = pointwise(g, "quant_conv", x, momentCount);
  g.output("moments", x);
}

/** Builds `latent` [N, L, h, w] -> `image` [N, 3, H, W], about -1..1, not clipped. */
export function buildDecoder(g: GraphBuilder, config: Config): void {
  const channels = [...config.counts("block_out_channels")].reverse();
  const layers = config.count("layers_per_block") + 1;
  const resnet: ResnetSettings = { groups: config.count("norm_num_groups", 32), epsilon };
  const latentChannels = config.count("latent_channels");
  config.choices("up_block_types", channels.length, ["UpDecoderBlock2D"]);

  let x = g.input("latent", ["N", latentChannels, "h", "w"]);
  if (config.flag("use_post_quant_conv", true)) x = pointwise(g, "post_quant_conv", x, latentChannels);
  x = conv2d(g, "decoder.conv_in", x, channels[0]);
  x = midBlock(g, "decoder.mid_block", config, x, resnet);
  channels.forEach((outChannels, i) => {
    const block = `decoder.up_blocks.${i}`;
    for (let j = 0; j < layers; j++) x = resnetBlock(g, `${block}.resnets.${j}`, x, outChannels, resnet);
    if (i < channels.length - 1) x = upsampleTwiceConv(g, `${block}.upsamplers.0.conv`, x, outChannels);
  });
  x = silu(g, "decoder.conv_norm_out", groupNorm(g, "decoder.conv_norm_out", x, resnet.groups, epsilon));
  g.output("image", conv2d(g, "decoder.conv_out", x, config.count("out_channels")));
}

function pointwise(g: GraphBuilder, name: string, x: Value, outChannels: number): Value {
  return conv2d(g, name, x, outChannels, { kernel: 1, pads: [0, 0, 0, 0] });
}

function midBlock(g: GraphBuilder, name: string, config: Config, x: Value, resnet: ResnetSettings): Value {
  const channels = channelCount(x.dims[1]);
  x = resnetBlock(g, `${name}.resnets.0`, x, channels, resnet);
  if (config.flag("mid_block_add_attention", true)) x = selfAttention(g, `${name}.attentions.0`, x, resnet);
  return resnetBlock(g, `${name}.resnets.1`, x, channels, resnet);
}

/** One head over all positions, plus the input. Files from before diffusers 0.17 have other names for its weights. */
function selfAttention(g: GraphBuilder, name: string, x: Value, { groups }: ResnetSettings): Value {
  const channels = channelCount(x.dims[1]);
  const keys = g.hasWeight(`${name}.query.weight`) ? ["query", "key", "value", "proj_attn"] : ["to_q", "to_k", "to_v", "to_out.0"];
  const tokens = tokensFromMap(g, name, groupNorm(g, `${name}.group_norm`, x, groups, epsilon));
  const [q, k, v] = keys.slice(0, 3).map((key) => linear(g, `${name}.${key}`, tokens, channels));
  const mixed = linear(g, `${name}.${keys[3]}`, attention(g, name, q, k, v, 1, x), channels);
  return g.elementwise("Add", name, mapFromTokens(g, name, mixed, x), x);
}
