import type { GraphBuilder, Value } from "./builder";
import type { Config } from "./config";
import { attention, channelCount, conv2d, groupNorm, layerNorm, linear, mapFromTokens, resnetBlock, silu, tokensFromMap, upsampleTo, type ResnetSettings } from "./layers";
import type { Tensor } from "../core/tensor";
import { dataType } from "./onnx";

// UNet2DConditionModel of diffusers, as in Stable Diffusion 1 and 2: N latents, C channels, h x w latent size,
// S tokens of the prompt.

/** What may be made a constant of the graph. */
export interface UNetConstants {
  /** Training timestep index; the input `timestep` then disappears, and the time embedding with it. */
  readonly timestep?: number;
  /** [1, S, C], used for every latent; the input `encoder_hidden_states` then disappears. */
  readonly encoderHiddenStates?: Tensor;
}

interface UNetConfig {
  readonly channels: readonly number[];
  readonly heads: readonly number[];
  readonly depths: readonly number[];
  readonly layers: readonly number[];
  readonly groups: number;
  readonly epsilon: number;
  readonly linearProjection: boolean;
  readonly textWidth: number;
}

/** The prompt: rows [N * S, C] of an input, or [S, C] of a constant shared by all latents. */
interface Context {
  readonly tokens: Value;
  readonly isConstant: boolean;
  /** Any value whose first size is N. */
  readonly like: Value;
}

/** LayerNorm of transformer blocks and GroupNorm before them: fixed in diffusers, not in the config. */
const layerNormEpsilon = 1e-5;
const transformerNormEpsilon = 1e-6;

/** Builds `sample`, `timestep`, `encoder_hidden_states` -> `out_sample`. */
export function buildUNet(g: GraphBuilder, config: Config, constants: UNetConstants): void {
  const c = readConfig(config);
  const levels = c.channels.length;
  const sample = g.input("sample", ["N", config.count("in_channels"), "h", "w"]);
  const time = timeEmbedding(g, config, c.channels[0], constants.timestep);
  const context = textContext(g, c.textWidth, sample, constants.encoderHiddenStates);
  const resnet: ResnetSettings = { groups: c.groups, epsilon: c.epsilon, time, timeIsConstant: constants.timestep !== undefined };
  const downTypes = config.choices("down_block_types", levels, ["CrossAttnDownBlock2D", "DownBlock2D"]);
  const upTypes = config.choices("up_block_types", levels, ["CrossAttnUpBlock2D", "UpBlock2D"]);

  let x = conv2d(g, "conv_in", sample, c.channels[0]);
  const skips = [x];
  for (let i = 0; i < levels; i++) {
    const block = `down_blocks.${i}`;
    for (let j = 0; j < c.layers[i]; j++) {
      x = resnetBlock(g, `${block}.resnets.${j}`, x, c.channels[i], resnet);
      if (downTypes[i] === "CrossAttnDownBlock2D") x = transformer(g, `${block}.attentions.${j}`, x, context, c, i);
      skips.push(x);
    }
    if (i < levels - 1) {
      x = conv2d(g, `${block}.downsamplers.0.conv`, x, c.channels[i], { stride: 2 });
      skips.push(x);
    }
  }

  const deepest = levels - 1;
  x = resnetBlock(g, "mid_block.resnets.0", x, c.channels[deepest], resnet);
  x = transformer(g, "mid_block.attentions.0", x, context, c, deepest);
  x = resnetBlock(g, "mid_block.resnets.1", x, c.channels[deepest], resnet);

  for (let i = 0; i < levels; i++) {
    const block = `up_blocks.${i}`;
    const level = deepest - i;
    for (let j = 0; j <= c.layers[level]; j++) {
      x = concatChannels(g, `${block}.resnets.${j}`, x, skips.pop() as Value);
      x = resnetBlock(g, `${block}.resnets.${j}`, x, c.channels[level], resnet);
      if (upTypes[i] === "CrossAttnUpBlock2D") x = transformer(g, `${block}.attentions.${j}`, x, context, c, level);
    }
    if (i < levels - 1) {
      // To the size of the next skip, which is odd where the level above was.
      x = upsampleTo(g, `${block}.upsamplers.0`, x, skips[skips.length - 1]);
      x = conv2d(g, `${block}.upsamplers.0.conv`, x, c.channels[level]);
    }
  }

  x = silu(g, "conv_norm_out", groupNorm(g, "conv_norm_out", x, c.groups, c.epsilon));
  g.output("out_sample", conv2d(g, "conv_out", x, config.count("out_channels")));
}

function readConfig(config: Config): UNetConfig {
  const channels = config.counts("block_out_channels");
  const levels = channels.length;
  return {
    channels,
    // In these configs "attention_head_dim" is the number of heads.
    heads: config.countPerLevel("attention_head_dim", levels),
    depths: config.countPerLevel("transformer_layers_per_block", levels, 1),
    layers: config.countPerLevel("layers_per_block", levels),
    groups: config.count("norm_num_groups"),
    epsilon: config.positive("norm_eps"),
    linearProjection: config.flag("use_linear_projection", false),
    textWidth: config.count("cross_attention_dim"),
  };
}

/**
 * SiLU(time embedding) [1 or N, T], T = 4 C. The sinusoids are, for i = 0..C/2-1,
 * cos and sin of t * 10000^(-i / (C/2 - freq_shift)), cosines first where `flip_sin_to_cos`.
 */
function timeEmbedding(g: GraphBuilder, config: Config, channels: number, timestep: number | undefined): Value {
  const half = channels / 2;
  const shift = config.whole("freq_shift");
  const cosFirst = config.flag("flip_sin_to_cos");
  const frequencies = Float32Array.from({ length: half }, (_, i) => Math.exp(Math.fround((-Math.log(10000) * i) / (half - shift))));
  const name = "time_embedding";
  let sinusoids: Value;
  if (timestep === undefined) {
    const t = g.input("timestep", ["T"]);
    const column = g.node("Reshape", name, [t, g.integers(-1, 1)], ["T", 1]);
    const angles = g.node("Mul", name, [column, g.constant(frequencies, [1, half])], ["T", half]);
    // In float64: GPUs have none and leave it to the CPU, while their own float32 sines are poor beyond a few turns.
    const exact = g.node("Cast", name, [angles], angles.dims, { to: dataType.DOUBLE });
    const quarter = g.node("Cast", name, [g.constant(Float32Array.of(Math.PI / 2), [])], [], { to: dataType.DOUBLE });
    const wave = (turned: Value) => g.node("Cast", name, [g.node("Sin", name, [turned], angles.dims)], angles.dims, { to: dataType.FLOAT });
    const waves = [wave(g.node("Add", name, [exact, quarter], angles.dims)), wave(exact)];
    sinusoids = g.node("Concat", name, cosFirst ? waves : waves.reverse(), ["T", channels], { axis: 1 });
  } else {
    const angles = frequencies.map((frequency) => timestep * frequency);
    const waves = [angles.map(Math.cos), angles.map(Math.sin)];
    if (!cosFirst) waves.reverse();
    sinusoids = g.constant(Float32Array.from([...waves[0], ...waves[1]]), [1, channels]);
  }
  const hidden = silu(g, name, linear(g, `${name}.linear_1`, sinusoids, 4 * channels));
  return silu(g, name, linear(g, `${name}.linear_2`, hidden, 4 * channels));
}

function textContext(g: GraphBuilder, width: number, sample: Value, constant: Tensor | undefined): Context {
  if (!constant) {
    const states = g.input("encoder_hidden_states", ["N", "S", width]);
    return { tokens: g.node("Reshape", "encoder_hidden_states", [states, g.integers(-1, width)], ["N*S", width]), isConstant: false, like: sample };
  }
  const tokens = g.constant(constant.data, [constant.dims[1], constant.dims[2]]);
  if (constant.dims[2] !== width) throw g.wrongShapes("encoder_hidden_states", "constant", tokens, { name: "", dims: ["S", width] });
  return { tokens, isConstant: true, like: sample };
}

/** Transformer2DModel: GroupNorm, projection, blocks, projection, plus the input. */
function transformer(g: GraphBuilder, name: string, x: Value, context: Context, c: UNetConfig, level: number): Value {
  const channels = channelCount(x.dims[1]);
  // A 1x1 convolution of the map and a linear layer of its tokens are the same sum.
  const projection = { as1x1Conv: !c.linearProjection };
  let tokens = tokensFromMap(g, name, groupNorm(g, `${name}.norm`, x, c.groups, transformerNormEpsilon));
  tokens = linear(g, `${name}.proj_in`, tokens, channels, projection);
  for (let i = 0; i < c.depths[level]; i++) {
    tokens = transformerBlock(g, `${name}.transformer_blocks.${i}`, tokens, context, c.heads[level]);
  }
  tokens = linear(g, `${name}.proj_out`, tokens, channels, projection);
  return g.elementwise("Add", name, mapFromTokens(g, name, tokens, x), x);
}

/** BasicTransformerBlock: self-attention, cross-attention, GEGLU feed-forward, each normalised first and added. */
function transformerBlock(g: GraphBuilder, name: string, x: Value, context: Context, heads: number): Value {
  const channels = channelCount(x.dims[1]);
  const y1 = layerNorm(g, `${name}.norm1`, x, layerNormEpsilon);
  x = g.elementwise("Add", name, attend(g, `${name}.attn1`, y1, y1, heads, context.like), x);
  const y2 = layerNorm(g, `${name}.norm2`, x, layerNormEpsilon);
  const attendText = context.isConstant ? attendConstant : attend;
  x = g.elementwise("Add", name, attendText(g, `${name}.attn2`, y2, context.tokens, heads, context.like), x);
  const y3 = layerNorm(g, `${name}.norm3`, x, layerNormEpsilon);
  const width = 8 * channels;
  const hidden = linear(g, `${name}.ff.net.0.proj`, y3, width, { rows: [0, width / 2] });
  const gate = linear(g, `${name}.ff.net.0.proj`, y3, width, { rows: [width / 2, width] });
  const gelu = g.node("Gelu", `${name}.ff`, [gate], gate.dims, { approximate: "none" });
  return g.elementwise("Add", name, linear(g, `${name}.ff.net.2`, g.elementwise("Mul", `${name}.ff`, hidden, gelu), channels), x);
}

/** Attention of the rows `from` to the rows `to`. */
function attend(g: GraphBuilder, name: string, from: Value, to: Value, heads: number, like: Value): Value {
  const channels = channelCount(from.dims[1]);
  const project = (key: string, rows: Value) => linear(g, `${name}.${key}`, rows, channels, { bias: false });
  const mixed = attention(g, name, project("to_q", from), project("to_k", to), project("to_v", to), heads, like);
  return linear(g, `${name}.to_out.0`, mixed, channels);
}

/**
 * Attention to a constant prompt E [S, C]. With K = E Wk^T and V = E Wv^T constant, the products with Wq and Wo can be
 * taken once: scores = x (K_h Wq_h)^T / sqrt(d) and output = sum_h softmax(scores_h) (V_h Wo_h^T) + b for each head h of
 * size d. ONNX Runtime folds both products when it loads; what is left costs 4 S heads C operations a row, not 4 C C.
 */
function attendConstant(g: GraphBuilder, name: string, x: Value, context: Value, heads: number): Value {
  const channels = channelCount(x.dims[1]);
  const words = channelCount(context.dims[0]);
  const size = channels / heads;
  if (!Number.isInteger(size)) throw g.wrongShapes(name, `attention of ${heads} heads`, x, context);
  const perHead = (value: Value) => {
    const split = g.node("Reshape", name, [value, g.integers(words, heads, size)], [words, heads, size]);
    return g.node("Transpose", name, [split], [heads, words, size], { perm: [1, 0, 2] });
  };
  const keys = perHead(linear(g, `${name}.to_k`, context, channels, { bias: false }));
  const values = perHead(linear(g, `${name}.to_v`, context, channels, { bias: false }));
  const absorb = (a: Value, weight: Value) => {
    const product = g.node("MatMul", name, [a, weight], [heads, words, channels]);
    return g.node("Reshape", name, [product, g.integers(heads * words, channels)], [heads * words, channels]);
  };
  const toQ = g.weight(`${name}.to_q.weight`, [channels, channels], { as: [heads, size, channels] });
  const toOut = g.weight(`${name}.to_out.0.weight`, [channels, channels]);
  const toOutByHead = g.node("Reshape", name, [g.node("Transpose", name, [toOut], [channels, channels], { perm: [1, 0] }), g.integers(heads, size, channels)], [heads, size, channels]);

  const rows = x.dims[0];
  const scores = g.node("Gemm", name, [x, absorb(keys, toQ)], [rows, heads * words], { transB: 1, alpha: { float: size ** -0.5 } });
  const byHead = g.node("Reshape", name, [scores, g.integers(-1, heads, words)], [rows, heads, words]);
  const weights = g.node("Softmax", name, [byHead], byHead.dims, { axis: -1 });
  const flat = g.node("Reshape", name, [weights, g.integers(-1, heads * words)], [rows, heads * words]);
  return g.node("Gemm", `${name}.to_out.0`, [flat, absorb(values, toOutByHead), g.weight(`${name}.to_out.0.bias`, [channels])], [rows, channels]);
}

function concatChannels(g: GraphBuilder, name: string, a: Value, b: Value): Value {
  const [n, channels, h, w] = a.dims;
  if (b.dims[2] !== h || b.dims[3] !== w) throw g.wrongShapes(name, "Concat", a, b);
  return g.node("Concat", name, [a, b], [n, channelCount(channels) + channelCount(b.dims[1]), h, w], { axis: 1 });
}
