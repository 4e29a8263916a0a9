import type { GraphBuilder, Value } from "./builder";
import type { Config } from "./config";
import { attention, channelCount, conv2d, layerNorm, linear, shapeOf } from "./layers";
import { dataType } from "./onnx";

// CLIPTextModel and CLIPVisionModelWithProjection of transformers: N prompts or images, S tokens, C channels.

/** Builds `input_ids` [N, S] (int64) -> `last_hidden_state` [N, S, C], after the final normalisation. */
export function buildClipText(g: GraphBuilder, config: Config): void {
  const width = config.count("hidden_size");
  const positions = config.count("max_position_embeddings");
  const epsilon = config.positive("layer_norm_eps");
  const ids = g.input("input_ids", ["N", "S"], dataType.INT64);
  const name = "text_model.embeddings";
  const words = g.weight(`${name}.token_embedding.weight`, [config.count("vocab_size"), width]);
  const embedded = g.node("Gather", name, [words, ids], ["N", "S", width], { axis: 0 });
  const length = g.node("Shape", name, [ids], [1], { start: 1, end: 2 });
  const places = g.node("Slice", name, [g.weight(`${name}.position_embedding.weight`, [positions, width]), g.integers(0), length, g.integers(0)], ["S", width]);
  const summed = g.node("Add", name, [embedded, places], embedded.dims);

  let x = g.node("Reshape", name, [summed, g.integers(-1, width)], ["N*S", width]);
  x = clipLayers(g, "text_model.encoder", config, x, summed, causalMask(g, positions, length));
  x = layerNorm(g, "text_model.final_layer_norm", x, epsilon);
  const shape = g.node("Shape", "last_hidden_state", [summed], [3]);
  g.output("last_hidden_state", g.node("Reshape", "last_hidden_state", [x, shape], summed.dims));
}

/**
 * Builds `pixel_values` [N, 3, image_size, image_size], normalised, -> `image_embeds` [N, projection_dim]: the first
 * token (the class embedding) of the encoded patches, normalised and projected.
 */
export function buildClipVision(g: GraphBuilder, config: Config): void {
  const width = config.count("hidden_size");
  const size = config.count("image_size");
  const patch = config.count("patch_size");
  const epsilon = config.positive("layer_norm_eps");
  // Pixels beyond the last whole patch are not seen.
  const patches = Math.floor(size / patch) ** 2;
  const name = "vision_model.embeddings";
  const pixels = g.input("pixel_values", ["N", config.count("num_channels"), size, size]);
  const map = conv2d(g, `${name}.patch_embedding`, pixels, width, { kernel: patch, stride: patch, pads: [0, 0, 0, 0], bias: false });
  const flat = g.node("Reshape", name, [map, g.integers(0, 0, -1)], ["N", width, patches]);
  const seen = g.node("Transpose", name, [flat], ["N", patches, width], { perm: [0, 2, 1] });
  const first = g.node("Expand", name, [g.weight(`${name}.class_embedding`, [width], { as: [1, 1, width] }), likeFirstToken(g, name, pixels, width)], ["N", 1, width]);
  const tokens = g.node("Concat", name, [first, seen], ["N", patches + 1, width], { axis: 1 });
  const placed = g.node("Add", name, [tokens, g.weight(`${name}.position_embedding.weight`, [patches + 1, width])], tokens.dims);

  // The name in the files is misspelt.
  let x = layerNorm(g, "vision_model.pre_layrnorm", g.node("Reshape", name, [placed, g.integers(-1, width)], ["N*S", width]), epsilon);
  x = clipLayers(g, "vision_model.encoder", config, x, placed);
  const encoded = g.node("Reshape", "image_embeds", [x, g.integers(-1, patches + 1, width)], placed.dims);
  const pooled = g.node("Gather", "image_embeds", [encoded, g.constant([0], [])], ["N", width], { axis: 1 });
  g.output("image_embeds", linear(g, "visual_projection", layerNorm(g, "vision_model.post_layernorm", pooled, epsilon), config.count("projection_dim"), { bias: false }));
}

/** [N, 1, width] as a vector. */
function likeFirstToken(g: GraphBuilder, name: string, pixels: Value, width: number): Value {
  return g.node("Concat", name, [shapeOf(g, pixels, 0, 1), g.integers(1, width)], [3], { axis: 0 });
}

/**
 * CLIPEncoder, of text and of images alike: for rows x [N * S, C] `num_hidden_layers` times normalised attention and
 * a normalised two-layer perceptron, each added. `like` is any value whose first size is N.
 */
function clipLayers(g: GraphBuilder, name: string, config: Config, x: Value, like: Value, mask?: Value): Value {
  const channels = channelCount(x.dims[1]);
  const heads = config.count("num_attention_heads");
  const epsilon = config.positive("layer_norm_eps");
  const activation = config.choice("hidden_act", ["gelu", "quick_gelu"]);
  const inner = config.count("intermediate_size");
  for (let i = 0; i < config.count("num_hidden_layers"); i++) {
    const layer = `${name}.layers.${i}`;
    const y = layerNorm(g, `${layer}.layer_norm1`, x, epsilon);
    const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((key) => linear(g, `${layer}.self_attn.${key}`, y, channels));
    const mixed = attention(g, `${layer}.self_attn`, q, k, v, heads, like, mask);
    x = g.elementwise("Add", layer, linear(g, `${layer}.self_attn.out_proj`, mixed, channels), x);
    const hidden = linear(g, `${layer}.mlp.fc1`, layerNorm(g, `${layer}.layer_norm2`, x, epsilon), inner);
    const active = activation === "gelu"
      ? g.node("Gelu", layer, [hidden], hidden.dims, { approximate: "none" })
      : g.node("QuickGelu", layer, [hidden], hidden.dims, { alpha: { float: 1.702 } }, "com.microsoft");
    x = g.elementwise("Add", layer, linear(g, `${layer}.mlp.fc2`, active, channels), x);
  }
  return x;
}

/** [1, 1, S, S]: 0 where a token may look (itself and before), a very negative number elsewhere. */
function causalMask(g: GraphBuilder, positions: number, length: Value): Value {
  const full = Float32Array.from({ length: positions * positions }, (_, i) => (i % positions > Math.floor(i / positions) ? -3e38 : 0));
  const ends = g.node("Concat", "causal_mask", [length, length], [2], { axis: 0 });
  return g.node("Slice", "causal_mask", [g.constant(full, [1, 1, positions, positions]), g.integers(0, 0), ends, g.integers(2, 3)], [1, 1, "S", "S"]);
}
