import type { ControlRun, Controls } from "../evaluation/controls";
import { intervalChart } from "./intervalChart";
import type { Session } from "./engine";
import { controlScores, controlSettings, shippedControls, type ControlScores } from "./studyControls";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, mean, type StudyOptions } from "./studyScenes";
import { compareSeeds, listed, overSeeds, sceneMeans, spreadText } from "./studySpread";

/** A way of training under one way of inference. */
export interface Variant extends ControlScores {
  readonly training: ControlRun["training"];
  readonly inference: string;
}

const names = { none: "diffusion model as it is", diffusion: "further diffusion training", e2e: "end-to-end fine-tuning" } as const;
const colours = { none: "#777777", diffusion: "#c0392b", e2e: "#2c6fbb" } as const;

/** Whether end-to-end fine-tuning gains more than equally long further training by the diffusion objective. */
export async function studyEqualLength(_session: Session, options: StudyOptions): Promise<readonly string[]> {
  const controls = await shippedControls();
  const variants = variantsOf(controls);
  return writeStudy({ ...options, scenes: undefined }, {
    id: "equalLength",
    title: "End-to-end fine-tuning against equally long diffusion training",
    question: "End-to-end fine-tuning is further training, so part of its gain might come from training longer. The paper puts the gain down to the objective: one step, compared with the truth as it will be used. Here: the same diffusion model, trained further by the diffusion objective on exactly as many samples as end to end, in miniature.",
    findings: [findingOf(variants)],
    svg: intervalChart([{ title: "Depth, by training and then by inference (leading steps are in the table only)", xLabel: "AbsRel, %", rows: variants.filter(({ inference }) => !inference.includes("leading")).map((variant) => ({ label: labelOf(variant), colour: colours[variant.training], figure: overSeeds(variant.absRel, 100) })) }]),
    alternative: "AbsRel of the diffusion model as it is, after further diffusion training and after end-to-end fine-tuning: a dot for each seed and their mean",
    table: {
      header: ["training; inference", "seeds", "AbsRel %", "delta1 %"],
      rows: variants.map((variant) => [labelOf(variant), String(variant.seeds.length), spreadText(overSeeds(variant.absRel, 100), 2), spreadText(overSeeds(variant.delta1, 100), 1)]),
    },
    settings: [...controlSettings(controls), "The optimiser, the learning rate and its schedule are the same for both ways of further training.", costText(variants)],
    data: { controls: { file: "training/logs/controls.json", sha256: controls.sha256 }, scenes: controls.scenes, variants },
    runs: [],
  });
}

/** Equal lengths are not equal times. */
function costText(variants: readonly Variant[]): string {
  const [further, endToEnd] = (["diffusion", "e2e"] as const).map((training) => mean(variants.filter((variant) => variant.training === training).flatMap(({ seconds }) => seconds)));
  return `Equally long means as many samples: end to end these took ${Math.round(endToEnd)} seconds of one core, ${(endToEnd / further).toFixed(1)} times as long as further diffusion training (${Math.round(further)}), since the decoder is run and differentiated with them. Equal times were not compared.`;
}

function labelOf({ training, inference }: Variant): string {
  return `${names[training]}; ${inference}`;
}

/** All ways of inference that were measured, of the three trainings that began with the diffusion model. */
function variantsOf(controls: Controls): readonly Variant[] {
  return (["none", "diffusion", "e2e"] as const).flatMap((training) => {
    const isOne = (run: ControlRun): boolean => run.from === "diffusion" && run.training === training && run.decoder === "frozen" && (training !== "e2e" || run.noise === "zeros");
    const inferences = [...new Set(controls.runs.filter(isOne).map(inferenceOf))];
    if (inferences.length === 0) controlScores(controls, names[training], isOne); // says what is missing
    return inferences.map((inference): Variant => ({ training, inference, ...controlScores(controls, names[training], (run) => isOne(run) && inferenceOf(run) === inference) }));
  });
}

function inferenceOf({ inference: { steps, spacing, noise } }: ControlRun): string {
  return `${steps} ${spacing} step${steps === 1 ? "" : "s"} from ${noise === "gaussian" ? "Gaussian noise" : noise === "pyramid" ? "pyramid noise" : "zeros"}`;
}

/** End to end against the best way of inference after further diffusion training, by `compareSeeds`. */
export function findingOf(variants: readonly Variant[]): string {
  const of = (training: Variant["training"]): Variant => variants.filter((variant) => variant.training === training).reduce((a, b) => (overSeeds(b.absRel).mean < overSeeds(a.absRel).mean ? b : a));
  const [none, longer, endToEnd] = [of("none"), of("diffusion"), of("e2e")];
  const text = ({ absRel }: Variant): string => spreadText(overSeeds(absRel, 100), 2, " %");
  const wins = countBelow(sceneMeans(endToEnd.absRel), sceneMeans(longer.absRel));
  const figures = `AbsRel ${text(endToEnd)} against ${text(longer)} at best (${longer.inference}); end to end is better in ${ofScenes(wins, endToEnd.absRel[0].length)}`;
  const share = gainShare(none, variants.find(({ training, inference }) => training === "diffusion" && inference === none.inference) ?? longer, endToEnd);
  switch (compareSeeds(overSeeds(endToEnd.absRel), overSeeds(longer.absRel))) {
    case "below":
      return `The paper's point shows at this scale: end-to-end fine-tuning is better than equally long further diffusion training (${figures}). Before either it was ${text(none)} at best (${none.inference})${share}.`;
    case "above":
      return `The paper's point does not show at this scale: equally long further diffusion training is better than end-to-end fine-tuning (${figures}). Before either it was ${text(none)} at best (${none.inference}).`;
    case "alike":
      return `The paper's point is not borne out at this scale: between end-to-end fine-tuning and equally long further diffusion training there is no difference that the seeds bear out (${figures}). Before either it was ${text(none)} at best (${none.inference}).`;
  }
}

/** How much of the gain longer training brings by itself, applied in the same way where that was measured. */
function gainShare(none: Variant, longer: Variant, endToEnd: Variant): string {
  const [start, further, end] = [none, longer, endToEnd].map(({ absRel }) => overSeeds(absRel).mean);
  if (end >= start) return "";
  const parts = [`end-to-end fine-tuning takes off ${((100 * (start - end)) / start).toFixed(1)} % of it`, further < start ? `longer diffusion training ${((100 * (start - further)) / start).toFixed(1)} % (${longer.inference})` : `longer diffusion training nothing (${longer.inference})`];
  return `: ${listed(parts)}`;
}
