import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import { tile, waitIdle, waitReady } from "./tiles";
import { waitFor } from "../../waiting";
import { acceptPath, chooseInExplorer, closeEditors, keepFailure, openFromExplorer, openSession, openWorkbench, panelFrame, root, runCommand, type Workbench } from "./workbench";

const screenshots = join(root, "out/screenshots");

interface SavedSession {
  version: number;
  images: { path: string; sha256: string }[];
  state: { settings: { rows: { rowId: string; models: Record<string, string> }[] }; view: Record<string, unknown> };
}

describe("Inspect Denoising Steps, saved and opened again", function () {
  this.timeout(300_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-inspect-"));
  const folder = join(scratch, "pictures");
  const image = join(folder, "room.jpg");
  const session = join(folder, "room.plumbline.json");
  const open = (): Promise<Workbench> => openWorkbench({ folder, home: join(scratch, "home") });
  let workbench: Workbench;
  let frame: Frame;

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    mkdirSync(folder);
    mkdirSync(join(scratch, "home"));
    copyFileSync(join(root, "media/samples/room.jpg"), image);
    workbench = await open();
    await chooseInExplorer(workbench.page, ["room.jpg"], "Inspect Denoising Steps");
    frame = await panelFrame(workbench.page);
    await waitIdle(frame);
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  const read = (): SavedSession => JSON.parse(readFileSync(session, "utf8")) as SavedSession;

  it("shows the flaw in one click: leading, trailing and end to end, with the noise that each was told", async () => {
    await waitReady(frame, ["flaw-1:depth", "flaw-2:depth", "flaw-3:depth"]);
    assert.deepEqual(await frame.locator(".row-head h2").allInnerTexts(), ["Leading, 1 step", "Trailing, 1 step", "E2E fine-tuned"]);
    await frame.locator(".dock svg").first().waitFor();
    await workbench.page.screenshot({ path: join(screenshots, "inspect.png") });
  });

  it("saves what is shown as a session", async () => {
    await runCommand(workbench.page, "Plumbline: Save Session As");
    await acceptPath(workbench.page, session, /Save|OK/);
    await waitFor("the file", () => existsSync(session));
    const saved = read();
    assert.deepEqual(saved.images.map(({ path }) => path), ["room.jpg"]);
    assert.deepEqual(saved.state.settings.rows.map(({ rowId }) => rowId), ["flaw-1", "flaw-2", "flaw-3"]);
    assert.equal(saved.state.view.dock, "noise");
  });

  it("opens it after a restart with the results of the cache", async () => {
    await workbench.close();
    workbench = await open();
    frame = await openSession(workbench.page, "room.plumbline.json");
    await waitReady(frame, ["flaw-1:depth", "flaw-2:depth", "flaw-3:depth"]);
    assert.equal(await frame.locator(".row-head .badge", { hasText: "cached" }).count(), 3);
    assert.equal(await workbench.page.locator(".tabs-container .tab.dirty").count(), 0, "looking changes nothing");
  });

  it("tells a changed image, and shows it as it is now", async () => {
    await closeEditors(workbench.page);
    copyFileSync(join(root, "media/samples/bowl.jpg"), image);
    frame = await openSession(workbench.page, "room.plumbline.json");
    await frame.locator(".notice", { hasText: "was changed since the session was saved" }).waitFor();
    await waitReady(frame, ["flaw-1:depth"]);
  });

  it("tells an image that was deleted meanwhile, and keeps its results on show", async () => {
    rmSync(image);
    await frame.locator(".toolbar vscode-button", { hasText: /^\s*Run/ }).first().click();
    await frame.locator(".notice", { hasText: "is not there any more" }).waitFor();
    await waitReady(frame, ["flaw-1:depth", "flaw-2:normals"]);
  });

  it("tells an image that is missing, and leaves the file as it is", async () => {
    await closeEditors(workbench.page);
    const before = readFileSync(session, "utf8");
    frame = await openSession(workbench.page, "room.plumbline.json");
    await frame.locator(".notice", { hasText: /room\.jpg.*no such file/ }).waitFor();
    assert.equal(readFileSync(session, "utf8"), before);
    copyFileSync(join(root, "media/samples/room.jpg"), image);
  });

  it("tells a model that is gone by its name, and runs the other rows", async () => {
    await closeEditors(workbench.page);
    const saved = read();
    saved.state.settings.rows[0].models = { depth: "/models/marigold" };
    writeFileSync(session, JSON.stringify({ ...saved, models: [{ id: "/models/marigold", name: "Marigold" }] }));
    frame = await openSession(workbench.page, "room.plumbline.json");
    await frame.locator(".notice", { hasText: "Marigold" }).waitFor();
    await waitReady(frame, ["flaw-2:depth", "flaw-3:depth"]);
    assert.equal(await tile(frame, "flaw-1:depth").getAttribute("data-state"), "idle");
  });

  it("refuses a session of a newer version, and says so", async () => {
    await closeEditors(workbench.page);
    const newer = JSON.stringify({ ...read(), version: 2 });
    writeFileSync(session, newer);
    await openFromExplorer(workbench.page, "room.plumbline.json");
    await workbench.page.getByText("was saved by a newer version of Plumbline").first().waitFor();
    assert.equal(readFileSync(session, "utf8"), newer);
  });
});
