import { basename } from "node:path";
import * as vscode from "vscode";
import { isCancelled, PlumblineError } from "../core/errors";
import type { Device } from "../core/settings";
import type { EngineClient } from "../inference/client";
import type { PredictEvent } from "../protocol/inference";
import { panelStateVersion, type Ask, type ExportRequest, type FromWebview, type PanelState, type ToWebview } from "../protocol/panel";
import { HeldRuns } from "./heldRuns";
import { messageOf, type Log } from "./log";
import type { Model } from "./models";
import { pagePost } from "./pagePost";
import { pageHtml, pageRoots } from "./panelPage";
import { answerTo } from "./questions";
import { predictParams } from "./runs";
import type { Settings } from "./settings";

/** The type under which VS Code stores and restores panels. */
export const panelType = "plumbline.geometry";

/** How a run ended. */
export type Outcome = "finished" | "cancelled" | "failed";

/** Which image is run with which settings; `only` some of the rows when others keep their results. */
type RunOrder = Pick<Extract<FromWebview, { type: "run" }>, "image" | "settings" | "only">;

/** What panels share. */
export interface Services {
  readonly extensionUri: vscode.Uri;
  readonly engine: EngineClient;
  readonly log: Log;
  readonly settings: () => Settings;
  readonly models: () => Promise<readonly Model[]>;
  /** Told whenever a run starts or ends. */
  readonly onRunning: () => void;
  /** Told the device that a run got. */
  readonly onDevice: (device: Device) => void;
}

/** Creates the editor tab of a panel; `GeometryPanel` fills it. */
export function createWebviewPanel(state: PanelState, extensionUri: vscode.Uri): vscode.WebviewPanel {
  return vscode.window.createWebviewPanel(panelType, titleOf(state), vscode.ViewColumn.Active, webviewOptions(extensionUri));
}

/**
 * One panel: moves messages between its page and the engine. What was sent is held, so that a page that was hidden
 * (and thereby destroyed) is filled again; settings and view survive a reload of the window in the page's own state.
 */
export class GeometryPanel {
  readonly #held = new HeldRuns();
  #state: PanelState;
  /** The way to the page, between its `ready` and its being hidden. */
  #post?: (message: ToWebview) => void;
  #generation = 0;
  #running?: AbortController;
  #settleFirst: (outcome: Outcome) => void = () => undefined;
  /** Settles with the end of the first run. */
  readonly firstRun = new Promise<Outcome>((resolve) => (this.#settleFirst = resolve));

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly services: Services,
    state: PanelState,
  ) {
    this.#state = state;
    panel.title = titleOf(state);
    panel.iconPath = vscode.Uri.joinPath(services.extensionUri, "media/icons/plumbline.svg");
    panel.webview.options = webviewOptions(services.extensionUri);
    panel.webview.onDidReceiveMessage((message: FromWebview) => this.#receive(message).catch((error: unknown) => services.log.tell(error)));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#post = undefined;
    });
    panel.onDidDispose(() => {
      this.#post = undefined;
      this.cancel();
      this.#settleFirst("cancelled");
    });
    panel.webview.html = pageHtml(panel.webview, services.extensionUri);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get images(): readonly string[] {
    return this.#state.images;
  }

  reveal(): void {
    this.panel.reveal();
  }

  onDidDispose(listener: () => void): void {
    this.panel.onDidDispose(listener);
  }

  cancel(): void {
    this.#running?.abort();
  }

  async #receive(message: FromWebview): Promise<void> {
    switch (message.type) {
      case "ready":
        return this.#fillPage();
      case "run":
        return this.#run(message);
      case "cancel":
        return this.cancel();
      case "state":
        this.#state = message.state;
        this.panel.title = titleOf(message.state);
        return;
      case "export":
        return this.#export([message.request, ...(message.more ?? [])]);
      case "chooseNoise":
        return this.#chooseNoise(message.rowId);
      case "ask":
        return this.#answer(message);
      case "showLog":
        return this.services.log.show();
      case "error":
        return this.services.log.error(new Error(message.message));
    }
  }

  /** Sends a fresh page everything that is held, and runs the current image when nothing is. */
  async #fillPage(): Promise<void> {
    const models = (await this.services.models()).map(({ id, name, task, endToEnd }) => ({ id, name, task, endToEnd }));
    const images = this.#state.images.map((uri) => ({ uri, name: nameOf(uri) }));
    const post = pagePost(this.panel.webview, () => this.#post === post);
    this.#post = post;
    this.#send({ type: "init", state: this.#state, models, images });
    for (const message of this.#held.messages()) this.#send(message);
    const { current, settings } = this.#state;
    if (!this.#held.has(current)) void this.#run({ image: current, settings });
    await this.#sendThumbnails();
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

  /** Runs one image; a run in progress is cancelled first. Every run started is told how it ended. */
  async #run({ image, settings, only }: RunOrder): Promise<void> {
    this.cancel();
    const generation = ++this.#generation;
    const controller = new AbortController();
    this.#running = controller;
    this.services.onRunning();
    this.#state = { ...this.#state, current: image, settings };
    const startedAt = performance.now();
    this.#record({ type: "started", generation, image, settings, only });
    const outcome = await this.#predict({ image, settings, only }, generation, controller.signal).then(
      (): Outcome => {
        this.#record({ type: "finished", generation, elapsedMillis: performance.now() - startedAt });
        return "finished";
      },
      (error: unknown) => this.#recordFailure(error, generation),
    );
    if (this.#running === controller) this.#running = undefined;
    this.services.onRunning();
    this.#settleFirst(outcome);
  }

  async #predict({ image, settings, only }: RunOrder, generation: number, signal: AbortSignal): Promise<void> {
    const path = pathOf(this.#state.images[image]);
    const { readImageSize } = await import("../io/thumbnail");
    const size = await readImageSize(path).catch(() => undefined); // a damaged image is told by its run
    const params = predictParams(path, settings, await this.services.models(), this.services.settings().device, { only, size });
    const running = this.services.engine.predict(params, { signal, onEvent: (event) => this.#take(event, generation) });
    const title = vscode.l10n.t("Estimating geometry: {0}", basename(path));
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () => running);
  }

  #take(event: PredictEvent, generation: number): void {
    if (event.type === "device") this.services.onDevice(event.device);
    this.#record({ type: "event", generation, event });
  }

  #recordFailure(error: unknown, generation: number): Outcome {
    if (isCancelled(error)) {
      this.#record({ type: "cancelled", generation });
      return "cancelled";
    }
    const { message, remedy } = error instanceof PlumblineError ? error : { message: messageOf(error), remedy: "" };
    this.#record({ type: "failed", generation, message, remedy });
    // A page that is seen shows the error itself, with a way to the log.
    if (this.#post) this.services.log.error(error);
    else this.services.log.tell(error);
    return "failed";
  }

  async #export(requests: readonly ExportRequest[]): Promise<void> {
    const maps = requests.map((request) => {
      const result = this.#held.result(request.generation, `${request.rowId}:${request.task}`);
      if (!result) throw new PlumblineError("not-found", `Expected a result of the ${request.task} to export but received none.`, "Run the image again, then export.");
      const label = this.#state.settings.rows.find((row) => row.rowId === request.rowId)?.label ?? request.rowId;
      return { request, result, label };
    });
    const { exportShown } = await import("./exporter");
    const files = await exportShown(maps);
    if (files.length > 0) this.#send({ type: "exported", files });
  }

  async #answer(ask: Ask): Promise<void> {
    try {
      this.#send({ type: "answer", id: ask.id, result: await answerTo(ask, this.services) });
    } catch (error) {
      const { message, remedy } = error instanceof PlumblineError ? error : { message: messageOf(error), remedy: "" };
      this.services.log.error(error);
      this.#send({ type: "refused", id: ask.id, message, remedy });
    }
  }

  async #chooseNoise(rowId: string): Promise<void> {
    const filters = { [vscode.l10n.t("Initial noise")]: ["npy", "safetensors"] };
    const chosen = await vscode.window.showOpenDialog({ title: vscode.l10n.t("Choose the initial noise"), filters });
    if (chosen?.[0]) this.#send({ type: "noiseChosen", rowId, path: chosen[0].fsPath });
  }

  #record(message: Extract<ToWebview, { readonly generation: number }>): void {
    this.#held.hold(message);
    this.#send(message);
  }

  #send(message: ToWebview): void {
    this.#post?.(message);
  }
}

/** The state of a restored panel, checked. Throws `protocol-mismatch` for one that another version saved. */
export function restoredState(saved: unknown): PanelState {
  const state = (typeof saved === "object" && saved !== null ? saved : {}) as Partial<PanelState>;
  const isComplete = Array.isArray(state.images) && state.images.length > 0 && typeof state.current === "number" && Array.isArray(state.settings?.rows) && state.view !== undefined;
  if (state.version === panelStateVersion && isComplete) return state as PanelState;
  throw new PlumblineError("protocol-mismatch", `Expected a panel saved by this version (${panelStateVersion}) but received version ${state.version ?? "unknown"}.`, "Open the image again.");
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

function pathOf(uri: string): string {
  const { scheme, fsPath } = vscode.Uri.parse(uri);
  if (scheme === "file") return fsPath;
  throw new PlumblineError("unsupported", `Expected an image on a disk but received one of the scheme "${scheme}".`, "Copy the image to a disk first.");
}
