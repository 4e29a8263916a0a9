import assert from "node:assert/strict";
import type { FloatMap } from "../../src/core/image";
import type { ToWebview } from "../../src/protocol/panel";
import { event, init, multi, photoOf, planned, ramp, resultOf, settingsOf, single, stateOf, step } from "./scenario";
import { type Stage, stageForEach } from "./stage";

describe("the timeline of a row", () => {
  const leading = { ...single, rowId: "leading", label: "Leading", spacing: "leading" as const };
  const eight = { ...multi, rowId: "eight", label: "Eight", steps: 8 };
  const settings = settingsOf(multi, eight, leading);
  const state = stateOf(settings);
  let stage: Stage;

  stageForEach((opened) => void (stage = opened));

  /** Step i of S is a flat map of i; the result is S - 1. */
  const flat = (value: number): FloatMap => ramp(48, 32, value, value + 0.01);

  function run(row: typeof multi): ToWebview[] {
    const steps = Array.from({ length: row.steps }, (_, i) => event(1, step(row, "depth", i, flat(i))));
    return [event(1, planned(row, "depth")), ...steps, event(1, { type: "result", result: resultOf(row, "depth", flat(row.steps - 1)) })];
  }

  async function runAll(): Promise<void> {
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photoOf(48, 32) }), ...run(multi), ...run(eight), ...run(leading), { type: "finished", generation: 1, elapsedMillis: 1 });
  }

  const timeline = (row: string) => stage.page.locator(`.row[data-row="${row}"] .timeline`);
  const slider = (row: string) => timeline(row).locator("input");
  const facts = (row: string): Promise<string | null> => timeline(row).locator(".timeline-facts").textContent();
  const shownThumbnail = (row: string): Promise<number> => timeline(row).locator(".thumbnail").evaluateAll((all) => all.findIndex((one) => one.classList.contains("shown")));

  /** What a tile shows in its middle, rounded to the step that has it. */
  async function shownStep(row: string): Promise<number> {
    await stage.point(`${row}:depth`, 0.1, 0.5);
    const [value] = await stage.chip(`${row}:depth`);
    return Math.floor(value + 0.001);
  }

  it("shows each step as a picture of its map, the one on show marked", async () => {
    await runAll();
    assert.equal(await timeline("multi").locator(".thumbnail").count(), 4);
    assert.equal(await shownThumbnail("multi"), 3, "the result is the last");
    const colours = await timeline("multi").locator("canvas.thumbnail").evaluateAll((all) =>
      all.map((canvas) => [...((canvas as HTMLCanvasElement).getContext("2d")?.getImageData(10, 10, 1, 1).data ?? [])]),
    );
    // The ends of Spectral, from its table: (158, 1, 66) and (94, 79, 162).
    assert.ok(Math.hypot(colours[0][0] - 158, colours[0][1] - 1, colours[0][2] - 66) < 12, `the lowest is red: ${colours[0].join()}`);
    assert.ok(Math.hypot(colours[3][0] - 94, colours[3][1] - 79, colours[3][2] - 162) < 12, `the highest is blue: ${colours[3].join()}`);
    assert.equal(new Set(colours.map((colour) => colour.join())).size, 4, "one range for all");
  });

  it("says what the network is told and what is really there, and points out the gap", async () => {
    await runAll();
    await slider("multi").fill("1");
    await stage.settle();
    assert.match((await facts("multi")) ?? "", /step 2 of 4 · t = 749 · ᾱ = 0\.4375.*told 0\.75 · really 0\.75/);
    assert.equal(await timeline("multi").locator(".mismatch").count(), 0);
    assert.match((await facts("leading")) ?? "", /t = 1 ·.*told 0\.00 · really 1\.00/);
    assert.equal(await timeline("leading").locator(".mismatch").isVisible(), true);
    assert.equal(await timeline("leading").locator(".thumbnail").first().isVisible(), false, "one step: nothing to choose");
  });

  it("does not warn of the gap that a model was fine-tuned for", async () => {
    const endToEnd = { ...leading, rowId: "e2e", models: { depth: "e2e-depth" }, spacing: "trailing", noise: { kind: "zeros" } } as const;
    const only = settingsOf(endToEnd);
    await stage.send(init(stateOf(only)), { type: "started", generation: 1, image: 0, settings: only }, event(1, { type: "image", image: photoOf(48, 32) }), ...run(endToEnd), { type: "finished", generation: 1, elapsedMillis: 1 });
    assert.match((await facts("e2e")) ?? "", /told 1\.00 · really 0\.00/);
    assert.equal(await timeline("e2e").locator(".mismatch").count(), 0);
  });

  it("is stepped by keys, by a press on a picture, and by the slider", async () => {
    await runAll();
    await slider("multi").focus();
    await stage.page.keyboard.press("Home");
    await stage.settle();
    assert.equal(await shownStep("multi"), 0);
    await slider("multi").focus();
    await stage.page.keyboard.press("ArrowRight");
    await stage.settle();
    assert.equal(await shownStep("multi"), 1);
    await timeline("multi").locator(".thumbnail").nth(2).click();
    await stage.settle();
    assert.equal(await shownStep("multi"), 2);
    assert.equal(await shownThumbnail("multi"), 2);
    await slider("multi").focus();
    await stage.page.keyboard.press("End");
    await stage.page.waitForTimeout(400);
    assert.deepEqual((await stage.sentOf("state")).at(-1)?.state.view.shownSteps, {}, "the end is the result");
  });

  it("plays once, from the start, and stops at the end", async () => {
    await runAll();
    await slider("eight").focus();
    // Watched in the page, so that a busy machine misses none.
    const seen = await timeline("eight").evaluateHandle((element) => {
      const shown: number[] = [];
      const look = (): void => {
        const at = [...element.querySelectorAll(".thumbnail")].findIndex((one) => one.classList.contains("shown"));
        if (at !== shown.at(-1)) shown.push(at);
      };
      new MutationObserver(look).observe(element, { subtree: true, attributeFilter: ["class"] });
      return shown;
    });
    await stage.page.keyboard.press("Space");
    await stage.page.waitForFunction((shown) => shown.at(-1) === 7 && shown.length > 1, seen);
    assert.deepEqual((await seen.jsonValue()).filter((at) => at >= 0), [0, 1, 2, 3, 4, 5, 6, 7], "every step was shown, in order");
    assert.equal(await timeline("eight").getByRole("button", { name: "Play (Space)" }).isVisible(), true);
    await stage.page.waitForTimeout(300);
    assert.equal(await shownThumbnail("eight"), 7, "it does not begin again");
  });

  it("takes the other rows along to the nearest noise level, with Shift or when they are linked", async () => {
    await runAll();
    await slider("eight").focus();
    await stage.page.keyboard.press("Home");
    await stage.settle();
    assert.equal(await shownThumbnail("multi"), 3, "alone without a link");
    // Both within a frame: neither is lost.
    await slider("eight").evaluate((element) => {
      for (let i = 0; i < 2; i++) element.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", shiftKey: true, bubbles: true, cancelable: true }));
    });
    await stage.settle();
    assert.equal(await shownThumbnail("eight"), 2);
    assert.equal(await shownThumbnail("multi"), 1, "t = 749 of both");
    await timeline("multi").getByRole("button", { name: /Link/ }).click();
    await slider("multi").focus();
    await stage.page.keyboard.press("Home");
    await stage.settle();
    assert.equal(await shownThumbnail("eight"), 0);
    await stage.page.waitForTimeout(400);
    const { linkSteps, shownSteps } = (await stage.sentOf("state")).at(-1)?.state.view ?? {};
    assert.deepEqual([linkSteps, shownSteps], [true, { multi: 0, eight: 0 }]);
  });

  it("grows as steps come in, without moving the tiles, and stops only at what is there", async () => {
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings });
    const place = (): Promise<unknown> => stage.tile("leading:depth").locator(".tile-area").boundingBox();
    await stage.send(event(1, { type: "image", image: photoOf(48, 32) }));
    const reserved = await place();
    await stage.send(...run(multi).slice(0, 3));
    assert.equal(await timeline("multi").locator(".thumbnail:not(.pending)").count(), 2);
    await slider("multi").focus();
    await stage.page.keyboard.press("End");
    await stage.settle();
    assert.equal(await shownThumbnail("multi"), 1, "the latest");
    await stage.send(...run(multi).slice(3));
    assert.equal(await shownThumbnail("multi"), 3);
    assert.deepEqual(await place(), reserved);
  });

  it("has a stop for the map of all members after the last step of the first", async () => {
    const members = { ...multi, ensembleSize: 3 };
    const both = settingsOf(members);
    await stage.send(init(stateOf(both)), { type: "started", generation: 1, image: 0, settings: both }, event(1, { type: "image", image: photoOf(48, 32) }), ...run(members).slice(0, -1), event(1, { type: "result", result: resultOf(members, "depth", flat(7)) }));
    assert.match((await facts("multi")) ?? "", /3 members combined/);
    assert.equal(await shownStep("multi"), 7);
    await slider("multi").focus();
    await stage.page.keyboard.press("ArrowLeft");
    await stage.settle();
    assert.equal(await shownStep("multi"), 3, "the last step of member 0");
  });

  it("says when a run comes from the cache, and asks for the map of the step on show alone, once", async () => {
    const one = settingsOf(multi);
    const steps = [0, 1, 2, 3].map((i) => event(1, { ...step(multi, "depth", i, flat(i)), map: undefined }));
    await stage.send(init(stateOf(one)), { type: "started", generation: 1, image: 0, settings: one }, event(1, { type: "image", image: photoOf(48, 32) }), event(1, planned(multi, "depth", true)), ...steps, event(1, { type: "result", result: resultOf(multi, "depth", flat(3)) }), { type: "finished", generation: 1, elapsedMillis: 1 });
    assert.equal(await stage.page.locator(".row-head .badge").textContent(), "cached");
    assert.deepEqual(await stage.sentOf("ask"), [], "nothing is asked for before it is looked at");
    await slider("multi").fill("1");
    await stage.settle();
    const asked = (await stage.sentOf("ask")).filter(({ name, params }) => name === "map" && params.kind === "step" && params.step === 1);
    assert.equal(asked.length, 1);
    assert.deepEqual(asked[0].params, { kind: "step", runKey: "key-multi-depth", step: 1 });
    assert.equal(await stage.tile("multi:depth").getAttribute("data-state"), "ready", "its thumbnail stands for it meanwhile");
    await stage.send({ type: "answer", id: asked[0].id, result: { map: flat(1) } });
    assert.equal(await shownStep("multi"), 1);
  });

  it("says once that a map cannot be had, and does not ask again", async () => {
    const one = settingsOf(multi);
    await stage.send(init(stateOf(one)), { type: "started", generation: 1, image: 0, settings: one }, event(1, { type: "image", image: photoOf(48, 32) }), event(1, planned(multi, "depth", true)));
    const rest = { ...step(multi, "depth", 0, flat(0)), map: undefined };
    await stage.send(event(1, rest), event(1, { type: "result", result: resultOf(multi, "depth", flat(3)) }), { type: "finished", generation: 1, elapsedMillis: 1 });
    await slider("multi").fill("0");
    await stage.settle();
    const [ask] = await stage.sentOf("ask");
    await stage.send({ type: "refused", id: ask.id, message: "The cache file is truncated.", remedy: "Run again." });
    assert.match((await stage.page.getByRole("alert").textContent()) ?? "", /The cache file is truncated\. Run again\./);
    await stage.choose("Colormap", "viridis");
    await stage.settle();
    assert.equal((await stage.sentOf("ask")).length, 1);
  });
});
