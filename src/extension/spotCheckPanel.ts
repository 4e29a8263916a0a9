import { basename, join } from "node:path";
import * as vscode from "vscode";
import { PlumblineError } from "../core/errors";
import { datasetPresets } from "../evaluation/presets";
import type { SpotCheckSpec } from "../evaluation/spec";
import type { SpotRecord } from "../evaluation/spotRun";
import type { FromSpotPage, SpotItem, ToSpotPage } from "../protocol/spotCheck";
import { openRunsCommand } from "./commands";
import { messageOf } from "./log";
import { pageHtml, pageRoots } from "./panelPage";
import type { Services } from "./services";
import { defaultSpec, imagesOf, itemOf, Marks, readFolderSpec, readItems, resultsName, resultsOf, sampleIds, saveFolderSpec } from "./spotCheckFolder";
import { panelSettingsOf } from "./spotCheckRows";
import type { SpotCheckRun } from "./spotCheckRun";

export type SpotServices = Pick<Services, "extensionUri" | "log" | "models">;

/** Starts and knows the runs, one a folder: they outlive the panel. */
export interface SpotRuns {
  of(folder: string): SpotCheckRun | undefined;
  start(folder: string, spec: SpotCheckSpec, retryFailed: boolean): SpotCheckRun;
  /** Writes tables and report of the results. */
  report(out: string): Promise<void>;
  /** Marks have changed. */
  refresh(): void;
}

/** Items in one message while a journal is sent: a chunk is made in about a millisecond. */
const chunk = 500;
/** Milliseconds between two messages of new records. */
const batchMillis = 120;

/** One spot check on show: moves messages between its page, its files and its run. */
export class SpotCheckPanel {
  #spec: SpotCheckSpec = defaultSpec();
  #isSaved = false;
  readonly #marks = new Marks();
  #stopListening: () => void = () => undefined;
  /** Records that wait for the next message. */
  #waiting: SpotItem[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Counts fillings of the page; what belongs to an earlier one is not sent any more. */
  #filling = 0;
  #isFilling = false;
  /** Nothing is sent before the page is ready. */
  #isReady = false;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    /** Absolute. */
    readonly folder: string,
    private readonly services: SpotServices,
    private readonly runs: SpotRuns,
  ) {
    const { webview } = panel;
    panel.title = vscode.l10n.t("Spot Check: {0}", basename(folder));
    panel.iconPath = vscode.Uri.joinPath(services.extensionUri, "media/icons/plumbline.svg");
    webview.options = { enableScripts: true, localResourceRoots: [...pageRoots(services.extensionUri), vscode.Uri.file(join(folder, resultsName))] };
    webview.onDidReceiveMessage((message: FromSpotPage) => this.#receive(message).catch((error: unknown) => this.#complain(error)));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#isReady = false; // the page is gone, and says so when it is back
    });
    panel.onDidDispose(() => {
      this.#isReady = false;
      this.#stopListening();
      clearTimeout(this.#timer);
    });
    webview.html = pageHtml(webview, services.extensionUri, "spot");
  }

  reveal(): void {
    this.panel.reveal();
  }

  onDidDispose(listener: () => void): void {
    this.panel.onDidDispose(listener);
  }

  async #receive(message: FromSpotPage): Promise<void> {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        return this.#open();
      case "save":
        return this.#save(message.spec);
      case "run":
        return this.#run(message.spec, message.retryFailed);
      case "pause":
        return this.runs.of(this.folder)?.pause();
      case "resume":
        return this.runs.of(this.folder)?.resume();
      case "cancel":
        return this.runs.of(this.folder)?.cancel();
      case "mark": {
        const { id, mark, note } = message;
        await this.#marks.add(this.#out, { id, mark, note });
        return this.runs.refresh();
      }
      case "open":
        return this.#openImage(message.id);
      case "report":
        return this.runs.report(this.#out);
      case "showLog":
        return this.services.log.show();
      case "error":
        return this.services.log.error(new Error(message.message));
    }
  }

  get #out(): string {
    return resultsOf(this.folder, this.#spec);
  }

  async #openImage(id: string): Promise<void> {
    const settings = panelSettingsOf(this.#spec, await this.services.models());
    await vscode.commands.executeCommand(openRunsCommand, vscode.Uri.file(this.#imagePath(id)), settings);
  }

  #imagePath(id: string): string {
    const images = imagesOf(this.folder, this.#spec);
    const path = join(images, id);
    if (path.startsWith(images)) return path;
    throw new PlumblineError("bad-argument", `Expected an image of ${images} but received ${id}.`);
  }

  /** Fills a fresh page. */
  async #open(): Promise<void> {
    let complaint: unknown;
    try {
      ({ spec: this.#spec, isSaved: this.#isSaved } = await readFolderSpec(this.folder));
    } catch (error) {
      complaint = error; // the page shows the defaults; the file is left alone
    }
    await this.#fill();
    if (complaint !== undefined) this.#complain(complaint);
  }

  async #save(spec: SpotCheckSpec): Promise<void> {
    this.#spec = await saveFolderSpec(this.folder, spec);
    this.#isSaved = true;
    await this.#fill();
    this.runs.refresh();
  }

  async #run(spec: SpotCheckSpec, retryFailed: boolean): Promise<void> {
    await this.#save(spec);
    this.runs.start(this.folder, this.#spec, retryFailed);
    this.#listen();
  }

  /** Sends all that is on the disk, then what the run has found since. */
  async #fill(): Promise<void> {
    const filling = ++this.#filling;
    this.#waiting = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const out = this.#out;
    const models = (await this.services.models()).map(({ id, name, task, endToEnd }) => ({ id, name, task, endToEnd }));
    const presets = datasetPresets.map(({ id, title, encoding }) => ({ id, title, task: encoding.kind }));
    const results = `${this.panel.webview.asWebviewUri(vscode.Uri.file(out)).toString()}/`;
    this.#send({ type: "init", folder: vscode.Uri.file(this.folder).toString(), title: basename(this.folder), spec: this.#spec, isSaved: this.#isSaved, models, presets, results, runNames: this.#spec.runs.map(({ name }) => name) });
    this.#isFilling = true; // new records wait until the journal is sent
    this.#listen();
    const { items, marks, pending } = await readItems(out).catch((error: unknown) => {
      this.#complain(error);
      return { items: [], marks: [], pending: [] };
    });
    if (filling !== this.#filling) return;
    this.#send({ type: "marks", marks });
    for (let i = 0; i < items.length && filling === this.#filling; i += chunk) {
      this.#send({ type: "items", items: items.slice(i, i + chunk) });
      await new Promise(setImmediate);
    }
    await this.#sendPending(pending, filling);
    if (filling !== this.#filling) return;
    this.#isFilling = false;
    this.#flush();
  }

  async #sendPending(ids: readonly string[], filling = this.#filling): Promise<void> {
    for (let i = 0; i < ids.length && filling === this.#filling; i += chunk) {
      this.#send({ type: "pending", ids: ids.slice(i, i + chunk) });
      await new Promise(setImmediate);
    }
  }

  #listen(): void {
    this.#stopListening();
    const run = this.runs.of(this.folder);
    let isKnown = false;
    this.#send({ type: "run", state: run?.state ?? { phase: "idle" } });
    if (!run) return;
    const stop = run.listen({ record: (record) => this.#take(record), state: (state) => {
      this.#send({ type: "run", state });
      if (isKnown || !state.progress) return;
      // The run says how many images there are when it has written down which.
      isKnown = true;
      void sampleIds(this.#out).then((ids) => this.#sendPending(ids)).catch((error: unknown) => this.#complain(error));
    } });
    this.#stopListening = stop;
    run.ended.catch((error: unknown) => this.#complain(error));
  }

  #take(record: SpotRecord): void {
    this.#waiting.push(itemOf(record));
    if (!this.#isFilling) this.#timer ??= setTimeout(() => this.#flush(), batchMillis);
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    this.#send({ type: "items", items: this.#waiting });
    this.#waiting = [];
  }

  #complain(error: unknown): void {
    this.services.log.error(error);
    this.#send({ type: "notice", message: messageOf(error) });
  }

  #send(message: ToSpotPage): void {
    if (this.#isReady) void this.panel.webview.postMessage(message);
  }
}
