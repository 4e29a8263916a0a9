import { unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import { readFloatImage, type FloatImage } from "../io/floatImage";
import type { DepthEncoding, NormalsEncoding } from "./presets";
import { evaluationRegion, kittiBenchmarkCrop, type Region } from "./regions";
import type { DatasetPreset } from "./presets";

/** What a prediction is held against: depth in metres (C = 1) or unit normals (C = 3), and where it counts. */
export interface GroundTruth {
  readonly map: FloatMap;
  /** H x W, 1 where the pixel counts. */
  readonly mask: Uint8Array;
}

type Protocol = Pick<DatasetPreset, "encoding" | "minDepth" | "maxDepth" | "rangeClipsOnly" | "inputCrop" | "crop">;

/** A mask file of the set. */
export interface MaskFile {
  readonly path: string;
  readonly zeroIsValid: boolean;
}

/** Reads the truth of one image by its set's protocol. Throws what the reader throws, and `bad-image` for sizes that do not fit. */
export async function readGroundTruth(path: string, masks: readonly MaskFile[], protocol: Protocol): Promise<GroundTruth> {
  const { encoding } = protocol;
  const size = encoding.kind === "depth" ? encoding.size : undefined;
  const stored = await readFloatImage(path, size && { format: "f32", size });
  const whole = encoding.kind === "depth" ? depthTruth(stored, encoding, protocol, path) : normalsTruth(stored, encoding, path);
  for (const mask of masks) await applyMask(whole, mask);
  const cut = protocol.inputCrop ? cropped(whole, kittiBenchmarkCrop(whole.map.width, whole.map.height)) : whole;
  clearOutside(cut, evaluationRegion(protocol.crop, cut.map.width, cut.map.height));
  return cut;
}

function depthTruth({ width, height, channels, data }: FloatImage, encoding: DepthEncoding, protocol: Protocol, path: string): GroundTruth {
  if (channels !== 1) throw unexpected("bad-image", path, "depth of one channel", `${channels} channels`, "Choose the preset that fits the files.");
  const { minDepth = 0, maxDepth = Infinity, rangeClipsOnly = false } = protocol;
  const mask = new Uint8Array(data.length);
  const metres = new Float32Array(data.length);
  for (let p = 0; p < data.length; p++) {
    const depth = data[p] / encoding.unitsPerMetre;
    const isValid = Number.isFinite(depth) && depth > 0 && !encoding.invalid.includes(data[p]);
    metres[p] = isValid ? depth : NaN;
    mask[p] = Number(isValid && (rangeClipsOnly || (depth > minDepth && depth < maxDepth)));
  }
  return { map: { width, height, channels: 1, data: metres }, mask };
}

function normalsTruth({ width, height, channels, data }: FloatImage, { stored }: NormalsEncoding, path: string): GroundTruth {
  if (channels !== 3) throw unexpected("bad-image", path, "normals of three channels", `${channels}`, "Choose the preset that fits the files.");
  const mask = new Uint8Array(width * height);
  const normals = new Float32Array(data.length).fill(NaN);
  for (let p = 0; p < mask.length; p++) {
    const [x, y, z] = data.subarray(3 * p, 3 * p + 3);
    const vector = stored === "bytes" ? [x, y, z].map((value) => (value / 255) * 2 - 1) : [x, y, z];
    const length = Math.hypot(...vector);
    if (!(stored === "bytes" ? x + y + z > 0 : length > 0.5) || !Number.isFinite(length)) continue;
    mask[p] = 1;
    normals.set(vector.map((value) => value / length), 3 * p);
  }
  return { map: { width, height, channels: 3, data: normals }, mask };
}

async function applyMask(truth: GroundTruth, { path, zeroIsValid }: MaskFile): Promise<void> {
  const { width, height, channels, data } = await readFloatImage(path);
  if (width !== truth.map.width || height !== truth.map.height) {
    throw unexpected("bad-image", path, `${truth.map.width} x ${truth.map.height} pixels like the truth`, `${width} x ${height}`, "Get the mask that belongs to it.");
  }
  for (let p = 0; p < truth.mask.length; p++) if ((data[p * channels] === 0) !== zeroIsValid) truth.mask[p] = 0;
}

function cropped({ map, mask }: GroundTruth, { top, bottom, left, right }: Region): GroundTruth {
  const { channels } = map;
  const width = right - left;
  const data = new Float32Array(width * (bottom - top) * channels);
  const kept = new Uint8Array(width * (bottom - top));
  for (let y = top; y < bottom; y++) {
    const from = y * map.width + left;
    data.set(map.data.subarray(from * channels, (from + width) * channels), (y - top) * width * channels);
    kept.set(mask.subarray(from, from + width), (y - top) * width);
  }
  return { map: { width, height: bottom - top, channels, data }, mask: kept };
}

function clearOutside({ map: { width, height }, mask }: GroundTruth, { top, bottom, left, right }: Region): void {
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) if (y < top || y >= bottom || x < left || x >= right) mask[y * width + x] = 0;
}
