import { access } from "node:fs/promises";
import { posix } from "node:path";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import type { Semantics } from "../core/semantics";
import { croppedImage } from "../io/crop";
import { readFloatImage } from "../io/floatImage";
import { readRgbImage } from "../io/imageFile";
import type { Predict } from "./examine";

const endings = [".npy", ".npz", ".pfm", ".exr", ".dpt", ".tif", ".tiff", ".png"];

/** Where programs put the prediction of an image: under its own name, Marigold's names, or as Plumbline's estimate does in a folder. */
function predictionPaths(id: string, task: Semantics["task"]): string[] {
  const { dir, name } = posix.parse(id);
  const rest = name.includes("_") ? [name.slice(name.indexOf("_") + 1)] : [];
  const stems = [name, `${name}_${task}`, `${name}_pred`, `pred_${name}`, ...rest.map((part) => `pred_${part}`), name.replace(/_(?:rgb|img)$/, "_pred"), posix.join(name, task)];
  return [...new Set(stems)].flatMap((stem) => endings.map((ending) => posix.join(dir, stem + ending)));
}

export interface PredictionFiles {
  /** Laid out as the images are. */
  readonly dir: string;
  /** Named in columns. */
  readonly name: string;
  readonly semantics: Semantics;
  /** Stored units in a metre; of metric depth. */
  readonly unitsPerMetre: number;
}

/** The maps of another program, from its files. A prediction without a value at a pixel fails where it counts: nothing is left out in silence. */
export function filePredict({ dir, name, semantics, unitsPerMetre }: PredictionFiles): Predict {
  return async ({ id, path }, { crop }) => {
    const candidates = predictionPaths(id, semantics.task);
    const there = await Promise.all(candidates.map((candidate) => access(join(dir, candidate)).then(() => true, () => false)));
    const found = candidates.find((_, i) => there[i]);
    if (found === undefined) throw new PlumblineError("not-found", `Expected a prediction for ${id} in ${dir} but there is none.`, `Name it as the image, for example ${candidates[0]}.`);
    const [map, whole] = await Promise.all([readPrediction(join(dir, found), semantics, unitsPerMetre), readRgbImage(path)]);
    const { image, rgb8, sha256, notes } = crop ? croppedImage(whole, crop) : whole;
    const { width, height } = image;
    return { image: { width, height, rgb: rgb8, sha256, notes }, runs: [{ name, [semantics.task]: { map, semantics } }] };
  };
}

/** Depth of one channel, or normals of three, which get unit length. Normals of a PNG are v / largest code * 2 - 1. Throws `bad-image`. */
async function readPrediction(path: string, semantics: Semantics, unitsPerMetre: number): Promise<FloatMap> {
  const { width, height, channels, data, format } = await readFloatImage(path);
  const expected = semantics.task === "depth" ? 1 : 3;
  if (channels !== expected) throw unexpected("bad-image", path, `${semantics.task} of ${expected === 1 ? "one channel" : "three channels"}`, `${channels} channels`, "Give the files of the other program's raw values.");
  if (data.some((value) => !Number.isFinite(value))) throw unexpected("bad-image", path, "a value at every pixel", "some that are not finite", "Write predictions without holes.");
  if (semantics.task === "depth") {
    const scale = semantics.depthKind === "metric-depth" ? unitsPerMetre : 1;
    return { width, height, channels: 1, data: scale === 1 ? data : data.map((value) => value / scale) };
  }
  const largest = format === "png" ? (data.some((value) => value > 255) ? 65535 : 255) : undefined;
  const normals = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const vector = [data[i], data[i + 1], data[i + 2]].map((value) => (largest === undefined ? value : (2 * value) / largest - 1));
    const length = Math.hypot(...vector) || 1;
    for (let c = 0; c < 3; c++) normals[i + c] = vector[c] / length;
  }
  return { width, height, channels: 3, data: normals };
}
