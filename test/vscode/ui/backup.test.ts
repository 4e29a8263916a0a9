import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitIdle } from "./tiles";
import { waitFor } from "../../waiting";
import { keepFailure, openSession, openWorkbench, panelFrame, root, runCommand, type Workbench } from "./workbench";

describe("A session with unsaved changes, when the window is reloaded", function () {
  this.timeout(240_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-backup-"));
  const [folder, home] = [join(scratch, "pictures"), join(scratch, "home")];
  const session = join(folder, "bowl.plumbline.json");
  let workbench: Workbench;

  before(async () => {
    for (const path of [folder, home]) mkdirSync(path);
    copyFileSync(join(root, "media/samples/bowl.jpg"), join(folder, "bowl.jpg"));
    const rows = [{ rowId: "a", label: "A", models: { depth: "plumbline-e2e-depth" }, steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" } }];
    const state = { version: 1, current: 0, settings: { rows, seed: 1, processingResolution: 192 }, view: { colormap: "Spectral", rangePercentiles: [2, 98], showStd: false } };
    writeFileSync(session, JSON.stringify({ format: "plumbline-session", version: 1, images: [{ path: "bowl.jpg", absolute: join(folder, "bowl.jpg") }], state }));
    workbench = await openWorkbench({ folder, home });
  });
  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });
  after(async () => {
    await workbench?.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  const backups = (): readonly string[] => readdirSync(join(home, "user/User/workspaceStorage"), { recursive: true, encoding: "utf8" }).filter((name) => /plumbline\.plumbline[\\/]-?\d+$/.test(name));

  it("is as it was left, still unsaved, and the file is as it was saved", async () => {
    const { page } = workbench;
    const saved = readFileSync(session, "utf8");
    const before = await openSession(page, "bowl.plumbline.json");
    await waitIdle(before);
    await before.locator(".toolbar vscode-button", { hasText: "Plots" }).click();
    await page.locator(".tabs-container .tab.dirty", { hasText: "bowl.plumbline.json" }).waitFor();
    await waitFor("a backup", () => backups().length > 0);
    await runCommand(page, "Developer: Reload Window");
    await waitFor("the page's end", () => before.isDetached());
    const frame = await panelFrame(page);
    await frame.locator(".dock").waitFor();
    await waitIdle(frame);
    await page.locator(".tabs-container .tab.dirty", { hasText: "bowl.plumbline.json" }).waitFor();
    assert.equal(readFileSync(session, "utf8"), saved);
  });
});
