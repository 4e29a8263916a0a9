import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import sharp from "sharp";
import { colourAt, readAt, tile, waitIdle, waitReady } from "./tiles";
import { waitFor } from "../../waiting";
import { acceptPath, chooseInExplorer, keepFailure, openSession, openWorkbench, panelFrame, root, runCommand, type Workbench } from "./workbench";

const screenshots = join(root, "out/screenshots");
const steps = 5;
const place = { u: 0.5, v: 0.7 };

/** What this test reads of a saved session. */
interface SavedView {
  state: { settings: { rows: unknown[] }; view: { stage?: { kind: string; split: number }; pinned?: { kind: string; rowId: string; step: number }; shownSteps?: Record<string, number> } };
}

describe("The steps of a run, from the first click to a session that is opened after a restart", function () {
  this.timeout(300_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-steps-"));
  const folder = join(scratch, "pictures");
  const session = join(folder, "bowl.plumbline.json");
  const open = (): Promise<Workbench> => openWorkbench({ folder, home: join(scratch, "home"), settings: { "plumbline.defaultSteps": steps } });
  let workbench: Workbench;
  let frame: Frame;
  let rowIds: readonly string[];

  before(async () => {
    for (const path of [screenshots, folder, join(scratch, "home"), join(scratch, "out")]) mkdirSync(path, { recursive: true });
    copyFileSync(join(root, "media/samples/bowl.jpg"), join(folder, "bowl.jpg"));
    workbench = await open();
    await chooseInExplorer(workbench.page, ["bowl.jpg"], "Compare Multi-Step vs Single-Step");
    frame = await panelFrame(workbench.page);
    await waitIdle(frame);
    await waitReady(frame, ["multi:depth", "single:depth"]);
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Files that the extension wrote for VS Code to restore from. */
  const backups = (): readonly string[] => {
    const storage = join(scratch, "home/user/User/workspaceStorage");
    const names = readdirSync(storage, { recursive: true, encoding: "utf8" }).filter((name) => /plumbline\.plumbline[\\/]-?\d+$/.test(name));
    return names.map((name) => join(storage, name));
  };
  const slider = () => frame.locator('.row[data-row="multi"] .timeline-slider');
  const stepShown = () => frame.locator('.row[data-row="multi"] .timeline-step');
  const view = (): SavedView["state"]["view"] => (JSON.parse(readFileSync(session, "utf8")) as SavedView).state.view;

  it("adds a run beside the others", async () => {
    await frame.locator('.add-rows [data-add="leading"]').click();
    await frame.locator(".row-summary", { hasText: "1 step · leading" }).waitFor();
    await waitIdle(frame);
    rowIds = await frame.locator(".row").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-row") ?? ""));
    assert.equal(rowIds.length, 3);
    await waitReady(frame, rowIds.map((rowId) => `${rowId}:depth`));
  });

  it("scrubs: every step has its thumbnail, its timestep, and its own numbers", async () => {
    assert.equal(await frame.locator('.row[data-row="multi"] .thumbnail:not(.pending)').count(), steps);
    const depth = async (): Promise<readonly number[]> => (await readAt(frame, "multi:depth", place, ["multi:depth"])).values["multi:depth"];
    const last = await depth();
    await slider().press("Home");
    await stepShown().filter({ hasText: `step 1 of ${steps} · t = 999` }).waitFor();
    await waitReady(frame, ["multi:depth", "multi:normals"]);
    const first = await depth();
    assert.notDeepEqual(first, last);
    await slider().press("End");
    await stepShown().filter({ hasText: `step ${steps} of ${steps}` }).waitFor();
    await waitReady(frame, ["multi:depth"]);
    assert.deepEqual(await depth(), last);
    await slider().press("ArrowLeft");
    await stepShown().filter({ hasText: `step ${steps - 1} of ${steps}` }).waitFor();
    await waitReady(frame, ["multi:depth"]);
  });

  it("pins a reference with one key: every other row shows its difference to it", async () => {
    await tile(frame, "multi:depth").focus();
    await workbench.page.keyboard.press("p");
    await tile(frame, "multi:depth").and(frame.locator(".pinned")).waitFor();
    await waitReady(frame, ["single:variation", `${rowIds[2]}:variation`]);
    assert.match(await tile(frame, "single:variation").locator(".tile-title").innerText(), new RegExp(`step ${steps - 1} of ${steps}`));
    await workbench.page.screenshot({ path: join(screenshots, "steps.png") });
  });

  it("shows the depth in space, by a program of its own that the page may load", async () => {
    await tile(frame, "multi:depth").hover();
    await tile(frame, "multi:depth").locator('vscode-button[aria-label="Show in 3D"]').click();
    const room = frame.locator(".space-room[data-shown]");
    await room.waitFor();
    assert.ok(Number(await room.getAttribute("data-shown")) > 10_000, "points of the photograph's own number");
    await frame.locator(".space-message").waitFor({ state: "hidden" });
    const png = await frame.locator(".space-room canvas").screenshot();
    const { channels } = await sharp(png).removeAlpha().stats();
    assert.ok(channels.some(({ stdev }) => stdev > 10), "something is drawn");
    await workbench.page.screenshot({ path: join(screenshots, "space.png") });
    await frame.locator(".space-stage vscode-button", { hasText: "Back to tiles" }).click();
    await waitReady(frame, ["multi:depth"]);
  });

  it("exports a figure of what is shown, with text and pictures", async () => {
    await frame.locator(".toolbar vscode-button", { hasText: "Export" }).click();
    await frame.locator(".export-menu [data-figure]").click();
    await acceptPath(workbench.page, `${join(scratch, "out")}/`, /Export|OK/);
    await frame.locator(".notice", { hasText: "bowl_figure.svg" }).waitFor();
    const path = join(scratch, "out/bowl_figure.svg");
    const svg = readFileSync(path, "utf8");
    const { width, height } = await sharp(path).metadata(); // librsvg refuses what is not well-formed
    assert.ok(width > height && height > 200, `${width} x ${height}`);
    for (const label of ["Multi-step", "Single step"]) assert.match(svg, new RegExp(`<text[^>]*>[^<]*${label}`));
    assert.equal((svg.match(/<image /g) ?? []).length >= 9, true, "three rows of photograph, depth and normals");
    const png = await sharp(join(scratch, "out/bowl_figure.png")).metadata();
    assert.ok(Math.abs(png.width / png.height - width / height) < 0.02);
    assert.match(readFileSync(join(scratch, "out/bowl_figure.json"), "utf8"), /plumbline-normals/);
  });

  it("exports the steps as an animation, a frame each", async () => {
    await frame.locator(".toolbar vscode-button", { hasText: "Export" }).click();
    await frame.locator('.export-menu [data-animation="multi:depth"]').click();
    await acceptPath(workbench.page, `${join(scratch, "out")}/`, /Export|OK/);
    await frame.locator(".notice", { hasText: ".webp" }).waitFor();
    const name = readdirSync(join(scratch, "out")).find((file) => file.endsWith(".webp"));
    const { format, pages, width, pageHeight } = await sharp(join(scratch, "out", name ?? ""), { animated: true }).metadata();
    assert.deepEqual([format, pages], ["webp", steps]);
    assert.ok(pageHeight !== undefined && width > pageHeight);
  });

  it("wipes between two of them", async () => {
    await frame.locator(".toolbar vscode-button", { hasText: "Compare A/B" }).click();
    await waitReady(frame, ["ab:over", "ab:difference"]);
    const handle = frame.locator(".ab-handle");
    const colourWith = async (key: string, percent: string): Promise<readonly number[]> => {
      await handle.press(key);
      await frame.locator(`.ab-handle[aria-valuenow="${percent}"]`).waitFor();
      return colourAt(frame, "ab:over", { u: 0.5, v: 0.5 });
    };
    const ofB = await colourWith("Home", "0");
    const ofA = await colourWith("End", "100");
    assert.notDeepEqual(ofA, ofB);
    await handle.press("Shift+ArrowLeft");
    await frame.locator('.ab-handle[aria-valuenow="90"]').waitFor();
  });

  it("exports what is plotted, with where it came from", async () => {
    await frame.locator(".toolbar vscode-button", { hasText: "Plots" }).click();
    await frame.locator(".dock-tab", { hasText: "Change" }).click();
    await frame.locator(".dock-body svg").first().waitFor();
    await frame.locator(".dock vscode-button", { hasText: "CSV" }).click();
    await acceptPath(workbench.page, `${join(scratch, "out")}/`, /Export|OK/);
    await frame.locator(".notice", { hasText: "Saved bowl-change.csv" }).waitFor();
    const lines = readFileSync(join(scratch, "out/bowl-change.csv"), "utf8").trim().split("\n");
    assert.equal(lines.filter((line) => line.startsWith("Multi-step,depth")).length, steps);
    assert.match(readFileSync(join(scratch, "out/bowl-change.json"), "utf8"), /plumbline-depth/);
  });

  it("saves all of it as a session, from the panel itself", async () => {
    await frame.locator('.toolbar vscode-button[aria-label="Save session…"]').click();
    await acceptPath(workbench.page, session, /Save|OK/);
    await waitFor("the session", () => existsSync(session));
    await frame.locator(".notice", { hasText: "bowl.plumbline.json" }).waitFor();
    const { pinned, stage, shownSteps } = view();
    assert.deepEqual(pinned, { kind: "step", rowId: "multi", task: "depth", step: steps - 2 });
    assert.deepEqual([stage?.kind, stage?.split], ["ab", 0.9]);
    assert.equal(shownSteps?.["multi"], steps - 2);
  });

  it("opens the session after a restart as it was left, from the cache", async () => {
    await workbench.close();
    workbench = await open();
    frame = await openSession(workbench.page, "bowl.plumbline.json");
    await waitReady(frame, ["ab:over", "ab:difference"]);
    await frame.locator('.ab-handle[aria-valuenow="90"]').waitFor();
    await frame.locator(".ab-bar vscode-button", { hasText: "Back to tiles" }).click();
    await waitReady(frame, rowIds.map((rowId) => `${rowId}:depth`));
    await tile(frame, "multi:depth").and(frame.locator(".pinned")).waitFor();
    await stepShown().filter({ hasText: `step ${steps - 1} of ${steps}` }).waitFor();
    assert.equal(await frame.locator(".row-head .badge", { hasText: "cached" }).count(), 3);
    await workbench.page.screenshot({ path: join(screenshots, "session.png") });
  });

  it("marks the session unsaved when it is changed, and saves it in place", async () => {
    await workbench.page.locator(".tabs-container .tab.dirty").waitFor();
    await runCommand(workbench.page, "File: Save");
    await workbench.page.locator(".tabs-container .tab:not(.dirty)", { hasText: "bowl.plumbline.json" }).waitFor();
    const saved = view();
    assert.equal(saved.stage, undefined);
    assert.equal(saved.pinned?.rowId, "multi");
  });

  it("goes back to what is saved when it is reverted", async () => {
    await tile(frame, "multi:depth").focus();
    await workbench.page.keyboard.press("p");
    await frame.locator(".tile.pinned").waitFor({ state: "detached" });
    await workbench.page.locator(".tabs-container .tab.dirty").waitFor();
    const before = frame;
    await runCommand(workbench.page, "File: Revert File");
    await waitFor("the page's end", () => before.isDetached());
    await workbench.page.locator(".tabs-container .tab:not(.dirty)", { hasText: "bowl.plumbline.json" }).waitFor();
    frame = await panelFrame(workbench.page);
    await tile(frame, "multi:depth").and(frame.locator(".pinned")).waitFor();
    assert.equal(view().pinned?.rowId, "multi");
  });

  it("backs up what is not saved, as a session of its own, and leaves the file alone", async () => {
    const saved = readFileSync(session, "utf8");
    await slider().press("Home");
    await workbench.page.locator(".tabs-container .tab.dirty").waitFor();
    await waitFor("a backup", () => backups().length > 0);
    const backup = JSON.parse(readFileSync(backups()[0], "utf8")) as SavedView & { images: { path: string }[] };
    assert.equal(backup.state.view.shownSteps?.["multi"], 0);
    assert.equal(backup.images[0].path, "bowl.jpg", "paths are relative to the file itself");
    assert.equal(readFileSync(session, "utf8"), saved);
  });
});
