import { join } from "node:path";
import { figureSvg, type FigureRow } from "../core/figure";
import type { DecodedImage } from "../protocol/inference";
import { photoTile, resultTile, withoutEmptyColumns } from "./comparePictures";
import { installation, predictImage, type Session } from "./engine";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, mean, measureHeldOut, requestsOf, resultOf, type Measured, type StudyOptions, type StudyRun } from "./studyScenes";

const labels = { zeros: "zeros", gaussian: "Gaussian", pyramid: "pyramid", e2e: "zeros, E2E fine-tuned" } as const;
type Name = keyof typeof labels;
const kinds = ["gaussian", "pyramid", "zeros"] as const;

const runs: readonly (StudyRun & { readonly name: Name })[] = [
  ...kinds.map((kind) => ({ name: kind, steps: 1, spacing: "trailing" as const, noise: { kind } })),
  { name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true },
];

/** Table 4: three kinds of starting noise. */
export async function studyTable4(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const measured = await measureHeldOut(session, runs, options);
  return writeStudy(options, {
    id: "table4",
    title: "Table 4: zeros, Gaussian or pyramid noise",
    question: `The paper fine-tunes end to end with three kinds of noise in place of the latent and finds that zeros do slightly better than Gaussian or pyramid noise, and that the choice matters little. The shipped end-to-end models were fine-tuned on zeros only. So this is the question before fine-tuning: what the three kinds of noise do to the shipped diffusion models, which were trained on noise, in one trailing step; the last row is the fine-tuned model. ${measured.scenes.length} held-out rendered scenes.`,
    findings: [findingOf(measured)],
    svg: await pictureOf(session, measured.scenes[0], options),
    alternative: "Depth and normals of one scene from zeros, Gaussian and pyramid noise, and from the end-to-end fine-tuned models",
    table: {
      header: ["noise", "AbsRel %", "delta1 %", "mean angle °", "< 11.25° %"],
      rows: runs.map(({ name }) => {
        const { absRel, delta1, meanAngle, below11 } = measured.of(name);
        return [labels[name], (100 * mean(absRel)).toFixed(2), (100 * mean(delta1)).toFixed(1), mean(meanAngle).toFixed(2), mean(below11).toFixed(1)];
      }),
    },
    settings: [
      `Held-out scenes ${measured.scenes[0]} to ${measured.scenes[measured.scenes.length - 1]} of test/heldout; means over the scenes. Depth is aligned to the truth by scale and shift (least squares).`,
      `One step, trailing, seed ${options.seed}, no ensemble. The picture is scene ${measured.scenes[0]}.`,
    ],
    data: { scenes: measured.scenes, seed: options.seed, scores: Object.fromEntries(runs.map(({ name }) => [name, measured.of(name)])) },
    runs: measured.provenance,
  });
}

async function pictureOf(session: Session, scene: string, { seed, device }: StudyOptions): Promise<string> {
  let photo: DecodedImage | undefined;
  const imagePath = join(installation, "test", "heldout", `${scene}_rgb.png`);
  const { results } = await predictImage(session, { imagePath, runs: await requestsOf(runs, seed), device, stepMaps: false, stdOverSteps: false, recordSteps: false, mapSize: "source" }, (event) => {
    if (event.type === "image") photo = event.image;
  });
  const tiles = await Promise.all(runs.map(async ({ name }) => Promise.all((["depth", "normals"] as const).map((task) => resultTile({ result: resultOf(results, `${name}:${task}`) }, "Spectral")))));
  const rgb = photo && (await photoTile(photo));
  const rows = [0, 1].map((task): FigureRow => ({
    label: ["Depth", "Normals"][task],
    tiles: [rgb, ...runs.map(({ name }, i) => ({ ...tiles[i][task], heading: labels[name] }))],
  }));
  return figureSvg({ rows: withoutEmptyColumns(rows) });
}

/** Whether zeros are best and the choice matters little, as in the paper (0.1 points of AbsRel, about 2 % of it). */
export function findingOf(measured: Pick<Measured, "of" | "scenes">): string {
  const n = measured.scenes.length;
  const absRel = (name: Name): number => mean(measured.of(name).absRel);
  const angle = (name: Name): number => mean(measured.of(name).meanAngle);
  const best = kinds.reduce((a, b) => (absRel(b) < absRel(a) ? b : a));
  const spread = (100 * (Math.max(...kinds.map(absRel)) - Math.min(...kinds.map(absRel)))) / Math.min(...kinds.map(absRel));
  const bestAngle = kinds.reduce((a, b) => (angle(b) < angle(a) ? b : a));
  const wins = countBelow(measured.of("zeros").absRel, measured.of("gaussian").absRel);
  const order = best === "zeros" ? "shows: zeros are best for depth" : `does not show: ${labels[best]} noise is best for depth`;
  const size = spread < 5 ? `the choice matters little (${spread.toFixed(1)} % of AbsRel between best and worst)` : `the choice matters (${spread.toFixed(1)} % of AbsRel between best and worst)`;
  const gained = Math.min(...kinds.map(absRel)) - absRel("e2e");
  const more = gained > Math.max(...kinds.map(absRel)) - Math.min(...kinds.map(absRel)) ? "more" : "no more";
  return `The paper's order ${order} (AbsRel ${kinds.map((kind) => `${(100 * absRel(kind)).toFixed(2)} % from ${labels[kind]}`).join(", ")}; zeros beat Gaussian noise in ${ofScenes(wins, n)}); ${size}; for normals ${labels[bestAngle]} ${bestAngle === "zeros" ? "are" : "is"} best (${kinds.map((kind) => `${angle(kind).toFixed(1)}°`).join(", ")}); end-to-end fine-tuning on zeros changes ${more} than the noise does: ${(100 * absRel("e2e")).toFixed(2)} % and ${angle("e2e").toFixed(1)}°.`;
}
