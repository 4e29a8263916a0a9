import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import type { LibraryModel } from "../../../src/catalogue/library";
import { openRunsCommand } from "../../../src/extension/commands";
import type { Log } from "../../../src/extension/log";
import { ModelDownloads } from "../../../src/extension/modelDownloads";
import { ModelLibrary } from "../../../src/extension/modelLibrary";
import { licenceMarks, ModelsTree, type ModelNode } from "../../../src/extension/modelsTree";
import { sha256, startHub, type HubServer, type Repository } from "../../hubServer";
import { writeNetwork } from "../../unit/feedForwardGraphs";
import { waitFor } from "../../waiting";
import { extension, sample } from "./extension";
import { Messages } from "./messages";

const commit = "a".repeat(40);
const lcm = "prs-eth/marigold-depth-lcm-v1-0";
const cached = "prs-eth/marigold-depth-v1-0";
const half = "prs-eth/marigold-normals-v1-1";
const nonCommercial = "onnx-community/depth-anything-v2-large";
const environmentNames = ["PLUMBLINE_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

describe("the view of models", function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-models-"));
  const before_ = new Map(environmentNames.map((name) => [name, process.env[name]]));
  const reference = (): string => join(extension().extensionPath, "test/reference/marigold");
  let hub: HubServer;
  let messages: Messages;
  let library: ModelLibrary;
  let tree: ModelsTree;

  before(async () => {
    await extension().activate();
    hub = await startHub({ [lcm]: marigold("Apache-2.0"), "owner/gated": { ...marigold("openrail"), gated: true }, [nonCommercial]: depthAnything() });
    for (const name of environmentNames) delete process.env[name];
    Object.assign(process.env, { PLUMBLINE_HOME: join(scratch, "home"), HF_HOME: join(scratch, "huggingface"), HF_ENDPOINT: hub.endpoint });
    cache(cached, true);
    cache(half, false);
    const log: Log = { info: () => undefined, warn: () => undefined, error: () => undefined, show: () => undefined, tell: (error) => assert.fail(String(error)), dispose: () => undefined };
    library = new ModelLibrary(() => ({ modelsDir: join(extension().extensionPath, "models") }), () => undefined);
    tree = new ModelsTree(library, new ModelDownloads(library, log));
    await vscode.commands.executeCommand("plumbline.refreshModels");
  });

  beforeEach(() => {
    messages = new Messages();
    hub.requests.length = 0;
    hub.fault = () => undefined;
  });

  afterEach(async () => {
    messages.restore();
    await vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap((group) => group.tabs));
  });

  after(async () => {
    for (const [name, value] of before_) if (value === undefined) delete process.env[name]; else process.env[name] = value;
    await vscode.commands.executeCommand("plumbline.refreshModels");
    tree?.dispose();
    library?.dispose();
    await hub?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  function filesOf(folder: string): Record<string, Uint8Array> {
    const paths = readdirSync(folder, { recursive: true }).map(String).filter((path) => statSync(join(folder, path)).isFile());
    return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path))]));
  }

  function marigold(licence: string): Repository {
    return { commit, licence, files: filesOf(reference()) };
  }

  function depthAnything(): Repository {
    const json = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
    return { commit, branches: ["58f6f567efd3eacfeddec1dcc21cf77f67e4eaa9"], licence: "cc-by-nc-4.0", files: { "config.json": json({}), "preprocessor_config.json": json({}), "onnx/model.onnx": new Uint8Array(2000) } };
  }

  /** A repository as Hugging Face's programs keep it, whole or without its UNet's weights. */
  function cache(repository: string, isWhole: boolean): void {
    const home = join(process.env["HF_HOME"] ?? "", "hub", `models--${repository.replace("/", "--")}`);
    for (const [path, bytes] of Object.entries(filesOf(reference()))) {
      const [blob, link] = [join(home, "blobs", sha256(bytes)), join(home, "snapshots", commit, path)];
      mkdirSync(dirname(blob), { recursive: true });
      mkdirSync(dirname(link), { recursive: true });
      if (isWhole || !path.startsWith("unet/diff")) writeFileSync(blob, bytes);
      symlinkSync(blob, link);
    }
    mkdirSync(join(home, "refs"), { recursive: true });
    writeFileSync(join(home, "refs/main"), commit);
  }

  /** The tree as it is seen: lines by heading. */
  async function lines(): Promise<Record<string, { item: vscode.TreeItem; model: LibraryModel; node: ModelNode }[]>> {
    library.refresh();
    const groups = await tree.getChildren();
    const seen = await Promise.all(groups.map(async (group) => {
      const nodes = await tree.getChildren(group);
      const items = await Promise.all(nodes.map(async (node) => ({ item: await tree.getTreeItem(node), node })));
      return [(await tree.getTreeItem(group)).label as string, items.flatMap(({ item, node }) => (node.kind === "model" ? [{ item, node, model: node.model }] : []))] as const;
    }));
    return Object.fromEntries(seen);
  }

  async function line(id: string): Promise<{ heading: string; item: vscode.TreeItem; node: ModelNode }> {
    for (const [heading, items] of Object.entries(await lines())) {
      const found = items.find(({ model }) => model.id === id);
      if (found) return { heading, ...found };
    }
    assert.fail(`${id} is not in the tree.`);
  }

  const run = <T>(command: string, ...rest: readonly unknown[]): Thenable<T> => vscode.commands.executeCommand<T>(`plumbline.${command}`, ...rest);
  const installed = (repository: string): string => join(scratch, "home/models", repository.replace("/", "--"));

  it("lists what is ready, what is incomplete and why, and what can be downloaded", async () => {
    const seen = await lines();
    assert.deepEqual(Object.keys(seen), ["Ready", "Incomplete", "Can Be Downloaded"]);
    assert.deepEqual(seen["Ready"].map(({ model }) => model.id), ["plumbline-depth", "plumbline-normals", "plumbline-e2e-depth", "plumbline-e2e-normals", cached]);
    assert.deepEqual(seen["Incomplete"].map(({ model }) => model.id), [half]);
    assert.match(String(seen["Incomplete"][0].item.description), /unet\/diffusion_pytorch_model\.safetensors is missing/);
    const size = Object.values(filesOf(reference())).reduce((sum, { length }) => sum + length, 0);
    assert.equal(seen["Ready"][4].item.description, `affine depth · Marigold · Apache-2.0 · ${(size / 1e6).toPrecision(3)} MB`);
    const { item } = seen["Can Be Downloaded"].find(({ model }) => model.id === nonCommercial) ?? assert.fail();
    assert.match(String(item.description), /^non-commercial \(CC-BY-NC-4\.0\) · affine disparity · feed-forward/);
    assert.equal(item.contextValue, "download page");
    const markOf = ({ resourceUri }: vscode.TreeItem): unknown => resourceUri && licenceMarks.provideFileDecoration(resourceUri, new vscode.CancellationTokenSource().token);
    assert.match(JSON.stringify(markOf(item)), /"badge":"NC"/);
    assert.ok(Object.values(seen).flat().every((other) => other.model.licence?.nonCommercial === true || markOf(other.item) === undefined));
    const ids = Object.values(seen).flat().map(({ model }) => model.id);
    assert.equal(new Set(ids).size, ids.length, "each once");
  });

  it("offers for each what can be done with it", async () => {
    const actions = async (id: string): Promise<string | undefined> => (await line(id)).item.contextValue;
    assert.equal(await actions("plumbline-e2e-normals"), "normals verify reveal");
    assert.equal(await actions(cached), "depth verify reveal page");
    assert.equal(await actions(half), "download verify reveal page");
  });

  it("tells on hovering what a model predicts, its licence, its folder and the paper's figures", async () => {
    const { item, node } = await line(cached);
    const tooltip = (await tree.resolveTreeItem(item, node)).tooltip;
    assert.ok(tooltip instanceof vscode.MarkdownString);
    assert.match(tooltip.value, /larger = farther/);
    assert.match(tooltip.value, /\[Apache-2\.0\]\(https:/);
    assert.ok(tooltip.value.includes("snapshots/"), tooltip.value);
    // Table 1 of the paper: Marigold, 50 steps, ensemble of 10.
    assert.match(tooltip.value, /table 1: AbsRel % \/ delta1 %\n\n\| \| NYUv2 \| KITTI .*\n.*\n\| 50 steps x 10 \| 5\.5 \/ 96\.4 \| 9\.9 \/ 91\.6 \|/);
    assert.ok(!tooltip.isTrusted);
  });

  it("downloads only after licence and size were accepted, and then runs what came", async () => {
    assert.equal(await run("models.download", lcm), undefined);
    const [asked] = messages.modals;
    const needed = Object.entries(hub.repositories[lcm].files).filter(([path]) => /^(model_index|scheduler|unet|vae|text_encoder|tokenizer\/(vocab|tokenizer_config))/.test(path));
    const size = (needed.reduce((sum, [, { length }]) => sum + length, 0) / 1e6).toPrecision(3);
    assert.match(asked.text, /Marigold depth LCM v1-0/);
    assert.match(asked.detail ?? "", /Licence: apache-2\.0/i);
    assert.ok(asked.detail?.includes(`${size} MB in ${needed.length} files`), asked.detail);
    assert.ok(hub.requests.every(({ kind }) => kind === "list"), "nothing was downloaded");
    assert.equal((await line(lcm)).heading, "Can Be Downloaded");

    messages.answer = ({ isModal }) => (isModal ? "Download" : undefined);
    assert.equal(await run("models.download", lcm), lcm);
    const { heading, item } = await line(lcm);
    assert.equal(heading, "Ready");
    assert.equal(item.contextValue, "depth verify remove reveal page");
    assert.ok(!existsSync(`${installed(lcm)}.partial`));
    const row = { rowId: "a", label: "LCM", models: { depth: lcm }, steps: 2, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" } };
    assert.equal(await vscode.commands.executeCommand(openRunsCommand, sample("room.jpg"), { rows: [row], seed: 1, processingResolution: 64 }), "finished", "a panel finds it by its name");
  });

  it("verifies, finds what is damaged, and removes once the user agrees", async () => {
    assert.equal(await run("models.verify", lcm), "right");
    const weights = join(installed(lcm), "unet/diffusion_pytorch_model.safetensors");
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(weights, bytes);
    assert.equal(await run("models.verify", lcm), "damaged");
    assert.match(messages.shown.at(-1)?.text ?? "", /unet\/diffusion_pytorch_model\.safetensors/);
    assert.equal(await run("models.remove", lcm), undefined, "not without consent");
    assert.ok(existsSync(weights));
    messages.answer = ({ isModal }) => (isModal ? "Delete" : undefined);
    assert.equal(await run("models.remove", lcm), "removed");
    assert.ok(!existsSync(installed(lcm)));
    assert.equal((await line(lcm)).heading, "Can Be Downloaded");
  });

  it("pauses, keeps what came, and goes on without asking again", async () => {
    messages.answer = ({ isModal }) => (isModal ? "Download" : undefined);
    hub.fault = ({ kind, path }) => (kind === "cdn" && path.startsWith("unet/") ? { kind: "stall", after: 5000 } : undefined);
    const download = run("models.download", lcm);
    await waitFor("the stalled file", () => hub.requests.some(({ kind, path }) => kind === "cdn" && path.startsWith("unet/")));
    await new Promise((done) => setTimeout(done, 500));
    await run("models.pause", lcm);
    assert.equal(await download, undefined);
    await waitFor("the offer to continue", () => messages.shown.some(({ items }) => items.includes("Continue")));
    const paused = await line(lcm);
    assert.equal(paused.heading, "Incomplete");
    assert.equal(paused.item.contextValue, "continue remove reveal page");
    hub.fault = () => undefined;
    hub.requests.length = 0;
    const asked = messages.modals.length;
    await run("refreshModels");
    assert.equal(await run("models.continue", lcm), lcm);
    assert.equal(messages.modals.length, asked);
    assert.ok(hub.requests.some(({ path, headers }) => path.startsWith("unet/") && headers.range === "bytes=5000-"), "the rest only");
  });

  it("says plainly that a model is non-commercial", async () => {
    await run("models.download", nonCommercial);
    assert.match(messages.modals[0].detail ?? "", /Licence: CC-BY-NC-4\.0\nNon-commercial use only/);
  });

  it("explains a gated repository, and leads to its page and to a token", async () => {
    const opened: string[] = [];
    messages.replace("openExternal", (uri: vscode.Uri) => Promise.resolve(opened.push(uri.toString(true)) > 0), vscode.env);
    messages.replace("showInputBox", () => Promise.resolve(`${hub.endpoint}/owner/gated/tree/main`));
    messages.replace("showQuickPick", (items: readonly { from?: string }[]) => Promise.resolve(items.find(({ from }) => from === "hub")));
    messages.answer = ({ isModal, items }) => (isModal ? "Download" : items.includes("Open Its Page") ? "Open Its Page" : undefined);
    assert.equal(await run("addModel"), undefined);
    await waitFor("the page", () => opened.length > 0);
    assert.deepEqual(opened, [`${hub.endpoint}/owner/gated`]);
    assert.match(messages.shown.find(({ kind }) => kind === "showErrorMessage")?.text ?? "", /gated/);
    messages.answer = ({ items }) => (items.includes("About HF_TOKEN") ? "About HF_TOKEN" : items.includes("Download") ? "Download" : undefined);
    await run("addModel");
    await waitFor("how to use a token", () => messages.modals.some(({ detail }) => /HF_TOKEN/.test(detail ?? "")));
  });

  it("adds a folder in place, asks what it estimates only where its files do not tell, and forgets it", async () => {
    const folder = join(scratch, "mine");
    cpSync(reference(), folder, { recursive: true });
    const index = JSON.parse(readFileSync(join(folder, "model_index.json"), "utf8")) as object;
    writeFileSync(join(folder, "model_index.json"), JSON.stringify({ ...index, _class_name: "StableDiffusionPipeline" }));
    let asked = 0;
    messages.replace("showOpenDialog", () => Promise.resolve([vscode.Uri.file(folder)]));
    messages.replace("showQuickPick", (items: readonly { from?: string; isFolder?: boolean; task?: string; frame?: string }[]) => {
      asked += items.some(({ task, frame }) => task !== undefined || frame !== undefined) ? 1 : 0;
      return Promise.resolve(items.find(({ from, isFolder, task, frame }) => from === "disk" || isFolder === true || task === "normals" || frame === "RUB"));
    });
    assert.equal(await run("addModel"), folder);
    assert.equal(asked, 2, "the task, and the frame of its normals");
    const { heading, item } = await line(folder);
    assert.equal(heading, "Ready");
    assert.match(String(item.description), /^normals RUB/);
    assert.equal(item.contextValue, "normals verify remove reveal");
    messages.answer = ({ isModal }) => (isModal ? "Take Out" : undefined);
    assert.equal(await run("models.remove", folder), "forgot");
    assert.ok(existsSync(join(folder, "model_index.json")), "its files stay");
    library.refresh();
    assert.ok(!(await library.list()).some(({ id }) => id === folder));
    writeFileSync(join(folder, "model_index.json"), JSON.stringify({ ...index, _class_name: "MarigoldDepthPipeline" }));
    assert.equal(await run("addModel"), folder);
    assert.equal(asked, 2, "this class says what it estimates");
  });

  it("asks how a network is run of which nothing tells, and writes down what was answered", async () => {
    const weights = [[0.2, 0.3, 0.5]] as const;
    const network = await writeNetwork(join(scratch, "network/mine.onnx"), { size: { height: 64, width: 96 }, outputs: [{ name: "depth", shape: "NHW", weights }] });
    messages.replace("showOpenDialog", () => Promise.resolve([vscode.Uri.file(network)]));
    let wanted = ["An ONNX file"];
    messages.replace("showQuickPick", (items: readonly { from?: string; label: string }[]) => Promise.resolve(items.find(({ from, label }) => from === "disk" || wanted.includes(label))));
    assert.equal(await run("addModel"), undefined);
    assert.match(messages.modals[0].detail ?? "", /inputs: .*64/);
    assert.ok(!existsSync(join(scratch, "network/plumbline.model.json")), "nothing is written where a question is dismissed");
    messages.answer = ({ items }) => items.find((item) => item === "Answer Three Questions");
    wanted = ["An ONNX file", "Affine disparity", "-1 to 1"];
    assert.equal(await run("addModel"), network);
    const { item } = await line(network);
    assert.match(String(item.description), /^affine disparity · feed-forward/);
    const row = { rowId: "a", label: "Mine", models: { depth: network }, steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" } };
    assert.equal(await vscode.commands.executeCommand(openRunsCommand, sample("room.jpg"), { rows: [row], seed: 1, processingResolution: 96 }), "finished");
  });

  it("follows what other programs download into the Hugging Face cache, and delete from it", async () => {
    const name = "someone/own-depth";
    const states = async (): Promise<readonly string[]> => (await library.list()).filter(({ id }) => id === name).map(({ state }) => state);
    assert.deepEqual(await states(), []);
    const changes: unknown[] = [];
    const listener = library.onDidChange(() => changes.push(0));
    try {
      cache(name, true);
      await waitFor("the cache to be followed", async () => (await states())[0] === "cached", { seconds: 10 });
      assert.ok(changes.length <= 3, `${changes.length} times listed anew for one download`);
      rmSync(join(process.env["HF_HOME"] ?? "", "hub", "models--someone--own-depth"), { recursive: true });
      await waitFor("what went to be listed no more", async () => (await states()).length === 0, { seconds: 10 });
    } finally {
      listener.dispose();
    }
  });

  it("uses a model in the panel in front, in a row of its own", async () => {
    await vscode.commands.executeCommand("plumbline.estimate", sample("room.jpg"));
    const rows: string[] = [];
    messages.replace("showQuickPick", (items: readonly { label: string }[]) => {
      rows.push(...items.map(({ label }) => label));
      return Promise.resolve(items[0]);
    });
    await run("clearCache");
    await run("models.useForDepth", cached);
    assert.deepEqual(rows, ["In a new row", 'In the row "E2E fine-tuned"']);
    await waitFor("a finished run", async () => (await run<number>("clearCache")) > 0, { everyMs: 500 });
  });
});
