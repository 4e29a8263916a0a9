import { access } from "node:fs/promises";
import { basename } from "node:path";
import * as vscode from "vscode";
import { isCancelled, PlumblineError } from "../core/errors";
import type { PredictEvent, PredictParams } from "../protocol/inference";
import type { FromWebview, ToWebview } from "../protocol/panel";
import { HeldRuns } from "./heldRuns";
import { messageOf } from "./log";
import { predictRequests, type MissingModel } from "./runs";
import { cacheOf, type Services } from "./services";

/** How a run ended. */
export type Outcome = "finished" | "cancelled" | "failed";

/** Which image is run with which settings; `only` some of the rows when others keep their results. */
export type RunOrder = Pick<Extract<FromWebview, { type: "run" }>, "image" | "settings" | "only">;

/** What the user should know and what to do about it. */
export interface PanelNotice {
  readonly message: string;
  readonly remedy: string;
}

/** Where a panel's runs report to. */
export interface RunListener {
  /** To the page; held already. */
  send(message: ToWebview): void;
  /** What ended no run, but that the user should know. */
  notify(notice: PanelNotice): void;
  /** Why a run failed; the page has been told. */
  failed(reason: PanelNotice): void;
  /** Whether there is a page that shows what is sent. */
  shows(): boolean;
  /** How a model that is not there was called when its id was saved. */
  modelName(id: string): string | undefined;
}

/** The runs of one panel: one at a time, each told how it ended, and what they said is held. */
export class PanelRuns {
  readonly #held = new HeldRuns();
  #generation = 0;
  #running?: AbortController;

  constructor(
    private readonly services: Services,
    private readonly listener: RunListener,
  ) {}

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  get held(): HeldRuns {
    return this.#held;
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Runs one image (a URI); a run in progress is cancelled first. An image that is gone leaves its results on show. */
  async run(order: RunOrder, uri: string): Promise<Outcome> {
    if (this.#held.hasResults(order.image) && !(await isThere(uri))) {
      const { message, remedy } = goneImage(uri);
      this.listener.notify({ message, remedy });
      return "failed";
    }
    this.cancel();
    const generation = ++this.#generation;
    const controller = new AbortController();
    this.#running = controller;
    this.services.onRunning();
    const startedAt = performance.now();
    this.#record({ type: "started", generation, image: order.image, settings: order.settings, only: order.only });
    const outcome = await this.#predict(order, uri, generation, controller.signal).then(
      (): Outcome => {
        this.#record({ type: "finished", generation, elapsedMillis: performance.now() - startedAt });
        return "finished";
      },
      (error: unknown) => this.#recordFailure(error, generation),
    );
    if (this.#running === controller) this.#running = undefined;
    this.services.onRunning();
    return outcome;
  }

  async #predict({ settings, only }: RunOrder, uri: string, generation: number, signal: AbortSignal): Promise<void> {
    const path = pathOf(uri);
    const { readImageSize } = await import("../io/thumbnail"); // loads sharp: not before the first panel
    const size = await readImageSize(path).catch(() => undefined); // a damaged image is told by its run
    const models = await this.services.models();
    const user = this.services.settings();
    const { requests, missing } = predictRequests(path, settings, { models, device: user.device, only, size, cache: cacheOf(this.services.cacheDir, user) });
    if (missing.length > 0) {
      const { message, remedy } = this.#missingModels(missing);
      if (requests.length === 0) throw new PlumblineError("not-found", message, remedy);
      this.listener.notify({ message, remedy });
    }
    const title = vscode.l10n.t("Estimating geometry: {0}", basename(path));
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () => this.#predictAll(requests, generation, signal));
  }

  /** One request after another; the page sees one run. */
  async #predictAll(requests: readonly PredictParams[], generation: number, signal: AbortSignal): Promise<void> {
    for (const [index, params] of requests.entries()) {
      const onEvent = (event: PredictEvent): void => {
        if (event.type === "device") this.services.onDevice(event.device);
        if (event.type === "image" && index > 0) return;
        const ofAll = event.type === "progress" && requests.length > 1 ? { ...event, fraction: (index + event.fraction) / requests.length, remainingMillis: undefined } : event;
        this.#record({ type: "event", generation, event: ofAll });
      };
      await this.services.engine.predict(params, { signal, onEvent });
    }
  }

  #missingModels(missing: readonly MissingModel[]): PanelNotice {
    const sentences = missing.map(({ id, task, row }) => {
      const name = this.listener.modelName(id);
      return vscode.l10n.t('The {0} model {1} of "{2}" is not there; its {0} was left out.', task, name === undefined || name === id ? `"${id}"` : `"${name}" (${id})`, row.label);
    });
    return { message: sentences.join(" "), remedy: vscode.l10n.t("Choose another model in the panel's settings, or add its folder to the setting plumbline.models.") };
  }

  #recordFailure(error: unknown, generation: number): Outcome {
    if (isCancelled(error)) {
      this.#record({ type: "cancelled", generation });
      return "cancelled";
    }
    const { message, remedy } = error instanceof PlumblineError ? error : { message: messageOf(error), remedy: "" };
    this.#record({ type: "failed", generation, message, remedy });
    this.listener.failed({ message, remedy });
    // A page that is seen shows the error itself, with a way to the log.
    if (this.listener.shows()) this.services.log.error(error);
    else this.services.log.tell(error);
    return "failed";
  }

  #record(message: Extract<ToWebview, { readonly generation: number }>): void {
    this.#held.hold(message);
    this.listener.send(message);
  }
}

/** The error of an image that was deleted or moved. */
export function goneImage(uri: string): PlumblineError {
  return new PlumblineError("not-found", `The image ${vscode.Uri.parse(uri).fsPath} is not there any more.`, "Put it back to run it again; the results that are here stay.");
}

async function isThere(uri: string): Promise<boolean> {
  return access(pathOf(uri)).then(() => true, () => false);
}

/** Throws `unsupported` for an image that is not on a disk. */
export function pathOf(uri: string): string {
  const { scheme, fsPath } = vscode.Uri.parse(uri);
  if (scheme === "file") return fsPath;
  throw new PlumblineError("unsupported", `Expected an image on a disk but received one of the scheme "${scheme}".`, "Copy the image to a disk first.");
}
