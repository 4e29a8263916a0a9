import type { ControlNoise, Controls } from "../evaluation/controls";
import { intervalChart, type IntervalRow } from "./intervalChart";
import type { Session } from "./engine";
import { controlScores, controlSettings, shippedControls, type ControlScores } from "./studyControls";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, type StudyOptions } from "./studyScenes";
import { compareSeeds, listed, overSeeds, sceneMeans, spreadText, type OverSeeds } from "./studySpread";
import { startingNoiseSection } from "./studyStartingNoise";

const kinds = ["gaussian", "pyramid", "zeros"] as const;
const origins = ["diffusion", "before"] as const;
type Origin = (typeof origins)[number];
const labels = { gaussian: "Gaussian", pyramid: "pyramid", zeros: "zeros" } as const;
const originNames = { diffusion: "from the diffusion model", before: "from the model before it" } as const;
const originColours = { diffusion: "#2c6fbb", before: "#c77b1e" } as const;
/** AbsRel on NYUv2 in the paper, percent; pyramid noise was not tried from Stable Diffusion. */
const paper = { diffusion: { gaussian: "5.3", pyramid: "5.4", zeros: "5.2" }, before: { gaussian: "5.8", pyramid: "", zeros: "5.4" } } as const;

/** Of AbsRel: what is called comparable. */
const comparablePercent = 10;

/** Scores of end-to-end training from an origin with a kind of noise, applied as it was trained. */
type Trained = (origin: Origin, kind: ControlNoise) => ControlScores;

/** Table 4: three kinds of noise in end-to-end fine-tuning, from the diffusion model and from the model before it; and what they do to the shipped models before it. */
export async function studyTable4(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const controls = await shippedControls();
  const trained = trainedIn(controls);
  const variants = origins.flatMap((origin) => kinds.map((kind) => ({ origin, kind, scores: trained(origin, kind) })));
  return writeStudy(options, {
    id: "table4",
    title: "Table 4: zeros, Gaussian or pyramid noise in end-to-end fine-tuning",
    question: "The paper fine-tunes end to end with three kinds of noise in place of the latent and finds that zeros do slightly better than Gaussian or pyramid noise, and that the choice matters little; and that fine-tuning Stable Diffusion, which was never trained on depth, gives comparable results. Here: the same in miniature, with every training done three times.",
    findings: findingsOf(trained),
    svg: intervalChart([{ title: "Depth after end-to-end fine-tuning, by the noise it was trained and applied with", xLabel: "AbsRel, %", rows: variants.map(({ origin, kind, scores }): IntervalRow => ({ label: `${labels[kind]}, ${originNames[origin]}`, colour: originColours[origin], figure: overSeeds(scores.absRel, 100) })) }]),
    alternative: "AbsRel for each kind of noise and each model that fine-tuning began with: a dot for each seed and their mean",
    table: {
      header: ["noise", "seeds", "AbsRel %", "delta1 %", "paper, NYUv2: AbsRel %"],
      rows: variants.map(({ origin, kind, scores }) => [`${labels[kind]}, ${originNames[origin]}`, String(scores.seeds.length), spreadText(overSeeds(scores.absRel, 100), 2), spreadText(overSeeds(scores.delta1, 100), 1), paper[origin][kind]]),
    },
    settings: controlSettings(controls),
    data: { controls: { file: "training/logs/controls.json", sha256: controls.sha256 }, scenes: controls.scenes, variants },
    runs: [],
    second: await startingNoiseSection(session, options),
  });
}

function trainedIn(controls: Controls): Trained {
  return (origin, kind) =>
    controlScores(controls, `end-to-end training ${originNames[origin]} with ${labels[kind]} noise`, ({ from, training, noise, decoder, inference }) =>
      from === origin && training === "e2e" && noise === kind && decoder === "frozen" && inference.steps === 1 && inference.spacing === "trailing" && inference.noise === kind);
}

/** Two sentences: which noise is best and whether it matters, from either model; and how the two models compare. Differences count by `compareSeeds`. */
export function findingsOf(trained: Trained): readonly string[] {
  const figure = (origin: Origin, kind: ControlNoise): OverSeeds => overSeeds(trained(origin, kind).absRel, 100);
  return [...origins.map((origin) => noiseFinding(origin, (kind) => figure(origin, kind), trained)), originFinding(figure, trained)];
}

function noiseFinding(origin: Origin, figure: (kind: ControlNoise) => OverSeeds, trained: Trained): string {
  const middle = (kind: ControlNoise): number => figure(kind).mean;
  const best = kinds.reduce((a, b) => (middle(b) < middle(a) ? b : a));
  const others = (["gaussian", "pyramid"] as const).map((kind) => ({ kind, verdict: compareSeeds(figure("zeros"), figure(kind)) }));
  const of = (verdict: string): readonly string[] => others.filter((other) => other.verdict === verdict).map(({ kind }) => labels[kind]);
  const [below, above, alike] = [of("below"), of("above"), of("alike")];
  const size = (100 * (Math.max(...kinds.map(middle)) - middle(best))) / middle(best);
  const order = [
    below.length > 0 && `zeros are better than ${listed(below)} noise`,
    above.length > 0 && `zeros are worse than ${listed(above)} noise`,
    alike.length > 0 && `between zeros and ${listed(alike)} noise there is no difference that the seeds bear out`,
  ].filter((part) => part !== false);
  const verdict = below.length === 2 ? "shows" : above.length > 0 ? "does not show" : below.length === 1 ? "shows in part" : "is not borne out";
  const wins = countBelow(sceneMeans(trained(origin, "zeros").absRel), sceneMeans(trained(origin, "gaussian").absRel));
  return `Fine-tuned ${originNames[origin]}: the paper's order (zeros slightly best) ${verdict}: ${listed(order)} (AbsRel ${kinds.map((kind) => `${labels[kind]} ${spreadText(figure(kind), 2, " %")}`).join(", ")}; zeros beat Gaussian noise in ${ofScenes(wins, trained(origin, "zeros").absRel[0].length)}). The choice matters ${size < 5 ? "little" : "more than in the paper"}: ${size.toFixed(1)} % of AbsRel between best and worst (paper: ${origin === "diffusion" ? "4" : "7"} %).`;
}

function originFinding(figure: (origin: Origin, kind: ControlNoise) => OverSeeds, trained: Trained): string {
  const [after, before] = [figure("diffusion", "zeros"), figure("before", "zeros")];
  const change = (100 * (before.mean - after.mean)) / after.mean;
  const verdict = compareSeeds(after, before);
  const comparable = Math.abs(change) < comparablePercent;
  const wins = countBelow(sceneMeans(trained("diffusion", "zeros").absRel), sceneMeans(trained("before", "zeros").absRel));
  const size = `${spreadText(before, 2, " %")} against ${spreadText(after, 2, " %")} with zeros, ${Math.abs(change).toFixed(1)} % ${change > 0 ? "more" : "less"}; paper: 5.4 against 5.2, 4 % more; the diffusion model is the better beginning in ${ofScenes(wins, trained("diffusion", "zeros").absRel[0].length)}`;
  if (verdict === "alike") return `That a model never trained on depth is as good a beginning shows at this scale: there is no difference that the seeds bear out (${size}).`;
  return `That a model never trained on depth gives comparable results (less than ${comparablePercent} % apart) ${comparable ? "shows at this scale" : "does not show at this scale, with so few samples of fine-tuning"} (${size}).`;
}
