import { unexpected } from "../core/errors";
import type { Crop } from "../core/image";
import { readUprightSize } from "../io/picture";
import { anglesText } from "./anglePool";
import type { GroundTruth } from "./groundTruth";
import { judge, type Estimate } from "./judge";
import { writePictures } from "./pictures";
import { kittiBenchmarkCrop } from "./regions";
import type { SpotOutcome, SpotSample } from "./spotRun";
import { judgedBy, readTruthOf, type TruthSource } from "./truthSource";

/** Where an image's maps come from: an engine, or files of another program. The estimate is of the part that `crop` cuts out. */
export type Predict = (sample: SpotSample, options: { readonly crop?: Crop; readonly signal: AbortSignal }) => Promise<Estimate>;

export interface ExamineOptions {
  /** Of the images. */
  readonly folder: string;
  /** Of the results. */
  readonly out: string;
  readonly truth?: TruthSource;
  readonly predict: Predict;
}

/** Looks at one image: its truth, its maps, what they say, and its pictures, which are on the disk when this resolves. */
export function examiner({ folder, out, truth: source, predict }: ExamineOptions): (sample: SpotSample, signal: AbortSignal) => Promise<SpotOutcome> {
  return async (sample, signal) => {
    if (sample.problem) throw sample.problem;
    const truth = source && (await readTruthOf(sample, folder, source));
    if (truth && !truth.mask.includes(1)) throw unexpected("bad-image", `the ground truth of ${sample.id}`, "at least one pixel that counts", "none", "Check its unit and range, or leave the image out.");
    const crop = source?.inputCrop && (await benchmarkCrop(sample.path));
    const estimate = await predict(sample, { signal, ...(crop && { crop }) });
    if (truth) requireSameShape(estimate, truth, sample.id);
    const judgement = judge(estimate, source && truth ? judgedBy(source, truth) : {});
    await writePictures(out, sample.id, estimate, judgement);
    const angles = Object.fromEntries(Object.entries(judgement.errorsDegrees).map(([run, errors]) => [run, anglesText(errors)]));
    return { judgement, sha256: estimate.image.sha256, ...(Object.keys(angles).length > 0 && { angles }) };
  };
}

async function benchmarkCrop(path: string): Promise<Crop> {
  const { width, height } = await readUprightSize(path);
  const { left, top, right, bottom } = kittiBenchmarkCrop(width, height);
  return { left, top, width: right - left, height: bottom - top };
}

/** Truth may have more or fewer pixels than its image, but shows the same. */
function requireSameShape({ image }: Estimate, { map }: GroundTruth, id: string): void {
  const stretch = (map.width * image.height) / (map.height * image.width);
  // Half a pixel either way where the size was rounded.
  const tolerance = Math.max(0.01, 1 / Math.min(map.width, map.height, image.width, image.height));
  if (Math.abs(stretch - 1) <= tolerance) return;
  throw unexpected("bad-image", `the ground truth of ${id}`, `the shape of the image (${image.width} x ${image.height})`, `${map.width} x ${map.height}`, "Check that image and truth belong together.");
}
