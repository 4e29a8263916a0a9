import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { readAt, runMillis, tile, waitIdle, waitReady } from "./tiles";
import { chooseInExplorer, keepFailure, openWorkbench, panelFrame, root, runCommand, type Workbench } from "./workbench";

const samples = join(root, "media/samples");
const screenshots = join(root, "out/screenshots");
const rows = (rowIds: readonly string[], columns: readonly string[]): readonly string[] => rowIds.flatMap((row) => columns.map((column) => `${row}:${column}`));

describe("Compare Multi-Step vs Single-Step, in a light theme", function () {
  this.timeout(300_000);
  let workbench: Workbench;
  let frame: Frame;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    workbench = await openWorkbench({ folder: samples, theme: "light" });
    await chooseInExplorer(workbench.page, ["coffee.jpg"], "Compare Multi-Step vs Single-Step");
    frame = await panelFrame(workbench.page);
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(() => workbench?.close());

  it("shows the steps of the multi-step run as they arrive, then both rows and the deviation over the steps", async () => {
    await tile(frame, "multi:depth").and(frame.locator('[data-state="streaming"]')).waitFor({ timeout: runMillis });
    await waitReady(frame, [...rows(["multi", "single"], ["photo", "depth", "normals"]), "multi:variation"]);
    await waitIdle(frame);
    const summaries = await frame.locator(".row-summary").allInnerTexts();
    assert.equal(summaries.length, 2);
    assert.match(summaries[0], /^10 steps · trailing/);
    assert.match(summaries[1], /^1 step · trailing/);
    await workbench.page.screenshot({ path: join(screenshots, "compare.png") });
  });

  it("reads all rows at one place", async () => {
    const keys = [...rows(["multi", "single"], ["depth", "normals"]), "multi:variation"];
    const { values } = await readAt(frame, "single:depth", { u: 0.4, v: 0.6 }, keys);
    assert.notDeepEqual(values["multi:depth"], values["single:depth"]);
    assert.ok(values["multi:variation"][0] > 0, "ten steps from noise differ");
    for (const key of ["multi:normals", "single:normals"]) assert.ok(Math.abs(Math.hypot(...values[key]) - 1) < 1e-4, key);
  });

  it("runs a leading row alone when it is added, and leaves the others as they are", async () => {
    const before = (await frame.locator(".row-status").allInnerTexts()).slice(0, 2);
    await frame.locator('.add-rows [data-add="leading"]').click();
    await frame.locator(".row-summary", { hasText: "1 step · leading" }).waitFor();
    await waitIdle(frame);
    const rowIds = await frame.locator("figure.tile[data-column=depth]").evaluateAll((tiles) => tiles.map((element) => element.getAttribute("data-key")?.split(":")[0] ?? ""));
    assert.equal(rowIds.length, 3);
    await waitReady(frame, rows(rowIds, ["depth", "normals"]));
    assert.deepEqual((await frame.locator(".row-status").allInnerTexts()).slice(0, 2), before);
    await workbench.page.screenshot({ path: join(screenshots, "leading.png") });
  });

  it("cancels a run from the panel", async () => {
    // A run that is in the cache is over before it can be cancelled.
    await runCommand(workbench.page, "Plumbline: Clear Run Cache");
    await workbench.page.locator(".notifications-toasts", { hasText: "The run cache was cleared" }).waitFor();
    await frame.locator(".toolbar vscode-button", { hasText: /^\s*Run/ }).first().click();
    await frame.locator(".toolbar vscode-button", { hasText: "Cancel" }).click();
    await frame.locator(".status-text", { hasText: /cancel/i }).waitFor({ timeout: runMillis });
    await frame.locator(".toolbar vscode-button", { hasText: /^\s*Run/ }).first().waitFor();
  });
});

describe("Estimate Geometry on several images, in high contrast and a narrow panel", function () {
  this.timeout(300_000);
  let workbench: Workbench;
  let frame: Frame;

  before(async () => {
    workbench = await openWorkbench({ folder: samples, theme: "highContrast", size: { width: 760, height: 900 } });
    await chooseInExplorer(workbench.page, ["bowl.jpg", "window.jpg"], "Estimate Geometry");
    frame = await panelFrame(workbench.page);
    await waitIdle(frame);
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(() => workbench?.close());

  it("has a strip to step through them, and runs an image when it is shown", async () => {
    const items = frame.locator(".strip-item");
    await items.first().waitFor();
    assert.equal(await items.count(), 2);
    await waitReady(frame, ["estimate:depth"]);
    assert.ok(await workbench.page.locator(".tabs-container .tab.active", { hasText: "window.jpg" }).isVisible(), "the image that was right-clicked comes first");
    await items.nth(1).click();
    await frame.locator(".status-name", { hasText: "bowl.jpg" }).waitFor();
    await waitIdle(frame);
    await waitReady(frame, ["estimate:photo", "estimate:depth", "estimate:normals"]);
    await workbench.page.locator(".tabs-container .tab.active", { hasText: "bowl.jpg" }).waitFor();
    await workbench.page.screenshot({ path: join(screenshots, "highContrast.png") });
  });

  it("keeps the results of an image that was left", async () => {
    await frame.locator(".strip-item").nth(0).click();
    await frame.locator(".status-name", { hasText: "window.jpg" }).waitFor();
    await waitReady(frame, ["estimate:depth"]);
    assert.ok(await frame.locator(".toolbar vscode-button", { hasText: /^\s*Run/ }).first().isVisible(), "nothing runs again");
  });

  it("does not scroll sideways", async () => {
    const { inner, outer } = await frame.evaluate(() => ({ inner: document.documentElement.scrollWidth, outer: document.documentElement.clientWidth }));
    assert.ok(inner <= outer, `${inner} > ${outer}`);
  });
});
