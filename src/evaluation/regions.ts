import { unexpected } from "../core/errors";
import type { EvaluationCrop } from "./presets";

/** Rows top (inclusive) to bottom (exclusive), columns likewise. */
export interface Region {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Height and width of KITTI's benchmark crop: bottom, centred (Uhrig et al. 2017). Throws `bad-image` for a smaller image. */
export function kittiBenchmarkCrop(width: number, height: number): Region {
  const [cropWidth, cropHeight] = [1216, 352];
  if (width < cropWidth || height < cropHeight) throw unexpected("bad-image", "a KITTI image", `at least ${cropWidth} x ${cropHeight} pixels`, `${width} x ${height}`, "Choose the preset that fits the files.");
  const top = height - cropHeight;
  const left = Math.floor((width - cropWidth) / 2);
  return { top, left, bottom: top + cropHeight, right: left + cropWidth };
}

/** Parts of height and width: rows from, to, columns from, to. Eigen et al. 2014, Garg et al. 2016; on the benchmark crop. */
const kittiParts = {
  "kitti-eigen": [0.3324324, 0.91351351, 0.0359477, 0.96405229],
  "kitti-garg": [0.40810811, 0.99189189, 0.03594771, 0.96405229],
} as const;

/** The region of a map in which pixels count. NYUv2's is for 480 x 640 and is refused for other sizes. */
export function evaluationRegion(crop: EvaluationCrop | undefined, width: number, height: number): Region {
  if (crop === undefined) return { top: 0, bottom: height, left: 0, right: width };
  if (crop === "nyu-eigen") {
    if (width !== 640 || height !== 480) throw unexpected("bad-image", "NYUv2's truth", "640 x 480 pixels", `${width} x ${height}`, "Choose the preset that fits the files.");
    return { top: 45, bottom: 471, left: 41, right: 601 };
  }
  const [top, bottom, left, right] = kittiParts[crop];
  return { top: Math.trunc(top * height), bottom: Math.trunc(bottom * height), left: Math.trunc(left * width), right: Math.trunc(right * width) };
}
