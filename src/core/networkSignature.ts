/** What the elements of a network's input or output are stored as. */
export type ElementType = "float32" | "float16" | "bfloat16" | "float64" | "uint8" | "int8" | "uint16" | "int16" | "int32" | "int64" | "bool" | "other";

/** An input or output of a network; a string is the name of a size that is known only when it runs. */
export interface TensorInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly (number | string)[];
}

export interface NetworkSignature {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/** As in messages: "pixel_values float32 [1, 3, height, width]". */
export function describeTensor({ name, type, dims }: TensorInfo): string {
  return `${name} ${type} [${dims.join(", ")}]`;
}
