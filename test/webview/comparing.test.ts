import assert from "node:assert/strict";
import { presets } from "../../src/core/presets";
import type { FromWebview, ViewState } from "../../src/protocol/panel";
import { event, init, multi, ramp, settingsOf, single, stateOf, step, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

describe("comparing, pinning and marking", () => {
  const settings = settingsOf(multi, single);
  const state = stateOf(settings);
  let stage: Stage;

  stageForEach(async (opened) => {
    stage = opened;
    const [started, ...rest] = wholeRun(1, settings);
    const steps = [0, 1, 2, 3].map((i) => event(1, step(multi, "depth", i, ramp(48, 32, i, i + 1))));
    await stage.send(init(state), started, ...rest.slice(0, 2), ...steps, ...rest.slice(2));
  });

  /** The view as it is saved once it has come to rest. */
  async function view(): Promise<ViewState | undefined> {
    await stage.page.waitForTimeout(350);
    return (await stage.sentOf("state")).at(-1)?.state.view;
  }

  const letters = (key: string): Promise<string | null> => stage.tile(key).locator(".tile-letters").textContent();

  it("pins what a tile shows as the reference by P, its step if it shows one, and frees it", async () => {
    await stage.tile("single:depth").hover();
    await stage.page.keyboard.press("p");
    await stage.settle();
    assert.deepEqual((await view())?.pinned, { kind: "result", rowId: "single", task: "depth" });
    assert.equal(await letters("single:depth"), "reference");
    await stage.page.getByLabel("Step of Multi-step").fill("1");
    await stage.settle();
    await stage.tile("multi:depth").focus();
    await stage.page.keyboard.press("p");
    await stage.settle();
    assert.deepEqual((await view())?.pinned, { kind: "step", rowId: "multi", task: "depth", step: 1 });
    assert.deepEqual([await letters("multi:depth"), await letters("single:depth")], ["reference", ""]);
    assert.equal(await stage.page.locator('.row[data-row="multi"] .thumbnail').nth(1).evaluate((one) => one.classList.contains("pinned")), true);
    await stage.page.keyboard.press("p");
    assert.equal((await view())?.pinned, undefined);
  });

  it("forgets a reference, a step and a comparison of a row that is removed", async () => {
    await stage.page.getByLabel("Step of Multi-step").fill("1");
    await stage.tile("multi:depth").focus();
    await stage.page.keyboard.press("p");
    await stage.click("Settings");
    await stage.page.getByRole("button", { name: "Remove Multi-step" }).click();
    const { pinned, shownSteps } = (await view()) ?? {};
    assert.deepEqual([pinned, shownSteps], [undefined, {}]);
  });

  it("opens the comparison when A and B are chosen, and leaves it by Escape", async () => {
    await stage.tile("multi:normals").hover();
    await stage.page.keyboard.press("a");
    await stage.settle();
    assert.equal(await letters("multi:normals"), "A");
    await stage.tile("single:depth").hover();
    await stage.page.keyboard.press("b");
    await stage.settle();
    assert.deepEqual([await letters("multi:normals"), await letters("single:depth")], ["", "B"], "depth is not compared with normals");
    await stage.tile("multi:depth").hover();
    await stage.page.keyboard.press("a");
    await stage.settle();
    const stageView = (await view())?.stage;
    assert.deepEqual(stageView, { kind: "ab", a: { kind: "result", rowId: "multi", task: "depth" }, b: { kind: "result", rowId: "single", task: "depth" }, mode: "wipe", split: 0.5 });
    assert.equal(await stage.tile("multi:depth").isVisible(), false);
    await stage.page.keyboard.press("Escape");
    assert.equal((await view())?.stage, undefined);
    assert.equal(await stage.tile("multi:depth").isVisible(), true);
  });

  it("compares the first two rows by its button, and the first step with the result of a single row", async () => {
    await stage.click("Compare A/B");
    const both = (await view())?.stage;
    assert.ok(both?.kind === "ab");
    assert.deepEqual([both.a, both.b], [{ kind: "result", rowId: "multi", task: "depth" }, { kind: "result", rowId: "single", task: "depth" }]);
    await stage.click("Compare A/B");
    await stage.click("Settings");
    await stage.page.getByRole("button", { name: "Remove Single step" }).click();
    await stage.click("Compare A/B");
    const alone = (await view())?.stage;
    assert.ok(alone?.kind === "ab");
    assert.deepEqual(alone.b, { kind: "step", rowId: "multi", task: "depth", step: 0 });
  });

  it("opens a depth in space, and the plots", async () => {
    await stage.tile("multi:depth").hover();
    await stage.tile("multi:depth").getByRole("button", { name: "Show in 3D" }).click();
    const space = (await view())?.stage;
    assert.ok(space?.kind === "space");
    assert.deepEqual(space.of, { kind: "result", rowId: "multi", task: "depth" });
    await stage.page.keyboard.press("Escape");
    await stage.click("Plots");
    assert.equal((await view())?.dock, "noise");
    await stage.click("Plots");
    assert.equal((await view())?.dock, undefined);
    await stage.tile("multi:normals").hover();
    assert.equal(await stage.tile("multi:normals").getByRole("button", { name: "Show in 3D" }).count(), 0);
  });

  it("puts numbered marks on every tile, six at most, by Shift and click or M, and takes one away by a click", async () => {
    await stage.point("multi:depth", 0.25, 0.5);
    await stage.page.keyboard.down("Shift");
    await stage.page.mouse.click(...(await placeOf("multi:depth", 0.25, 0.5)));
    await stage.page.mouse.click(...(await placeOf("multi:normals", 0.75, 0.25)));
    await stage.page.keyboard.up("Shift");
    const { probes, dock } = (await view()) ?? {};
    assert.equal(dock, "probes", "their values are listed");
    assert.ok(probes && Math.abs(probes[0].u - 0.25) < 0.01 && Math.abs(probes[1].v - 0.25) < 0.01, JSON.stringify(probes));
    for (const key of ["multi:photo", "single:depth"]) assert.deepEqual(await stage.tile(key).locator(".probe-mark").allTextContents(), ["1", "2"], key);
    const mark = await stage.tile("multi:photo").locator(".probe-mark").nth(1).boundingBox();
    const [x, y] = await placeOf("multi:photo", probes[1].u, probes[1].v);
    assert.ok(mark && Math.abs(mark.x + mark.width / 2 - x) < 1 && Math.abs(mark.y + mark.height / 2 - y) < 1, "where the point is");
    await stage.point("multi:depth", 0.5, 0.5);
    for (let i = 0; i < 5; i++) await stage.page.keyboard.press("m");
    assert.equal((await view())?.probes?.length, 6);
    assert.match((await stage.page.getByRole("alert").textContent()) ?? "", /6 marks already/);
    await stage.tile("multi:photo").locator(".probe-mark").first().click();
    assert.equal((await view())?.probes?.length, 5);
    assert.ok(Math.abs(((await view())?.probes?.[0].u ?? 0) - 0.75) < 0.01, "the first was taken");
  });

  it("draws a line by Alt and dragging, or by its tool, and takes it away by a click", async () => {
    const viewpoint = (await view())?.viewpoint;
    await stage.page.keyboard.down("Alt");
    await drag("multi:depth", [0.2, 0.3], [0.8, 0.6]);
    await stage.page.keyboard.up("Alt");
    const { line, dock } = (await view()) ?? {};
    assert.equal(dock, "profile");
    assert.ok(line && Math.abs(line[0].u - 0.2) < 0.01 && Math.abs(line[1].v - 0.6) < 0.01, JSON.stringify(line));
    assert.deepEqual((await view())?.viewpoint, viewpoint, "nothing was moved");
    const drawn = await stage.tile("single:normals").locator(".line-core").evaluate((element) => Number(element.getAttribute("x2")) - Number(element.getAttribute("x1")));
    const box = await stage.tile("single:normals").locator(".tile-area").boundingBox();
    assert.ok(box && Math.abs(drawn - 0.6 * box.width) < 2, "on every tile");
    await stage.page.getByRole("button", { name: /Draw a line/ }).click();
    await drag("multi:photo", [0.5, 0.1], [0.5, 0.9]);
    assert.ok(Math.abs(((await view())?.line?.[1].v ?? 0) - 0.9) < 0.01, "without Alt");
    await stage.click("Compare A/B");
    await stage.page.locator(".ab-stage .line-core").first().waitFor({ state: "attached" });
    await stage.page.keyboard.press("Escape");
    await stage.settle();
    await stage.page.keyboard.down("Alt");
    await stage.page.mouse.click(...(await placeOf("multi:depth", 0.5, 0.5)));
    await stage.page.keyboard.up("Alt");
    assert.equal((await view())?.line, undefined);
  });

  it("saves the session as it is", async () => {
    await stage.page.getByRole("button", { name: "Save session…" }).click();
    const [ask] = (await stage.sentOf("ask")).filter(({ name }) => name === "saveSession") as Extract<FromWebview, { name: "saveSession" }>[];
    assert.deepEqual(ask.params.state.settings, settings);
    await stage.send({ type: "answer", id: ask.id, result: { file: "room.plumbline.json" } });
    assert.match((await stage.page.getByRole("alert").textContent()) ?? "", /Saved room\.plumbline\.json/);
  });

  describe("with presets and rows of one's own", () => {
    it("adds the rows of a preset and runs them alone, or puts them in place of all others", async () => {
      await stage.click("Presets");
      const menu = stage.page.getByRole("dialog", { name: "Presets" });
      assert.deepEqual(await menu.locator(".preset").evaluateAll((all) => all.map((one) => one.getAttribute("data-preset"))), presets.map(({ id }) => id));
      await menu.locator('[data-preset="fig2"]').getByText("Add").click();
      const added = (await stage.sentOf("run")).at(-1);
      assert.deepEqual(added?.settings.rows.map(({ label, steps, spacing }) => [label, steps, spacing]).slice(2), [["Leading, 50 steps", 50, "leading"], ["Trailing, 50 steps", 50, "trailing"]]);
      assert.deepEqual(added?.only, added?.settings.rows.slice(2).map(({ rowId }) => rowId));
      assert.equal(await menu.isVisible(), false);
      await stage.click("Presets");
      await menu.locator('[data-preset="flaw"]').getByText("Replace all").click();
      const replaced = (await stage.sentOf("run")).at(-1);
      assert.deepEqual(replaced?.settings.rows.map(({ label }) => label), ["Leading, 1 step", "Trailing, 1 step", "E2E fine-tuned"]);
      assert.equal(replaced.only, undefined, "all of them");
      await stage.click("Presets");
      await stage.page.keyboard.press("Escape");
      assert.equal(await menu.isVisible(), false);
    });

    it("duplicates a row and gives it a seed, a resolution and a device of its own", async () => {
      await stage.click("Settings");
      await stage.page.getByRole("button", { name: "Duplicate Single step" }).click();
      await stage.settle();
      const copy = '[data-more="single-2"]';
      assert.equal(await stage.page.locator(copy).isVisible(), false, "calm until it is wanted");
      await stage.page.getByRole("button", { name: "More of Single step (2)" }).click();
      await stage.fill("Seed of Single step (2) alone", "7", copy);
      await stage.fill("Resolution of Single step (2) alone", "512", copy);
      await stage.choose("Device of Single step (2) alone", "cpu");
      await stage.click("Run Again");
      const run = (await stage.sentOf("run")).at(-1);
      assert.deepEqual(run?.settings.rows.at(-1), { ...single, rowId: "single-2", label: "Single step (2)", seed: 7, processingResolution: 512, device: "cpu" });
      await stage.fill("Seed of Single step (2) alone", "", copy);
      await stage.click("Run Again");
      assert.equal((await stage.sentOf("run")).at(-1)?.settings.rows.at(-1)?.seed, undefined, "empty is as for all");
    });

    it("says that the pictures are of other settings when a row gets a seed of its own", async () => {
      await stage.click("Settings");
      await stage.page.getByRole("button", { name: "More of Single step" }).click();
      await stage.fill("Seed of Single step alone", "2024", '[data-more="single"]');
      assert.equal(await stage.page.locator("vscode-button.changed").count(), 0, "the same as for all");
      await stage.fill("Seed of Single step alone", "3", '[data-more="single"]');
      assert.equal(await stage.page.locator("vscode-button.changed").count(), 1);
    });
  });

  async function placeOf(key: string, u: number, v: number): Promise<[number, number]> {
    const box = await stage.tile(key).locator(".tile-area").boundingBox();
    assert.ok(box);
    return [box.x + u * box.width, box.y + v * box.height];
  }

  async function drag(key: string, from: readonly [number, number], to: readonly [number, number]): Promise<void> {
    await stage.page.mouse.move(...(await placeOf(key, ...from)));
    await stage.page.mouse.down();
    await stage.page.mouse.move(...(await placeOf(key, ...to)), { steps: 5 });
    await stage.page.mouse.up();
    await stage.settle();
  }
});
