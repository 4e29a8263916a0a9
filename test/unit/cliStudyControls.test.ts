import assert from "node:assert/strict";
import { PlumblineError } from "../../src/core/errors";
import { intervalChart } from "../../src/cli/intervalChart";
import { controlScores, controlSettings } from "../../src/cli/studyControls";
import { parseControls, readControls } from "../../src/evaluation/controls";
import { findingOf as findingOfEqualLength, type Variant } from "../../src/cli/studyEqualLength";
import { compareSeeds, overSeeds, spreadText } from "../../src/cli/studySpread";
import { findingsOf as findingsOfTable4 } from "../../src/cli/studyTable4";
import { findingOf as findingOfTableA2 } from "../../src/cli/studyTableA2";

/** Invented: two scenes about a mean. */
const scene = (mean: number): number[] => [mean - 0.01, mean + 0.01];
/** Three seeds about a mean, in another order for runs that are compared. */
const seeds = (mean: number, order = [-1, 0, 1]): number[][] => order.map((factor) => scene(mean + 0.001 * factor));
const turned = [1, -1, 0];
const run = (seed: number, mean: number, rest: object = {}): Record<string, unknown> => ({
  from: "diffusion", training: "e2e", noise: "zeros", decoder: "frozen", seed, inference: { steps: 1, spacing: "trailing", noise: "zeros" }, scores: { absRel: scene(mean), delta1: scene(0.8) }, seconds: 1, ...rest,
});
const invented = {
  command: "python3 controls.py configs/controls.json", config: "configs/controls.json", size: [96, 128], heldout: 2, scenes: ["000", "001"], samples: { before: 40000, diffusion: 44800, fineTuning: 3000 }, batch: 8,
  runs: [run(2, 0.22), run(1, 0.21), run(1, 0.3, { training: "none", noise: null }), run(2, 0.3, { training: "none", noise: null })],
};
const parse = (value: object): ReturnType<typeof parseControls> => parseControls(JSON.stringify(value), "controls.json");

describe("cli/studyControls", () => {
  it("reads the runs that are alike but for their seed, in the order of the seeds", () => {
    const controls = parse(invented);
    const found = controlScores(controls, "e2e", ({ training }) => training === "e2e");
    assert.deepEqual(found.seeds, [1, 2]);
    assert.deepEqual(found.absRel, [scene(0.21), scene(0.22)]);
    assert.match(controlSettings(controls).join("\n"), /96 x 128 pixels, 2 held-out.*44,800 samples.*3,000 samples in batches of 8[\s\S]*Seeds: 1, 2;[\s\S]*`python3 controls\.py configs\/controls\.json`/);
  });

  it("reads those that come with Plumbline", async () => {
    const controls = await readControls("training/logs/controls.json");
    assert.equal(controls.scenes.length, 48);
    assert.deepEqual(controlScores(controls, "zeros", ({ from, training, noise, decoder }) => from === "diffusion" && training === "e2e" && noise === "zeros" && decoder === "frozen").seeds, [1, 2, 3]);
  });

  it("says what is missing or wrong, and which command makes the file", async () => {
    const isWith = (expected: RegExp) => (error: unknown) => error instanceof PlumblineError && expected.test(error.message) && /python3 controls\.py/.test(error.remedy);
    await assert.rejects(readControls("/nowhere/controls.json"), isWith(/training controls at \/nowhere/));
    assert.throws(() => controlScores(parse(invented), "a tuned decoder", ({ decoder }) => decoder === "tuned"), isWith(/for a tuned decoder/));
    assert.throws(() => parseControls("{", "controls.json"), isWith(/JSON for controls\.json but received "\{"/));
    assert.throws(() => parse({ ...invented, size: [96] }), isWith(/training controls for controls\.json .*size/));
    for (const [wrong, expected] of [
      [{ noise: "loud" }, /runs\.0\.noise: .*"gaussian".*"pyramid".*"zeros"/],
      [{ seed: "1" }, /runs\.0\.seed: .*number/],
      [{ inference: { steps: 1, spacing: "none", noise: "zeros" } }, /runs\.0\.inference\.spacing: /],
      [{ scores: { absRel: [0.1], delta1: scene(0.8) } }, /runs\.0\.scores\.absRel: expected 2 numbers, one a scene, but received 1/],
      [{ scores: { absRel: [0.1, null], delta1: scene(0.8) } }, /runs\.0\.scores\.absRel\.1: /],
    ] as const) assert.throws(() => parse({ ...invented, runs: [run(1, 0.2, wrong)] }), isWith(expected));
    assert.throws(() => parse({ ...invented, runs: [...invented.runs, run(3, 0.2)] }), isWith(/runs: expected every run with the same seeds but received 1, 2, 3 of one and 1, 2 of another/));
  });
});

describe("cli/studySpread", () => {
  const of = (...values: number[]) => overSeeds(values.map((value) => [value]));

  it("takes a difference for one where the seeds lie apart, or where it is larger than its spread from seed to seed", () => {
    assert.equal(compareSeeds(of(10, 10.1, 13), of(14, 17.5, 14.1)), "below"); // 4, 7.4 and 1.1: 4.2 on average, 6.3 apart, and every seed below every other
    assert.equal(compareSeeds(of(10, 12, 14), of(11, 13, 15)), "below"); // always 1, though the ranges overlap
    assert.equal(compareSeeds(of(11, 13, 15), of(10, 12, 14)), "above");
    assert.equal(compareSeeds(of(10, 12, 14), of(10.5, 12.5, 16)), "alike"); // 0.5, 0.5 and 2: 1 on average, 1.5 apart
  });

  it("holds a figure that no seed changes against each, and takes one seed for no evidence", () => {
    assert.equal(compareSeeds(of(5), of(10, 11, 12)), "below");
    assert.equal(compareSeeds(of(10), of(9, 11, 12)), "alike");
    assert.equal(compareSeeds(of(5), of(10)), "alike");
  });

  it("says a figure with its range", () => {
    assert.equal(spreadText(overSeeds([[0.2, 0.3], [0.2, 0.2]], 100), 1), "22.5 (20.0 to 25.0)");
    assert.equal(spreadText(of(3), 2), "3.00");
  });
});

describe("what the training controls find, in words", () => {
  const trained = (means: Readonly<Record<string, number>>) => (origin: string, kind: string) => ({ seeds: [1, 2, 3], seconds: [1, 1, 1], absRel: seeds(means[`${origin} ${kind}`], (kind === "zeros") === (origin === "before") ? turned : undefined), delta1: seeds(0.8) });
  const paper = { "diffusion gaussian": 0.205, "diffusion pyramid": 0.206, "diffusion zeros": 0.2, "before gaussian": 0.22, "before pyramid": 0.23, "before zeros": 0.208 };

  it("says of Table 4 whether zeros are best, whether it matters, and whether the beginning does", () => {
    const [after, before, origins] = findingsOfTable4(trained(paper));
    assert.match(after, /^Fine-tuned from the diffusion model: the paper's order \(zeros slightly best\) shows: zeros are better than Gaussian and pyramid noise .*zeros 20\.00 % \(19\.90 to 20\.10\); zeros beat Gaussian noise in 2 of 2 scenes\)\. The choice matters little: 3\.0 %/);
    assert.match(before, /^Fine-tuned from the model before it: .* shows: .* matters more than in the paper: 10\.6 %/);
    assert.match(origins, /comparable results \(less than 10 % apart\) shows at this scale \(20\.80 % \(20\.70 to 20\.90\) against 20\.00 .* 4\.0 % more; .* better beginning in 2 of 2 scenes/);
  });

  it("says of Table 4 what the seeds do not bear out", () => {
    const [alike, worse, origins] = findingsOfTable4(trained({ ...paper, "diffusion gaussian": 0.2015, "diffusion pyramid": 0.1985, "before zeros": 0.225, "before gaussian": 0.22 }));
    assert.match(alike, /is not borne out: between zeros and Gaussian and pyramid noise there is no difference that the seeds bear out/);
    assert.match(worse, /does not show: zeros are better than pyramid noise and zeros are worse than Gaussian noise/);
    assert.match(origins, /does not show at this scale.* 12\.5 % more/);
    assert.match(findingsOfTable4(trained({ ...paper, "before zeros": 0.201 }))[2], /no difference that the seeds bear out/);
  });

  it("says of Table A-2 whether tuning the decoder gains anything", () => {
    assert.match(findingOfTableA2({ absRel: seeds(0.2) }, { absRel: seeds(0.201, turned) }), /^The paper's finding shows .* no difference that the seeds bear out \(AbsRel 20\.10 % \(20\.00 to 20\.20\) with the decoder tuned.* better in 0 of 2 scenes\)/);
    assert.match(findingOfTableA2({ absRel: seeds(0.2) }, { absRel: seeds(0.21, turned) }), /^The paper's finding shows .* makes things worse/);
    assert.match(findingOfTableA2({ absRel: seeds(0.2) }, { absRel: seeds(0.19, turned) }), /does not show at this scale: fine-tuning the decoder gains 5\.0 %/);
  });

  it("holds end-to-end fine-tuning against the best that further diffusion training gives", () => {
    const variant = (training: Variant["training"], mean: number, inference = "1 trailing step from zeros"): Variant => ({ training, inference, seeds: [1, 2, 3], seconds: [1, 1, 1], absRel: seeds(mean, training === "e2e" ? turned : undefined), delta1: seeds(0.8) });
    const further = [variant("none", 0.25), variant("none", 0.4, "1 leading step from Gaussian noise"), variant("diffusion", 0.245), variant("diffusion", 0.24, "10 trailing steps from Gaussian noise")];
    assert.match(findingOfEqualLength([...further, variant("e2e", 0.2)]), /^The paper's point shows .*AbsRel 20\.00 % \(19\.90 to 20\.10\) against 24\.00 % \(23\.90 to 24\.10\) at best \(10 trailing steps from Gaussian noise\); end to end is better in 2 of 2 scenes\)\. Before either it was 25\.00 % \(24\.90 to 25\.10\) at best \(1 trailing step from zeros\): end-to-end fine-tuning takes off 20\.0 % of it and longer diffusion training 2\.0 % \(1 trailing step from zeros\)\.$/);
    assert.match(findingOfEqualLength([...further, variant("e2e", 0.2405)]), /not borne out at this scale/);
    assert.match(findingOfEqualLength([...further, variant("e2e", 0.27)]), /does not show at this scale: equally long further diffusion training is better/);
  });
});

describe("cli/intervalChart", () => {
  it("has a dot for each seed, in its place, between the ends of a line, and the mean", () => {
    const figure = overSeeds([[0.2], [0.24], [0.22]], 100);
    const draw = (): string => intervalChart([{ title: "Depth <1>", xLabel: "AbsRel, %", rows: [{ label: "zeros", colour: "#2c6fbb", figure }, { label: "one seed", colour: "#c77b1e", figure: overSeeds([[0.3]], 100) }] }]);
    const svg = draw();
    assert.equal(svg, draw());
    const dots = [...svg.matchAll(/<circle [^>]*fill="#2c6fbb"[^>]*cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    const [, right, left] = /aria-label="rule"><line stroke="#2c6fbb" [^>]*x2="([\d.]+)" x1="([\d.]+)"/.exec(svg) ?? [];
    const middle = Number(/aria-label="tick"><line stroke="#2c6fbb" [^>]*x1="([\d.]+)"/.exec(svg)?.[1]);
    assert.deepEqual([Math.min(...dots), Math.max(...dots)], [Number(left), Number(right)]);
    assert.ok(Math.abs(middle - (dots[0] + dots[1]) / 2) < 0.01 && Math.abs(middle - dots[2]) < 0.01, `${middle} of ${dots.join(" ")}`);
    assert.equal(svg.match(/aria-label="rule">.*?<\/g>/)?.[0].match(/<line/g)?.length, 1);
    for (const text of ["Depth &lt;1&gt;", "zeros", "one seed", "AbsRel, %"]) assert.ok(svg.includes(text), text);
  });
});
