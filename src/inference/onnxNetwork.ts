import { unexpected } from "../core/errors";
import { describeTensor, type NetworkSignature, type TensorInfo } from "../core/networkSignature";
import { tensor, type Tensor } from "../core/tensor";
import type { ConvertOptions } from "../graph/convert";
import type { OnnxFile } from "../io/onnxFile";
import type { Network } from "../pipeline/networks";

/*
 * Components of a latent estimator that were exported to ONNX by Optimum, under the names that Plumbline's own graphs have. N images,
 * H x W pixels, h x w latent size.
 *   vae_encoder:  sample [N,3,H,W]        -> latent_parameters [N,8,h,w] (moments), in older exports latent_sample [N,4,h,w]
 *   vae_decoder:  latent_sample [N,4,h,w] -> sample [N,3,H,W]
 *   unet:         sample, timestep, encoder_hidden_states -> out_sample
 *   text_encoder: input_ids -> last_hidden_state
 */

type Names = Readonly<Record<string, string>>;

/** The names of a part's inputs and outputs in the export, by the names that they have here. */
function namesOf({ part }: ConvertOptions, { outputs }: NetworkSignature): { inputs: Names; outputs: Names } {
  if (part === "encoder") return { inputs: { image: "sample" }, outputs: { moments: outputs.some(({ name }) => name === "latent_parameters") ? "latent_parameters" : "latent_sample" } };
  if (part === "decoder") return { inputs: { latent: "latent_sample" }, outputs: { image: "sample" } };
  return { inputs: {}, outputs: {} };
}

/**
 * What gives an exported component the interface of the same component built here: names, and the inputs that `options` makes
 * constants. Throws `bad-model` where an input or output that should be there is not.
 */
export function componentAdapter(file: OnnxFile, options: ConvertOptions): (network: Network) => Network {
  const names = namesOf(options, file);
  for (const name of Object.values(names.inputs)) requireName(file.path, "an input", name, file.inputs);
  for (const name of Object.values(names.outputs)) requireName(file.path, "an output", name, file.outputs);
  const isScalar = file.inputs.some(({ name, dims }) => name === "timestep" && dims.length === 0);
  const timestepOf = (timestep: number): Tensor => tensor(Float32Array.of(timestep), isScalar ? [] : [1]);
  return (network) => ({
    release: () => network.release(),
    run: async (inputs) => {
      const renamed = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [names.inputs[name] ?? name, value]));
      const timestep = renamed.timestep ? Number(renamed.timestep.data[0]) : options.timestep;
      const outputs = await network.run({
        ...renamed,
        ...(timestep !== undefined && { timestep: timestepOf(timestep) }),
        ...(options.encoderHiddenStates && { encoder_hidden_states: options.encoderHiddenStates }),
      });
      const own = Object.fromEntries(Object.entries(names.outputs).map(([name, theirs]) => [name, outputs[theirs]]));
      return { ...outputs, ...own, ...(names.outputs.moments === "latent_sample" && { moments: momentsOfSample(outputs.latent_sample) }) };
    },
  });
}

/** Moments [N, 8, h, w] whose mean is a latent [N, 4, h, w] that the network has drawn itself, without spread. */
function momentsOfSample({ dims, data }: Tensor): Tensor {
  const [count, channels, height, width] = dims;
  const length = channels * height * width;
  const out = new Float32Array(2 * data.length);
  for (let n = 0; n < count; n++) out.set(data.subarray(n * length, (n + 1) * length), 2 * n * length);
  return tensor(out, [count, 2 * channels, height, width]);
}

function requireName(path: string, what: string, name: string, received: readonly TensorInfo[]): void {
  if (received.some((tensor) => tensor.name === name)) return;
  throw unexpected("bad-model", path, `${what} "${name}"`, received.map(describeTensor).join("; "), "Export the checkpoint with Optimum, or choose its folder in diffusers layout.");
}
