import { basename } from "node:path";
import * as vscode from "vscode";
import { PlumblineError } from "../core/errors";
import type { Ask, ExportRequest, FromWebview, ModelChoice, PanelState, ToWebview } from "../protocol/panel";
import { messageOf } from "./log";
import { choiceOf } from "./models";
import { pagePost, type PagePost } from "./pagePost";
import { pageHtml, pageRoots } from "./panelPage";
import { PanelRuns, type Outcome, type PanelNotice, type RunOrder } from "./panelRuns";
import { answerTo } from "./questions";
import type { Services } from "./services";

/** The type under which VS Code stores and restores panels. */
export const panelType = "plumbline.geometry";

/** What is different in a panel that shows a saved session. */
export interface PanelOptions {
  /** Told with the first run. */
  readonly notices?: readonly PanelNotice[];
  /** Names of the models by id, of those that may be missing. */
  readonly modelNames?: ReadonlyMap<string, string>;
  /** Told every state of the page. */
  readonly onState?: (state: PanelState) => void;
  /** Whether VS Code names the tab itself. */
  readonly isDocument?: boolean;
}

/** Creates the editor tab of a panel; `GeometryPanel` fills it. */
export function createWebviewPanel(state: PanelState, extensionUri: vscode.Uri): vscode.WebviewPanel {
  return vscode.window.createWebviewPanel(panelType, titleOf(state), vscode.ViewColumn.Active, webviewOptions(extensionUri));
}

/**
 * One panel: moves messages between its page and the engine. What was sent is held, so that a page that was hidden
 * (and thereby destroyed) is filled again; settings and view survive a reload of the window in the page's own state,
 * or in the document that the panel shows.
 */
export class GeometryPanel {
  #runs: PanelRuns;
  #state: PanelState;
  #notices: readonly PanelNotice[];
  /** The way to the page, between its `ready` and its being hidden. */
  #post?: PagePost;
  /** What ends the work for each answer that the page waits for. */
  readonly #asked = new Map<number, AbortController>();
  /** Until the page says that it is ready, what still comes is of the page before it. */
  #isLoading = true;
  /** The models that the page was told, as text. */
  #sentModels = "";
  #settleFirst: (outcome: Outcome) => void = () => undefined;
  /** Settles with the end of the first run. */
  readonly firstRun = new Promise<Outcome>((resolve) => (this.#settleFirst = resolve));

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly services: Services,
    state: PanelState,
    private readonly options: PanelOptions = {},
  ) {
    this.#state = state;
    this.#notices = options.notices ?? [];
    this.#runs = this.#newRuns();
    panel.iconPath = vscode.Uri.joinPath(services.extensionUri, "media/icons/plumbline.svg");
    panel.webview.options = webviewOptions(services.extensionUri);
    panel.webview.onDidReceiveMessage((message: FromWebview) => this.#receive(message).catch((error: unknown) => services.log.tell(error)));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#leavePage();
    });
    const modelsWatch = services.onDidChangeModels(() => void this.#sendModels().catch((error: unknown) => services.log.error(error)));
    panel.onDidDispose(() => {
      modelsWatch.dispose();
      this.#leavePage();
      this.cancel();
      this.#settleFirst("cancelled");
    });
    this.#setTitle();
    this.#loadPage();
  }

  get isRunning(): boolean {
    return this.#runs.isRunning;
  }

  get isActive(): boolean {
    return this.panel.active;
  }

  get state(): PanelState {
    return this.#state;
  }

  reveal(): void {
    this.panel.reveal();
  }

  onDidDispose(listener: () => void): void {
    this.panel.onDidDispose(listener);
  }

  cancel(): void {
    this.#runs.cancel();
  }

  /** Shows another state in place of the one that is shown; what was run is dropped. */
  replaceState(state: PanelState, notices: readonly PanelNotice[]): void {
    this.cancel();
    this.#state = state;
    this.#notices = notices;
    this.#runs = this.#newRuns();
    this.#leavePage();
    this.#loadPage();
  }

  #newRuns(): PanelRuns {
    return new PanelRuns(this.services, {
      send: (message) => this.#send(message),
      notify: (notice) => this.#notify([...this.#notices, notice]),
      // A page shows one thing at a time: what was to be known before is said along with the failure.
      failed: (reason) => {
        if (this.#notices.length > 0) this.#notify([...this.#notices, reason]);
      },
      shows: () => this.#post !== undefined,
      modelName: (id) => this.options.modelNames?.get(id),
    });
  }

  /** Nothing is posted to the page any more, and nobody waits for its answers. */
  #leavePage(): void {
    this.#post = undefined;
    for (const controller of this.#asked.values()) controller.abort();
  }

  #loadPage(): void {
    this.#isLoading = true;
    this.panel.webview.html = pageHtml(this.panel.webview, this.services.extensionUri);
  }

  #setTitle(): void {
    if (!this.options.isDocument) this.panel.title = titleOf(this.#state);
  }

  async #receive(message: FromWebview): Promise<void> {
    switch (message.type) {
      case "ready":
        this.#isLoading = false;
        return this.#fillPage();
      case "run":
        this.#notices = [];
        return this.#run(message);
      case "cancel":
        return this.cancel();
      case "state":
        if (this.#isLoading) return;
        this.#state = message.state;
        this.#setTitle();
        this.options.onState?.(message.state);
        return;
      case "export":
        return this.#export([message.request, ...(message.more ?? [])]);
      case "chooseNoise":
        return this.#chooseNoise(message.rowId);
      case "ask":
        return this.#answer(message);
      case "dismiss":
        return this.#asked.get(message.id)?.abort();
      case "showLog":
        return this.services.log.show();
      case "error":
        return this.services.log.error(new Error(message.message));
    }
  }

  /** Sends a fresh page everything that is held, and runs the current image when nothing is. */
  async #fillPage(): Promise<void> {
    const models = await this.#choices();
    this.#sentModels = JSON.stringify(models);
    const images = this.#state.images.map((uri) => ({ uri, name: nameOf(uri) }));
    const post = pagePost(this.panel.webview, () => this.#post === post);
    this.#post = post;
    this.#send({ type: "init", state: this.#state, models, images });
    const { held } = this.#runs;
    for (const message of held.messages()) this.#send(message);
    const { current, settings } = this.#state;
    if (!held.has(current)) void this.#run({ image: current, settings });
    else this.#notify(this.#notices);
    await this.#sendThumbnails();
  }

  async #choices(): Promise<readonly ModelChoice[]> {
    return (await this.services.models()).map(choiceOf);
  }

  /** Tells a page that is there which models there are now. */
  async #sendModels(): Promise<void> {
    if (!this.#post) return;
    const models = await this.#choices();
    const text = JSON.stringify(models);
    // A page builds its lists anew, from under a user's hand.
    if (text === this.#sentModels) return;
    this.#sentModels = text;
    this.#send({ type: "models", models });
  }

  /** One after another, the current image's first: the strip fills while the run is under way. */
  async #sendThumbnails(): Promise<void> {
    const { images, current } = this.#state;
    const { readThumbnailFile } = await import("../io/thumbnail"); // loads sharp: not before the first panel
    for (const image of [current, ...images.keys()].filter((item, i, all) => all.indexOf(item) === i)) {
      if (!this.#post) return;
      const thumbnail = await readThumbnailFile(vscode.Uri.parse(images[image]).fsPath).catch(() => undefined); // a damaged image is told by its run
      if (thumbnail) this.#send({ type: "thumbnail", image, thumbnail });
    }
  }

  async #run(order: RunOrder): Promise<void> {
    const runs = this.#runs;
    this.#state = { ...this.#state, current: order.image, settings: order.settings };
    const ended = runs.run(order, this.#state.images[order.image]);
    this.#notify(this.#notices);
    const outcome = await ended;
    if (runs === this.#runs) this.#settleFirst(outcome);
  }

  /** A page shows one notice at a time, and none once a run has started. */
  #notify(notices: readonly PanelNotice[]): void {
    this.#notices = notices;
    if (notices.length === 0) return;
    const remedies = [...new Set(notices.map(({ remedy }) => remedy))].filter(Boolean);
    this.#send({ type: "notice", message: notices.map(({ message }) => message).join(" "), remedy: remedies.join(" ") });
  }

  async #export(requests: readonly ExportRequest[]): Promise<void> {
    const maps = requests.map((request) => {
      const result = this.#runs.held.result(request.generation, `${request.rowId}:${request.task}`);
      if (!result) throw new PlumblineError("not-found", `Expected a result of the ${request.task} to export but received none.`, "Run the image again, then export.");
      const label = this.#state.settings.rows.find((row) => row.rowId === request.rowId)?.label ?? request.rowId;
      return { request, result, label };
    });
    const { exportShown } = await import("./exporter");
    const files = await exportShown(maps);
    if (files.length > 0) this.#send({ type: "exported", files });
  }

  async #answer(ask: Ask): Promise<void> {
    const controller = new AbortController();
    this.#asked.set(ask.id, controller);
    try {
      const answer: ToWebview = { type: "answer", id: ask.id, result: await answerTo(ask, this.services, controller.signal) };
      this.#post?.(answer, true);
    } catch (error) {
      if (controller.signal.aborted) return;
      const { message, remedy } = error instanceof PlumblineError ? error : { message: messageOf(error), remedy: "" };
      this.services.log.error(error);
      this.#send({ type: "refused", id: ask.id, message, remedy });
    } finally {
      // A page that was loaded anew begins its numbers anew.
      if (this.#asked.get(ask.id) === controller) this.#asked.delete(ask.id);
    }
  }

  async #chooseNoise(rowId: string): Promise<void> {
    const filters = { [vscode.l10n.t("Initial noise")]: ["npy", "safetensors"] };
    const chosen = await vscode.window.showOpenDialog({ title: vscode.l10n.t("Choose the initial noise"), filters });
    if (chosen?.[0]) this.#send({ type: "noiseChosen", rowId, path: chosen[0].fsPath });
  }

  #send(message: ToWebview): void {
    this.#post?.(message);
  }
}

function webviewOptions(extensionUri: vscode.Uri): vscode.WebviewOptions {
  return { enableScripts: true, localResourceRoots: pageRoots(extensionUri) };
}

function titleOf({ images, current }: PanelState): string {
  return vscode.l10n.t("Geometry: {0}", nameOf(images[current] ?? images[0]));
}

function nameOf(uri: string): string {
  return basename(vscode.Uri.parse(uri).path);
}
