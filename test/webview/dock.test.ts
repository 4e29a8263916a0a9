import assert from "node:assert/strict";
import type { MapRef } from "../../src/protocol/inference";
import type { PanelState, RowSettings } from "../../src/protocol/panel";
import { names, photograph, runOn } from "./realistic";
import { event, init, multi, settingsOf, single, stateOf, wholeRun } from "./scenario";
import { answer, dotsOf, planned, planOf } from "./plots";
import { Stage, Theatre } from "./stage";

const leading: RowSettings = { ...single, rowId: "leading", label: "Leading, 1 step", spacing: "leading" };
const leadingFour: RowSettings = { ...multi, rowId: "leading4", label: "Leading, 4 steps", spacing: "leading" };

describe("the dock of plots", () => {
  const settings = settingsOf(multi, single, leading, leadingFour);
  const plans = settings.rows.flatMap((row) => [event(1, planned(row, "depth")), event(1, planned(row, "normals"))]);
  const state: PanelState = stateOf(settings);
  const open = (dock: NonNullable<PanelState["view"]["dock"]>): PanelState => ({ ...state, view: { ...state.view, dock } });
  let theatre: Theatre;
  let stage: Stage;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  const ranWith = (wanted: PanelState) => [init(wanted), ...wholeRun(1, settings), ...plans];

  it("is not there until it is opened, and closes by its button", async () => {
    stage = await Stage.open(theatre);
    await stage.send(...ranWith(state));
    const dock = stage.page.locator(".dock");
    assert.equal(await dock.isVisible(), false);
    assert.equal(await dock.locator("svg.chart-plot").count(), 0, "nothing was drawn");
    await stage.send(init(open("noise")));
    assert.equal(await dock.isVisible(), true);
    await dock.locator('vscode-button[aria-label="Close the plots"]').click();
    await stage.settle();
    assert.equal(await dock.isVisible(), false);
  });

  it("draws told and real noise where they are, single steps as lollipops with the gap as a bar", async () => {
    stage = await Stage.open(theatre, { width: 1280, height: 860 });
    await stage.send(...ranWith(open("noise")));
    const [trailingOne, leadingOne] = [planOf(single)[0], planOf(leading)[0]];
    const near = (actual: readonly { y: number }[], expected: readonly number[]): void => {
      assert.equal(actual.length, expected.length);
      actual.forEach(({ y }, i) => assert.ok(Math.abs(y - expected[i]) < 0.006, `${y} instead of ${expected[i]}`));
    };
    near(await dotsOf(stage, ".noise-singles", "filled"), [trailingOne.toldNoise, leadingOne.toldNoise]);
    near(await dotsOf(stage, ".noise-singles", "hollow"), [1, 1]);
    assert.ok(leadingOne.toldNoise < 0.05 && trailingOne.toldNoise > 0.99, "the flaw is there to be seen");
    const bars = await stage.page.locator(".noise-singles .chart-gap line, .noise-singles line.chart-gap").evaluateAll((lines) => lines.map((line) => Math.abs(Number(line.getAttribute("y1")) - Number(line.getAttribute("y2")))));
    assert.ok(bars[1] > 50 * bars[0], `the bar of the flaw is long: ${bars.join()}`);
    const told = [...planOf(multi), ...planOf(leadingFour)].map(({ toldNoise }) => toldNoise);
    const chart = ".noise-plot > .chart:not(.noise-singles)";
    near(await dotsOf(stage, chart, "filled"), told);
    assert.deepEqual((await dotsOf(stage, chart, "filled")).map(({ x }) => Math.round(100 * x) / 100), [1, 2, 3, 4, 1, 2, 3, 4]);
    near(await dotsOf(stage, chart, "hollow"), [...planOf(multi), ...planOf(leadingFour)].map(({ inputNoise }) => inputNoise));
  });

  it("says in words what the noise levels mean", async () => {
    stage = await Stage.open(theatre);
    await stage.send(...ranWith(open("noise")));
    const story = (await stage.page.locator(".noise-story").textContent()) ?? "";
    assert.match(story, /^Leading, 1 step: the input is pure noise \(level 1\.00\), but the model is told t = 1, a noise level of 0\.04: it takes the noise for the picture\./);
    assert.match(story, /Multi-step and Single step: told and real noise agree at every step/);
  });

  it("saves what is plotted as CSV, with the provenance of the runs", async () => {
    stage = await Stage.open(theatre);
    await stage.send(...ranWith(open("noise")));
    await stage.page.locator(".dock vscode-button", { hasText: "CSV" }).click();
    await stage.waitForMessage("ask");
    const [ask] = await answer(stage, { saveFiles: () => ({ files: ["room-noise.csv"] }) });
    assert.ok(ask.name === "saveFiles");
    const [file] = ask.params.files;
    assert.equal(file.name, "room-noise.csv");
    const lines = String(file.content).split("\r\n");
    assert.equal(lines[0], "run,step,steps,timestep (0-based),alpha-bar,told noise level (0..1),input noise level (0..1)");
    assert.equal(lines.length, 1 + 4 + 1 + 1 + 4 + 1);
    const { alphaBar, toldNoise } = planOf(leading)[0];
    assert.equal(lines[6], `"Leading, 1 step",1,1,1,${alphaBar},${toldNoise},1`);
    const { runs } = ask.params.provenance as { runs: { row: string; provenance: { task: string } }[] };
    assert.equal(runs.length, 8);
    assert.deepEqual([runs[0].row, runs[0].provenance.task], ["Multi-step", "depth"]);
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /Saved room-noise\.csv/);
  });

  it("keeps its height by pointer and by key, and leaves room for the tiles at 1280 x 720", async () => {
    stage = await Stage.open(theatre, { width: 1280, height: 720 });
    await stage.send(...ranWith(open("noise")));
    const height = async (selector: string): Promise<number> => (await stage.page.locator(selector).boundingBox())?.height ?? 0;
    const usual = await height(".dock");
    assert.ok(usual >= 230 && usual <= 260, `${usual} pixels`);
    assert.ok((await height(".scroll")) >= 250, `${await height(".scroll")} pixels for tiles`);
    await stage.page.locator(".dock-grip").focus();
    await stage.page.keyboard.press("ArrowUp");
    await stage.settle();
    assert.equal(await height(".dock"), Math.round(usual + 20));
    const grip = await stage.page.locator(".dock-grip").boundingBox();
    assert.ok(grip);
    await stage.page.mouse.move(grip.x + 300, grip.y + 4);
    await stage.page.mouse.down();
    await stage.page.mouse.move(grip.x + 300, grip.y + 64);
    await stage.page.mouse.up();
    await stage.settle();
    assert.ok(Math.abs((await height(".dock")) - (usual - 40)) <= 1);
    assert.ok((await height(".noise-singles svg")) < usual - 40, "charts follow");
  });

  it("switches tabs by key and follows the theme", async () => {
    stage = await Stage.open(theatre);
    await stage.send(...ranWith(open("noise")));
    await stage.page.locator('.dock-tab[aria-selected="true"]').focus();
    await stage.page.keyboard.press("ArrowRight");
    await stage.settle();
    assert.equal(await stage.page.locator('.dock-tab[aria-selected="true"]').textContent(), "Change");
    await stage.page.keyboard.press("ArrowLeft");
    await stage.settle();
    const colour = async (): Promise<string> => stage.page.locator(".dock .chart .chart-line").first().evaluate((line) => getComputedStyle(line).stroke);
    const dark = await colour();
    await stage.page.evaluate(() => (document.body.className = "vscode-light"));
    assert.notEqual(await colour(), dark, "without drawing anew");
  });
});

describe("pictures of the plots, for people to look at", () => {
  let theatre: Theatre;
  let stage: Stage;
  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());

  for (const theme of ["darkModern", "lightModern", "hcBlack"] as const) it(`every tab, ${theme}`, async () => {
    const rows = settingsOf({ ...multi, label: "Trailing, 5 steps", steps: 5 }, single, leading, { ...leadingFour, steps: 5, label: "Leading, 5 steps" }, { ...single, rowId: "e2e", label: "E2E fine-tuned", models: { depth: "e2e-depth", normals: "e2e-normals" }, noise: { kind: "zeros" } });
    const plain = stateOf(rows, names);
    const { thumbnail } = await photograph("temple.jpg");
    const messages = await runOn("temple.jpg", 1, 2, rows);
    const plans = rows.rows.flatMap((row) => [event(1, planned(row, "depth")), event(1, planned(row, "normals"))]);
    const view: PanelState["view"] = {
      ...plain.view, rangePercentiles: [2, 98], shownSteps: { multi: 3 }, probes: [{ u: 0.3, v: 0.4 }, { u: 0.6, v: 0.7 }, { u: 0.5, v: 0.2 }], line: [{ u: 0.05, v: 0.6 }, { u: 0.95, v: 0.45 }],
      pinned: { kind: "result", rowId: "e2e", task: "depth" }, truth: { kind: "file", path: "/data/temple.npy", task: "depth" },
    };
    // Curves that fall as those of real runs do, the flawed one from higher up.
    const seed = (key: string): number => (key.includes("leading") ? 2.2 : 1);
    const fall = (refs: readonly MapRef[], from: number, to: number): number[] => refs.map((ref, i) => to + (from - to) * seed(ref.kind === "step" ? ref.runKey : "") * Math.exp(-0.6 * i));
    stage = await Stage.open(theatre, { theme, width: 1280, height: 720 });
    let asked = 0;
    await stage.send(init({ ...plain, current: 2, view: { ...view, dock: "noise" } }), { type: "thumbnail", image: 2, thumbnail }, ...messages, ...plans);
    for (const tab of ["Noise", "Change", "Probes", "Profile"]) {
      await stage.page.locator(".dock-tab", { hasText: tab }).click();
      await stage.settle();
      asked += (await answer(stage, {
        curves: ({ refs }) => ({ changeToPrevious: fall(refs, 0.05, 0.001).map((value, i) => (i === 0 ? NaN : value)), distanceToLast: fall(refs, 0.08, 0), distanceToReference: fall(refs, 0.09, 0.02), errorToTruth: fall(refs, 0.16, 0.06) }),
        series: ({ refs, points }) => ({ values: refs.map((_ref, i) => points.map(({ u, v }) => [0.4 * u + 0.6 * v + 0.1 * Math.exp(-0.5 * i) * Math.sin(7 * u + i)])) }),
      }, asked)).length;
      await stage.settle();
      assert.ok((await stage.page.locator(".dock svg.chart-plot").count()) > 5, `${tab} is drawn`);
      await stage.screenshot(`dock-${tab.toLowerCase()}-${theme}`);
    }
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });
});
