import { noisePlan, type PlannedStep, type StepNoise } from "./schedulers/noiseLevels";

/** What is told about one run. */
export interface NoiseRun {
  readonly label: string;
  readonly plan: readonly PlannedStep[];
  /** Starts from zeros instead of noise. */
  readonly zeros: boolean;
  /** Fine-tuned end to end: on zeros and the last timestep. */
  readonly endToEnd: boolean;
}

interface ToldRun extends NoiseRun {
  readonly plan: readonly StepNoise[];
}

/** Gaps of noise levels (0..1) that are rounding of the schedule, and those that a network does not notice. */
const exact = 0.005;
const slight = 0.01;

/** Runs whose gap has a sentence of its own. */
const mostTold = 3;

/** What the noise levels of the runs on show mean, in sentences, the worst first; empty without runs. */
export function noiseStory(runs: readonly NoiseRun[]): readonly string[] {
  const planned = runs.map((run) => ({ ...run, plan: noisePlan(run.plan) })).filter(({ plan }) => plan.length > 0);
  const worst = (run: ToldRun): number => Math.max(...run.plan.map(gapOf));
  const [fitting, gaping] = [planned.filter((run) => worst(run) <= slight), planned.filter((run) => worst(run) > slight)];
  const flawed = gaping.filter((run) => !isMeant(run)).sort((a, b) => worst(b) - worst(a));
  const sentences = flawed.slice(0, mostTold).map(gapSentence);
  if (flawed.length > mostTold) sentences.push(`${listed(flawed.slice(mostTold).map(({ label }) => label))}: less so.`);
  sentences.push(...gaping.filter(isMeant).map(gapSentence));
  if (fitting.length === 0) return sentences;
  const close = fitting.every((run) => worst(run) <= exact) ? "" : ` to within ${Math.max(...fitting.map(worst)).toFixed(3)}`;
  const whose = gaping.length === 0 ? "Told" : `${listed(fitting.map(({ label }) => label))}: told`;
  return [...sentences, `${whose} and real noise agree at every step${close}.`];
}

function gapOf({ toldNoise, inputNoise }: StepNoise): number {
  return Math.abs(toldNoise - inputNoise);
}

/** Whether the gap is what the model was made for. */
function isMeant({ zeros, endToEnd }: NoiseRun): boolean {
  return zeros && endToEnd;
}

function gapSentence(run: ToldRun): string {
  const { label, plan, zeros, endToEnd } = run;
  const at = plan.reduce((most, step, i) => (gapOf(step) > gapOf(plan[most]) ? i : most), 0);
  const { timestep, toldNoise, inputNoise } = plan[at];
  const told = `t = ${timestep}, a noise level of ${level(toldNoise)}`;
  const where = plan.length === 1 ? "" : at === 0 ? "at the first step " : `at step ${at + 1} of ${plan.length} `;
  if (zeros && at === 0 && inputNoise === 0) {
    const begin = `${label}: ${where}the model is told ${told}, but the input holds no noise: `;
    return begin + (endToEnd ? "it was fine-tuned for exactly this." : "it was trained on noisy inputs only, and looks for noise that is not there.");
  }
  const input = `the input ${inputNoise > 0.99 ? "is pure noise" : "holds more noise"} (level ${level(inputNoise)})`;
  if (toldNoise >= inputNoise) return `${label}: ${where}the model is told ${told}, but the input holds less (level ${level(inputNoise)}): it takes a part of the picture for noise.`;
  const part = toldNoise < 0.5 ? "the noise" : "a part of the noise";
  return `${label}: ${where}${input}, but the model is told ${told}: it takes ${part} for the picture.`;
}

/** Two decimals; three where they would round to 1. */
function level(noise: number): string {
  const two = noise.toFixed(2);
  return two === "1.00" && noise < 1 ? noise.toFixed(3) : two;
}

/** "a", "a and b", "a, b and c", "a, b and 3 more". */
function listed(names: readonly string[]): string {
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown[shown.length - 1]}`;
}
