import { stepsChart, type ChartPanel, type ChartSeries } from "./lineChart";
import type { Session } from "./engine";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, mean, measureHeldOut, type Measured, type Scores, type StudyOptions, type StudyRun } from "./studyScenes";

const steps = [1, 2, 4, 10, 50] as const;
const spacings = ["leading", "trailing"] as const;
const gaussian = { kind: "gaussian" } as const;

const runs: readonly StudyRun[] = [
  ...spacings.flatMap((spacing) => steps.map((count): StudyRun => ({ name: `${spacing}-${count}`, steps: count, spacing, noise: gaussian }))),
  { name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true },
];

type Quantity = "absRel" | "meanAngle";
const scaleOf = { absRel: 100, meanAngle: 1 } as const;
const unitOf = { absRel: " %", meanAngle: "°" } as const;

/** Fig. 5 (and A-3): the error over the number of steps, with both spacings. */
export async function studyFig5(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const measured = await measureHeldOut(session, runs, options);
  const figure = (run: string, quantity: Quantity): number => scaleOf[quantity] * mean(measured.of(run)[quantity]);
  const seriesOf = (quantity: Quantity, from: number): readonly ChartSeries[] =>
    spacings.map((spacing, i) => ({
      name: ["leading (as released)", "trailing (fixed)"][i],
      colour: ["#c0392b", "#2c6fbb"][i],
      points: steps.filter((count) => spacing === "trailing" || count >= from).map((x) => ({ x, y: figure(`${spacing}-${x}`, quantity) })),
    }));
  const panel = (quantity: Quantity, name: string, yLabel: string, from: number): ChartPanel => ({
    title: from > 1 ? `${name}, without leading at one and two steps` : name, yLabel, series: seriesOf(quantity, from), level: { name: "E2E fine-tuned, one step", y: figure("e2e", quantity) },
  });
  const panels = [1, 4].flatMap((from) => [panel("absRel", "Depth", "AbsRel, %", from), panel("meanAngle", "Normals", "mean angle, °", from)]);
  return writeStudy(options, {
    id: "fig5",
    title: "Fig. 5: errors over the number of denoising steps",
    question: `The paper finds that with the timesteps as released (leading) one step is useless; that with the fix (trailing) every number of steps is better than without, and more steps make the prediction worse, not better; and that end-to-end fine-tuning beats them all. Here: the shipped small models on ${measured.scenes.length} held-out rendered scenes.`,
    findings: (["absRel", "meanAngle"] as const).map((quantity) => findingOf(quantity, measured)),
    svg: stepsChart(panels, steps),
    alternative: "Depth and normals errors over 1, 2, 4, 10 and 50 steps, leading and trailing, with the end-to-end fine-tuned models as a line",
    table: {
      header: ["", "steps", "AbsRel %", "delta1 %", "mean angle °", "< 11.25° %"],
      rows: runs.map(({ name, steps: count, spacing, endToEnd }) => {
        const { delta1, below11 } = measured.of(name);
        return [endToEnd ? "E2E fine-tuned" : spacing, String(count), figure(name, "absRel").toFixed(2), (100 * mean(delta1)).toFixed(1), figure(name, "meanAngle").toFixed(2), mean(below11).toFixed(1)];
      }),
    },
    settings: [
      `Held-out scenes ${measured.scenes[0]} to ${measured.scenes[measured.scenes.length - 1]} of test/heldout; means over the scenes. Depth is aligned to the truth by scale and shift (least squares).`,
      `Gaussian noise, seed ${options.seed}, the same for every run of a scene; no ensemble. The end-to-end models start from zeros.`,
    ],
    data: { scenes: measured.scenes, seed: options.seed, scores: Object.fromEntries(runs.map(({ name }) => [name, measured.of(name)])) },
    runs: measured.provenance,
  });
}

/** Which of the paper's three findings show, and where they do not. */
export function findingOf(quantity: Quantity, measured: Pick<Measured, "of" | "scenes">): string {
  const n = measured.scenes.length;
  const of = (run: string): Scores[Quantity] => measured.of(run)[quantity];
  const text = (run: string): string => `${(scaleOf[quantity] * mean(of(run))).toFixed(1)}${unitOf[quantity]}`;
  const worse = steps.filter((count) => mean(of(`trailing-${count}`)) >= mean(of(`leading-${count}`)));
  const fix = `with one step the fix takes the error from ${text("leading-1")} to ${text("trailing-1")} (better in ${ofScenes(countBelow(of("trailing-1"), of("leading-1")), n)})`;
  const always = worse.length === 0 ? "trailing is better than leading at every number of steps" : `trailing is not better than leading at ${worse.join(" and ")} steps`;
  const rising = steps.every((count, i) => i === 0 || mean(of(`trailing-${count}`)) >= mean(of(`trailing-${steps[i - 1]}`)));
  const best = steps.reduce((a, b) => (mean(of(`trailing-${b}`)) < mean(of(`trailing-${a}`)) ? b : a));
  const level = best !== 1 && mean(of("trailing-1")) <= 1.01 * mean(of(`trailing-${best}`)) && mean(of("trailing-50")) > mean(of("trailing-1"));
  const fewer = level
    ? `${best} steps (${text(`trailing-${best}`)}) are within 1 % of one and more make it worse (${text("trailing-50")} at 50; one step is better in ${ofScenes(countBelow(of("trailing-1"), of("trailing-50")), n)})`
    : best === 1
    ? `more steps make it ${rising ? "worse at every count" : "worse, though not at every count"} (${text("trailing-50")} at 50; one step is better in ${ofScenes(countBelow(of("trailing-1"), of("trailing-50")), n)})`
    : `but ${best} steps (${text(`trailing-${best}`)}) are better than one, which the paper does not see`;
  const bestRun = runs.reduce((a, b) => (mean(of(b.name)) < mean(of(a.name)) ? b : a));
  const endToEnd = bestRun.name === "e2e" ? `and end-to-end fine-tuning is best of all (${text("e2e")})` : `but end-to-end fine-tuning (${text("e2e")}) is not the best`;
  const holds = worse.length === 0 && best === 1 && bestRun.name === "e2e";
  return `${quantity === "absRel" ? "Depth" : "Normals"}: the paper's findings ${holds ? "show at this scale" : "show in part"}: ${fix}; ${always}; ${fewer}; ${endToEnd}.`;
}
