import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import { startHub, type HubServer } from "../../hubServer";
import { waitIdle, waitReady } from "./tiles";
import { chooseInExplorer, keepFailure, openWorkbench, panelFrame, root, type Workbench } from "./workbench";

const repository = "prs-eth/marigold-depth-lcm-v1-0";
const name = "Marigold depth LCM v1-0";
const environmentNames = ["PLUMBLINE_HOME", "HF_HOME", "HF_ENDPOINT"];

describe("The view of models", function () {
  this.timeout(300_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-models-ui-"));
  const workspace = join(scratch, "photographs");
  const environment = new Map(environmentNames.map((variable) => [variable, process.env[variable]]));
  let hub: HubServer;
  let workbench: Workbench;

  before(async () => {
    mkdirSync(workspace);
    copyFileSync(join(root, "media/samples/room.jpg"), join(workspace, "room.jpg"));
    const checkpoint = join(root, "test/reference/marigold");
    const paths = readdirSync(checkpoint, { recursive: true }).map(String).filter((path) => statSync(join(checkpoint, path)).isFile());
    hub = await startHub({ [repository]: { commit: "b".repeat(40), licence: "apache-2.0", files: Object.fromEntries(paths.map((path) => [path, readFileSync(join(checkpoint, path))])) } });
    Object.assign(process.env, { PLUMBLINE_HOME: join(scratch, "home"), HF_HOME: join(scratch, "huggingface"), HF_ENDPOINT: hub.endpoint });
    workbench = await openWorkbench({ folder: workspace });
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    await hub?.close();
    for (const [variable, value] of environment) if (value === undefined) delete process.env[variable]; else process.env[variable] = value;
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  const row = (label: string): Locator => workbench.page.locator(".pane-body .monaco-list-row", { hasText: label });

  /** Chooses an entry of a row's context menu. */
  async function choose(label: string, entry: string): Promise<void> {
    await row(label).click({ button: "right" });
    const item = workbench.page.locator(".monaco-menu .action-item", { hasText: entry }).first();
    await item.waitFor();
    // VS Code ignores a click in a menu that has only just opened.
    for (let tries = 0; tries < 5 && (await item.isVisible()); tries++) {
      await item.click();
      await workbench.page.waitForTimeout(500);
    }
  }

  it("shows the licence and the size before a download, and lists the model as ready after it", async () => {
    const { page } = workbench;
    await page.locator(".activitybar .action-label[aria-label='Plumbline']").click({ timeout: 60_000 });
    await row(name).waitFor({ timeout: 60_000 });
    await choose(name, "Download...");
    const dialog = page.locator(".monaco-dialog-box");
    await dialog.waitFor({ timeout: 60_000 });
    const text = await dialog.innerText();
    assert.match(text, /Download Marigold depth LCM v1-0\?/);
    assert.match(text, /Licence: apache-2\.0/i);
    assert.match(text, /Size: \d+(\.\d+)? MB in \d+ files/);
    assert.ok(hub.requests.every(({ kind }) => kind === "list"), "nothing was downloaded");
    await dialog.locator(".monaco-button", { hasText: /^Download$/ }).click();
    await page.locator(".notification-list-item", { hasText: "is ready to use" }).waitFor({ timeout: 60_000 });
    await page.locator(`.pane-body .monaco-list-row[aria-label*="${name}"] .codicon-pass`).waitFor();
    assert.ok(existsSync(join(scratch, "home/models", repository.replace("/", "--"), "unet")));
  });

  it("brings the model into the panel that is open, beside what is there", async () => {
    const { page } = workbench;
    await page.locator(".activitybar .action-label[aria-label^='Explorer']").click();
    await chooseInExplorer(page, ["room.jpg"], "Estimate Geometry");
    await waitReady(await panelFrame(page), ["estimate:depth", "estimate:normals"]);
    await page.locator(".activitybar .action-label[aria-label='Plumbline']").click();
    await choose(name, "Use for Depth in the Open Panel");
    await page.locator(".quick-input-list .monaco-list-row", { hasText: "In a new row" }).click();
    await page.waitForTimeout(1000); // the page is loaded anew
    const frame = await panelFrame(page);
    await waitReady(frame, ["estimate:depth", "estimate:normals", "model-1:depth"]);
    await waitIdle(frame);
  });
});
