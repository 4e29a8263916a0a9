import type { GraphBuilder, Value } from "./builder";
import { attention, channelCount, groupNorm, layerNorm, linear, mapFromTokens, shapeOf, tokensFromMap } from "./layers";
import { dataType } from "./onnx";

// Transformer2DModel of diffusers (SpatialTransformer of latent diffusion): N latents, C channels, h x w latent size,
// S tokens of what the network is conditioned on.

/** LayerNorm of transformer blocks and GroupNorm before them: fixed in diffusers, not in the config. */
const layerNormEpsilon = 1e-5;
const groupNormEpsilon = 1e-6;

/** What all transformers of a network share. */
export interface TransformerSettings {
  readonly groups: number;
  /** Whether the projections around the blocks are stored as linear layers or as 1x1 convolutions. */
  readonly linearProjection: boolean;
  /** What cross-attention looks at: rows [N * S, C] of an input, or [S, C] of a constant shared by all latents. */
  readonly context: { readonly tokens: Value; readonly isConstant: boolean };
  /** Any value whose first size is N. */
  readonly like: Value;
  /** Any value whose first size is the number of groups of latents whose positions attend to each other: N, or fewer. */
  readonly likeJoint: Value;
  /** Whether scores of self-attention are reduced with the number of positions n, by sqrt(log n / log 4n). */
  readonly rescale: boolean;
}

/** GroupNorm, projection, `depth` blocks, projection, plus the input. */
export function transformer(g: GraphBuilder, name: string, x: Value, heads: number, depth: number, settings: TransformerSettings): Value {
  const channels = channelCount(x.dims[1]);
  // A 1x1 convolution of the map and a linear layer of its tokens are the same sum.
  const projection = { as1x1Conv: !settings.linearProjection };
  let tokens = tokensFromMap(g, name, groupNorm(g, `${name}.norm`, x, settings.groups, groupNormEpsilon));
  tokens = linear(g, `${name}.proj_in`, tokens, channels, projection);
  const scale = settings.rescale ? resolutionScale(g, x) : undefined;
  for (let i = 0; i < depth; i++) tokens = transformerBlock(g, `${name}.transformer_blocks.${i}`, tokens, heads, settings, scale);
  tokens = linear(g, `${name}.proj_out`, tokens, channels, projection);
  return g.elementwise("Add", name, mapFromTokens(g, name, tokens, x), x);
}

/** BasicTransformerBlock: self-attention, cross-attention, GEGLU feed-forward, each normalised first and added. */
function transformerBlock(g: GraphBuilder, name: string, x: Value, heads: number, { context, like, likeJoint }: TransformerSettings, scale: Value | undefined): Value {
  const channels = channelCount(x.dims[1]);
  const y1 = layerNorm(g, `${name}.norm1`, x, layerNormEpsilon);
  x = g.elementwise("Add", name, attend(g, `${name}.attn1`, y1, y1, heads, likeJoint, scale), x);
  const y2 = layerNorm(g, `${name}.norm2`, x, layerNormEpsilon);
  const attended = context.isConstant ? attendConstant(g, `${name}.attn2`, y2, context.tokens, heads) : attend(g, `${name}.attn2`, y2, context.tokens, heads, like);
  x = g.elementwise("Add", name, attended, x);
  const y3 = layerNorm(g, `${name}.norm3`, x, layerNormEpsilon);
  const width = 8 * channels;
  const hidden = linear(g, `${name}.ff.net.0.proj`, y3, width, { rows: [0, width / 2] });
  const gate = linear(g, `${name}.ff.net.0.proj`, y3, width, { rows: [width / 2, width] });
  const gelu = g.node("Gelu", `${name}.ff`, [gate], gate.dims, { approximate: "none" });
  return g.elementwise("Add", name, linear(g, `${name}.ff.net.2`, g.elementwise("Mul", `${name}.ff`, hidden, gelu), channels), x);
}

/** sqrt(log n / log 4n) for the n = h w positions of a map. */
function resolutionScale(g: GraphBuilder, map: Value): Value {
  const [, , h, w] = map.dims;
  return g.once(`resolution scale ${h} ${w}`, () => {
    const name = "resolution_scale";
    const sizes = g.node("Cast", name, [shapeOf(g, map, 2, 4)], [2], { to: dataType.FLOAT });
    const log = g.node("ReduceSum", name, [g.node("Log", name, [sizes], [2])], [], { keepdims: 0 });
    const ratio = g.node("Div", name, [log, g.node("Add", name, [log, g.constant(Float32Array.of(Math.log(4)), [])], [])], []);
    return g.node("Sqrt", name, [ratio], []);
  });
}

/** Attention of the rows `from` to the rows `to`; `scale` multiplies the scores. */
function attend(g: GraphBuilder, name: string, from: Value, to: Value, heads: number, like: Value, scale?: Value): Value {
  const channels = channelCount(from.dims[1]);
  const project = (key: string, rows: Value) => linear(g, `${name}.${key}`, rows, channels, { bias: false });
  const q = project("to_q", from);
  const scaled = scale ? g.node("Mul", name, [q, scale], q.dims) : q;
  const mixed = attention(g, name, scaled, project("to_k", to), project("to_v", to), heads, like);
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
