import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { readAt, waitIdle, waitReady } from "./tiles";
import { chooseInExplorer, keepFailure, openWorkbench, panelFrame, root, runCommand, type Workbench } from "./workbench";

describe("A large photograph, and other ways to the panel", function () {
  this.timeout(300_000);
  let workbench: Workbench;
  const folder = mkdtempSync(join(tmpdir(), "plumbline-entries-"));

  before(async () => {
    const room = join(root, "media/samples/room.jpg");
    await sharp(room).toFile(join(folder, "small.jpg"));
    // 12 megapixels, stored on its side: what a telephone makes.
    await sharp(room).resize(3000, 4000, { fit: "fill" }).rotate(270).withMetadata({ orientation: 6 }).jpeg().toFile(join(folder, "telephone.jpg"));
    workbench = await openWorkbench({ folder });
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("shows a photograph of 12 megapixels upright, and reads its pixels", async () => {
    const { page } = workbench;
    await chooseInExplorer(page, ["telephone.jpg"], "Estimate Geometry");
    const frame = await panelFrame(page);
    await waitReady(frame, ["estimate:photo", "estimate:depth", "estimate:normals"]);
    await waitIdle(frame);
    const { x, y, values } = await readAt(frame, "estimate:photo", { u: 0.5, v: 0.5 }, ["estimate:photo", "estimate:depth"]);
    const { data, info } = await sharp(join(folder, "telephone.jpg")).autoOrient().raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [3000, 4000]);
    assert.deepEqual(values["estimate:photo"], [...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3)]);
    assert.equal(values["estimate:depth"].length, 1);
    await closePanel(page);
  });

  it("lead through the title of an open image", async () => {
    const { page } = workbench;
    await page.locator(".explorer-folders-view .monaco-list-row", { hasText: "small.jpg" }).dblclick();
    await page.locator(".tabs-container .tab.active", { hasText: "small.jpg" }).waitFor();
    await page.locator(".editor-actions a.action-label[aria-label='Estimate Geometry']").click();
    await waitReady(await panelFrame(page), ["estimate:depth", "estimate:normals"]);
    await page.locator(".tabs-container .tab.active", { hasText: "Geometry" }).waitFor();
    await closePanel(page);
  });

  it("lead through the command palette, for the image that is open", async () => {
    const { page } = workbench;
    await page.locator(".tabs-container .tab.active", { hasText: "small.jpg" }).waitFor();
    await runCommand(page, "Plumbline: Compare Multi-Step vs Single-Step");
    await waitReady(await panelFrame(page), ["multi:depth", "single:normals"]);
    await closePanel(page);
  });
});

async function closePanel(page: Page): Promise<void> {
  const tab = page.locator(".tabs-container .tab.active", { hasText: "Geometry" });
  await tab.locator(".codicon-close").click();
  await tab.waitFor({ state: "detached" });
}
