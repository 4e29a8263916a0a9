import assert from "node:assert/strict";
import { HeldRuns } from "../../src/extension/heldRuns";
import type { PredictEvent, Provenance } from "../../src/protocol/inference";
import type { PanelSettings } from "../../src/protocol/panel";

const panel: PanelSettings = { rows: [], seed: 0, processingResolution: 0 };
const progress = (fraction: number): PredictEvent => ({ type: "progress", runId: "a:depth", stage: "denoise", fraction });
const plain = (width: number) => ({ width, height: 1, channels: 1 as const, data: new Float32Array(width) });
const step = (index: number, steps: number, runId = "a:depth"): PredictEvent => ({
  type: "step", runId, member: 0, step: index, steps, timestep: 0,
  map: { width: 1000, height: 1, channels: 1, data: new Uint16Array(1000) }, thumbnail: plain(9), ...(index > 0 && { stdSoFar: plain(1000) }),
});
const result = (runId: string): PredictEvent => ({ type: "result", result: { runId, map: plain(4), provenance: {} as Provenance } });
const planned = (runId: string): PredictEvent => ({ type: "planned", runId, runKey: "k", cached: false, steps: [] });

/** Runs held after `messages`, each an event of a generation, or how it starts or ends. */
function heldAfter(...entries: readonly (readonly [generation: number, what: PredictEvent | "start" | "startOne" | "finish" | "fail"])[]): HeldRuns {
  const held = new HeldRuns();
  for (const [generation, what] of entries) {
    if (what === "start" || what === "startOne") held.hold({ type: "started", generation, image: 0, settings: panel, only: what === "startOne" ? ["b"] : undefined });
    else if (what === "finish") held.hold({ type: "finished", generation, elapsedMillis: 5 });
    else if (what === "fail") held.hold({ type: "failed", generation, message: "", remedy: "" });
    else held.hold({ type: "event", generation, event: what });
  }
  return held;
}

const events = (held: HeldRuns): readonly PredictEvent[] => held.messages().flatMap((message) => (message.type === "event" ? [message.event] : []));
const steps = (held: HeldRuns) => events(held).flatMap((event) => (event.type === "step" ? [event] : []));

describe("runs that are held for a page that was hidden", () => {
  it("come back in order, with their plans and the last progress only", () => {
    const held = heldAfter([1, "start"], [1, planned("a:depth")], [1, progress(0.1)], [1, step(0, 2)], [1, progress(0.2)], [1, step(1, 2)], [1, "finish"]);
    assert.deepEqual(held.messages().map((message) => (message.type === "event" ? message.event.type : message.type)), ["started", "planned", "step", "progress", "step", "finished"]);
    assert.ok(events(held).some((event) => event.type === "progress" && event.fraction === 0.2));
  });

  it("are held without the maps of their steps: a page asks for those that it shows", () => {
    const held = heldAfter([1, "start"], ...Array.from({ length: 50 }, (_, i) => [1, step(i, 50)] as const));
    assert.equal(steps(held).length, 50);
    assert.ok(steps(held).every(({ map }) => map === undefined));
    assert.ok(steps(held).every(({ thumbnail }) => thumbnail?.data.length === 9), "every thumbnail is there");
  });

  it("have one running deviation each, the newest, and none once the result is there", () => {
    const both = heldAfter([1, "start"], [1, step(0, 3)], [1, step(1, 3)], [1, step(1, 3, "b:depth")], [1, step(2, 3)]);
    assert.deepEqual(steps(both).filter(({ stdSoFar }) => stdSoFar).map(({ runId, step: index }) => [runId, index]), [["b:depth", 1], ["a:depth", 2]]);
    both.hold({ type: "event", generation: 1, event: result("a:depth") });
    assert.deepEqual(steps(both).filter(({ stdSoFar }) => stdSoFar).map(({ runId }) => runId), ["b:depth"]);
  });

  it("have at most 128 thumbnails and the last, however many steps there are", () => {
    const held = heldAfter([1, "start"], ...Array.from({ length: 1000 }, (_, i) => [1, step(i, 1000)] as const));
    assert.equal(steps(held).length, 1000);
    const pictured = steps(held).filter(({ thumbnail }) => thumbnail);
    assert.ok(pictured.length > 100 && pictured.length <= 129, `${pictured.length}`);
    assert.equal(pictured.at(-1)?.step, 999);
  });

  it("are those of the last few images", () => {
    const held = new HeldRuns();
    for (let image = 0; image < 10; image++) held.hold({ type: "started", generation: image + 1, image, settings: panel });
    assert.deepEqual([0, 5, 6, 9].map((image) => held.has(image)), [false, false, true, true]);
  });

  it("are those of fewer images when their results are large, and always of the last", () => {
    const held = new HeldRuns();
    const large = (runId: string): PredictEvent => ({ type: "result", result: { runId, map: { width: 45e6, height: 1, channels: 1, data: new Float32Array(45e6) }, provenance: {} as Provenance } });
    for (const image of [0, 1, 2]) {
      held.hold({ type: "started", generation: image + 1, image, settings: panel });
      held.hold({ type: "event", generation: image + 1, event: large("a:depth") });
    }
    assert.deepEqual([0, 1, 2].map((image) => held.has(image)), [false, true, true]);
    for (const runId of ["b:depth", "c:depth"]) held.hold({ type: "event", generation: 3, event: large(runId) });
    assert.deepEqual([0, 1, 2].map((image) => held.has(image)), [false, false, true]);
  });
});

describe("an image's earlier run", () => {
  const first = [[1, "start"], [1, planned("a:depth")], [1, step(0, 1)], [1, result("a:depth")], [1, result("b:depth")], [1, "finish"]] as const;

  it("stays until every row has been run again", () => {
    const held = heldAfter(...first, [2, "start"], [2, result("a:depth")]);
    assert.deepEqual(held.messages().map(({ generation, type }) => [generation, type]), [[1, "started"], [1, "event"], [1, "finished"], [2, "started"], [2, "event"]]);
    assert.ok(held.result(2, "b:depth"));
    held.hold({ type: "finished", generation: 2, elapsedMillis: 5 });
    assert.deepEqual([...new Set(held.messages().map(({ generation }) => generation))], [2]);
    assert.equal(held.result(2, "b:depth"), undefined);
  });

  it("stays when the next fails: what was there is still on show", () => {
    const held = heldAfter(...first, [2, "start"], [2, "fail"], [3, "start"], [3, "fail"]);
    assert.deepEqual([...new Set(held.messages().map(({ generation }) => generation))], [1, 3]);
    assert.ok(held.hasResults(0));
    assert.ok(held.result(3, "a:depth"));
  });

  it("stays for the rows that a later one leaves alone", () => {
    const held = heldAfter(...first, [2, "startOne"], [2, result("b:depth")], [2, "finish"]);
    assert.deepEqual(events(held).flatMap((event) => (event.type === "result" ? [event.result.runId] : [])), ["a:depth", "b:depth"]);
    assert.deepEqual(held.messages().filter(({ type }) => type === "event").map(({ generation }) => generation), [1, 1, 1, 2]);
    held.hold({ type: "event", generation: 1, event: step(0, 1) });
    assert.ok(held.result(2, "a:depth"));
  });

  it("goes when it has no result left", () => {
    const held = heldAfter(...first, [2, "startOne"], [2, result("a:depth")], [2, result("b:depth")], [2, "finish"]);
    assert.deepEqual([...new Set(held.messages().map(({ generation }) => generation))], [2]);
    assert.deepEqual([...new Set(heldAfter([1, "start"], [1, "fail"], [2, "start"]).messages().map(({ generation }) => generation))], [2]);
  });
});
