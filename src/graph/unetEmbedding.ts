import type { GraphBuilder, Value } from "./builder";
import { linear, silu } from "./layers";
import { dataType } from "./onnx";
import type { UNetConfig } from "./unetConfig";

/**
 * SiLU(embedding of time and class) [1 or N, E], E = 4 C: the time's sinusoids and, where the network has them, the
 * `class_labels` [N, L], each through a two-layer perceptron, added. Input `timestep` [1 or N] unless it is given.
 */
export function timeEmbedding(g: GraphBuilder, config: UNetConfig, timestep: number | undefined): Value {
  const width = 4 * config.channels[0];
  let embedding = perceptron(g, "time_embedding", sinusoids(g, config, timestep), width);
  if (config.classWidth !== undefined) {
    const classes = perceptron(g, "class_embedding", g.input("class_labels", ["N", config.classWidth]), width);
    embedding = g.node("Add", "class_embedding", [embedding, classes], classes.dims);
  }
  return silu(g, "time_embedding", embedding);
}

function perceptron(g: GraphBuilder, name: string, x: Value, width: number): Value {
  return linear(g, `${name}.linear_2`, silu(g, name, linear(g, `${name}.linear_1`, x, width)), width);
}

/**
 * [1 or N, C]: for i = 0..C/2-1 cos and sin of t * 10000^(-i / (C/2 - freq_shift)), cosines first where
 * `flip_sin_to_cos`.
 */
function sinusoids(g: GraphBuilder, { channels: [channels], frequencyShift, cosFirst }: UNetConfig, timestep: number | undefined): Value {
  const half = channels / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) => Math.exp(Math.fround((-Math.log(10000) * i) / (half - frequencyShift))));
  const name = "time_embedding";
  if (timestep !== undefined) {
    const angles = frequencies.map((frequency) => timestep * frequency);
    const waves = [angles.map(Math.cos), angles.map(Math.sin)];
    if (!cosFirst) waves.reverse();
    return g.constant(Float32Array.from([...waves[0], ...waves[1]]), [1, channels]);
  }
  const t = g.input("timestep", ["T"]);
  const column = g.node("Reshape", name, [t, g.integers(-1, 1)], ["T", 1]);
  const angles = g.node("Mul", name, [column, g.constant(frequencies, [1, half])], ["T", half]);
  // In float64: GPUs have none and leave it to the CPU, while their own float32 sines are poor beyond a few turns.
  const exact = g.node("Cast", name, [angles], angles.dims, { to: dataType.DOUBLE });
  const quarter = g.node("Cast", name, [g.constant(Float32Array.of(Math.PI / 2), [])], [], { to: dataType.DOUBLE });
  const wave = (turned: Value) => g.node("Cast", name, [g.node("Sin", name, [turned], angles.dims)], angles.dims, { to: dataType.FLOAT });
  const waves = [wave(g.node("Add", name, [exact, quarter], angles.dims)), wave(exact)];
  return g.node("Concat", name, cosFirst ? waves : waves.reverse(), ["T", channels], { axis: 1 });
}
