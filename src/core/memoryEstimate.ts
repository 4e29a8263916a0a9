/** One network of a model, as far as its need of memory goes. */
export interface NetworkNeed {
  /** What it is: those of a latent estimator work at known sizes; of others only the weights are known. */
  readonly kind: "encoder" | "decoder" | "unet" | "other";
  /** Channels at its largest size: `block_out_channels[0]`; of a decoder `block_out_channels[1]`, which it upsamples. */
  readonly channels: number;
  /** Samples that it takes at once. */
  readonly batch: number;
}

export interface MemoryNeed {
  /** Of Node and ONNX Runtime before anything is loaded. */
  readonly baseBytes: number;
  readonly weightBytes: number;
  /** What the networks work with, of all of them: ONNX Runtime keeps for each what it once took. */
  readonly workBytes: number;
  readonly totalBytes: number;
}

const baseBytes = 150e6;

/**
 * How many float32 tensors of a network's largest size it works with at a time. Measured as the peak of the process on
 * networks of the size of Stable Diffusion 2 at 576 x 768 (encoder 3.8, decoder 4.7, UNet 14) and on the shipped ones at
 * 576 x 768 and 1024 x 1024 (3.2, 4.3, 16 to 18), ONNX Runtime 1.30 on the CPU.
 */
const liveTensors = { encoder: 4, decoder: 4.75, unet: 18, other: 0 } as const;

/**
 * Estimates the peak memory of a run, in bytes: base + weights + sum over the networks of
 *   n * batch * channels * H * W * 4,
 * n as above, H x W the processing size, divided by the downsampling factor for the UNet. Steps and ensemble members run
 * one after another and change nothing. Erring upwards: 3 % for Stable Diffusion 2, 20 % for the shipped models.
 */
export function estimateMemory(weightBytes: number, networks: readonly NetworkNeed[], size: { readonly width: number; readonly height: number }, downsamplingFactor: number): MemoryNeed {
  const workBytes = networks.reduce((sum, { kind, channels, batch }) => {
    const factor = kind === "unet" ? downsamplingFactor : 1;
    return sum + liveTensors[kind] * batch * channels * Math.ceil(size.width / factor) * Math.ceil(size.height / factor) * 4;
  }, 0);
  return { baseBytes, weightBytes, workBytes, totalBytes: baseBytes + weightBytes + workBytes };
}
