import type { GraphBuilder, Value } from "./builder";
import type { Config } from "./config";
import { channelCount, conv2d, upsampleTwiceConv } from "./layers";

// AutoencoderTiny of diffusers (TAESD): convolutions and ReLU only. All modules of a part stand in one sequence,
// `layers`, in which those without weights count too. Its latents are those of Stable Diffusion after scaling; the
// scaling factor, 1 in these configs, is not part of these networks.

/** Builds `image` [N, 3, H, W] in -1..1 -> `latent` [N, L, h, w]. */
export function buildTinyEncoder(g: GraphBuilder, config: Config): void {
  const { channels, blocks } = readStages(config, "encoder");
  const image = g.input("image", ["N", config.count("in_channels"), "H", "W"]);
  let x = affine(g, "encoder", image, 0.5, 0.5);
  let index = 0;
  channels.forEach((outChannels, stage) => {
    x = conv2d(g, `encoder.layers.${index++}`, x, outChannels, stage === 0 ? {} : { stride: 2, bias: false });
    for (let i = 0; i < blocks[stage]; i++) x = block(g, `encoder.layers.${index++}`, x);
  });
  g.output("latent", conv2d(g, `encoder.layers.${index}`, x, config.count("latent_channels")));
}

/** Builds `latent` [N, L, h, w] -> `image` [N, 3, H, W], about -1..1, not clipped. */
export function buildTinyDecoder(g: GraphBuilder, config: Config): void {
  const { channels, blocks } = readStages(config, "decoder");
  const latent = g.input("latent", ["N", config.count("latent_channels"), "h", "w"]);
  // 3 tanh(z / 3) bends latents that are far out.
  const bent = affine(g, "decoder", g.node("Tanh", "decoder", [affine(g, "decoder", latent, 1 / 3)], latent.dims), 3);
  let x = relu(g, "decoder", conv2d(g, "decoder.layers.0", bent, channels[0]));
  let index = 2;
  channels.forEach((outChannels, stage) => {
    for (let i = 0; i < blocks[stage]; i++) x = block(g, `decoder.layers.${index++}`, x);
    // All but the last stage are enlarged; the convolution after that is the next layer.
    if (stage < channels.length - 1) x = upsampleTwiceConv(g, `decoder.layers.${++index}`, x, outChannels, { bias: false });
    else x = conv2d(g, `decoder.layers.${index}`, x, config.count("out_channels"));
    index++;
  });
  g.output("image", affine(g, "decoder", x, 2, -1));
}

function readStages(config: Config, part: "encoder" | "decoder") {
  const channels = config.counts(`${part}_block_out_channels`);
  const blocks = config.countPerLevel(`num_${part}_blocks`, channels.length);
  return { channels, blocks };
}

/** AutoencoderTinyBlock: three convolutions with ReLU between, plus the input, ReLU. */
function block(g: GraphBuilder, name: string, x: Value): Value {
  const channels = channelCount(x.dims[1]);
  let y = x;
  for (const i of [0, 2, 4]) y = conv2d(g, `${name}.conv.${i}`, i === 0 ? y : relu(g, name, y), channels);
  return relu(g, name, g.elementwise("Add", name, y, x));
}

function relu(g: GraphBuilder, name: string, x: Value): Value {
  return g.node("Relu", name, [x], x.dims);
}

/** scale x + offset. */
function affine(g: GraphBuilder, name: string, x: Value, scale: number, offset?: number): Value {
  const scaled = g.node("Mul", name, [x, g.constant(Float32Array.of(scale), [])], x.dims);
  return offset === undefined ? scaled : g.node("Add", name, [scaled, g.constant(Float32Array.of(offset), [])], x.dims);
}
