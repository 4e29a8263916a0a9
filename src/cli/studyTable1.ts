import { intervalChart, type IntervalRow } from "./intervalChart";
import type { Session } from "./engine";
import { figureTexts, members, seedCount, settingsOf } from "./studyFig5";
import { ofScenes, writeStudy } from "./studyPage";
import { countBelow, measureHeldOut, seedsFrom, type Measured, type StudyOptions, type StudyRun } from "./studyScenes";
import { compareSeeds, overSeeds, sceneMeans, type OverSeeds } from "./studySpread";

interface Row extends StudyRun {
  readonly label: string;
  readonly colour: string;
  /** AbsRel on NYUv2 in the paper, percent; absent where it has no such row. */
  readonly paper?: string;
}

const [red, blue, grey] = ["#c0392b", "#2c6fbb", "#555555"];
const gaussian = { kind: "gaussian" } as const;

/** Fig. 5 has the same runs: they are measured once. */
const rows: readonly Row[] = [
  { name: "leading-50-x10", label: "leading, 50 steps, ensemble of 10", steps: 50, spacing: "leading", noise: gaussian, ensembleSize: members, tasks: ["depth"], colour: red, paper: "5.5" },
  { name: "leading-50", label: "leading, 50 steps", steps: 50, spacing: "leading", noise: gaussian, tasks: ["depth"], colour: red, paper: "6.0" },
  { name: "leading-1", label: "leading, 1 step", steps: 1, spacing: "leading", noise: gaussian, tasks: ["depth"], colour: red },
  { name: "trailing-50-x10", label: "trailing, 50 steps, ensemble of 10", steps: 50, spacing: "trailing", noise: gaussian, ensembleSize: members, tasks: ["depth"], colour: blue },
  { name: "trailing-50", label: "trailing, 50 steps", steps: 50, spacing: "trailing", noise: gaussian, tasks: ["depth"], colour: blue },
  { name: "trailing-1", label: "trailing, 1 step (DDIM fix)", steps: 1, spacing: "trailing", noise: gaussian, tasks: ["depth"], colour: blue, paper: "5.7" },
  { name: "e2e", label: "E2E fine-tuned, 1 step", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true, tasks: ["depth"], colour: grey, paper: "5.2" },
];

/** Table 1: what the schedule, an ensemble and end-to-end fine-tuning do to depth. */
export async function studyTable1(session: Session, options: StudyOptions): Promise<readonly string[]> {
  const measured = await measureHeldOut(session, rows, options, seedsFrom(options.seed, seedCount));
  const { scenes, seeds } = measured;
  const chartRows = (chosen: readonly Row[], column: "absRel" | "delta1"): readonly IntervalRow[] => chosen.map(({ name, label, colour }) => ({ label, colour, figure: overSeeds(measured.of(name).map((scores) => scores[column]), 100) }));
  return writeStudy(options, {
    id: "table1",
    title: "Table 1: the schedule, an ensemble and end-to-end fine-tuning",
    question: `The paper's main table of depth: with the fixed schedule one step (NYUv2: AbsRel 5.7) is better than 50 steps as released (6.0) and nearly as good as an ensemble of ten times 50 (5.5), at a 500th of the cost; end-to-end fine-tuning (5.2) is better than all. The LCM model of the paper has no counterpart among the shipped models. Here: the shipped small models on ${scenes.length} held-out rendered scenes, each with ${seeds.length} seeds of the noise.`,
    findings: [findingOf(measured)],
    svg: intervalChart([
      { title: "Depth", xLabel: "AbsRel, %", rows: chartRows(rows, "absRel") },
      { title: "Depth, without one leading step", xLabel: "AbsRel, %", rows: chartRows(rows.filter(({ name }) => name !== "leading-1"), "absRel") },
    ]),
    alternative: "AbsRel of depth for each setting: a dot for each seed and their mean",
    table: {
      header: ["", "steps", "ensemble", "runs of the network", "AbsRel %", "delta1 %", "paper, NYUv2: AbsRel %"],
      rows: rows.map(({ name, label, steps, ensembleSize = 1, paper }) => [label.replace(/, \d.*?( \(|$)/, "$1"), String(steps), String(ensembleSize), String(steps * ensembleSize), ...figureTexts(measured.of(name)).slice(0, 2), paper ?? ""]),
    },
    settings: [...settingsOf(measured), "The paper's figures are of other images and a model hundreds of times larger: only the order can be compared. [fig5.md](fig5.md) has the numbers of steps between."],
    data: { scenes, seeds, scores: Object.fromEntries(rows.map(({ name }) => [name, measured.of(name)])) },
    runs: measured.runs,
  });
}

/** Whether the paper's order shows, by `compareSeeds`. */
export function findingOf(measured: Pick<Measured, "of" | "scenes">): string {
  const of = (run: string): readonly (readonly number[])[] => measured.of(run).map(({ absRel }) => absRel);
  const figure = (run: string): OverSeeds => overSeeds(of(run), 100);
  const text = (run: string): string => `${figure(run).mean.toFixed(1)} %`;
  const betterIn = (a: string, b: string): string => ofScenes(countBelow(sceneMeans(of(a)), sceneMeans(of(b))), measured.scenes.length);
  const word = { below: "better than", above: "worse than", alike: "no different, as far as the seeds bear out, from" } as const;
  const sentence = (a: string, b: string, name: string): string => `${word[compareSeeds(figure(a), figure(b))]} ${name} (${text(b)}; better in ${betterIn(a, b)})`;
  const fixed = compareSeeds(figure("trailing-1"), figure("leading-50")) === "below";
  const broken = compareSeeds(figure("leading-1"), figure("leading-50")) === "above" && figure("leading-1").mean > 1.2 * figure("leading-50").mean;
  const unbeaten = rows.filter(({ name }) => name !== "e2e" && compareSeeds(figure("e2e"), figure(name)) !== "below");
  const endToEnd = unbeaten.length === 0 ? `end-to-end fine-tuning is better than all of them (${text("e2e")})` : `end-to-end fine-tuning (${text("e2e")}) is not better than ${unbeaten.map(({ label }) => label).join("; ")}`;
  return `The paper's order ${fixed && broken && unbeaten.length === 0 ? "shows at this scale" : "shows in part at this scale"}: one step with the fixed schedule (${text("trailing-1")}) is ${sentence("trailing-1", "leading-50", "50 steps as released")} and ${sentence("trailing-1", "leading-50-x10", "an ensemble of ten times 50 as released")}; one step as released is ${broken ? "far worse" : "not far worse"} (${text("leading-1")}); ${endToEnd}.`;
}
