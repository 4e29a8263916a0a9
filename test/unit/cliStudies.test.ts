import assert from "node:assert/strict";
import { InvalidArgumentError } from "commander";
import { parseRun, presetOf } from "../../src/cli/comparedRuns";
import { stepsChart } from "../../src/cli/lineChart";
import { findingOf as findingOfFig2 } from "../../src/cli/studyFig2";
import { findingOf as findingOfFig5 } from "../../src/cli/studyFig5";
import { findingOf as findingOfStartingNoise } from "../../src/cli/studyStartingNoise";
import { findingOf as findingOfTable1 } from "../../src/cli/studyTable1";
import type { Scores } from "../../src/cli/studyScenes";

/** Three scenes about a mean. */
const scores = (mean: number): Scores => ({ absRel: [mean - 0.01, mean, mean + 0.01], delta1: [0, 0, 0], meanAngle: [100 * mean - 1, 100 * mean, 100 * mean + 1], below11: [0, 0, 0] });
const seedSpread = 0.001;
const orders = [[-1, 0, 1], [1, 0, -1], [0, 1, -1], [-1, 1, 0], [1, -1, 0], [0, -1, 1]];
/** Three seeds about a mean, in another order for runs that are compared; one where nothing is drawn. */
const measuredOf = (means: Readonly<Record<string, number>>) => ({
  scenes: ["000", "001", "002"],
  of: (run: string) => {
    const order = orders[(Number(run.includes("-1-") || run.endsWith("-1")) + 2 * Number(run.startsWith("leading")) + 4 * Number(run.endsWith("-x10"))) % orders.length];
    return (run === "e2e" ? [0] : order).map((factor) => scores(means[run] + factor * seedSpread));
  },
});
const ofOneSeed = (means: Readonly<Record<string, number>>) => ({ scenes: ["000", "001", "002"], of: (run: string) => [scores(means[run])] });

describe("cli/comparedRuns", () => {
  it("reads a run of --run, and several one after another", () => {
    const first = parseRun("label=Ten steps, steps=10,spacing=leading,noise=zeros,ensemble=3,seed=7,model=a,model=./b", []);
    assert.deepEqual(first, [{ label: "Ten steps", steps: 10, spacing: "leading", noise: { kind: "zeros" }, ensemble: 3, seed: 7, model: ["a", "./b"] }]);
    assert.equal(parseRun("steps=1", first).length, 2);
  });

  it("refuses what it does not know, with what it knows", () => {
    for (const text of ["", "steps", "steps=", "step=1", "steps=0", "steps=1.5", "spacing=none", "noise=loud", "ensemble=0", "seed=-1", "toString=1"]) {
      assert.throws(() => parseRun(text, []), InvalidArgumentError, text);
    }
    assert.throws(() => parseRun("step=1", []), /label=, steps=, spacing=, noise=, ensemble=, seed=, model=/);
    assert.throws(() => presetOf("fig9"), /flaw, fig2, fig5, ensemble, table4, seeds/);
  });
});

describe("what the studies find, in words", () => {
  const single = { "leading-1": 0.5, "leading-2": 0.4, "leading-4": 0.3, "leading-10": 0.25, "leading-20": 0.245, "leading-50": 0.24, "trailing-1": 0.2, "trailing-2": 0.21, "trailing-4": 0.215, "trailing-10": 0.22, "trailing-20": 0.225, "trailing-50": 0.23 };
  /** Ten members are better by 0.01, but not of a single step, as in the paper. */
  const ensembles = Object.fromEntries(Object.entries(single).map(([name, value]) => [`${name}-x10`, name.endsWith("-1") ? value : value - 0.01]));
  const paper = { ...single, ...ensembles, e2e: 0.15 };

  it("says of Fig. 5 that the findings show where they do", () => {
    const text = findingOfFig5("absRel", measuredOf(paper));
    assert.match(text, /^Depth: the paper's findings show at this scale: .* from 50\.0 % to 20\.0 % \(better in 3 of 3 scenes\); trailing is better than leading at every number of steps \(24\.0 % to 23\.0 % at 50\); more steps make it worse \(23\.0 % at 50; one step is better in 3 of 3 scenes\); an ensemble of ten helps at 2, 4, 10, 20 and 50 leading steps \(24\.0 % to 23\.0 % at 50\) and at 2, 4, 10, 20 and 50 trailing steps \(23\.0 % to 22\.0 % at 50\); and end-to-end fine-tuning is best of all \(15\.0 %\)\.$/);
    const normals = findingOfFig5("meanAngle", measuredOf(paper));
    assert.match(normals, /^Normals: the paper's findings show at this scale: .* from 50\.0° to 20\.0°/);
    assert.doesNotMatch(normals, /ensemble/);
  });

  it("says of Fig. 5 which finding does not show, and takes nothing for a difference that lies within the seeds", () => {
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-10": 0.249 })), /show in part: .* at 10 steps the seeds bear out no advantage of trailing over leading/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-4": 0.17 })), /show in part: .* but 4 steps \(17\.0 %\) are better than one \(20\.0 %\), which the paper does not see/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-2": 0.199, "trailing-2-x10": 0.18 })), /show at this scale: .* more steps make it worse \(23\.0 % at 50.* though at 2 the seeds bear out no difference/);
    const flat = Object.fromEntries([2, 4, 10, 20, 50].map((count) => [`trailing-${count}`, 0.2]));
    assert.match(findingOfFig5("meanAngle", measuredOf({ ...paper, ...flat })), /show in part: .* the seeds bear out no difference between one step and more \(20\.0° at 50/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "leading-50-x10": 0.2395 })), /show in part: .* helps at 2, 4, 10 and 20 leading steps \(24\.0 % to 23\.9 % at 50\)/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, e2e: 0.2005 })), /show in part: .* but end-to-end fine-tuning \(20\.1 %\) is not better than trailing-1, trailing-1-x10 and trailing-2-x10\.$/);
  });

  it("says of Table 1 whether the paper's order shows", () => {
    assert.match(findingOfTable1(measuredOf({ ...paper, "leading-50-x10": 0.19 })), /^The paper's order shows at this scale: one step with the fixed schedule \(20\.0 %\) is better than 50 steps as released \(24\.0 %; better in 3 of 3 scenes\) and worse than an ensemble of ten times 50 as released \(19\.0 %; better in 0 of 3 scenes\); one step as released is far worse \(50\.0 %\); end-to-end fine-tuning is better than all of them \(15\.0 %\)\.$/);
    assert.match(findingOfTable1(measuredOf({ ...paper, "trailing-1": 0.2395 })), /shows in part at this scale: .* is no different, as far as the seeds bear out, from 50 steps as released/);
    assert.match(findingOfTable1(measuredOf({ ...paper, e2e: 0.21 })), /shows in part at this scale: .* end-to-end fine-tuning \(21\.0 %\) is not better than trailing, 1 step \(DDIM fix\)\.$/);
  });

  it("says of Fig. 2 how still the prediction is, and what one step gives", () => {
    const change = { meanStd: 1, smallShare: 97, firstToLast: 3, singleToLast: 3 };
    const shows = findingOfFig2([{ leading: { ...change, singleToLast: 40 }, trailing: change }]);
    assert.match(shows, /finding shows at this scale: .* 1\.0 % .* very small \(below 5 % at 97\.0 % .* close to the last \(3\.0 % away.* leading step is far from it all the same \(40\.0 %\), a single trailing step is not \(3\.0 %, nearer in 1 of 1 scenes\)/);
    assert.match(findingOfFig2([{ leading: { ...change, smallShare: 60, singleToLast: 40 }, trailing: change }]), /shows in part at this scale: .*not very small everywhere/);
    assert.match(findingOfFig2([{ leading: change, trailing: change }]), /shows in part at this scale: .* leading step is about as close \(3\.0 %\), a single trailing step is not much nearer/);
  });

  it("says of the starting noise which kind is best and whether it matters", () => {
    assert.match(findingOfStartingNoise(ofOneSeed({ zeros: 0.2, gaussian: 0.205, pyramid: 0.204, e2e: 0.15 })), /order shows here already: zeros are best for depth .*zeros beat Gaussian noise in 3 of 3 scenes\); the choice matters little \(2\.5 %.* changes more than the noise does: 15\.00 %/);
    assert.match(findingOfStartingNoise(ofOneSeed({ zeros: 0.24, gaussian: 0.2, pyramid: 0.21, e2e: 0.199 })), /does not show here: Gaussian noise is best for depth .* the choice matters \(20\.0 %.* changes no more than the noise does/);
  });
});

describe("cli/lineChart", () => {
  it("draws every point at its place, the same each time", () => {
    const series = [{ name: "a <b>", colour: "#c0392b", points: [{ x: 1, y: 10 }, { x: 10, y: 20 }] }];
    const svg = stepsChart([{ title: "Depth", yLabel: "AbsRel, %", series, level: { name: "level", y: 15 } }], [1, 10]);
    assert.equal(svg, stepsChart([{ title: "Depth", yLabel: "AbsRel, %", series, level: { name: "level", y: 15 } }], [1, 10]));
    const [left, right] = [...svg.matchAll(/<circle [^>]*>/g)].map(([circle]) => ["cx", "cy"].map((name) => Number(new RegExp(`${name}="([\\d.]+)"`).exec(circle)?.[1])));
    const level = Number(/<line [^>]*y1="([\d.]+)"/.exec(svg.slice(svg.indexOf('stroke-dasharray="4 3"')))?.[1]);
    assert.ok(left[0] < right[0] && left[1] > right[1]);
    assert.ok(Math.abs(level - (left[1] + right[1]) / 2) < 0.01, `${level} between ${left[1]} and ${right[1]}`);
    const spread = stepsChart([{ title: "Depth", yLabel: "AbsRel, %", series: [{ name: "a", colour: "#c0392b", points: [{ x: 1, y: 10, low: 9, high: 12 }, { x: 10, y: 20 }] }] }], [1, 10]);
    const bar = ["y1", "y2"].map((name) => Number(new RegExp(`<g [^>]*stroke="#c0392b"[^>]*aria-label="rule"><line [^>]*${name}="([\\d.]+)"`).exec(spread)?.[1]));
    const point = Number(/cy="([\d.]+)"/.exec(spread)?.[1]);
    assert.ok(Math.abs((Math.min(...bar) - point) / (point - Math.max(...bar)) - 2) < 0.01, `${point} in ${bar.join(" to ")}`);
    for (const text of ["Depth", "AbsRel, %", "a &lt;b&gt;", "level", "denoising steps"]) assert.ok(svg.includes(text), text);
  });
});
