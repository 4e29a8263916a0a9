import { createHash } from "node:crypto";
import { join } from "node:path";
import { colorize, type ValueRange } from "../core/colormap";
import type { FloatMap } from "../core/image";
import { colorFromNormals, normalized } from "../core/normals";
import { displayRange } from "../core/statistics";
import { writeFileAtomically } from "../io/atomicFile";
import { encodeWebp } from "../io/picture";
import type { Estimate, Judgement } from "./judge";

/** The small pictures of an image, in the order in which they are shown. */
export const pictureKinds = ["rgb", "depth", "normals", "error", "std"] as const;
export type PictureKind = (typeof pictureKinds)[number];

/** Longest side in pixels. */
const side = 256;

/** Colours of errors have one scale for all images, so that pictures can be compared: AbsRel to 0.3, angles to 60 degrees. */
const errorRanges: Readonly<Record<"depth" | "normals", ValueRange>> = { depth: { low: 0, high: 0.3 }, normals: { low: 0, high: 60 } };

/** Where a picture of an image lies, relative to the folder of the results; forward slashes. */
export function picturePath(id: string, kind: PictureKind): string {
  const name = createHash("sha256").update(id).digest("hex");
  return `pictures/${name.slice(0, 2)}/${name.slice(0, 32)}-${kind}.webp`;
}

/** Writes the pictures of one image, of the first run that has each map. Throws `write-failed`. */
export async function writePictures(out: string, id: string, { image, runs }: Estimate, { errorMap, errorsDegrees }: Judgement): Promise<void> {
  const depth = runs.find((run) => run.depth)?.depth;
  const normals = runs.find((run) => run.normals)?.normals;
  const [std] = runs.flatMap((run) => run.depth?.stdOverMembers ?? run.normals?.stdOverMembers ?? []);
  const save = async (kind: PictureKind, rgb: Uint8Array, size: { readonly width: number; readonly height: number }): Promise<void> =>
    writeFileAtomically(join(out, picturePath(id, kind)), await encodeWebp(rgb, size, side));
  const coloured = async (kind: PictureKind, map: FloatMap, colormap: "Spectral" | "inferno", range?: ValueRange): Promise<void> => {
    const small = reduced(map);
    await save(kind, colorize(small.data, { colormap, range: range ?? displayRange(small.data, 2, 98), nanColor: [128, 128, 128] }), small);
  };
  await save("rgb", image.rgb, image);
  if (depth) await coloured("depth", depth.map, "Spectral");
  if (normals) {
    const small = normalized(reduced(normals.map), "diffusers");
    await save("normals", colorFromNormals(small), small);
  }
  if (errorMap) await coloured("error", errorMap, "inferno", errorRanges[Object.keys(errorsDegrees).length > 0 ? "normals" : "depth"]);
  if (std) await coloured("std", std, "inferno");
}

/** At most `side` pixels a side, each the mean of the finite values that it covers; NaN where there are none: sparse truth stays visible. */
function reduced(map: FloatMap): FloatMap {
  const { channels, data } = map;
  const factor = Math.min(1, side / Math.max(map.width, map.height));
  if (factor === 1) return map;
  const [width, height] = [map.width, map.height].map((length) => Math.max(1, Math.round(length * factor)));
  const sums = new Float64Array(width * height * channels);
  const counts = new Uint32Array(width * height * channels);
  const columns = Uint32Array.from({ length: map.width }, (_, x) => Math.floor((x * width) / map.width));
  for (let y = 0, i = 0; y < map.height; y++) {
    const row = Math.floor((y * height) / map.height) * width;
    for (let x = 0; x < map.width; x++) {
      const target = (row + columns[x]) * channels;
      for (let c = 0; c < channels; c++, i++) {
        if (!Number.isFinite(data[i])) continue;
        sums[target + c] += data[i];
        counts[target + c]++;
      }
    }
  }
  return { width, height, channels, data: Float32Array.from(sums, (sum, k) => sum / counts[k]) };
}
