import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { waitIdle, waitReady } from "./tiles";
import { choose } from "./spot";
import { waitFor } from "../../waiting";
import { chooseInExplorer, closeEditors, keepFailure, openWorkbench, panelFrame, root, type Workbench } from "./workbench";

/** Estimates of all images, on a machine that does other things too. */
const runMillis = 240_000;
const heldout = join(root, "test/heldout");

describe("Spot-Check Geometry", function () {
  this.timeout(600_000);
  const workspace = mkdtempSync(join(tmpdir(), "plumbline-spot-ui-"));
  const folder = join(workspace, "scenes");
  let workbench: Workbench;
  let frame: Frame;

  before(async () => {
    mkdirSync(folder);
    for (const name of readdirSync(heldout).filter((file) => file.endsWith("_rgb.png"))) copyFileSync(join(heldout, name), join(folder, name));
    writeFileSync(join(folder, "broken.png"), "no image");
    workbench = await openWorkbench({ folder: workspace });
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    rmSync(workspace, { recursive: true, force: true, maxRetries: 5 });
  });

  const out = (): string => {
    const results = join(folder, ".plumbline-spotcheck");
    return existsSync(results) ? join(results, readdirSync(results)[0]) : results;
  };
  const records = (): number => {
    const journal = join(out(), "journal.jsonl");
    return existsSync(journal) ? readFileSync(journal, "utf8").split("\n").filter((line) => line.includes('"type":"record"')).length : 0;
  };
  const button = (text: string) => frame.locator(".spot vscode-button", { hasText: text });
  const status = () => frame.locator(".run-status").first();

  it("runs on a folder of the explorer, and shows results as they come", async () => {
    await chooseInExplorer(workbench.page, ["scenes"], "Spot-Check Geometry");
    frame = await panelFrame(workbench.page);
    await frame.locator(".spec-form").waitFor();
    await frame.locator('vscode-text-field[title="Resolution"] input').fill("96");
    await frame.locator('vscode-text-field[title="Resolution"] input').press("Tab");
    await frame.locator(".spot .bar vscode-button[appearance=primary]").click();
    await frame.locator('.cell[data-status="done"] img').first().waitFor({ timeout: runMillis });
    assert.ok((await frame.locator('.cell[data-status="pending"]').count()) > 0, "a place is kept for the others");
    const spec = JSON.parse(readFileSync(join(folder, "plumbline.spotcheck.json"), "utf8")) as { runs: { processingResolution: number }[] };
    assert.equal(spec.runs[0].processingResolution, 96);
  });

  it("pauses and resumes, and ends with every image", async () => {
    await button("Pause").click();
    await status().filter({ hasText: "paused" }).waitFor();
    const seen = records();
    // What is under way is finished, and no more: eight images at most.
    let atPause = seen;
    for (let still = 0; still < 5; still++) {
      await workbench.page.waitForTimeout(1000);
      if (records() !== atPause) [atPause, still] = [records(), 0];
    }
    assert.ok(atPause <= seen + 8, `${atPause - seen} images after the pause`);
    assert.ok(atPause < 49, "something is left to resume");
    await button("Resume").click();
    await status().filter({ hasText: /^49 examined, 1 failed$/ }).waitFor({ timeout: runMillis });
    assert.equal(records(), 49);
    assert.match(readFileSync(join(out(), "samples.csv"), "utf8"), /^filename,/);
  });

  it("keeps marks, ranks, and filters by brushing over the histogram", async () => {
    await choose(frame, "Metric", "consistency");
    await frame.locator('.cell[aria-posinset="3"] .number', { hasText: "deg" }).waitFor();
    const value = (index: number): Promise<number> => frame.locator(`.cell[aria-posinset="${index}"] .number`).innerText().then(parseFloat);
    const worst = [await value(1), await value(2), await value(3)];
    assert.ok(worst[0] >= worst[1] && worst[1] >= worst[2] && worst[2] > 0, worst.join());
    await frame.locator('.cell[aria-posinset="1"]').click();
    const id = await frame.locator(".details-name").innerText();
    await workbench.page.keyboard.press("b");
    await frame.locator('.cell[aria-posinset="1"][data-mark="bad"]').waitFor();
    await waitFor("the mark on the disk", () => existsSync(join(out(), "marks.jsonl")) && readFileSync(join(out(), "marks.jsonl"), "utf8").includes(JSON.stringify({ type: "mark", id, mark: "bad", note: "" })));
    const box = await frame.locator(".metric-area").boundingBox();
    assert.ok(box);
    await workbench.page.mouse.move(box.x + box.width * 0.5, box.y + 40);
    await workbench.page.mouse.down();
    await workbench.page.mouse.move(box.x + box.width - 14, box.y + 40, { steps: 5 });
    await workbench.page.mouse.up();
    const count = frame.locator(".run-status", { hasText: /^\d+ of 49 images$/ });
    await count.waitFor();
    assert.equal(await frame.locator(`.cell[title="${id}"]`).count(), 1, "the worst is in the upper half");
    assert.ok(parseInt(await count.innerText()) < 40);
    await frame.locator(".ranges vscode-button").click();
    await frame.locator(".run-status", { hasText: /^49 images$/ }).waitFor();
  });

  it("exports the table with the marks", async () => {
    const table = join(out(), "samples.csv");
    rmSync(table);
    await button("Write Report").click();
    await waitFor("the table", () => existsSync(table));
    const lines = readFileSync(table, "utf8").trimEnd().split("\r\n");
    assert.equal(lines.length, 50);
    assert.equal(lines.filter((line) => line.includes(",bad,")).length, 1);
    await workbench.page.locator(".notifications-toasts", { hasText: "report.html" }).waitFor();
  });

  it("is there again when it was closed, and is found in the view of spot checks", async () => {
    await closeEditors(workbench.page);
    await workbench.page.locator(".pane-header", { hasText: "Spot Checks" }).click();
    const entry = workbench.page.locator(".pane-body .monaco-list-row", { hasText: "48 done, 1 failed, 1 bad" });
    await entry.click();
    frame = await panelFrame(workbench.page);
    await status().filter({ hasText: /^49 examined, 1 failed$/ }).waitFor();
    await choose(frame, "Marked", "bad");
    await frame.locator(".run-status", { hasText: /^1 of 49 images$/ }).waitFor();
    await frame.locator('.cell[data-mark="bad"]').waitFor();
    await choose(frame, "Marked", "all");
  });

  it("opens an image in the panel with the runs by which it was judged", async () => {
    await frame.locator('.cell[data-status="done"]').nth(1).dblclick();
    await workbench.page.locator(".tabs-container .tab.active", { hasText: "Geometry" }).waitFor();
    frame = await panelFrame(workbench.page);
    await waitReady(frame, ["spot-0:depth", "spot-0:normals"]);
    await waitIdle(frame);
    assert.match(await frame.locator(".row-summary").first().innerText(), /1 step/);
  });
});
