import type { Tensor } from "../core/tensor";
import type { GraphBuilder, Value } from "./builder";
import type { Config } from "./config";
import { channelCount, conv2d, groupNorm, resnetBlock, silu, upsampleTo, type ResnetSettings } from "./layers";
import { transformer, type TransformerSettings } from "./transformer";
import { readUNetConfig, type UNetConfig } from "./unetConfig";
import { timeEmbedding } from "./unetEmbedding";

// UNet2DConditionModel of diffusers, as in Stable Diffusion 1 and 2: N latents, C channels, h x w latent size,
// S tokens of the prompt.

/** What is not said by the config. */
export interface UNetOptions {
  /** Training timestep index, made a constant; the input `timestep` then disappears, and its sinusoids with it. */
  readonly timestep?: number;
  /** [1, S, C], used for every latent; the input `encoder_hidden_states` then disappears. */
  readonly encoderHiddenStates?: Tensor;
  /** How many latents that follow each other in the batch share their self-attention: what they keep of one image's tasks. */
  readonly jointTasks?: 2;
}

/** Builds `sample`, `timestep`, `encoder_hidden_states`, `class_labels` (where the config has them) -> `out_sample`. */
export function buildUNet(g: GraphBuilder, config: Config, options: UNetOptions): void {
  buildUNetOf(g, readUNetConfig(config), options);
}

/** The same from measures that were read elsewhere. */
export function buildUNetOf(g: GraphBuilder, c: UNetConfig, options: UNetOptions): void {
  const sample = g.input("sample", ["N", c.inChannels, "h", "w"]);
  const time = timeEmbedding(g, c, options.timestep);
  const resnet: ResnetSettings = { groups: c.groups, epsilon: c.epsilon, time, timeIsConstant: options.timestep !== undefined && c.classWidth === undefined };
  const context = contextTokens(g, c.contextWidth, options.encoderHiddenStates);
  const shared: TransformerSettings = { groups: c.groups, linearProjection: c.linearProjection, context, like: sample, likeJoint: joined(g, sample, options.jointTasks), rescale: c.rescalesSelfAttention };
  const attend = (name: string, x: Value, level: number) => transformer(g, name, x, c.heads[level], c.depths[level], shared);
  const deepest = c.channels.length - 1;

  let x = conv2d(g, "conv_in", sample, c.channels[0]);
  const skips = [x];
  for (let i = 0; i <= deepest; i++) {
    const block = `down_blocks.${i}`;
    for (let j = 0; j < c.layers[i]; j++) {
      x = resnetBlock(g, `${block}.resnets.${j}`, x, c.channels[i], resnet);
      if (c.downAttends[i]) x = attend(`${block}.attentions.${j}`, x, i);
      skips.push(x);
    }
    if (i < deepest) {
      x = conv2d(g, `${block}.downsamplers.0.conv`, x, c.channels[i], { stride: 2 });
      skips.push(x);
    }
  }

  x = resnetBlock(g, "mid_block.resnets.0", x, c.channels[deepest], resnet);
  x = attend("mid_block.attentions.0", x, deepest);
  x = resnetBlock(g, "mid_block.resnets.1", x, c.channels[deepest], resnet);

  for (let i = 0; i <= deepest; i++) {
    const block = `up_blocks.${i}`;
    const level = deepest - i;
    for (let j = 0; j <= c.layers[level]; j++) {
      x = concatChannels(g, `${block}.resnets.${j}`, x, skips.pop() as Value);
      x = resnetBlock(g, `${block}.resnets.${j}`, x, c.channels[level], resnet);
      if (c.upAttends[i]) x = attend(`${block}.attentions.${j}`, x, level);
    }
    if (i < deepest) {
      // To the size of the next skip, which is odd where the level above was.
      x = upsampleTo(g, `${block}.upsamplers.0`, x, skips[skips.length - 1]);
      x = conv2d(g, `${block}.upsamplers.0.conv`, x, c.channels[level]);
    }
  }

  x = silu(g, "conv_norm_out", groupNorm(g, "conv_norm_out", x, c.groups, c.epsilon));
  g.output("out_sample", conv2d(g, "conv_out", x, c.outChannels));
}

function contextTokens(g: GraphBuilder, width: number, constant: Tensor | undefined): TransformerSettings["context"] {
  if (!constant) {
    const states = g.input("encoder_hidden_states", ["N", "S", width]);
    return { tokens: g.node("Reshape", "encoder_hidden_states", [states, g.integers(-1, width)], ["N*S", width]), isConstant: false };
  }
  const tokens = g.constant(constant.data, [constant.dims[1], constant.dims[2]]);
  if (constant.dims[2] !== width) throw g.wrongShapes("encoder_hidden_states", "constant", tokens, { name: "", dims: ["S", width] });
  return { tokens, isConstant: true };
}

/** A value whose first size is N / tasks. The rows of an image's tasks follow each other, so their tokens do too. */
function joined(g: GraphBuilder, sample: Value, tasks: number | undefined): Value {
  if (tasks === undefined) return sample;
  const [, channels, h, w] = sample.dims;
  const together = tasks * channelCount(channels);
  return g.node("Reshape", "joint_tasks", [sample, g.integers(-1, together, 0, 0)], [`N/${tasks}`, together, h, w]);
}

function concatChannels(g: GraphBuilder, name: string, a: Value, b: Value): Value {
  const [n, channels, h, w] = a.dims;
  if (b.dims[2] !== h || b.dims[3] !== w) throw g.wrongShapes(name, "Concat", a, b);
  return g.node("Concat", name, [a, b], [n, channelCount(channels) + channelCount(b.dims[1]), h, w], { axis: 1 });
}
