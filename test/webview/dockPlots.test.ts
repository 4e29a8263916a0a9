import assert from "node:assert/strict";
import type { MapRef, SeriesParams, StepCurves } from "../../src/protocol/inference";
import type { PanelState, Questions, RowSettings, ToWebview, ViewState } from "../../src/protocol/panel";
import { answer, dotsOf, planned } from "./plots";
import { event, init, mapOf, multi, ramp, resultOf, settingsOf, single, stateOf, step, wholeRun } from "./scenario";
import { Stage, Theatre } from "./stage";

const leading: RowSettings = { ...multi, rowId: "leading", label: "Leading, 4 steps", spacing: "leading" };
const settings = settingsOf(multi, leading, single);

/** The rows' run, every step observed, with the dock open. */
function ran(view: Partial<ViewState>): ToWebview[] {
  const state: PanelState = stateOf(settings);
  const steps = [multi, leading].flatMap((row) => [0, 1, 2, 3].map((i) => event(1, step(row, "depth", i, mapOf(8, 6, 1, () => i)))));
  const [started, ...rest] = wholeRun(1, settings);
  return [init({ ...state, view: { ...state.view, ...view } }), started, ...settings.rows.flatMap((row) => [event(1, planned(row, "depth")), event(1, planned(row, "normals"))]), ...steps, ...rest];
}

function keyOf(ref: MapRef): string {
  return ref.kind === "file" ? ref.path : ref.runKey;
}

const changes: Readonly<Record<string, readonly number[]>> = { "key-multi-depth": [NaN, 0.4, 0.2, 0.1], "key-leading-depth": [NaN, 0.8, 0.3, 0.25] };

function curvesOf({ refs, reference, truth }: Questions["curves"]["params"]): StepCurves {
  const changeToPrevious = changes[keyOf(refs[0])] ?? [NaN, 5, 3, 2];
  return {
    changeToPrevious,
    distanceToLast: [0.6, 0.3, 0.1, 0],
    ...(reference ? { distanceToReference: [0.5, 0.4, 0.3, 0.2] } : {}),
    ...(truth ? { errorToTruth: refs.length > 1 ? [0.2, 0.1, 0.08, 0.075] : [0.06] } : {}),
  };
}

const near = (actual: readonly number[], expected: readonly number[], slack: number): void => {
  assert.equal(actual.length, expected.length, `${actual.join()} for ${expected.join()}`);
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < slack, `${actual.join()} instead of ${expected.join()}`));
};

describe("plots of the dock", () => {
  let theatre: Theatre;
  let stage: Stage;
  let asked = 0;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  beforeEach(() => (asked = 0));
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  const open = async (view: Partial<ViewState>): Promise<void> => {
    stage = await Stage.open(theatre, { width: 1280, height: 860 });
    await stage.send(...ran(view));
  };
  /** Answers what was asked since the last call. */
  const reply = async (answers: Parameters<typeof answer>[1]) => {
    const asks = await answer(stage, answers, asked);
    asked += asks.length;
    await stage.settle();
    return asks;
  };
  const view = async (): Promise<ViewState> => {
    await stage.page.waitForTimeout(300); // the state is saved once it has come to rest
    const states = await stage.sentOf("state");
    return states[states.length - 1].state.view;
  };
  const chart = (at: number): string => `.dock .chart >> nth=${at}`;
  const csv = async (): Promise<string[]> => {
    await stage.page.locator(".dock vscode-button", { hasText: "CSV" }).click();
    await stage.settle();
    const [ask] = await reply({ saveFiles: () => ({ files: [] }) });
    assert.ok(ask.name === "saveFiles");
    return String(ask.params.files[0].content).trimEnd().split("\r\n");
  };

  describe("Change", () => {
    it("asks for the curves of each run of several steps once, and draws them", async () => {
      await open({ dock: "change" });
      const asks = await reply({ curves: curvesOf });
      assert.deepEqual(asks.map(({ name, params }) => [name, name === "curves" && params.refs.map((ref) => (ref.kind === "step" ? `${ref.runKey} ${ref.step}` : ""))]), ["multi", "leading"].map((row) => ["curves", [0, 1, 2, 3].map((i) => `key-${row}-depth ${i}`)]));
      const dots = await dotsOf(stage, chart(0), "filled");
      near(dots.map(({ x }) => x), [2, 3, 4, 2, 3, 4], 0.02);
      near(dots.map(({ y }) => y), [0.4, 0.2, 0.1, 0.8, 0.3, 0.25], 0.006);
      assert.equal(await stage.page.locator(".change-plot .chart").count(), 2, "no reference, no ground truth");
      assert.match((await stage.page.locator(chart(0)).locator("svg").getAttribute("aria-label")) ?? "", /Change to the step before.*by step. Multi-step: from 0.4 to 0.1; Leading, 4 steps: from 0.8 to 0.25/);
      await stage.point("multi:depth", 0.4, 0.5);
      await stage.page.locator(".dock-tab", { hasText: "Noise" }).click();
      await stage.page.locator(".dock-tab", { hasText: "Change" }).click();
      await stage.settle();
      assert.equal((await stage.sentOf("ask")).length, 2, "nothing is asked twice");
    });

    it("asks anew for another reference, keeping what is drawn meanwhile", async () => {
      await open({ dock: "change" });
      await reply({ curves: curvesOf });
      const state = stateOf(settings);
      await stage.send(init({ ...state, view: { ...state.view, dock: "change", pinned: { kind: "result", rowId: "single", task: "depth" } } }));
      near((await dotsOf(stage, chart(0), "filled")).map(({ y }) => y), [0.4, 0.2, 0.1, 0.8, 0.3, 0.25], 0.006);
      assert.equal(await stage.page.locator(".change-plot .chart").count(), 2, "the distance to it is not there yet");
      const asks = await reply({ curves: curvesOf });
      assert.deepEqual(asks.map(({ name, params }) => name === "curves" && params.reference), Array(3).fill({ kind: "result", runKey: "key-single-depth" }));
      assert.equal(await stage.page.locator(".change-plot .chart-title").nth(2).textContent(), "Distance to Single step, after scale and shift");
      near((await dotsOf(stage, chart(2), "filled")).slice(0, 4).map(({ y }) => y), [0.5, 0.4, 0.3, 0.2], 0.006);
    });

    it("scrubs a row by a click on one of its points, and along by dragging", async () => {
      await open({ dock: "change" });
      await reply({ curves: curvesOf });
      const box = await stage.page.locator(chart(0)).locator(".chart-dot.filled circle, circle.chart-dot.filled, .chart-dot.filled path").first().boundingBox();
      assert.ok(box);
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      await stage.page.mouse.move(x, y);
      await stage.settle();
      assert.match((await stage.page.locator(chart(0)).locator(".chart-tip").textContent()) ?? "", /^Multi-step, step 2 of 4, t = 749\n0.4 /);
      await stage.page.mouse.down();
      assert.deepEqual((await view()).shownSteps, { multi: 1 });
      assert.equal(await stage.page.locator(".chart-rule").count(), 2, "a rule in either chart");
      const svg = await stage.page.locator(chart(0)).locator("svg").boundingBox();
      assert.ok(svg);
      await stage.page.mouse.move(x + (svg.width - 82) / 3, y);
      await stage.page.mouse.up();
      assert.deepEqual((await view()).shownSteps, { multi: 2 });
    });

    it("measures the error to a ground truth that is chosen", async () => {
      await open({ dock: "change" });
      await reply({ curves: curvesOf });
      await stage.page.locator(".dock vscode-button", { hasText: "Ground truth" }).click();
      await stage.settle();
      await reply({ chooseTruth: () => ({ path: "/data/room-depth.npy" }) });
      await stage.settle();
      const asks = await reply({ curves: curvesOf });
      assert.deepEqual(asks.map(({ name, params }) => name === "curves" && params.truth), Array(3).fill({ kind: "file", path: "/data/room-depth.npy", task: "depth" }));
      assert.equal(await stage.page.locator(".change-plot .chart-title").nth(2).textContent(), "Error to room-depth.npy");
      const errors = await dotsOf(stage, chart(2), "filled");
      near(errors.map(({ y }) => y), [20, 10, 8, 7.5, 20, 10, 8, 7.5, 6], 0.15);
      assert.equal(Math.round(errors[8].x), 4, "a single step lies where the others end");
      assert.equal((await dotsOf(stage, chart(0), "filled")).length, 6, "and changes nothing");
      const lines = await csv();
      assert.match(lines[0], /^run,task,step,steps,timestep \(0-based\),"Change to the step before, after scale and shift \(mean \|Δ\|, relative depth\)",.*,"Error to room-depth.npy \(AbsRel, %\)"$/);
      assert.equal(lines[1], "Multi-step,depth,1,4,999,,0.6,20");
      assert.equal(lines[4], "Multi-step,depth,4,4,249,0.1,0,7.5");
      assert.equal(lines[9], "Single step,depth,1,1,999,,,6");
    });

    it("switches to normals, in degrees, and says why there are no curves", async () => {
      await open({ dock: "change" });
      await reply({ curves: curvesOf });
      await stage.choose("Task of the plots", "normals");
      const asks = (await stage.sentOf("ask")).slice(asked);
      assert.deepEqual(asks.map(({ name, params }) => name === "curves" && keyOf(params.refs[0])), ["key-multi-normals"], "one after another");
      assert.equal(await stage.page.locator(".change-note").textContent(), "Comparing the steps of Multi-step: 0 of 4 …");
      await stage.send({ type: "answer", id: asks[0].id, result: curvesOf({ refs: [{ kind: "step", runKey: "key-multi-normals", step: 0 }] }) });
      const [, next] = (await stage.sentOf("ask")).slice(asked);
      assert.equal(next.name === "curves" && keyOf(next.params.refs[0]), "key-leading-normals");
      await stage.send({ type: "refused", id: next.id, message: "Step 3 is damaged.", remedy: "Run again." });
      await stage.settle();
      assert.match((await stage.page.locator(chart(0)).locator('g[aria-label="y-axis label"]').textContent()) ?? "", /mean angle, degrees/);
      assert.equal(await stage.page.locator(".change-note").textContent(), "Leading, 4 steps: Step 3 is damaged. Run again.");
      const before = (await stage.sentOf("ask")).length;
      await stage.send(...wholeRun(2, settings), event(2, planned(leading, "normals")));
      const again = (await stage.sentOf("ask")).slice(before).filter(({ name }) => name === "curves");
      assert.deepEqual(again.map(({ params }) => "refs" in params && keyOf(params.refs[0])), ["key-leading-normals"], "another run may have mended it");
    });

    it("draws many steps a few at a time, and lets go of what nobody waits for any more", async () => {
      const steps = 25;
      const row = { ...multi, steps };
      const many = settingsOf(row);
      const maps = Array.from({ length: steps }, (_, i) => event(1, step(row, "depth", i, ramp(48, 32))));
      const state = stateOf(many);
      stage = await Stage.open(theatre, { width: 1280, height: 860 });
      await stage.send(init({ ...state, view: { ...state.view, dock: "change" } }), { type: "started", generation: 1, image: 0, settings: many }, event(1, planned(row, "depth")), ...maps, event(1, { type: "result", result: resultOf(row, "depth", ramp(48, 32)) }));
      const curves = async () => (await stage.sentOf("ask")).flatMap((ask) => (ask.name === "curves" ? [{ id: ask.id, at: ask.params.refs.map((ref) => (ref.kind === "step" ? ref.step : -1)) }] : []));
      const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
      assert.deepEqual((await curves()).map(({ at }) => at), [[...range(0, 10), 24]], "and what they are measured to");
      const reply = async (at: number): Promise<void> => {
        const { id, at: asked } = (await curves())[at];
        await stage.send({ type: "answer", id, result: { changeToPrevious: asked.map((i) => i / 10), distanceToLast: asked.map((i) => (24 - i) / 10) } });
      };
      await reply(0);
      assert.equal(await stage.page.locator(".change-note").textContent(), "Comparing the steps of Multi-step: 10 of 25 …");
      assert.equal((await stage.page.locator(chart(0)).locator("svg").getAttribute("aria-label"))?.endsWith("Multi-step: from 0 to 0.9."), true, "what is known is drawn");
      assert.deepEqual((await curves())[1].at, [...range(9, 20), 24], "and what the first of them changed from");
      await reply(1);
      await stage.page.locator(".dock-tab", { hasText: "Noise" }).click();
      await stage.settle();
      assert.deepEqual((await stage.sentOf("dismiss")).map(({ id }) => id), [(await curves())[2].id]);
      await stage.page.locator(".dock-tab", { hasText: "Change" }).click();
      await stage.settle();
      assert.deepEqual((await curves()).slice(3).map(({ at }) => at), [range(19, 25)], "what was let go, alone");
      await reply(3);
      assert.match(await stage.page.locator(chart(1)).locator("svg").getAttribute("aria-label") ?? "", /Multi-step: from 2\.4 to 0\.$/);
      assert.equal(await stage.page.locator(chart(0)).locator(".chart-line path, path.chart-line").count() > 0, true);
      assert.match((await stage.page.locator(".change-note").textContent()) ?? "", /^Pin a reference/);
    });
  });

  describe("Probes", () => {
    const points = [{ u: 0.25, v: 0.5 }, { u: 0.75, v: 0.25 }];
    /** At each point a tenth of the step, plus u; results have 9 as step. */
    const seriesOf = ({ refs, points: asks }: Omit<SeriesParams, "cacheDir">) => ({ values: refs.map((ref) => asks.map(({ u }) => [u + 0.1 * (ref.kind === "step" ? ref.step : 9)])) });

    it("says how to pin one", async () => {
      await open({ dock: "probes" });
      assert.match((await stage.page.locator(".dock-hint").textContent()) ?? "", /Shift\+click on a tile, or M/);
    });

    it("reads all probes of a run at once, draws them over the steps, and lists what is on show", async () => {
      await open({ dock: "probes", probes: points, shownSteps: { multi: 2 } });
      const asks = await reply({ series: seriesOf });
      assert.deepEqual(asks.map(({ name, params }) => name === "series" && [params.refs.length, params.points]), [[5, points], [5, points], [1, points]]);
      assert.equal(await stage.page.locator(".probe-card").count(), 2);
      near((await dotsOf(stage, chart(0), "filled")).slice(0, 4).map(({ y }) => y), [0.25, 0.35, 0.45, 0.55], 0.01);
      assert.deepEqual(await stage.page.locator(".probe-card").first().locator(".probe-values .number").allTextContents(), ["0.45", "1.15", "1.15"]);
      assert.equal(await stage.page.locator(".probe-head .number").first().textContent(), "12, 16");
      assert.deepEqual(await stage.page.locator(".probe-number").evaluateAll((marks) => marks.map((mark) => [mark.textContent, mark.getAttribute("class")])), [["1", "probe-number probe-1"], ["2", "probe-number probe-2"]], "as on the tiles");
      const lines = await csv();
      assert.equal(lines[0], "probe,x (pixels),y (pixels),run,task,step,steps,timestep (0-based),value (relative depth)");
      assert.equal(lines[3], "1,12,16,Multi-step,depth,3,4,499,0.45");
    });

    it("asks for a new probe alone, and forgets one that is removed", async () => {
      await open({ dock: "probes", probes: [points[0]] });
      await reply({ series: seriesOf });
      const state = stateOf(settings);
      await stage.send(init({ ...state, view: { ...state.view, dock: "probes", probes: points } }));
      const asks = await reply({ series: seriesOf });
      assert.deepEqual(asks.map(({ name, params }) => name === "series" && params.points), [[points[1]], [points[1]], [points[1]]]);
      await stage.page.locator('vscode-button[aria-label="Remove this probe"]').first().click();
      assert.deepEqual((await view()).probes, [points[1]]);
      await stage.page.locator(".dock vscode-button", { hasText: "Clear" }).click();
      assert.deepEqual((await view()).probes, []);
    });

    it("follows a normal as its angle to the last step, or by its components in the frame on show", async () => {
      await open({ dock: "probes", probes: [points[0]], normalsFrame: "LUB" });
      await stage.choose("Task of the plots", "normals");
      const turned = (degrees: number): number[] => [Math.sin((degrees * Math.PI) / 180), 0, Math.cos((degrees * Math.PI) / 180)];
      const angles = [60, 40, 20, 10];
      asked = (await stage.sentOf("ask")).findIndex(({ name, params }) => name === "series" && keyOf(params.refs[0]) === "key-multi-normals");
      await reply({ series: ({ refs }) => ({ values: refs.map((ref) => [turned(ref.kind === "step" ? angles[ref.step] : 10)]) }) });
      near((await dotsOf(stage, chart(0), "filled")).slice(0, 4).map(({ y }) => y), [50, 30, 10, 0], 0.5);
      await stage.choose("Number of a normal", "x");
      near((await dotsOf(stage, chart(0), "filled")).slice(0, 4).map(({ y }) => y), angles.map((degrees) => -turned(degrees)[0]), 0.02);
    });
  });

  describe("Profile", () => {
    const line = [{ u: 0.25, v: 0.5 }, { u: 0.75, v: 0.5 }] as const;
    const lines = async () => Promise.all([0, 1, 2].map(async (i) => (await dotsOf(stage, chart(0), `run-colour-${i}`)).map(({ y }) => y)));

    it("says how to draw a line", async () => {
      await open({ dock: "profile" });
      assert.match((await stage.page.locator(".dock-hint").textContent()) ?? "", /Alt\+drag/);
    });

    it("reads a known ramp, aligned or raw", async () => {
      await open({ dock: "profile", line });
      // 48 pixels from 0 to 1: the line lies between x = 11.5 and x = 35.5; row r is 0.1 r higher.
      const [ends, offset] = [[11.5 / 47, 35.5 / 47], 0.1];
      const endsOf = (values: readonly number[]): number[] => [values[0], values[values.length - 1]];
      for (const values of await lines()) near(endsOf(values), ends, 0.004);
      await stage.page.locator("vscode-checkbox", { hasText: "Aligned" }).click();
      await stage.settle();
      const raw = await lines();
      raw.forEach((values, r) => near(endsOf(values), ends.map((end) => end + r * offset), 0.004));
      const table = await csv();
      assert.equal(table[0], 'distance along the line (pixels),u (0..1),v (0..1),Multi-step (relative depth),"Leading, 4 steps (relative depth)",Single step (relative depth)');
      assert.equal(table.length, 1 + 25, "a sample a pixel, both ends included");
      near(table[1].split(",").slice(0, 4).map(Number), [0, 0.25, 0.5, ends[0]], 1e-6);
      near(table[25].split(",").slice(0, 6).map(Number), [24, 0.75, 0.5, ends[1], ends[1] + offset, ends[1] + 2 * offset], 1e-6);
    });

    it("moves the crosshair of the tiles along the line", async () => {
      await open({ dock: "profile", line });
      const svg = await stage.page.locator(chart(0)).locator("svg").boundingBox();
      assert.ok(svg);
      const [left, right] = [svg.x + 52, svg.x + svg.width - 30];
      await stage.page.mouse.move(left + 0.75 * (right - left), svg.y + svg.height / 2);
      await stage.settle();
      const [shown] = await stage.chip("multi:depth");
      assert.ok(Math.abs(shown - 30 / 47) < 0.03, `${shown} three quarters along`);
      assert.equal(await stage.page.locator(".chart-rule").count(), 1);
    });
  });
});
