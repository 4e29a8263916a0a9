import { basename } from "node:path";
import * as vscode from "vscode";
import { PlumblineError, unexpected } from "../core/errors";
import type { FromViewer, ToViewer } from "../protocol/viewer";
import { messageOf } from "./log";
import { pagePost } from "./pagePost";
import { pageHtml, pageRoots } from "./panelPage";
import type { Services } from "./services";

/** The type of the editor that shows files of floats. */
export const floatViewerType = "plumbline.floatImage";

type ViewerServices = Pick<Services, "extensionUri" | "engine" | "log">;

/** A file that is still being written changes many times; it is read when it has been quiet for this long. */
const quietMillis = 200;

/** Shows files of floats, read-only, on request ("Open With…"). */
export class FloatViewers implements vscode.CustomReadonlyEditorProvider {
  constructor(private readonly services: ViewerServices) {}

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => undefined };
  }

  resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    new FloatViewer(panel, uri, this.services);
  }
}

/**
 * One page and its file. The engine's child reads and the page interprets: here floats only pass through, in pieces.
 * Nothing is held, so that a page that was hidden (and thereby destroyed) has the file read again.
 */
class FloatViewer {
  #post?: (message: ToViewer) => void;
  /** Of the newest reading; what an older one brings is dropped. */
  #reading = 0;
  #entry?: string;
  #timer?: NodeJS.Timeout;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly uri: vscode.Uri,
    private readonly services: ViewerServices,
  ) {
    const { webview } = panel;
    const changes = onFileChange(uri, () => this.#readSoon());
    webview.options = { enableScripts: true, localResourceRoots: pageRoots(services.extensionUri) };
    webview.onDidReceiveMessage((message: FromViewer) => this.#receive(message));
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#post = undefined;
    });
    panel.onDidDispose(() => {
      this.#post = undefined;
      clearTimeout(this.#timer);
      changes.dispose();
    });
    webview.html = pageHtml(webview, services.extensionUri, "viewer");
  }

  #receive(message: FromViewer): void {
    switch (message.type) {
      case "ready":
        return this.#fillPage(message.entry);
      case "entry":
        this.#entry = message.entry;
        return void this.#read();
      case "again":
        return void this.#read();
      case "showLog":
        return this.services.log.show();
      case "error":
        return this.services.log.error(new Error(message.message));
    }
  }

  #fillPage(entry: string | undefined): void {
    this.#entry = entry ?? this.#entry;
    const post = pagePost(this.panel.webview, () => this.#post === post);
    this.#post = post;
    const colormap = vscode.workspace.getConfiguration("plumbline").get("colormap", "Spectral");
    post({ type: "init", name: basename(this.uri.path), colormap });
    void this.#read();
  }

  #readSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), quietMillis);
  }

  /** Reads the file for the page that is there, if any; never rejects. */
  async #read(): Promise<void> {
    if (!this.#post) return;
    const reading = ++this.#reading;
    this.#post({ type: "reading" });
    const answer = await this.#answer();
    if (reading === this.#reading) this.#post?.(answer);
  }

  async #answer(): Promise<ToViewer> {
    try {
      if (this.uri.scheme !== "file") throw unexpected("unsupported", this.uri.toString(), "a file on a disk", `one of "${this.uri.scheme}"`, "Copy it to a folder on a disk.");
      return { type: "floats", file: await this.services.engine.readFloats({ path: this.uri.fsPath, entry: this.#entry }) };
    } catch (error) {
      this.services.log.error(error);
      const { message, remedy } = error instanceof PlumblineError ? error : { message: messageOf(error), remedy: "" };
      return { type: "failed", message, remedy };
    }
  }
}

/** Calls back when the file is written, replaced or removed. */
function onFileChange(uri: vscode.Uri, listener: () => void): vscode.Disposable {
  // A name may hold what means something in a pattern: "?" stands for any one character, and the event tells the rest.
  const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(uri, ".."), basename(uri.path).replace(/[[\]{}*?!]/g, "?"));
  const watcher = vscode.workspace.createFileSystemWatcher(pattern);
  const onEvent = (changed: vscode.Uri): void => {
    if (changed.toString() === uri.toString()) listener();
  };
  return vscode.Disposable.from(watcher, watcher.onDidChange(onEvent), watcher.onDidCreate(onEvent), watcher.onDidDelete(onEvent));
}
