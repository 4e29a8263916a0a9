import { stepsChart, type ChartPanel, type ChartSeries } from "./lineChart";
import type { Session } from "./engine";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, measureHeldOut, seedsFrom, type Measured, type Scores, type StudyOptions, type StudyRun } from "./studyScenes";
import { compareSeeds, comparisonText, listed, overSeeds, sceneMeans, spreadText, type OverSeeds } from "./studySpread";

export const steps = [1, 2, 4, 10, 20, 50] as const;
const spacings = ["leading", "trailing"] as const;
type Spacing = (typeof spacings)[number];
export const members = 10;
export const seedCount = 3;

const nameOf = (spacing: Spacing, count: number, isEnsemble = false): string => `${spacing}-${count}${isEnsemble ? `-x${members}` : ""}`;

const runs: readonly StudyRun[] = [
  ...spacings.flatMap((spacing) => steps.map((count): StudyRun => ({ name: nameOf(spacing, count), steps: count, spacing, noise: { kind: "gaussian" } }))),
  ...spacings.flatMap((spacing) => steps.map((count): StudyRun => ({ name: nameOf(spacing, count, true), steps: count, spacing, noise: { kind: "gaussian" }, ensembleSize: members, tasks: ["depth"] }))),
  { name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true },
];

type Quantity = "absRel" | "meanAngle";
const scaleOf = { absRel: 100, meanAngle: 1 } as const;
const unitOf = { absRel: " %", meanAngle: "°" } as const;

/** Fig. 5 (and A-3): the error over the number of steps, with both spacings, of depth also with an ensemble. */
export async function studyFig5(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const measured = await measureHeldOut(session, runs, options, seedsFrom(options.seed, seedCount));
  const { scenes, seeds } = measured;
  return writeStudy(options, {
    id: "fig5",
    title: "Fig. 5: errors over the number of denoising steps",
    question: `The paper finds that with the timesteps as released (leading) one step is useless; that with the fix (trailing) every number of steps is better than without, and more steps make the prediction worse, not better; that an ensemble of ten helps from two steps on; and that end-to-end fine-tuning beats them all. Here: the shipped small models on ${scenes.length} held-out rendered scenes, each with ${seeds.length} seeds of the noise.`,
    findings: (["absRel", "meanAngle"] as const).map((quantity) => findingOf(quantity, measured)),
    svg: stepsChart(panelsOf(measured), steps),
    alternative: `Depth and normals errors over ${listed(steps)} steps, leading and trailing, of depth also with an ensemble of ten, with the end-to-end fine-tuned models as a line`,
    table: {
      header: ["", "steps", "ensemble", "AbsRel %", "delta1 %", "mean angle °", "< 11.25° %"],
      rows: runs.map(({ name, steps: count, spacing, ensembleSize = 1, endToEnd }) => [endToEnd ? "E2E fine-tuned" : spacing, String(count), String(ensembleSize), ...figureTexts(measured.of(name))]),
    },
    settings: [
      ...settingsOf(measured),
      `Normals without an ensemble. The end-to-end models start from zeros, so no seed changes them.`,
    ],
    data: { scenes, seeds, scores: Object.fromEntries(runs.map(({ name }) => [name, measured.of(name)])) },
    runs: measured.runs,
  });
}

/** AbsRel, delta1, mean angle and the share below 11.25 degrees of one row; empty where it was not run. */
export function figureTexts(bySeed: readonly Scores[]): readonly string[] {
  const text = (column: keyof Scores, scale: number, digits: number): string => (bySeed[0][column].length === 0 ? "" : spreadText(overSeeds(bySeed.map((scores) => scores[column]), scale), digits));
  return [text("absRel", 100, 2), text("delta1", 100, 1), text("meanAngle", 1, 2), text("below11", 1, 1)];
}

/** How scenes, seeds and spread of a page are meant. */
export function settingsOf({ scenes, seeds }: Pick<Measured, "scenes" | "seeds">): readonly string[] {
  return [
    `Held-out scenes ${scenes[0]} to ${scenes[scenes.length - 1]} of test/heldout (${scenes.length}); means over the scenes. Depth is aligned to the truth by scale and shift (least squares).`,
    `Gaussian noise of the seeds ${listed(seeds)}, the same for every run of a scene. A figure is the mean over the seeds, with the lowest and the highest of them. ${comparisonText} The seeds say nothing of how other scenes would come out.`,
  ];
}

function panelsOf(measured: Measured): readonly ChartPanel[] {
  const figure = (run: string, quantity: Quantity): OverSeeds => overSeeds(measured.of(run).map((scores) => scores[quantity]), scaleOf[quantity]);
  const seriesOf = (quantity: Quantity, from: number): readonly ChartSeries[] =>
    (quantity === "absRel" ? [false, true] : [false]).flatMap((isEnsemble) =>
      spacings.map((spacing, i): ChartSeries => ({
        name: `${["leading (as released)", "trailing (fixed)"][i]}${isEnsemble ? `, ensemble of ${members}` : ""}`,
        colour: (isEnsemble ? ["#e08a5b", "#74add1"] : ["#c0392b", "#2c6fbb"])[i],
        dashed: isEnsemble,
        points: steps.filter((count) => spacing === "trailing" || count >= from).map((x) => {
          const { mean: y, low, high } = figure(nameOf(spacing, x, isEnsemble), quantity);
          return { x, y, low, high };
        }),
      })),
    );
  const panel = (quantity: Quantity, name: string, yLabel: string, from: number): ChartPanel => ({
    title: from > 1 ? `${name}, closer: without leading at one and two steps` : name, yLabel, series: seriesOf(quantity, from), ...(from === 1 && { level: { name: "E2E fine-tuned, one step", y: figure("e2e", quantity).mean } }),
  });
  return [1, 4].flatMap((from) => [panel("absRel", "Depth", "AbsRel, %", from), panel("meanAngle", "Normals", "mean angle, °", from)]);
}

/** Which of the paper's findings show, and where they do not, by `compareSeeds`. */
export function findingOf(quantity: Quantity, measured: Pick<Measured, "of" | "scenes">): string {
  const of = (run: string): readonly (readonly number[])[] => measured.of(run).map((scores) => scores[quantity]);
  const figure = (run: string): OverSeeds => overSeeds(of(run), scaleOf[quantity]);
  const text = (run: string): string => `${figure(run).mean.toFixed(1)}${unitOf[quantity]}`;
  const betterIn = (a: string, b: string): string => ofScenes(countBelow(sceneMeans(of(a)), sceneMeans(of(b))), measured.scenes.length);
  const compare = (a: string, b: string): ReturnType<typeof compareSeeds> => compareSeeds(figure(a), figure(b));

  const notBetter = steps.filter((count) => compare(nameOf("trailing", count), nameOf("leading", count)) !== "below");
  const fix = `with one step the fix takes the error from ${text("leading-1")} to ${text("trailing-1")} (better in ${betterIn("trailing-1", "leading-1")})`;
  const always = notBetter.length === 0 ? `trailing is better than leading at every number of steps (${text("leading-50")} to ${text("trailing-50")} at 50)` : `at ${listed(notBetter)} steps the seeds bear out no advantage of trailing over leading`;
  const { text: fewer, holds: isFewer } = fewerSteps(text, compare, betterIn);
  const ensemble = quantity === "absRel" ? ensembleText(text, compare) : undefined;
  const others = runs.map(({ name }) => name).filter((name) => name !== "e2e" && (quantity === "absRel" || !name.endsWith(`-x${members}`)));
  const unbeaten = others.filter((name) => compare("e2e", name) !== "below");
  const endToEnd = unbeaten.length === 0 ? `and end-to-end fine-tuning is best of all (${text("e2e")})` : `but end-to-end fine-tuning (${text("e2e")}) is not better than ${listed(unbeaten)}`;
  const holds = notBetter.length === 0 && isFewer && (ensemble?.holds ?? true) && unbeaten.length === 0;
  return `${quantity === "absRel" ? "Depth" : "Normals"}: the paper's findings ${holds ? "show at this scale" : "show in part"}: ${[fix, always, fewer, ensemble?.text, endToEnd].filter((part) => part !== undefined).join("; ")}.`;
}

type Text = (run: string) => string;
type Compare = (a: string, b: string) => ReturnType<typeof compareSeeds>;

/** Of trailing without an ensemble: whether more steps than one are worse. */
function fewerSteps(text: Text, compare: Compare, betterIn: (a: string, b: string) => string): { readonly text: string; readonly holds: boolean } {
  const more = steps.slice(1);
  const against = (verdict: ReturnType<typeof compareSeeds>): readonly number[] => more.filter((count) => compare(nameOf("trailing", count), "trailing-1") === verdict);
  const [worse, alike, better] = [against("above"), against("alike"), against("below")];
  const many = `${text("trailing-50")} at 50; one step is better in ${betterIn("trailing-1", "trailing-50")}`;
  if (better.length > 0) return { holds: false, text: `but ${listed(better)} steps (${listed(better.map((count) => text(nameOf("trailing", count))))}) are better than one (${text("trailing-1")}), which the paper does not see` };
  if (worse.length === 0) return { holds: false, text: `the seeds bear out no difference between one step and more (${many})` };
  return { holds: worse.includes(50), text: `more steps make it worse (${many})${alike.length > 0 ? `, though at ${listed(alike)} the seeds bear out no difference` : ""}` };
}

/** At which numbers of steps ten members are better than one. */
function ensembleText(text: Text, compare: Compare): { readonly text: string; readonly holds: boolean } {
  const parts = spacings.map((spacing) => {
    const helped = steps.filter((count) => compare(nameOf(spacing, count, true), nameOf(spacing, count)) === "below");
    const change = `${text(nameOf(spacing, 50))} to ${text(nameOf(spacing, 50, true))} at 50`;
    return { spacing, helped, text: helped.length === steps.length ? `at every number of ${spacing} steps (${change})` : helped.length === 0 ? `at no number of ${spacing} steps (${change})` : `at ${listed(helped)} ${spacing} steps (${change})` };
  });
  const holds = parts.every(({ helped }) => steps.slice(1).every((count) => helped.includes(count)));
  return { holds, text: `an ensemble of ten helps ${listed(parts.map((part) => part.text))}` };
}
