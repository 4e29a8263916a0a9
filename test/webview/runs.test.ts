import assert from "node:assert/strict";
import type { PanelState } from "../../src/protocol/panel";
import { event, init, mapOf, multi, photoOf, ramp, resultOf, settingsOf, single, stateOf, step, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

describe("running from the panel", () => {
  const settings = settingsOf(multi, single);
  const state = stateOf(settings);
  let stage: Stage;

  stageForEach((opened) => void (stage = opened));

  const stateOfTile = (key: string): Promise<string | null> => stage.tile(key).getAttribute("data-state");
  const badge = (key: string): Promise<string | null> => stage.tile(key).locator(".badge").textContent();
  const status = (): Promise<string | null> => stage.page.locator(".status-text").textContent();

  it("fills tiles as steps stream in, without moving them", async () => {
    await stage.send(init(state), { type: "thumbnail", image: 0, thumbnail: { source: "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=", width: 480, height: 320 } }, { type: "started", generation: 1, image: 0, settings });
    const places = async (): Promise<unknown[]> => Promise.all(["multi:photo", "multi:depth", "multi:variation", "single:depth"].map((key) => stage.tile(key).locator(".tile-area").boundingBox()));
    const reserved = await places();
    assert.equal(await stage.tile("multi:depth").locator(".overlay").isVisible(), true, "no empty tile");
    await stage.send(event(1, { type: "image", image: photoOf(480, 320) }), event(1, { type: "device", device: "cpu" }));
    await stage.send(event(1, { type: "progress", runId: "multi:depth", stage: "denoise", fraction: 0.25, remainingMillis: 12_000 }), event(1, step(multi, "depth", 0, ramp(48, 32))));
    assert.equal(await badge("multi:depth"), "t = 999 · 1/4");
    assert.equal(await stateOfTile("multi:depth"), "streaming");
    assert.match((await status()) ?? "", /Multi-step, depth: denoising, step 1 of 4 \(t = 999\)/);
    assert.equal(await stage.page.locator(".status-time").textContent(), "12.0 s left");
    assert.equal(await stage.page.getByRole("progressbar", { name: "Progress" }).getAttribute("aria-valuenow"), "25");
    await stage.send(event(1, step(multi, "depth", 1, ramp(48, 32, 1, 0), ramp(48, 32))));
    assert.equal(await badge("multi:depth"), "t = 749 · 2/4");
    await stage.point("multi:depth", 0.5 / 48, 0.5);
    assert.deepEqual(await stage.chip("multi:depth"), [1], "the newer step replaced the older");
    assert.equal(await stateOfTile("multi:variation"), "streaming");
    await stage.send(event(1, { type: "result", result: resultOf(multi, "depth", ramp(480, 320)) }), { type: "finished", generation: 1, elapsedMillis: 8400 });
    assert.equal(await badge("multi:depth"), "t = 999 → 249");
    assert.equal(await status(), "Finished in 8.4 s on CPU");
    assert.deepEqual(await places(), reserved);
  });

  it("steps back through the denoising of a finished run", async () => {
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photoOf(48, 32) }));
    for (let i = 0; i < 4; i++) await stage.send(event(1, step(multi, "depth", i, ramp(48, 32, i, i + 1))));
    await stage.send(event(1, { type: "result", result: resultOf(multi, "depth", ramp(48, 32, 3, 4)) }), { type: "finished", generation: 1, elapsedMillis: 1 });
    await stage.page.getByLabel("Step of Multi-step").fill("1");
    await stage.settle();
    await stage.point("multi:depth", 0.5 / 48, 0.5);
    assert.deepEqual(await stage.chip("multi:depth"), [1]);
    assert.equal(await badge("multi:depth"), "t = 749 · 2/4");
    await stage.page.getByLabel("Step of Multi-step").fill("3");
    await stage.settle();
    assert.equal(await badge("multi:depth"), "t = 999 → 249", "the last step is the result");
  });

  it("cancels, and says so", async () => {
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings });
    await stage.click("Cancel");
    assert.equal((await stage.sentOf("cancel")).length, 1);
    await stage.send({ type: "cancelled", generation: 1 });
    assert.equal(await status(), "Cancelled");
    assert.equal(await stage.tile("multi:depth").locator(".overlay").textContent(), "Cancelled");
    await stage.click("Run Again");
    assert.deepEqual((await stage.sentOf("run")).at(-1), { type: "run", image: 0, settings });
  });

  it("runs again with edited settings", async () => {
    await stage.send(init(state), ...wholeRun(1, settings));
    await stage.click("Settings");
    await stage.fill("Denoising steps", "7", '[data-row="multi"]');
    await stage.fill("Ensemble members", "3", '[data-row="multi"]');
    await stage.fill("Denoising steps", "zero", '[data-row="single"]');
    await stage.fill("Seed of the noise", "7");
    await stage.fill("Longest side at which the networks run; 0 is the image's own", "0");
    const within = stage.page.locator('.run-row[data-row="multi"]');
    await within.locator('vscode-dropdown[aria-label="Timestep spacing"]').click();
    await within.locator('vscode-option[value="leading"]').click();
    await within.locator('vscode-dropdown[aria-label="Depth model"]').click();
    await within.locator('vscode-option[value="e2e-depth"]').click();
    await stage.settle();
    assert.equal(await stage.page.locator("vscode-button.changed").count(), 1, "says that the pictures are of other settings");
    await stage.click("Run Again");
    const run = (await stage.sentOf("run")).at(-1);
    const edited = { ...multi, steps: 7, ensembleSize: 3, spacing: "leading" as const, models: { depth: "e2e-depth", normals: "normals" } };
    assert.deepEqual(run, { type: "run", image: 0, settings: { rows: [edited, single], seed: 7, processingResolution: 0 } });
  });

  it("adds the leading row, the flaw, with one click and runs it alone", async () => {
    await stage.send(init(state), ...wholeRun(1, settings));
    const offered = (): Promise<(string | null)[]> => stage.page.locator(".add-rows [data-add]").evaluateAll((buttons) => buttons.map((element) => element.getAttribute("data-add")));
    assert.deepEqual(await offered(), ["leading", "endToEnd"], "the comparisons that are not shown yet");
    await stage.page.locator('.add-rows [data-add="leading"]').click();
    const run = (await stage.sentOf("run")).at(-1);
    assert.deepEqual(run?.only, ["leading-1"]);
    const row = run?.settings.rows[2];
    assert.deepEqual([row?.steps, row?.spacing, row?.models], [1, "leading", { depth: "depth", normals: "normals" }]);
    await stage.send({ type: "started", generation: 2, image: 0, settings: run.settings, only: run.only });
    assert.equal(await stateOfTile("multi:depth"), "ready", "the rows that are not run keep their results");
    assert.deepEqual(await offered(), ["endToEnd"]);
    await stage.page.locator('.add-rows [data-add="endToEnd"]').click();
    const second = (await stage.sentOf("run")).at(-1);
    assert.deepEqual(second?.settings.rows[3].models, { depth: "e2e-depth", normals: "e2e-normals" });
    assert.equal(second.settings.rows[3].noise.kind, "zeros");
  });

  it("removes a row and lets the noise come from a file", async () => {
    await stage.send(init(state), ...wholeRun(1, settings));
    await stage.click("Settings");
    const row = stage.page.locator('.run-row[data-row="single"]');
    await row.locator('vscode-dropdown[aria-label="Starting noise"]').click();
    await row.locator('vscode-option[value="choose"]').click();
    assert.deepEqual(await stage.sentOf("chooseNoise"), [{ type: "chooseNoise", rowId: "single" }]);
    await stage.send({ type: "noiseChosen", rowId: "single", path: "/data/noise.npy" });
    await stage.page.getByRole("button", { name: "Remove Multi-step" }).click();
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").count(), 0, "gone at once");
    assert.equal(await stateOfTile("single:depth"), "ready");
    await stage.click("Run Again");
    assert.deepEqual((await stage.sentOf("run")).at(-1)?.settings.rows, [{ ...single, noise: { kind: "file", path: "/data/noise.npy" } }]);
  });

  it("offers a model that was added meanwhile, and not one that was removed", async () => {
    const start = init(state);
    if (start.type !== "init") throw new Error("not the beginning");
    await stage.send(start, ...wholeRun(1, settings));
    await stage.click("Settings");
    const offered = (): Promise<string[]> => stage.page.locator('.run-row[data-row="single"] vscode-dropdown[aria-label="Depth model"] vscode-option').allTextContents();
    const before = await offered();
    const added = { id: "owner/new", name: "Added model", task: "depth", endToEnd: false } as const;
    await stage.send({ type: "models", models: [...start.models.filter(({ id }) => id !== "e2e-depth"), added] });
    await stage.settle();
    const gone = start.models.find(({ id }) => id === "e2e-depth")?.name ?? "";
    assert.ok(before.includes(gone) && !before.includes("Added model"));
    assert.deepEqual(await offered(), [...before.filter((name) => name !== gone && name !== "none"), "Added model", "none"]);
    assert.equal(await stateOfTile("single:depth"), "ready", "what is shown stays");
  });

  it("offers what a row's models have: a domain, a tiny decoder, no schedule where nothing is denoised", async () => {
    const choices = [
      { id: "wizard", name: "GeoWizard", task: "depth", endToEnd: false, family: "geowizard", tinyDecoder: true },
      { id: "anything", name: "Depth Anything", task: "depth", endToEnd: false, family: "feedforward" },
    ] as const;
    const wizard = { ...single, rowId: "wizard", label: "GeoWizard", models: { depth: "wizard" } };
    const anything = { ...single, rowId: "anything", label: "Anything", models: { depth: "anything" } };
    const both = settingsOf(wizard, anything);
    const start = init(stateOf(both));
    if (start.type !== "init") throw new Error("not the beginning");
    const disparity = resultOf(anything, "depth", ramp(48, 32));
    const result = { ...disparity, provenance: { ...disparity.provenance, semantics: { task: "depth", depthKind: "affine-disparity" } as const } };
    await stage.send({ ...start, models: [...start.models, ...choices] }, ...wholeRun(1, settingsOf(wizard)), { type: "started", generation: 2, image: 0, settings: both }, event(2, { type: "result", result: resultOf(wizard, "depth", ramp(48, 32)) }), event(2, { type: "planned", runId: result.runId, cached: false, steps: [{ timestep: 0 }] }), event(2, { type: "result", result }), { type: "finished", generation: 2, elapsedMillis: 1 });
    const kindsOf = (row: string) => stage.page.locator(`.row[data-row="${row}"] .row-kind`).allTextContents();
    assert.deepEqual([await kindsOf("wizard"), await kindsOf("anything")], [["affine depth"], ["disparity"]]);
    const summary = (row: string) => stage.page.locator(`.row[data-row="${row}"] .row-summary`).textContent();
    assert.equal(await summary("wizard"), "1 step · trailing · gaussian noise · indoor");
    assert.equal(await summary("anything"), "one pass, without steps and noise");
    const facts = (row: string) => stage.page.locator(`.row[data-row="${row}"] .timeline-facts`).textContent();
    assert.doesNotMatch((await facts("anything")) ?? "", /t = |step/, "no timestep where nothing is denoised");
    await stage.click("Settings");
    assert.equal(await stage.page.locator('.run-row[data-row="anything"] vscode-text-field[aria-label="Denoising steps"]').count(), 0);
    assert.equal(await stage.page.locator('.run-row[data-row="wizard"] vscode-text-field[aria-label="Denoising steps"]').count(), 1);
    await stage.page.locator('vscode-button[aria-label="More of GeoWizard"]').click();
    await stage.choose("Domain of GeoWizard", "outdoor");
    await stage.choose("Decoder of GeoWizard", "tiny");
    assert.equal(await stage.page.locator('vscode-dropdown[aria-label="Domain of Anything"], vscode-dropdown[aria-label="Decoder of Anything"]').count(), 0);
    await stage.page.waitForTimeout(300);
    const { domain, decoder } = (await stage.sentOf("state")).at(-1)?.state.settings.rows[0] ?? {};
    assert.deepEqual([domain, decoder], ["outdoor", "tiny"]);
  });

  it("says beside a row what leaves its model's own settings, and what that usually costs", async () => {
    const advised = { family: "marigold", endToEnd: true, scheduler: { kind: "ddim" }, defaults: { steps: 1, noise: "zeros", processingResolution: 0 } } as const;
    const tuned = { ...single, rowId: "tuned", label: "Tuned", models: { depth: "tuned" }, noise: { kind: "zeros" } } as const;
    const start = init(stateOf(settingsOf(tuned)));
    if (start.type !== "init") throw new Error("not the beginning");
    await stage.send({ ...start, models: [...start.models, { id: "tuned", name: "Tuned", task: "depth", endToEnd: true, advised }] });
    await stage.click("Settings");
    const advice = stage.page.locator('[data-advice="tuned"]');
    assert.equal(await advice.isVisible(), false, "nothing was left");
    await stage.fill("Denoising steps", "7", '[data-row="tuned"]');
    await stage.settle();
    assert.match((await advice.textContent()) ?? "", /fine-tuned end to end for one step.*usually make it worse/);
    await stage.fill("Denoising steps", "1", '[data-row="tuned"]');
    await stage.settle();
    assert.equal(await advice.isVisible(), false);
  });

  it("dims the results of the run before until new ones are there", async () => {
    await stage.send(init(state), ...wholeRun(1, settings));
    await stage.send({ type: "started", generation: 2, image: 0, settings });
    assert.equal(await stateOfTile("multi:depth"), "stale");
    assert.equal(await badge("multi:depth"), "previous run");
    await stage.send(event(1, { type: "result", result: resultOf(multi, "depth", ramp(48, 32, 5, 6)) }));
    await stage.point("multi:depth", 0.5 / 48, 0.5);
    assert.deepEqual(await stage.chip("multi:depth"), [0], "a late message of the old run changes nothing");
    await stage.send(event(2, { type: "result", result: resultOf(multi, "depth", ramp(48, 32, 7, 8)) }));
    assert.equal(await stateOfTile("multi:depth"), "ready");
  });

  it("shows an error with its remedy and the way to the log", async () => {
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings }, { type: "failed", generation: 1, message: "Expected an image but received text.", remedy: "Open another file." });
    const notice = stage.page.getByRole("alert");
    assert.match((await notice.textContent()) ?? "", /Expected an image but received text\..*Open another file\./);
    await stage.click("Show Log");
    assert.equal((await stage.sentOf("showLog")).length, 1);
    await notice.getByText("Run Again").click();
    assert.equal((await stage.sentOf("run")).length, 1);
    await stage.send({ type: "started", generation: 2, image: 0, settings });
    assert.equal(await notice.isVisible(), false);
  });

  it("tells the host of an error in the page", async () => {
    await stage.page.evaluate(() => window.dispatchEvent(new ErrorEvent("error", { message: "lost", error: new Error("lost") })));
    assert.match((await stage.sentOf("error"))[0].message, /lost/);
  });

  it("says what to do when there is no image", async () => {
    await stage.send(init(stateOf(settings, [])));
    assert.match((await stage.page.locator(".empty").textContent()) ?? "", /Right-click an image/);
    assert.equal(await stage.page.locator(".tile").first().isVisible().catch(() => false), false);
  });

  it("steps through several images, runs what has no result and keeps what has", async () => {
    const several = stateOf(settings, ["a.jpg", "b.jpg", "c.jpg"]);
    await stage.send(init(several), ...wholeRun(1, settings, 0));
    await stage.page.keyboard.press("PageDown");
    await stage.waitForMessage("run");
    assert.deepEqual(await stage.sentOf("run"), [{ type: "run", image: 1, settings }]);
    await stage.send(...wholeRun(2, settings, 1));
    await stage.page.getByRole("tab", { name: "a.jpg" }).click();
    await stage.settle();
    assert.equal(await stateOfTile("multi:depth"), "ready");
    await stage.page.keyboard.press("ArrowRight");
    await stage.page.waitForTimeout(500);
    assert.equal((await stage.sentOf("run")).length, 1, "both have their results");
    assert.equal((await stage.sentOf("state")).at(-1)?.state.current, 1);
    assert.equal(await stage.page.getByRole("tab", { name: "b.jpg" }).getAttribute("aria-selected"), "true");
  });

  it("exports the chosen maps in the chosen formats, as shown", async () => {
    await stage.send(init(state), ...wholeRun(3, settings));
    await stage.click("Export");
    const menu = stage.page.getByRole("dialog", { name: "Export" });
    for (const key of ["multi:normals", "multi:variation", "single:normals"]) await menu.locator(`[data-key="${key}"]`).click();
    await menu.locator('[data-format="png16"]').click();
    await menu.getByText("Export…").click();
    const request = { generation: 3, task: "depth" as const, quantity: "map" as const, formats: ["png", "npy", "png16"], colormap: "Spectral", normalsFrame: undefined };
    const [sent] = await stage.sentOf("export");
    assert.deepEqual(sent.request, { ...request, rowId: "multi", range: [0, 1] });
    assert.deepEqual(sent.more, [{ ...request, rowId: "single", range: [Math.fround(0.1), Math.fround(1.1)] }]);
    assert.equal(await menu.isVisible(), false);
    await stage.send({ type: "exported", files: ["room-depth.png", "room-depth.npy"] });
    assert.match((await stage.page.getByRole("alert").textContent()) ?? "", /room-depth\.png, room-depth\.npy/);
    await stage.tile("multi:variation").hover();
    await stage.tile("multi:variation").getByRole("button", { name: "Export" }).click();
    await menu.getByText("Export…").click();
    const last = (await stage.sentOf("export")).at(-1);
    assert.deepEqual([last?.request.quantity, last?.request.colormap, last?.more], ["std", "magma", undefined]);
  });

  it("keeps its state for a reload and shows it again", async () => {
    await stage.send(init(state), ...wholeRun(1, settings));
    await stage.choose("Colormap", "viridis");
    await stage.fill("Upper percentile of the range", "90");
    await stage.tile("single:depth").focus();
    await stage.page.keyboard.press("Enter");
    await stage.page.waitForTimeout(500);
    const told = (await stage.sentOf("state")).at(-1)?.state as PanelState;
    await stage.page.reload();
    await stage.waitForMessage("ready");
    const [ready] = await stage.sentOf("ready");
    assert.deepEqual(ready.state, told, "what getState gives is what the host was told");
    await stage.send(init(told), ...wholeRun(1, settings));
    assert.equal(await stage.tile("multi:depth").isVisible(), false, "still maximised");
    assert.equal(await stage.tile("single:depth").isVisible(), true);
    assert.equal(await stage.page.locator('vscode-dropdown[aria-label="Colormap"]').evaluate((element) => (element as HTMLSelectElement).value), "viridis");
    assert.deepEqual(await stage.tile("single:depth").locator(".color-bar .number").allTextContents(), ["0.1", "1.01"], "the 90th percentile of the columns");
  });

  it("shows the ensemble's spread where there are members but one step", async () => {
    const members = { ...single, ensembleSize: 5 };
    const both = settingsOf(multi, members);
    const spread = mapOf(48, 32, 1, () => 0.125);
    await stage.send(init(stateOf(both)), ...wholeRun(1, both), event(1, { type: "result", result: resultOf(members, "depth", ramp(48, 32), { stdOverMembers: spread }) }));
    assert.match((await stage.tile("single:variation").locator(".tile-title").textContent()) ?? "", /std over members/);
    await stage.point("single:variation", 0.5, 0.5);
    assert.deepEqual(await stage.chip("single:variation"), [0.125]);
  });
});
