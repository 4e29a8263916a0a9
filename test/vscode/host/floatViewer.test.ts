import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { FloatViewers, floatViewerType } from "../../../src/extension/floatViewer";
import { startEngine, type EngineClient } from "../../../src/inference/client";
import { readNpy } from "../../../src/io/npy";
import { ipcChannel } from "../../../src/protocol/ipcChannel";
import type { FromViewer, ToViewer } from "../../../src/protocol/viewer";
import { waitFor } from "../../waiting";
import { extension } from "./extension";
import { watchEventLoop } from "./loopWatch";

/** File, the array that holds its values, and by how much they may differ; other programs wrote them (make.sh beside them). */
const files: readonly (readonly [name: string, truth: string, tolerance?: number])[] = [
  ["depth.npy", "depth.npy"], ["depth-1hw.npy", "depth.npy"], ["depth-hw1.npy", "depth.npy"], ["depth-fortran-double.npy", "depth.npy"], ["holes.npy", "holes.npy"],
  ["normals.npy", "normals.npy"], ["normals-chw.npy", "normals.npy"], ["depth.npz", "depth.npy"], ["both.npz", "depth.npy"], ["depth.dpt", "depth.npy"],
  ["depth.tif", "depth.npy"], ["holes-lzw.tif", "holes.npy"], ["normals.tif", "normals.npy"], ["millimetres.png", "millimetres.npy"], ["millimetres.tif", "millimetres.npy"],
  ["bytes.png", "bytes.npy"], ["bytes-alpha.png", "bytes.npy"], ["depth.exr", "depth.npy"], ["depth-Z-piz.exr", "depth.npy"], ["holes-layer-zip.exr", "holes.npy"],
  ["normals.exr", "normals.npy"], ["normals-xyz-rle.exr", "normals.npy"], ["normals-tiled.exr", "normals.npy"], ["normals-alpha.exr", "normals.npy"], ["normals-half-zip.exr", "normals.npy", 2 ** -11],
];

type Floats = Extract<ToViewer, { type: "floats" }>;
type Failed = Extract<ToViewer, { type: "failed" }>;

/** A real editor tab with the real page, and what went both ways. */
class Opened {
  readonly arrived: ToViewer[] = [];
  readonly sent: FromViewer[] = [];
  readonly panel = vscode.window.createWebviewPanel("test", "test", vscode.ViewColumn.Active);

  constructor(viewers: FloatViewers, uri: vscode.Uri) {
    const { webview } = this.panel;
    let receive: (packet: unknown) => void = () => undefined;
    ipcChannel({ send: () => false, onMessage: (listener) => (receive = listener), onClose: () => undefined, close: () => undefined }).onMessage((message) => this.arrived.push(message as ToViewer));
    webview.onDidReceiveMessage((message: FromViewer) => this.sent.push(message));
    const watched = {
      get options() { return webview.options; },
      set options(options) { webview.options = options; },
      get html() { return webview.html; },
      set html(html) { webview.html = html; },
      cspSource: webview.cspSource,
      asWebviewUri: (local: vscode.Uri) => webview.asWebviewUri(local),
      onDidReceiveMessage: webview.onDidReceiveMessage,
      postMessage: (packet: unknown) => {
        receive(packet);
        return webview.postMessage(packet);
      },
    } satisfies vscode.Webview;
    const { panel } = this;
    const watchedPanel = { webview: watched, get visible() { return panel.visible; }, onDidChangeViewState: panel.onDidChangeViewState, onDidDispose: panel.onDidDispose };
    viewers.resolveCustomEditor(viewers.openCustomDocument(uri), watchedPanel as unknown as vscode.WebviewPanel);
  }

  /** The outcome of the reading after the first `seen` messages. */
  outcome(seen = 0): Promise<Floats | Failed> {
    return waitFor("what the file holds", () => this.arrived.slice(seen).find((message) => message.type === "floats" || message.type === "failed"));
  }

  /** The newest outcome, once it is one that `wanted` takes. */
  outcomeThat<T extends ToViewer>(wanted: (message: ToViewer) => message is T): Promise<T> {
    return waitFor("the change of the file", () => [this.arrived.at(-1)].filter((message) => message !== undefined).find(wanted));
  }
}

const isFloats = (message: ToViewer): message is Floats => message.type === "floats";
const isFailed = (message: ToViewer): message is Failed => message.type === "failed";

describe("the viewer of float images", () => {
  const tabs = (): readonly vscode.Tab[] => vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const fixture = (name: string): string => join(extension().extensionPath, "test/fixtures/floats", name);
  let folder: string;
  let engine: EngineClient;
  let viewers: FloatViewers;
  const logged: string[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "plumbline-viewer-"));
    await extension().activate();
    engine = startEngine({ childPath: join(extension().extensionPath, "dist/inference.js") });
    const write = (reason: unknown): void => void logged.push(String(reason));
    const log = { info: write, warn: write, error: write, tell: write, show: () => undefined, dispose: () => undefined };
    viewers = new FloatViewers({ extensionUri: extension().extensionUri, engine, log });
  });
  beforeEach(() => void logged.splice(0));
  afterEach(() => vscode.window.tabGroups.close(tabs()));
  after(async () => {
    await engine.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (file: string): Opened => new Opened(viewers, vscode.Uri.file(file));

  it("never takes over: other editors stay the default", () => {
    const { customEditors } = (extension().packageJSON as { contributes: { customEditors: { viewType: string; priority: string; selector: { filenamePattern: string }[] }[] } }).contributes;
    const declared = customEditors.find(({ viewType }) => viewType === floatViewerType);
    assert.equal(declared?.priority, "option");
    assert.deepEqual(declared?.selector.map(({ filenamePattern }) => filenamePattern).sort(), ["*.dpt", "*.exr", "*.npy", "*.npz", "*.pfm", "*.png", "*.tif", "*.tiff"]);
  });

  for (const name of ["depth.npy", "both.npz", "over65535-big.pfm", "depth.exr", "depth.dpt", "millimetres.png", "depth.tif"]) {
    it(`opens ${name} with "Open With"`, async () => {
      const uri = vscode.Uri.file(fixture(name));
      await vscode.commands.executeCommand("vscode.openWith", uri, floatViewerType);
      const tab = await waitFor("the tab", () => tabs().find(({ input }) => input instanceof vscode.TabInputCustom && input.viewType === floatViewerType && input.uri.fsPath === uri.fsPath));
      assert.equal(tab.isDirty, false);
    });
  }

  it("brings every number of files that other programs wrote to the page", async () => {
    for (const [name, truth, tolerance = 0] of files) {
      const opened = open(fixture(name));
      const outcome = await opened.outcome();
      assert.ok(isFloats(outcome), `${name}: ${JSON.stringify(outcome)}`);
      const { image } = outcome.file;
      const expected = await readNpy(fixture(truth));
      assert.deepEqual([image.height, image.width, image.channels], [...expected.dims, 1].slice(0, 3), name);
      image.data.forEach((value, i) => assert.ok(Object.is(value, expected.data[i]) || Math.abs(value - expected.data[i]) <= tolerance, `${name}, value ${i}: ${value}, not ${expected.data[i]}`));
      opened.panel.dispose();
    }
    assert.deepEqual(logged, [], "the pages had no error to tell");
  });

  it("names the arrays of an .npz and brings the one that is asked for", async () => {
    const opened = open(fixture("both.npz"));
    const first = await opened.outcome();
    assert.ok(isFloats(first));
    assert.deepEqual([first.file.entries, first.file.entry], [["depth", "normals"], "depth"]);
    assert.deepEqual(await engine.readFloats({ path: fixture("both.npz"), entry: "normals" }).then(({ image, entry }) => [image.channels, entry]), [3, "normals"]);
  });

  it("says what is wrong with a file, and shows it once it is whole again", async () => {
    // A name with what means something in patterns of watched files.
    const file = join(folder, "depth [1] {a}.npy");
    const whole = readFileSync(fixture("depth.npy"));
    writeFileSync(file, whole.subarray(0, 150));
    const opened = open(file);
    const damaged = await opened.outcome();
    assert.ok(isFailed(damaged), "a file that is cut off");
    assert.match(damaged.message, /^Expected .* but received /);
    assert.notEqual(damaged.remedy, "");
    writeFileSync(file, whole);
    const { file: mended } = await opened.outcomeThat(isFloats);
    assert.deepEqual(mended.image.data, (await readNpy(fixture("depth.npy"))).data);
    rmSync(file);
    assert.match((await opened.outcomeThat(isFailed)).message, /depth \[1\] \{a\}\.npy/);
    copyFileSync(fixture("normals.npy"), file);
    assert.equal((await opened.outcomeThat(isFloats)).file.image.channels, 3);
  });

  it("refuses what cannot be read with the reader's reason", async () => {
    const outcome = await open(fixture("refused-b44.exr")).outcome();
    assert.ok(isFailed(outcome));
    assert.match(outcome.message, /B44/);
  });

  it("passes 20 megapixels on without holding the editor", async () => {
    const file = join(folder, "large.pfm");
    const pixels = Float32Array.from({ length: 5000 * 4000 }, (_, i) => i % 5000);
    writeFileSync(file, Buffer.concat([Buffer.from("Pf\n5000 4000\n-1\n"), Buffer.from(pixels.buffer)]));
    await engine.info();
    const stop = watchEventLoop();
    const opened = open(file);
    const outcome = await opened.outcome();
    const turn = stop();
    assert.ok(isFloats(outcome));
    assert.equal(outcome.file.image.data[4999], 4999);
    assert.ok(turn.computed < 50, `a turn of ${turn.computed.toFixed(0)} ms`);
  });
});
