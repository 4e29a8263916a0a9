import { join } from "node:path";
import { figureSvg, type FigureRow } from "../core/figure";
import type { DecodedImage } from "../protocol/inference";
import { photoTile, resultTile, withoutEmptyColumns } from "./comparePictures";
import { installation, predictImage, type Session } from "./engine";
import { figureTexts } from "./studyFig5";
import { ofScenes, type StudySection } from "./studyPage";
import { countBelow, mean, measureHeldOut, requestsOf, resultOf, type Measured, type StudyOptions, type StudyRun } from "./studyScenes";

const labels = { zeros: "zeros", gaussian: "Gaussian", pyramid: "pyramid", e2e: "zeros, E2E fine-tuned" } as const;
type Name = keyof typeof labels;
const kinds = ["gaussian", "pyramid", "zeros"] as const;

const runs: readonly (StudyRun & { readonly name: Name })[] = [
  ...kinds.map((kind) => ({ name: kind, steps: 1, spacing: "trailing" as const, noise: { kind } })),
  { name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true },
];

/** What the kinds of starting noise do to the shipped models, which is the question of Table 4 before any fine-tuning. */
export async function startingNoiseSection(session: Session, options: StudyOptions): Promise<StudySection & { readonly heading: string }> {
  const measured = await measureHeldOut(session, runs, options);
  const { scenes } = measured;
  return {
    id: "table4-shipped",
    heading: "Before fine-tuning: the shipped models",
    question: `The shipped end-to-end models were fine-tuned on zeros only. What the three kinds of noise do to the shipped diffusion models, which were trained on noise, in one trailing step; the last row is the fine-tuned model. ${scenes.length} held-out rendered scenes.`,
    findings: [findingOf(measured)],
    svg: await pictureOf(session, scenes[0], options),
    alternative: "Depth and normals of one scene from zeros, Gaussian and pyramid noise, and from the end-to-end fine-tuned models",
    table: {
      header: ["noise", "AbsRel %", "delta1 %", "mean angle °", "< 11.25° %"],
      rows: runs.map(({ name }) => [labels[name], ...figureTexts(measured.of(name))]),
    },
    settings: [`The shipped models: held-out scenes ${scenes[0]} to ${scenes[scenes.length - 1]} of test/heldout; means over the scenes. One step, trailing, seed ${options.seed}, no ensemble. The picture is scene ${scenes[0]}.`],
    data: { scenes, seed: options.seed, scores: Object.fromEntries(runs.map(({ name }) => [name, measured.of(name)])) },
    runs: measured.runs,
  };
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

/** Whether zeros are best already here, and whether the choice matters little; of one seed. */
export function findingOf(measured: Pick<Measured, "of" | "scenes">): string {
  const n = measured.scenes.length;
  const absRel = (name: Name): number => mean(measured.of(name)[0].absRel);
  const angle = (name: Name): number => mean(measured.of(name)[0].meanAngle);
  const best = kinds.reduce((a, b) => (absRel(b) < absRel(a) ? b : a));
  const spread = (100 * (Math.max(...kinds.map(absRel)) - Math.min(...kinds.map(absRel)))) / Math.min(...kinds.map(absRel));
  const bestAngle = kinds.reduce((a, b) => (angle(b) < angle(a) ? b : a));
  const wins = countBelow(measured.of("zeros")[0].absRel, measured.of("gaussian")[0].absRel);
  const order = best === "zeros" ? "shows here already: zeros are best for depth" : `does not show here: ${labels[best]} noise is best for depth`;
  const size = spread < 5 ? `the choice matters little (${spread.toFixed(1)} % of AbsRel between best and worst)` : `the choice matters (${spread.toFixed(1)} % of AbsRel between best and worst)`;
  const gained = Math.min(...kinds.map(absRel)) - absRel("e2e");
  const more = gained > Math.max(...kinds.map(absRel)) - Math.min(...kinds.map(absRel)) ? "more" : "no more";
  return `The paper's order ${order} (AbsRel ${kinds.map((kind) => `${(100 * absRel(kind)).toFixed(2)} % from ${labels[kind]}`).join(", ")}; zeros beat Gaussian noise in ${ofScenes(wins, n)}); ${size}; for normals ${labels[bestAngle]} ${bestAngle === "zeros" ? "are" : "is"} best (${kinds.map((kind) => `${angle(kind).toFixed(1)}°`).join(", ")}); end-to-end fine-tuning on zeros changes ${more} than the noise does: ${(100 * absRel("e2e")).toFixed(2)} % and ${angle("e2e").toFixed(1)}°.`;
}
