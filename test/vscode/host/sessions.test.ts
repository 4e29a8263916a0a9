import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { fileSha256, sessionText, type SessionImage } from "../../../src/extension/sessionFile";
import { waitFor } from "../../waiting";
import { extension, sample } from "./extension";

const tabs = (): readonly vscode.Tab[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs);
const sessionTab = (file: string): vscode.Tab | undefined =>
  tabs().find(({ input }) => input instanceof vscode.TabInputCustom && input.viewType === "plumbline.session" && input.uri.fsPath === file);
const clearCache = (): Thenable<number> => vscode.commands.executeCommand<number>("plumbline.clearCache");

describe("the run cache", () => {
  before(() => extension().activate());
  afterEach(() => vscode.window.tabGroups.close(tabs()));

  it("holds what was run until it is cleared, which says how much room that gave", async () => {
    await clearCache();
    assert.equal(await vscode.commands.executeCommand("plumbline.estimate", sample("room.jpg")), "finished");
    assert.ok((await clearCache()) > 1e5, "two runs take some room");
    assert.equal(await clearCache(), 0);
  });

  it("gives back a run that was made before", async () => {
    const millisOf = async (): Promise<number> => {
      const start = performance.now();
      assert.equal(await vscode.commands.executeCommand("plumbline.inspect", sample("room.jpg")), "finished");
      await vscode.window.tabGroups.close(tabs());
      return performance.now() - start;
    };
    await millisOf(); // networks are loaded once
    await clearCache();
    const computed = await millisOf();
    const cached = await millisOf();
    assert.ok(cached < computed, `${cached.toFixed(0)} ms from the cache, ${computed.toFixed(0)} ms computed`);
  });
});

describe("saved sessions", () => {
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "plumbline-sessions-"));
    await extension().activate();
  });
  afterEach(() => vscode.window.tabGroups.close(tabs()));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A session of one end-to-end run on an image. */
  function write(name: string, image: SessionImage, change: (text: string) => string = (text) => text): vscode.Uri {
    const file = join(folder, name);
    const row = { rowId: "a", label: "A", models: { depth: "plumbline-e2e-depth" }, steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" } } as const;
    const state = { version: 1, current: 0, settings: { rows: [row], seed: 3, processingResolution: 128 }, view: { colormap: "Spectral", rangePercentiles: [2, 98] as const, showStd: false } };
    writeFileSync(file, change(sessionText(file, { images: [image], state, models: [{ id: "plumbline-e2e-depth", name: "Plumbline Depth (E2E fine-tuned)" }], rest: {} })));
    return vscode.Uri.file(file);
  }

  /** Opens the file as a double click does; resolves with its tab. */
  async function open(uri: vscode.Uri): Promise<vscode.Tab> {
    await vscode.commands.executeCommand("vscode.open", uri);
    return waitFor("the session's tab", () => sessionTab(uri.fsPath));
  }

  it("open as the panel that they were saved from, and run", async () => {
    const image = sample("room.jpg").fsPath;
    const uri = write("room.plumbline.json", { path: image, sha256: await fileSha256(image) });
    const before = readFileSync(uri.fsPath, "utf8");
    await clearCache();
    const tab = await open(uri);
    await waitFor("a finished run", async () => (await clearCache()) > 0, { everyMs: 200 });
    assert.equal(tab.isDirty, false, "looking at a session changes nothing");
    assert.equal(readFileSync(uri.fsPath, "utf8"), before);
  });

  it("stay as they are when a newer version saved them", async () => {
    const uri = write("newer.plumbline.json", { path: sample("room.jpg").fsPath }, (text) => text.replace('"version": 1', '"version": 2'));
    const before = readFileSync(uri.fsPath, "utf8");
    await vscode.commands.executeCommand("vscode.open", uri).then(undefined, () => undefined); // the editor itself says why
    await vscode.commands.executeCommand("workbench.action.files.save");
    assert.equal(readFileSync(uri.fsPath, "utf8"), before);
    assert.ok(!tabs().some(({ isDirty }) => isDirty));
  });

  it("lose nothing when their image is gone", async () => {
    const gone = join(folder, "gone.jpg");
    const uri = write("gone.plumbline.json", { path: gone, sha256: "ab" });
    const before = readFileSync(uri.fsPath, "utf8");
    const tab = await open(uri);
    await vscode.commands.executeCommand("workbench.action.files.save");
    assert.equal(tab.isDirty, false);
    assert.equal(readFileSync(uri.fsPath, "utf8"), before);
  });
});
