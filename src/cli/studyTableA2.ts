import { intervalChart } from "./intervalChart";
import type { Session } from "./engine";
import { controlScores, controlSettings, shippedControls, type ControlScores } from "./studyControls";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, type StudyOptions } from "./studyScenes";
import { compareSeeds, overSeeds, sceneMeans, spreadText } from "./studySpread";

const decoders = ["frozen", "tuned"] as const;
/** AbsRel on NYUv2 in the paper, percent. */
const paper = { frozen: "5.2", tuned: "5.3" } as const;

/** Table A-2: the decoder frozen, or fine-tuned with the UNet. */
export async function studyTableA2(_session: Session, options: StudyOptions): Promise<readonly string[]> {
  const controls = await shippedControls();
  const [frozen, tuned] = decoders.map((kind) =>
    controlScores(controls, `end-to-end training with the decoder ${kind}`, ({ from, training, noise, decoder, inference }) =>
      from === "diffusion" && training === "e2e" && noise === "zeros" && decoder === kind && inference.steps === 1 && inference.spacing === "trailing" && inference.noise === "zeros"));
  const rows = [{ name: "frozen" as const, colour: "#2c6fbb", scores: frozen }, { name: "tuned" as const, colour: "#c77b1e", scores: tuned }];
  return writeStudy({ ...options, scenes: undefined }, {
    id: "tableA2",
    title: "Table A-2: the decoder frozen or fine-tuned",
    question: "The paper fine-tunes the autoencoder's decoder along with the UNet and finds no gain: the latents already hold what the frozen decoder needs. Here: the same in miniature, end-to-end fine-tuning of the diffusion model from zeros.",
    findings: [findingOf(frozen, tuned)],
    svg: intervalChart([
      { title: "Depth after end-to-end fine-tuning", xLabel: "AbsRel, %", rows: rows.map(({ name, colour, scores }) => ({ label: `decoder ${name}`, colour, figure: overSeeds(scores.absRel, 100) })) },
      { title: "Depth after end-to-end fine-tuning", xLabel: "delta1, %", rows: rows.map(({ name, colour, scores }) => ({ label: `decoder ${name}`, colour, figure: overSeeds(scores.delta1, 100) })) },
    ]),
    alternative: "AbsRel and delta1 with the decoder frozen and fine-tuned: a dot for each seed and their mean",
    table: {
      header: ["decoder", "seeds", "AbsRel %", "delta1 %", "paper, NYUv2: AbsRel %"],
      rows: rows.map(({ name, scores }) => [name, String(scores.seeds.length), spreadText(overSeeds(scores.absRel, 100), 2), spreadText(overSeeds(scores.delta1, 100), 1), paper[name]]),
    },
    settings: controlSettings(controls),
    data: { controls: { file: "training/logs/controls.json", sha256: controls.sha256 }, scenes: controls.scenes, frozen, tuned },
    runs: [],
  });
}

/** Whether tuning the decoder gains nothing, by `compareSeeds`. */
export function findingOf(frozen: Pick<ControlScores, "absRel">, tuned: Pick<ControlScores, "absRel">): string {
  const [a, b] = [overSeeds(frozen.absRel, 100), overSeeds(tuned.absRel, 100)];
  const wins = countBelow(sceneMeans(tuned.absRel), sceneMeans(frozen.absRel));
  const figures = `AbsRel ${spreadText(b, 2, " %")} with the decoder tuned, ${spreadText(a, 2, " %")} with it frozen; tuned is better in ${ofScenes(wins, frozen.absRel[0].length)}`;
  switch (compareSeeds(b, a)) {
    case "alike":
      return `The paper's finding shows at this scale: fine-tuning the decoder makes no difference that the seeds bear out (${figures}).`;
    case "above":
      return `The paper's finding shows at this scale: fine-tuning the decoder gains nothing, it makes things worse (${figures}).`;
    case "below":
      return `The paper's finding does not show at this scale: fine-tuning the decoder gains ${(((a.mean - b.mean) / a.mean) * 100).toFixed(1)} % of AbsRel (${figures}). The small autoencoder here was trained briefly and on few images, so its decoder has more left to learn than the paper's.`;
  }
}
