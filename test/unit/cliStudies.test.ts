import assert from "node:assert/strict";
import { InvalidArgumentError } from "commander";
import { parseRun, presetOf } from "../../src/cli/comparedRuns";
import { stepsChart } from "../../src/cli/lineChart";
import { findingOf as findingOfFig2 } from "../../src/cli/studyFig2";
import { findingOf as findingOfFig5 } from "../../src/cli/studyFig5";
import { findingOf as findingOfTable4 } from "../../src/cli/studyTable4";
import type { Scores } from "../../src/cli/studyScenes";

/** Three scenes about a mean. */
const scores = (mean: number): Scores => ({ absRel: [mean - 0.01, mean, mean + 0.01], delta1: [0, 0, 0], meanAngle: [100 * mean - 1, 100 * mean, 100 * mean + 1], below11: [0, 0, 0] });
const measuredOf = (means: Readonly<Record<string, number>>) => ({ scenes: ["000", "001", "002"], of: (run: string) => scores(means[run]) });

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
  const paper = { "leading-1": 0.5, "leading-2": 0.4, "leading-4": 0.3, "leading-10": 0.25, "leading-50": 0.24, "trailing-1": 0.2, "trailing-2": 0.21, "trailing-4": 0.215, "trailing-10": 0.22, "trailing-50": 0.23, e2e: 0.15 };

  it("says of Fig. 5 that the findings show where they do", () => {
    const text = findingOfFig5("absRel", measuredOf(paper));
    assert.match(text, /^Depth: the paper's findings show at this scale: .* from 50\.0 % to 20\.0 % \(better in 3 of 3 scenes\); trailing is better than leading at every number of steps; more steps make it worse at every count \(23\.0 % at 50; one step is better in 3 of 3 scenes\); and end-to-end fine-tuning is best of all \(15\.0 %\)\.$/);
    assert.match(findingOfFig5("meanAngle", measuredOf(paper)), /^Normals: .* from 50\.0° to 20\.0°/);
  });

  it("says of Fig. 5 which finding does not show", () => {
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-10": 0.26 })), /show in part: .* trailing is not better than leading at 10 steps/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-4": 0.17 })), /show in part: .* but 4 steps \(17\.0 %\) are better than one, which the paper does not see/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, "trailing-2": 0.199 })), /show in part: .* 2 steps \(19\.9 %\) are within 1 % of one and more make it worse \(23\.0 % at 50/);
    assert.match(findingOfFig5("absRel", measuredOf({ ...paper, e2e: 0.22 })), /show in part: .* but end-to-end fine-tuning \(22\.0 %\) is not the best\.$/);
  });

  it("says of Fig. 2 how still the prediction is, and what one step gives", () => {
    const change = { meanStd: 1, smallShare: 97, firstToLast: 3, singleToLast: 3 };
    const shows = findingOfFig2([{ leading: { ...change, singleToLast: 40 }, trailing: change }]);
    assert.match(shows, /finding shows at this scale: .* 1\.0 % .* very small \(below 5 % at 97\.0 % .* close to the last \(3\.0 % away.* leading step is far from it all the same \(40\.0 %\), a single trailing step is not \(3\.0 %, nearer in 1 of 1 scenes\)/);
    assert.match(findingOfFig2([{ leading: { ...change, smallShare: 60, singleToLast: 40 }, trailing: change }]), /shows in part at this scale: .*not very small everywhere/);
    assert.match(findingOfFig2([{ leading: change, trailing: change }]), /shows in part at this scale: .* leading step is about as close \(3\.0 %\), a single trailing step is not much nearer/);
  });

  it("says of Table 4 which noise is best and whether it matters", () => {
    assert.match(findingOfTable4(measuredOf({ zeros: 0.2, gaussian: 0.205, pyramid: 0.204, e2e: 0.15 })), /order shows: zeros are best for depth .*zeros beat Gaussian noise in 3 of 3 scenes\); the choice matters little \(2\.5 %.* changes more than the noise does: 15\.00 %/);
    assert.match(findingOfTable4(measuredOf({ zeros: 0.24, gaussian: 0.2, pyramid: 0.21, e2e: 0.199 })), /does not show: Gaussian noise is best for depth .* the choice matters \(20\.0 %.* changes no more than the noise does/);
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
    for (const text of ["Depth", "AbsRel, %", "a &lt;b&gt;", "level", "denoising steps"]) assert.ok(svg.includes(text), text);
  });
});
