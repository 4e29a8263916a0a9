import * as vscode from "vscode";
import { hubCacheFolder } from "../catalogue/hfCache";
import { watchHubCache } from "../catalogue/hfCacheWatch";
import { listModels, type LibraryModel, type Places } from "../catalogue/library";
import { storageFolder } from "../catalogue/storage";

/** What is here and what can be downloaded, listed once and again when something may have changed. */
export class ModelLibrary implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable;
  #models?: Promise<readonly LibraryModel[]>;
  #pending?: NodeJS.Timeout;
  #stopWatching?: () => void;

  /** `onProblem` is told what is wrong with folders that the settings name. */
  constructor(
    readonly places: () => Places,
    private readonly onProblem: (problem: string) => void,
  ) {
    // The command line adds and removes models too.
    const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.file(storageFolder()), "*"));
    const soon = (): void => this.#refreshSoon();
    this.#subscriptions = vscode.Disposable.from(
      this.#changed,
      watcher,
      watcher.onDidCreate(soon),
      watcher.onDidDelete(soon),
      watcher.onDidChange(soon),
      vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("plumbline.models") && this.refresh()),
      vscode.window.onDidChangeWindowState(({ focused }) => focused && this.#models !== undefined && this.refresh()),
    );
  }

  list(): Promise<readonly LibraryModel[]> {
    if (this.#models) return this.#models;
    // Other programs download into the Hugging Face cache; nobody waits for that before models are first looked at.
    this.#stopWatching ??= watchHubCache(hubCacheFolder(this.places().environment), () => this.#refreshSoon());
    const listed = this.#list();
    this.#models = listed;
    listed.catch(() => {
      if (this.#models === listed) this.#models = undefined;
    });
    return listed;
  }

  /** One of the list, by its id. */
  async find(id: string): Promise<LibraryModel | undefined> {
    return (await this.list()).find((model) => model.id === id);
  }

  /** Forgets what was listed. */
  refresh(): void {
    clearTimeout(this.#pending);
    this.#models = undefined;
    this.#changed.fire();
  }

  dispose(): void {
    this.#stopWatching?.();
    clearTimeout(this.#pending);
    this.#subscriptions.dispose();
  }

  async #list(): Promise<readonly LibraryModel[]> {
    const models = await listModels(this.places());
    for (const { problem, entry } of models) if (problem !== undefined && !entry) this.onProblem(problem);
    return models;
  }

  /** Files come many at a time. */
  #refreshSoon(): void {
    clearTimeout(this.#pending);
    this.#pending = setTimeout(() => this.refresh(), 500).unref();
  }
}
