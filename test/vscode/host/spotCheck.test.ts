import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { defaultSpec, resultsOf, specName } from "../../../src/extension/spotCheckFolder";
import { SpotCheckPanel, type SpotRuns, type SpotServices } from "../../../src/extension/spotCheckPanel";
import type { FromSpotPage, SpotItem, ToSpotPage } from "../../../src/protocol/spotCheck";
import { waitFor } from "../../waiting";
import { extension } from "./extension";
import { watchEventLoop } from "./loopWatch";

const images = 10_000;
/** Of a result of so many images, from the first message to the last. */
const reopenMillis = 2000;
/** The longest that reading it may keep the extension host from anything else, in milliseconds of computing. */
const longestComputed = 50;

/** A panel with a page that is played here. */
class Opened {
  readonly arrived: ToSpotPage[] = [];
  readonly panel: SpotCheckPanel;
  readonly #messages = new vscode.EventEmitter<FromSpotPage>();

  constructor(folder: string, runs: SpotRuns) {
    const { arrived } = this;
    const webview = {
      options: {}, html: "", cspSource: "",
      asWebviewUri: (uri: vscode.Uri) => uri,
      onDidReceiveMessage: this.#messages.event,
      postMessage: (message: ToSpotPage) => {
        arrived.push(structuredClone(message));
        return Promise.resolve(true);
      },
    } satisfies vscode.Webview;
    const never = new vscode.EventEmitter<never>().event;
    const panel = { webview, title: "", visible: true, iconPath: undefined, onDidChangeViewState: never, onDidDispose: never, reveal: () => undefined };
    const log = { error: (error: unknown) => assert.fail(String(error)) };
    this.panel = new SpotCheckPanel(panel as unknown as vscode.WebviewPanel, folder, { extensionUri: extension().extensionUri, log, models: () => Promise.resolve([]) } as unknown as SpotServices, runs);
  }

  send(message: FromSpotPage): void {
    this.#messages.fire(message);
  }

  get items(): SpotItem[] {
    return this.arrived.flatMap((message) => (message.type === "items" ? message.items : []));
  }
}

const soon = { seconds: 30, everyMs: 5 };
const idle: SpotRuns = { of: () => undefined, start: () => assert.fail("nothing is to be run"), report: () => Promise.resolve(), refresh: () => undefined };

describe("the panel of a spot check", () => {
  let folder: string;
  let out: string;
  const idOf = (n: number): string => `scene/${String(n).padStart(5, "0")}.jpg`;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "plumbline-spot-host-"));
    const spec = defaultSpec();
    writeFileSync(join(folder, specName), JSON.stringify(spec));
    out = resultsOf(folder, spec);
    mkdirSync(out, { recursive: true });
    const record = (n: number): object => ({
      type: "record", id: idOf(n), status: n % 500 === 3 ? "failed" : "done", ...(n % 500 === 3 && { reason: "Expected an image but received an empty file." }),
      values: { width: 640, height: 480, depthExtent: (n % 97) / 97, depthSaturated: 0.001, depthMissing: 0, normalsExtent: 30 + (n % 13), normalsMissing: 0, consistency: 5 + (n % 41) / 3, absRel: (n % 61) / 200 },
      oddities: [], sha256: String(n).padStart(64, "0"), millis: 80, angles: { e2e: "x".repeat(1500) },
    });
    writeFileSync(join(out, "journal.jsonl"), [{ type: "begin", version: 1, fingerprint: "f" }, ...Array.from({ length: images }, (_, n) => record(n))].map((line) => `${JSON.stringify(line)}\n`).join(""));
    const ids = Array.from({ length: images + 7 }, (_, n) => idOf(n));
    writeFileSync(join(out, "setup.json"), JSON.stringify({ version: 1, title: "Spot check", folder, fingerprint: "f", runs: ["e2e"], settings: [], ids }));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("sends 10,000 results in less than two seconds, and never holds the extension host meanwhile", async () => {
    const opened = new Opened(folder, idle);
    const longest = watchEventLoop();
    const start = performance.now();
    opened.send({ type: "ready" });
    await waitFor("the last message", () => opened.arrived.some(({ type }) => type === "pending"), soon);
    const millis = performance.now() - start;
    const { computed } = longest();
    assert.equal(opened.arrived[0].type, "init");
    assert.deepEqual(opened.items.map(({ id }) => id), Array.from({ length: images }, (_, n) => idOf(n)));
    assert.deepEqual(opened.arrived.flatMap((message) => (message.type === "pending" ? message.ids : [])), Array.from({ length: 7 }, (_, n) => idOf(images + n)));
    assert.ok(opened.items.every((item) => !("angles" in item)), "what only the report needs stays here");
    assert.ok(millis < reopenMillis, `${millis.toFixed(0)} ms`);
    assert.ok(computed < longestComputed, `${computed.toFixed(0)} ms in one go`);
  });

  it("keeps the marks of two windows on one folder", async () => {
    const [one, other] = [new Opened(folder, idle), new Opened(folder, idle)];
    for (let n = 0; n < 25; n++) {
      one.send({ type: "mark", id: idOf(n), mark: "good", note: "" });
      other.send({ type: "mark", id: idOf(100 + n), mark: "bad", note: `${n}` });
    }
    await waitFor("the marks", () => existsSync(join(out, "marks.jsonl")) && readFileSync(join(out, "marks.jsonl"), "utf8").split("\n").filter((line) => line !== "").length >= 50, soon);
    const third = new Opened(folder, idle);
    third.send({ type: "ready" });
    await waitFor("the marks", () => third.arrived.some(({ type }) => type === "marks"), soon);
    const marks = third.arrived.flatMap((message) => (message.type === "marks" ? message.marks : []));
    assert.equal(marks.length, 50);
    for (let n = 0; n < 25; n++) assert.ok(marks.some(({ id, mark, note }) => id === idOf(100 + n) && mark === "bad" && note === `${n}`), idOf(100 + n));
  });
});
