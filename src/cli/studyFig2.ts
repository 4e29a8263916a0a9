import { basename, join } from "node:path";
import { compareMaps } from "../core/difference";
import { figureSvg, type FigureRow, type FigureTile } from "../core/figure";
import { mapFromHalf } from "../core/half";
import type { FloatMap } from "../core/image";
import { displayRange } from "../core/statistics";
import type { DecodedImage, Provenance, RunResult } from "../protocol/inference";
import { meanOf, photoTile, resultTile, variationTile, type Variation } from "./comparePictures";
import { duration, installation, predictImage, showStatus, type Session } from "./engine";
import { openHeldOut } from "./heldOut";
import { lastingPart, ofScenes, writeStudy } from "./studyPage";
import { mean, requestsOf, resultOf, type StudyOptions, type StudyRun } from "./studyScenes";

const spacings = ["leading", "trailing"] as const;
type Spacing = (typeof spacings)[number];
const manySteps = 50;
const photographs = ["bowl.jpg", "coffee.jpg"] as const;
/** Scenes shown in the picture; the numbers are of all. */
const shownScenes = 2;
/** Every step is decoded, so this study takes the time of a hundred others a scene. */
const scenesByDefault = 12;
/** A deviation, in percent of the range of depth, that is called very small. */
const small = 5;

const runs: readonly StudyRun[] = spacings.flatMap((spacing) => [manySteps, 1].map((steps): StudyRun => ({ name: `${spacing}-${steps}`, steps, spacing, noise: { kind: "gaussian" } })));

/** Of one image and spacing, in percent of the range of the 50-step depth (its 2nd to 98th percentile). */
interface Change {
  readonly meanStd: number;
  /** Percent of the pixels whose deviation is below `small`. */
  readonly smallShare: number;
  /** Mean absolute difference to the last of the 50 steps, after scale and shift: of the first of them, and of a run of one step. */
  readonly firstToLast: number;
  readonly singleToLast: number;
}

interface Looked {
  readonly name: string;
  readonly photo: DecodedImage;
  readonly results: ReadonlyMap<string, RunResult>;
  readonly changes: Readonly<Record<Spacing, Change>>;
}

/** Fig. 2: how much every pixel changes over 50 steps, and what a single step gives before and after the fix. */
export async function studyFig2(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const { ids } = await openHeldOut(join(installation, "test", "heldout"));
  const scenes = ids.slice(0, options.scenes ?? scenesByDefault);
  const images = [...photographs.map((name) => join(installation, "media", "samples", name)), ...scenes.map((id) => join(installation, "test", "heldout", `${id}_rgb.png`))];
  const started = performance.now();
  const shown: Looked[] = [];
  const changes: Record<string, Looked["changes"]> = {};
  let provenance: readonly Provenance[] = [];
  for (const [i, image] of images.entries()) {
    const looked = await lookAt(session, image, options);
    changes[looked.name] = looked.changes;
    provenance = [...looked.results.values()].map((result) => result.provenance);
    if (i < photographs.length + shownScenes) shown.push(looked);
    showStatus(`image ${i + 1} of ${images.length}, ${duration(((performance.now() - started) / (i + 1)) * (images.length - i - 1))} left`);
  }
  const ofScene = scenes.map((id) => changes[`${id}_rgb.png`]);
  const average = (spacing: Spacing, of: (change: Change) => number): number => mean(ofScene.map((change) => of(change[spacing])));
  return writeStudy(options, {
    id: "fig2",
    title: "Fig. 2: how much the prediction changes over 50 steps",
    question: `The paper shows that over the 50 steps of the released schedule depth hardly changes at almost all pixels, so that the first prediction is already close to the last; and that a single leading step gives noise all the same, a single trailing step a depth map. Here: the shipped small depth model on two photographs and ${scenes.length} held-out rendered scenes.`,
    findings: [findingOf(ofScene)],
    svg: await pictureOf(shown),
    alternative: "For four images: the photograph, the standard deviation of depth over 50 leading and 50 trailing steps, and depth after one leading and one trailing step",
    table: {
      header: [`mean of ${scenes.length} scenes`, "mean std", `pixels with std < ${small} %`, "first of 50 steps to the last", "single step to the last of 50"],
      rows: spacings.map((spacing) => [spacing, ...[average(spacing, (change) => change.meanStd), average(spacing, (change) => change.smallShare), average(spacing, (change) => change.firstToLast), average(spacing, (change) => change.singleToLast)].map((value) => `${value.toFixed(1)} %`)]),
    },
    settings: [
      "Deviations and distances are in percent of the range of the 50-step depth of the same image (2nd to 98th percentile). Deviations: population standard deviation over the 50 decoded predictions, each brought onto the last by mean and deviation. Distances: mean absolute difference after the least squares scale and shift.",
      `Gaussian noise, seed ${options.seed}, the same for every run of an image; no ensemble. Photographs: ${photographs.join(", ")} of media/samples.`,
    ],
    data: { scenes, photographs, seed: options.seed, changes },
    runs: provenance.map(lastingPart),
  });
}

async function lookAt(session: Session, imagePath: string, { seed, device }: StudyOptions): Promise<Looked> {
  let photo: DecodedImage | undefined;
  const first = new Map<string, FloatMap>();
  const { results } = await predictImage(session, { imagePath, runs: await requestsOf(runs, seed, ["depth"]), device, stepMaps: true, recordSteps: false, mapSize: "processing" }, (event) => {
    if (event.type === "image") photo = event.image;
    if (event.type === "step" && event.step === 0 && event.map) first.set(event.runId, mapFromHalf(event.map));
  });
  const changeOf = (spacing: Spacing): Change => {
    const many = resultOf(results, `${spacing}-${manySteps}:depth`);
    const { semantics } = many.provenance;
    const { low, high } = displayRange(many.map.data, 2, 98);
    const percent = 100 / (high - low);
    const toLast = (map: FloatMap | undefined): number => (map ? percent * compareMaps({ map, semantics }, { map: many.map, semantics }, { kind: "absolute" }).mean : NaN);
    const std = (many.stdOverSteps?.data ?? new Float32Array(0)).map((value) => percent * value);
    return {
      meanStd: meanOf(std),
      smallShare: (100 * std.filter((value) => value < small).length) / std.length,
      firstToLast: toLast(first.get(`${spacing}-${manySteps}:depth`)),
      singleToLast: toLast(resultOf(results, `${spacing}-1:depth`).map),
    };
  };
  return { name: basename(imagePath), photo: photo ?? { width: 0, height: 0, rgb: new Uint8Array(0) }, results, changes: { leading: changeOf("leading"), trailing: changeOf("trailing") } };
}

async function pictureOf(shown: readonly Looked[]): Promise<string> {
  const variationOf = ({ results }: Looked, spacing: Spacing): Variation | undefined => {
    const { stdOverSteps, map } = resultOf(results, `${spacing}-${manySteps}:depth`);
    const { low, high } = displayRange(map.data, 2, 98);
    return stdOverSteps && { heading: "std", unit: "percent of the range of depth", map: { ...stdOverSteps, data: stdOverSteps.data.map((value) => (100 * value) / (high - low)) } };
  };
  // One scale for all deviations: they are percentages.
  const all = shown.flatMap((looked) => spacings.map((spacing) => variationOf(looked, spacing)));
  const rows = shown.map(async (looked): Promise<FigureRow> => {
    const deviation = async (spacing: Spacing): Promise<FigureTile | undefined> => {
      const variation = variationOf(looked, spacing);
      return variation && { ...(await variationTile(variation, all)), heading: `std over ${manySteps} steps, ${spacing}` };
    };
    const single = async (spacing: Spacing): Promise<FigureTile> => ({ ...(await resultTile({ result: resultOf(looked.results, `${spacing}-1:depth`) }, "Spectral")), heading: `depth, 1 step, ${spacing}`, caption: undefined });
    return { label: looked.name.replace(/^(\d+)_rgb\.png$/, "held-out scene $1"), tiles: await Promise.all([photoTile(looked.photo), deviation("leading"), deviation("trailing"), single("leading"), single("trailing")]) };
  });
  return figureSvg({ rows: await Promise.all(rows) });
}

/** Whether almost all pixels change very little, the first of many steps is near the last, and one leading step is not. */
export function findingOf(scenes: readonly Readonly<Record<Spacing, Change>>[]): string {
  const average = (spacing: Spacing, of: (change: Change) => number): number => mean(scenes.map((scene) => of(scene[spacing])));
  const percent = (value: number): string => `${value.toFixed(1)} %`;
  const [leading, trailing] = spacings.map((spacing) => ({
    std: average(spacing, ({ meanStd }) => meanStd),
    share: average(spacing, ({ smallShare }) => smallShare),
    first: average(spacing, ({ firstToLast }) => firstToLast),
    single: average(spacing, ({ singleToLast }) => singleToLast),
  }));
  const still = leading.share >= 90;
  const close = leading.first <= 2 * small;
  const flawed = leading.single > 2 * leading.first;
  const fixed = trailing.single < leading.single / 2;
  const verdict = still && close && flawed && fixed ? "shows at this scale" : "shows in part at this scale";
  const nearer = scenes.filter((scene) => scene.trailing.singleToLast < scene.leading.singleToLast).length;
  return `The paper's finding ${verdict}: over 50 leading steps the deviation is ${percent(leading.std)} of the range of depth on average and ${still ? "very small" : "not very small everywhere"} (below ${small} % at ${percent(leading.share)} of the pixels; trailing ${percent(trailing.std)} and ${percent(trailing.share)}); the first of the 50 predictions is ${close ? "close to the last" : "not close to the last"} (${percent(leading.first)} away; trailing ${percent(trailing.first)}); a single leading step ${flawed ? "is far from it all the same" : "is about as close"} (${percent(leading.single)}), a single trailing step ${fixed ? "is not" : "is not much nearer"} (${percent(trailing.single)}, nearer in ${ofScenes(nearer, scenes.length)}).`;
}
