import type { Dim, GraphBuilder, Value } from "./builder";

// Maps are [N, C, h, w]. Tokens are rows: [N * S, C], S = h * w or the words of a prompt. `name` is the path of the
// PyTorch module, which is also the prefix of its weights.

/** 2-D convolution; `pads` is [top, left, bottom, right]. `extraBias` [C] is added to the bias. */
export function conv2d(
  g: GraphBuilder, name: string, x: Value, outChannels: number,
  { kernel = 3, stride = 1, pads = [1, 1, 1, 1], bias = true, extraBias }: { kernel?: number; stride?: number; pads?: readonly number[]; bias?: boolean; extraBias?: Value } = {},
): Value {
  const [n, inChannels, h, w] = x.dims;
  const weight = g.weight(`${name}.weight`, [outChannels, channelCount(inChannels), kernel, kernel]);
  const size = (dim: Dim) => (stride === 1 ? dim : `${dim}/${stride}`);
  const inputs = [x, weight];
  if (bias) inputs.push(g.weight(`${name}.bias`, [outChannels]));
  if (extraBias) inputs[2] = g.elementwise("Add", name, inputs[2], extraBias);
  return g.node("Conv", name, inputs, [n, outChannels, size(h), size(w)], { kernel_shape: [kernel, kernel], strides: [stride, stride], pads });
}

/** x W^T + b for rows x; W is stored [out, in] (or [out, in, 1, 1] where the checkpoint has a 1x1 convolution). */
export function linear(
  g: GraphBuilder, name: string, x: Value, outChannels: number,
  { bias = true, as1x1Conv = false, rows }: { bias?: boolean; as1x1Conv?: boolean; rows?: readonly [number, number] } = {},
): Value {
  const inChannels = channelCount(x.dims[1]);
  const range = rows ?? [0, outChannels];
  const stored = rows ? [outChannels, inChannels] : as1x1Conv ? [outChannels, inChannels, 1, 1] : [outChannels, inChannels];
  const columns = range[1] - range[0];
  const weight = g.weight(`${name}.weight`, stored, { rows, as: [columns, inChannels] });
  const inputs = bias ? [x, weight, g.weight(`${name}.bias`, [outChannels], { rows })] : [x, weight];
  return g.node("Gemm", name, inputs, [x.dims[0], columns], { transB: 1 });
}

/**
 * GroupNorm over a map, as two operators that have fast kernels: InstanceNormalization over [N, groups, rest], then
 * BatchNormalization with mean 0 and variance 1, which leaves x weight_c + bias_c. ONNX Runtime has no CPU kernel for
 * GroupNormalization and computes it in eleven passes instead (bench/README.md).
 */
export function groupNorm(g: GraphBuilder, name: string, x: Value, groups: number, epsilon: number): Value {
  const [n, , h, w] = x.dims;
  const channels = channelCount(x.dims[1]);
  const weight = g.weight(`${name}.weight`, [channels]);
  const bias = g.weight(`${name}.bias`, [channels]);
  if (channels % groups !== 0) throw g.wrongShapes(name, `GroupNorm of ${groups} groups`, x, weight);
  const [ones, zeros] = [1, 0].map((value) => (count: number) => g.constant(new Float32Array(count).fill(value), [count]));
  const [input, inputEpsilon] = withSharedEpsilon(g, name, x, epsilon);
  const grouped = g.node("Reshape", name, [input, g.integers(0, groups, -1)], [n, groups, `${channels / groups}*${h}*${w}`]);
  const normal = g.node("InstanceNormalization", name, [grouped, ones(groups), zeros(groups)], grouped.dims, { epsilon: { float: inputEpsilon } });
  const map = g.node("Reshape", name, [normal, mapShape(g, x, channels)], x.dims);
  return g.node("BatchNormalization", name, [map, weight, bias, zeros(channels), ones(channels)], x.dims, { epsilon: { float: 0 } });
}

/**
 * The WebGPU provider (1.30.0) compiles InstanceNormalization once for a process, with the epsilon of whichever came
 * last. There all use one epsilon e, and an input that needs another is scaled, which is the same:
 * s (x - m) / sqrt(s^2 v + e) = (x - m) / sqrt(v + e / s^2).
 */
function withSharedEpsilon(g: GraphBuilder, name: string, x: Value, epsilon: number): [Value, number] {
  const shared = 1e-6;
  if (g.device !== "webgpu" || epsilon === shared) return [x, epsilon];
  const scale = g.constant(Float32Array.of(Math.sqrt(shared / epsilon)), []);
  return [g.node("Mul", name, [x, scale], x.dims), shared];
}

/** LayerNorm over the channels of each row. */
export function layerNorm(g: GraphBuilder, name: string, x: Value, epsilon: number): Value {
  const channels = channelCount(x.dims[x.dims.length - 1]);
  const scale = g.weight(`${name}.weight`, [channels]);
  return g.node("LayerNormalization", name, [x, scale, g.weight(`${name}.bias`, [channels])], x.dims, { axis: -1, epsilon: { float: epsilon } });
}

/** x sigmoid(x): QuickGelu with alpha 1. */
export function silu(g: GraphBuilder, name: string, x: Value): Value {
  return g.node("QuickGelu", name, [x], x.dims, { alpha: { float: 1 } }, "com.microsoft");
}

/** [N, C, h, w] -> rows [N * h * w, C]. */
export function tokensFromMap(g: GraphBuilder, name: string, x: Value): Value {
  const [n, channels, h, w] = x.dims;
  const flat = g.node("Reshape", name, [x, g.integers(0, 0, -1)], [n, channels, `${h}*${w}`]);
  const transposed = g.node("Transpose", name, [flat], [n, `${h}*${w}`, channels], { perm: [0, 2, 1] });
  return g.node("Reshape", name, [transposed, g.integers(-1, channelCount(channels))], [`${n}*${h}*${w}`, channels]);
}

/** Rows [N * h * w, C] -> [N, C, h, w], the sizes taken from `like`. */
export function mapFromTokens(g: GraphBuilder, name: string, tokens: Value, like: Value): Value {
  const [n, , h, w] = like.dims;
  const channels = channelCount(tokens.dims[1]);
  const batched = batchTokens(g, name, tokens, like);
  const transposed = g.node("Transpose", name, [batched], [n, channels, batched.dims[1]], { perm: [0, 2, 1] });
  return g.node("Reshape", name, [transposed, mapShape(g, like, channels)], [n, channels, h, w]);
}

/** [N, channels, h, w] as a vector, the other sizes those of `like`. */
function mapShape(g: GraphBuilder, like: Value, channels: number): Value {
  const [, , h, w] = like.dims;
  return g.once(`map shape ${h} ${w} ${channels}`, () =>
    g.node("Concat", "map_shape", [shapeOf(g, like, 0, 1), g.integers(channels), shapeOf(g, like, 2, 4)], [4], { axis: 0 }));
}

/** Rows [N * S, C] -> [N, S, C], N taken from `like`. */
function batchTokens(g: GraphBuilder, name: string, tokens: Value, like: Value): Value {
  const channels = channelCount(tokens.dims[1]);
  const n = like.dims[0];
  const shape = g.once(`batched shape ${n} ${channels}`, () =>
    g.node("Concat", name, [shapeOf(g, like, 0, 1), g.integers(-1, channels)], [3], { axis: 0 }));
  const rows = String(tokens.dims[0]);
  return g.node("Reshape", name, [tokens, shape], [n, rows.startsWith(`${n}*`) ? rows.slice(`${n}*`.length) : `${rows}/(${n})`, channels]);
}

/** Sizes first..end-1 of a value, as a vector. */
export function shapeOf(g: GraphBuilder, x: Value, first: number, end: number): Value {
  return g.once(`shape ${x.name} ${first} ${end}`, () => g.node("Shape", x.name, [x], [end - first], { start: first, end }));
}

/**
 * softmax(Q K^T / sqrt(C / heads)) V for rows Q [N * S, C], K and V [N * L, C]. One operator, computed in tiles:
 * the S x L scores of a head are never held at once. `like` is any value whose first size is N.
 */
export function attention(g: GraphBuilder, name: string, q: Value, k: Value, v: Value, heads: number, like: Value, mask?: Value): Value {
  const channels = channelCount(q.dims[1]);
  if (channels % heads !== 0 || k.dims[1] !== channels) throw g.wrongShapes(name, `attention of ${heads} heads`, q, k);
  const inputs = [q, k, v].map((value) => batchTokens(g, name, value, like));
  const none = undefined;
  const mixed = g.device === "webgpu"
    ? attentionByHead(g, name, inputs, heads, mask)
    : g.node("MultiHeadAttention", name, mask ? [...inputs, none, none, mask] : inputs, inputs[0].dims, { num_heads: heads }, "com.microsoft");
  return g.node("Reshape", name, [mixed, g.integers(-1, channels)], q.dims);
}

/**
 * The same from plain products, one head after the other so that the scores of only one are held: the fused operator
 * of the WebGPU provider gives wrong numbers for some subgroup sizes (onnxruntime pull request 28520 tells of NVIDIA's
 * 32; in 1.30.0 SwiftShader's 4 is another).
 */
function attentionByHead(g: GraphBuilder, name: string, inputs: readonly Value[], heads: number, mask?: Value): Value {
  const [n, rows, channels] = inputs[0].dims;
  const size = channelCount(channels) / heads;
  const [q, k, v] = inputs.map((value) => g.node("Reshape", name, [value, g.integers(0, 0, heads, size)], [n, value.dims[1], heads, size]));
  const words = k.dims[1];
  const scaled = g.node("Mul", name, [q, g.constant(Float32Array.of(size ** -0.5), [])], q.dims);
  const mixed = Array.from({ length: heads }, (_, head) => {
    const [qh, kh, vh] = [scaled, k, v].map((value) => g.node("Gather", name, [value, g.constant([head], [])], [n, value.dims[1], size], { axis: 2 }));
    let scores = g.node("MatMul", name, [qh, g.node("Transpose", name, [kh], [n, size, words], { perm: [0, 2, 1] })], [n, rows, words]);
    if (mask) scores = g.node("Add", name, [scores, g.once(`flat ${mask.name}`, () => g.node("Squeeze", name, [mask, g.integers(0)], mask.dims.slice(1)))], scores.dims);
    return g.node("MatMul", name, [g.node("Softmax", name, [scores], scores.dims, { axis: -1 }), vh], [n, rows, size]);
  });
  return heads === 1 ? mixed[0] : g.node("Concat", name, mixed, [n, rows, channels], { axis: 2 });
}

/** What every ResNet block of a network shares. */
export interface ResnetSettings {
  readonly groups: number;
  readonly epsilon: number;
  /** SiLU of the time embedding, [1 or N, T]; absent in autoencoders. */
  readonly time?: Value;
  /** True where the time is a constant of the graph. */
  readonly timeIsConstant?: boolean;
}

/** GroupNorm, SiLU, convolution, twice, the time added between, plus the (projected) input. */
export function resnetBlock(g: GraphBuilder, name: string, x: Value, outChannels: number, { groups, epsilon, time, timeIsConstant }: ResnetSettings): Value {
  let y = silu(g, name, groupNorm(g, `${name}.norm1`, x, groups, epsilon));
  if (!time) {
    y = conv2d(g, `${name}.conv1`, y, outChannels);
  } else {
    const shift = linear(g, `${name}.time_emb_proj`, time, outChannels);
    if (timeIsConstant) {
      y = conv2d(g, `${name}.conv1`, y, outChannels, { extraBias: g.node("Reshape", name, [shift, g.integers(-1)], [outChannels]) });
    } else {
      y = conv2d(g, `${name}.conv1`, y, outChannels);
      y = g.node("Add", name, [y, g.node("Reshape", name, [shift, g.integers(-1, outChannels, 1, 1)], [time.dims[0], outChannels, 1, 1])], y.dims);
    }
  }
  y = silu(g, name, groupNorm(g, `${name}.norm2`, y, groups, epsilon));
  y = conv2d(g, `${name}.conv2`, y, outChannels);
  const shortcut = x.dims[1] === outChannels ? x : conv2d(g, `${name}.conv_shortcut`, x, outChannels, { kernel: 1, pads: [0, 0, 0, 0] });
  return g.elementwise("Add", name, shortcut, y);
}

/** Nearest-neighbour enlargement to the height and width of `target`. */
export function upsampleTo(g: GraphBuilder, name: string, x: Value, target: Value): Value {
  const [n, channels] = x.dims;
  const sizes = g.node("Concat", name, [shapeOf(g, x, 0, 2), shapeOf(g, target, 2, 4)], [4], { axis: 0 });
  return g.node("Resize", name, [x, undefined, undefined, sizes], [n, channels, target.dims[2], target.dims[3]], nearest);
}

/**
 * Nearest-neighbour enlargement to twice the size, then a 3x3 convolution, in 4/9 of the arithmetic: each of the four
 * positions (top or bottom, left or right) of a doubled pixel sees only 2 x 2 different pixels of x, so it is a 2x2
 * convolution of x whose weights are sums of those of the 3x3 one. The sums are constants, folded when the graph loads.
 */
export function upsampleTwiceConv(g: GraphBuilder, name: string, x: Value, outChannels: number, { bias = true }: { bias?: boolean } = {}): Value {
  const [n, , h, w] = x.dims;
  const inChannels = channelCount(x.dims[1]);
  const weight = g.weight(`${name}.weight`, [outChannels, inChannels, 3, 3], { as: [outChannels, inChannels, 9] });
  const added = bias ? [g.weight(`${name}.bias`, [outChannels])] : [];
  // Rows (or columns) of the 3x3 kernel that fall on the first and on the second of the two pixels seen.
  const taps = [[[0], [1, 2]], [[0, 1], [2]]];
  const positions = [0, 1].flatMap((bottom) => [0, 1].map((right) => {
    const sums = new Float32Array(9 * 4);
    taps[bottom].forEach((rows, i) => taps[right].forEach((columns, j) => rows.forEach((row) => columns.forEach((column) => (sums[(3 * row + column) * 4 + 2 * i + j] = 1)))));
    const summed = g.node("MatMul", name, [weight, g.constant(sums, [9, 4])], [outChannels, inChannels, 4]);
    const kernel = g.node("Reshape", name, [summed, g.integers(outChannels, inChannels, 2, 2)], [outChannels, inChannels, 2, 2]);
    return g.node("Conv", name, [x, kernel, ...added], [n, outChannels, h, w], { kernel_shape: [2, 2], pads: [1 - bottom, 1 - right, bottom, right] });
  }));
  const together = g.node("Concat", name, positions, [n, 4 * outChannels, h, w], { axis: 1 });
  return g.node("DepthToSpace", name, [together], [n, outChannels, `2*${h}`, `2*${w}`], { blocksize: 2, mode: "DCR" });
}

const nearest = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" } as const;

/** A channel count, which is never dynamic in these networks. */
export function channelCount(dim: Dim): number {
  if (typeof dim !== "number") throw new TypeError(`channels cannot be dynamic (${dim})`);
  return dim;
}
