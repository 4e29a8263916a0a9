import { tensorFromMap, type FloatMap } from "../core/image";
import type { Task } from "../core/semantics";
import type { Tensor } from "../core/tensor";
import type { DenoisingStep } from "../pipeline/denoise";
import type { RecordedTensor } from "../protocol/inference";

/** One step of member 0 with its decoded map at processing size. */
export interface StepRecord {
  readonly latents: DenoisingStep;
  readonly map: FloatMap;
}

/**
 * The tensors of steps.safetensors: `init_noise` [1,4,h,w]; `model_output`, `prev_sample`, `pred_original_sample` [S,1,4,h,w];
 * `depth_per_step` [S,1,1,H,W] or `normals_per_step` [S,1,3,H,W]; `timesteps` [S].
 */
export function recordedTensors(task: Task, initialNoise: Tensor | undefined, steps: readonly StepRecord[]): readonly RecordedTensor[] {
  return [
    ...(initialNoise ? [{ name: "init_noise", ...initialNoise }] : []),
    stacked("model_output", steps.map(({ latents }) => latents.modelOutput)),
    stacked("prev_sample", steps.map(({ latents }) => latents.prevSample)),
    stacked("pred_original_sample", steps.map(({ latents }) => latents.predOriginalSample)),
    stacked(task === "depth" ? "depth_per_step" : "normals_per_step", steps.map(({ map }) => tensorFromMap(map))),
    { name: "timesteps", dims: [steps.length], data: timestepsOf(steps.map(({ latents }) => latents.timestep)) },
  ];
}

/** Training timesteps as whole numbers, times of a flow as they are. */
function timestepsOf(timesteps: readonly number[]): BigInt64Array | Float32Array {
  return timesteps.every(Number.isInteger) ? BigInt64Array.from(timesteps, BigInt) : Float32Array.from(timesteps);
}

/** Tensors of one shape along a new first axis. */
function stacked(name: string, tensors: readonly Tensor[]): RecordedTensor {
  const length = tensors[0].data.length;
  const data = new Float32Array(tensors.length * length);
  tensors.forEach((item, i) => data.set(item.data, i * length));
  return { name, dims: [tensors.length, ...tensors[0].dims], data };
}
