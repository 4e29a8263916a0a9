import * as vscode from "vscode";
import { sizeText, type DownloadProgress } from "../catalogue/download";
import { readHubSettings } from "../catalogue/hubSettings";
import { readInstallRecord, type LibraryModel } from "../catalogue/library";
import type { PullOffer } from "../catalogue/pull";
import { modelPaths, storageFolder } from "../catalogue/storage";
import { isCancelled, PlumblineError } from "../core/errors";
import { messageOf, type Log } from "./log";
import type { ModelLibrary } from "./modelLibrary";
import { isOnPage } from "./modelText";

/** A download under way. */
interface Running {
  readonly controller: AbortController;
  readonly ended: Promise<LibraryModel | undefined>;
  text: string;
}

/** How often what is shown changes, in milliseconds. */
const showMillis = 300;

/** Downloads of models: at most one a repository, each with a notification that can pause it. */
export class ModelDownloads implements vscode.Disposable {
  readonly #running = new Map<string, Running>();
  readonly #changed = new vscode.EventEmitter<string>();
  /** Told the repository whose download goes on. */
  readonly onDidChange = this.#changed.event;

  constructor(
    private readonly library: ModelLibrary,
    private readonly log: Log,
  ) {}

  /** How far a repository's download is; undefined where there is none. */
  textOf(repository: string): string | undefined {
    return this.#running.get(repository.toLowerCase())?.text;
  }

  /** Ends a download; what came is kept, and the next one goes on with it. */
  pause(repository: string): void {
    this.#running.get(repository.toLowerCase())?.controller.abort();
  }

  /** Downloads a repository once its licence and size were accepted. Resolves, never rejects, to the model, or undefined where there is none in the end: the user was told why. */
  start(repository: string): Promise<LibraryModel | undefined> {
    const known = this.#running.get(repository.toLowerCase());
    if (known) return known.ended;
    const controller = new AbortController();
    const ended = this.#download(repository, controller).finally(() => {
      this.#running.delete(repository.toLowerCase());
      this.library.refresh();
    });
    this.#running.set(repository.toLowerCase(), { controller, ended, text: vscode.l10n.t("asking the hub") });
    this.#changed.fire(repository);
    return ended;
  }

  dispose(): void {
    for (const { controller } of this.#running.values()) controller.abort();
    this.#changed.dispose();
  }

  async #download(repository: string, controller: AbortController): Promise<LibraryModel | undefined> {
    const title = vscode.l10n.t("Downloading {0}", repository);
    try {
      const model = await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (shown, token) => {
        token.onCancellationRequested(() => controller.abort());
        const { pullModel } = await import("../catalogue/pull");
        return pullModel(this.library.places(), repository, { accept: askLicence, signal: controller.signal, onProgress: this.#reporter(repository, shown) });
      });
      void vscode.window.showInformationMessage(vscode.l10n.t("{0} is ready to use.", model.name));
      return model;
    } catch (error) {
      void this.#explain(repository, error, controller.signal.aborted).catch((reason: unknown) => this.log.tell(reason));
      return undefined;
    }
  }

  /** Shows how far a download is, in the notification and in the tree, a few times a second. */
  #reporter(repository: string, shown: vscode.Progress<{ message?: string; increment?: number }>): (progress: DownloadProgress) => void {
    let told = 0;
    let shownAt = 0;
    let start: { readonly bytes: number; readonly at: number } | undefined;
    return (progress) => {
      const now = performance.now();
      if (progress.phase === "downloading" && now - shownAt < showMillis && progress.bytes < progress.totalBytes) return;
      shownAt = now;
      const fraction = "totalBytes" in progress ? progress.bytes / Math.max(1, progress.totalBytes) : told;
      // What was there before says nothing of how quickly the rest comes.
      if (progress.phase === "downloading") start ??= { bytes: progress.bytes, at: now };
      shown.report({ message: progressText(progress, start), increment: 100 * Math.max(0, fraction - told) });
      told = Math.max(told, fraction);
      const running = this.#running.get(repository.toLowerCase());
      if (!running) return;
      running.text = progress.phase === "downloading" ? vscode.l10n.t("{0} % of {1}", Math.floor(100 * fraction), sizeText(progress.totalBytes)) : phaseText(progress.phase);
      this.#changed.fire(repository);
    };
  }

  async #explain(repository: string, error: unknown, isPaused: boolean): Promise<void> {
    const kept = await readInstallRecord(modelPaths(storageFolder(), repository).partial);
    const goOn = vscode.l10n.t("Continue");
    if (isCancelled(error)) {
      if (!isPaused || !kept) return;
      const choice = await vscode.window.showInformationMessage(vscode.l10n.t("The download of {0} is paused. What is here is kept.", repository), goOn);
      if (choice === goOn) void this.start(repository);
      return;
    }
    this.log.error(error);
    if (error instanceof PlumblineError && error.code === "not-permitted") return explainRefusal(repository, error, () => void this.start(repository));
    const [again, showLog] = [kept ? goOn : vscode.l10n.t("Try Again"), vscode.l10n.t("Show Log")];
    const passes = error instanceof PlumblineError && (error.code === "download-failed" || error.code === "write-failed");
    const choice = await vscode.window.showErrorMessage(messageOf(error), ...(passes ? [again] : []), showLog);
    if (choice === again) void this.start(repository);
    if (choice === showLog) this.log.show();
  }
}

/** Asks for consent, with what a person has to know before; not again for what was accepted and paused. */
async function askLicence(offer: PullOffer): Promise<boolean> {
  const { repository, commit, name, licence, files, bytes, remainingBytes, gated } = offer;
  const begun = await readInstallRecord(modelPaths(storageFolder(), repository).partial);
  if (begun?.commit === commit) return true;
  const { endpoint } = await readHubSettings();
  const size = vscode.l10n.t("{0} in {1} files", sizeText(bytes), files.length);
  const detail = [
    vscode.l10n.t("Licence: {0}", licence.name),
    ...(licence.nonCommercial ? [vscode.l10n.t("Non-commercial use only: you may not use this model, or what it estimates, commercially.")] : []),
    ...(licence.nonCommercial === undefined && isOnPage(licence) ? [vscode.l10n.t("Its terms are on its page; read them before you use it.")] : []),
    remainingBytes < bytes ? vscode.l10n.t("Size: {0}, of which {1} are still to come", size, sizeText(remainingBytes)) : vscode.l10n.t("Size: {0}", size),
    vscode.l10n.t("From: {0}", `${endpoint}/${repository}`),
    vscode.l10n.t("To: {0}", modelPaths(storageFolder(), repository).installed),
    ...(gated ? [vscode.l10n.t("Its authors want its terms accepted on its page first.")] : []),
  ].join("\n");
  const [download, page] = [vscode.l10n.t("Download"), vscode.l10n.t("Read the Licence")];
  for (;;) {
    const choice = await vscode.window.showInformationMessage(vscode.l10n.t("Download {0}?", name), { modal: true, detail }, download, page);
    if (choice !== page) return choice === download;
    await vscode.env.openExternal(vscode.Uri.parse(licence.url ?? `${endpoint}/${repository}`));
  }
}

/** A gated or private repository, or a token that was refused. */
async function explainRefusal(repository: string, error: PlumblineError, tryAgain: () => void): Promise<void> {
  const { endpoint } = await readHubSettings();
  const [page, token, again] = [vscode.l10n.t("Open Its Page"), vscode.l10n.t("About HF_TOKEN"), vscode.l10n.t("Try Again")];
  const choice = await vscode.window.showErrorMessage(messageOf(error), page, token, again);
  if (choice === page) await vscode.env.openExternal(vscode.Uri.parse(`${endpoint}/${repository}`));
  if (choice === again) return tryAgain();
  if (choice !== token) return;
  const detail = [
    vscode.l10n.t("1. Log in at {0} and accept the model's terms on its page.", endpoint),
    vscode.l10n.t("2. Make a token that may read at {0}.", `${endpoint}/settings/tokens`),
    vscode.l10n.t("3. Run `hf auth login` in a terminal of this machine: it stores the token where Plumbline finds it at once. Or set HF_TOKEN in the environment that VS Code (over SSH: its server) is started from, and start that again."),
    vscode.l10n.t("The token is sent to {0} only.", endpoint),
  ].join("\n");
  const tokens = vscode.l10n.t("Open the Page of Tokens");
  if ((await vscode.window.showInformationMessage(vscode.l10n.t("How to use a token of Hugging Face"), { modal: true, detail }, tokens)) === tokens) await vscode.env.openExternal(vscode.Uri.parse(`${endpoint}/settings/tokens`));
}

function progressText(progress: DownloadProgress, start: { readonly bytes: number; readonly at: number } | undefined): string {
  if (progress.phase === "waiting") return vscode.l10n.t("{0} Trying again in {1} s.", progress.reason, Math.ceil(progress.waitMillis / 1000));
  if (progress.phase !== "downloading") return phaseText(progress.phase);
  const { bytes, totalBytes } = progress;
  const seconds = start ? (performance.now() - start.at) / 1000 : 0;
  const rate = start && seconds > 2 ? (bytes - start.bytes) / seconds : 0;
  const pace = rate > 0 ? `, ${vscode.l10n.t("{0} a second, {1} left", sizeText(rate), timeText((totalBytes - bytes) / rate))}` : "";
  return `${vscode.l10n.t("{0} of {1}", sizeText(bytes), sizeText(totalBytes))}${pace}. ${vscode.l10n.t("Cancel pauses it.")}`;
}

function phaseText(phase: Exclude<DownloadProgress["phase"], "downloading">): string {
  if (phase === "listing") return vscode.l10n.t("asking the hub");
  return phase === "verifying" ? vscode.l10n.t("comparing hashes") : vscode.l10n.t("waiting for the server");
}

/** "45 s", "12 min", "3.5 h" */
function timeText(seconds: number): string {
  return seconds < 100 ? `${Math.round(seconds)} s` : seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
