import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { halfFromFloats } from "../../src/core/half";
import type { RgbImage } from "../../src/core/image";
import { dataType, encodeModel, type DataType, type Initializer, type Node, type ValueInfo } from "../../src/graph/onnx";

/*
 * Networks in ONNX format with the signatures of published estimators and a known answer: every output is a weighted sum of the channels that
 * went in, so that the expected map can be written down from the image alone.
 */

export type OutputShape = "NHW" | "N1HW" | "NHW1" | "HW" | "N3HW" | "NHW3";

export interface TestOutput {
  readonly name: string;
  readonly shape: OutputShape;
  /** A row for each channel of the output: the weights of the three input channels. */
  readonly weights: readonly (readonly [number, number, number])[];
}

export interface TestNetwork {
  readonly inputName?: string;
  readonly layout?: "NCHW" | "NHWC";
  readonly type?: "float32" | "float16" | "uint8";
  /** Absent: any height and width. */
  readonly size?: { readonly height: number; readonly width: number };
  readonly outputs: readonly TestOutput[];
  /** The weights lie in this file beside the model. */
  readonly externalFile?: string;
  /** Inputs that nothing depends on. */
  readonly otherInputs?: readonly ValueInfo[];
  /** An answer of every second pixel in both directions. */
  readonly stride?: 1 | 2;
  /** Declares a rank only, as some exporters do. */
  readonly hidesShapes?: boolean;
}

const types = { float32: dataType.FLOAT, float16: dataType.FLOAT16, uint8: dataType.UINT8 } as const;

/** Writes the network and returns its path. */
export async function writeNetwork(path: string, network: TestNetwork): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const { model, weights } = buildNetwork(network);
  await writeFile(path, model);
  if (network.externalFile !== undefined) await writeFile(join(dirname(path), network.externalFile), weights);
  return path;
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "plumbline-feedforward-"));
}

function buildNetwork({ inputName = "pixel_values", layout = "NCHW", type = "float32", size, outputs, externalFile, otherInputs = [], stride = 1, hidesShapes = false }: TestNetwork): { model: Uint8Array; weights: Uint8Array } {
  const inner: DataType = type === "uint8" ? dataType.FLOAT : types[type];
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const weights: Uint8Array[] = [];
  let used = 0;
  const node = (opType: string, inputs: string[], output: string, attributes: Node["attributes"] = {}): string => {
    nodes.push({ name: `${opType} ${output}`, opType, domain: "", inputs, outputs: [output], attributes });
    return output;
  };
  const constant = (name: string, dims: number[], dtype: DataType, bytes: Uint8Array): string => {
    const isExternal = externalFile !== undefined && dtype === inner;
    initializers.push({ name, dims, type: dtype, data: isExternal ? { location: externalFile, offset: used, byteLength: bytes.length } : bytes });
    if (isExternal) {
      weights.push(bytes);
      used += bytes.length;
    }
    return name;
  };
  let image = inputName;
  if (type === "uint8") image = node("Cast", [image], "floats", { to: dataType.FLOAT });
  if (layout === "NHWC") image = node("Transpose", [image], "planar", { perm: [0, 3, 1, 2] });
  const [height, width] = size ? [size.height, size.width] : ["height", "width"];
  const outputInfos = outputs.map(({ name, shape, weights: rows }): ValueInfo => {
    const values = Float32Array.from(rows.flat());
    const bytes = inner === dataType.FLOAT ? values : halfFromFloats(values);
    const kernel = constant(`${name} weights`, [rows.length, 3, 1, 1], inner, new Uint8Array(bytes.buffer));
    const planes = node("Conv", [image, kernel], `${name} planes`, { kernel_shape: [1, 1], strides: [stride, stride] });
    const axes = (...list: number[]): string => constant(`${name} axes`, [list.length], dataType.INT64, new Uint8Array(BigInt64Array.from(list, BigInt).buffer));
    if (shape === "NHW") node("Squeeze", [planes, axes(1)], name);
    else if (shape === "HW") node("Squeeze", [planes, axes(0, 1)], name);
    else if (shape === "NHW1" || shape === "NHW3") node("Transpose", [planes], name, { perm: [0, 2, 3, 1] });
    else node("Identity", [planes], name);
    const sides = stride === 1 ? [height, width] : ["out_height", "out_width"];
    const dims = { NHW: ["batch", ...sides], HW: sides, N1HW: ["batch", 1, ...sides], N3HW: ["batch", 3, ...sides], NHW1: ["batch", ...sides, 1], NHW3: ["batch", ...sides, 3] }[shape];
    return { name, type: inner, dims: hidesShapes ? dims.map((_, i) => `d${i}`) : dims };
  });
  const imageDims = layout === "NCHW" ? ["batch", 3, height, width] : ["batch", height, width, 3];
  const inputs = [{ name: inputName, type: types[type], dims: hidesShapes ? imageDims.map((_, i) => `i${i}`) : imageDims }, ...otherInputs];
  return { model: encodeModel({ name: "test", nodes, initializers, inputs, outputs: outputInfos }), weights: Buffer.concat(weights) };
}

/** A picture whose pixels all differ, 8 bits. */
export function testImage(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + Math.floor(i / (3 * width)) * 11) % 256);
  return { width, height, data };
}

/** The samples 0..255 of pixel p. */
export function pixel({ data }: RgbImage, p: number): [number, number, number] {
  return [data[3 * p], data[3 * p + 1], data[3 * p + 2]];
}

/** What a network of these weights answers for a pixel, from its samples and the manifest's numbers. */
export function weighted(samples: readonly number[], weights: readonly number[], { range = [0, 1], mean = [0, 0, 0], std = [1, 1, 1] }: { range?: readonly number[]; mean?: readonly number[]; std?: readonly number[] } = {}): number {
  return samples.reduce((sum, sample, c) => sum + (weights[c] * (range[0] + (sample / 255) * (range[1] - range[0]) - mean[c])) / std[c], 0);
}
