import { unexpected } from "./errors";

/** A dense row-major float32 array. Networks use NCHW: [N images, C channels, H rows, W columns]. */
export interface Tensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Number of elements of a shape; 1 for the empty shape (a scalar). */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** A tensor over `data` (not copied). Throws `bad-tensor` when the shape does not fit the data. */
export function tensor(data: Float32Array, dims: readonly number[]): Tensor {
  if (elementCount(dims) !== data.length) {
    throw unexpected("bad-tensor", "tensor data", `${elementCount(dims)} values of shape [${dims.join(", ")}]`, data.length);
  }
  return { dims, data };
}
