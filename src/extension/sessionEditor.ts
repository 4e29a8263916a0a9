import { access, readFile } from "node:fs/promises";
import * as vscode from "vscode";
import { writeFileAtomically } from "../io/atomicFile";
import type { PanelState } from "../protocol/panel";
import { messageOf } from "./log";
import { GeometryPanel } from "./panel";
import type { PanelNotice } from "./panelRuns";
import type { Services } from "./services";
import { fileSha256, readSession, sessionText, type Session } from "./sessionFile";
import { sessionOf } from "./sessionSave";

/** The type of the editor that shows `.plumbline.json` files. */
export const sessionEditorType = "plumbline.session";

/** A session file that is open. */
class SessionDocument implements vscode.CustomDocument {
  /** The state on show; what is saved. */
  state: PanelState;
  panel?: GeometryPanel;

  constructor(
    readonly uri: vscode.Uri,
    public session: Session,
  ) {
    this.state = stateOf(session);
  }

  dispose(): void {
    this.panel?.cancel();
  }
}

/**
 * Shows a session as the panel that it was saved from. The file changes only when it is saved; every change of
 * settings or view makes it unsaved.
 */
export class SessionEditors implements vscode.CustomEditorProvider<SessionDocument> {
  readonly #changed = new vscode.EventEmitter<vscode.CustomDocumentContentChangeEvent<SessionDocument>>();
  readonly onDidChangeCustomDocument = this.#changed.event;

  /** `adopt` is told every panel that is opened. */
  constructor(
    private readonly services: Services,
    private readonly adopt: (panel: GeometryPanel) => void,
  ) {}

  /** Throws for a file that is damaged or of a newer version: VS Code shows the message in the editor's place. */
  async openCustomDocument(uri: vscode.Uri, { backupId }: vscode.CustomDocumentOpenContext): Promise<SessionDocument> {
    try {
      // A backup is a session at another place: its paths are still relative to the file itself.
      const bytes = await readFile(backupId === undefined ? uri.fsPath : vscode.Uri.parse(backupId).fsPath);
      return new SessionDocument(uri, await readSession(uri.fsPath, bytes));
    } catch (error) {
      this.services.log.error(error);
      throw new Error(messageOf(error));
    }
  }

  async resolveCustomEditor(document: SessionDocument, webviewPanel: vscode.WebviewPanel): Promise<void> {
    const notices = await noticesOf(document.session);
    const modelNames = new Map(document.session.models.map(({ id, name }) => [id, name]));
    const onState = (state: PanelState): void => this.#take(document, state);
    document.panel = new GeometryPanel(webviewPanel, this.services, document.state, { notices, modelNames, onState, isDocument: true });
    this.adopt(document.panel);
  }

  saveCustomDocument(document: SessionDocument): Promise<void> {
    return this.#write(document, document.uri, document.uri);
  }

  saveCustomDocumentAs(document: SessionDocument, destination: vscode.Uri): Promise<void> {
    return this.#write(document, destination, destination);
  }

  async revertCustomDocument(document: SessionDocument): Promise<void> {
    document.session = await readSession(document.uri.fsPath, await readFile(document.uri.fsPath));
    document.state = stateOf(document.session);
    document.panel?.replaceState(document.state, await noticesOf(document.session));
  }

  async backupCustomDocument(document: SessionDocument, { destination }: vscode.CustomDocumentBackupContext): Promise<vscode.CustomDocumentBackup> {
    await this.#write(document, destination, document.uri);
    return { id: destination.toString(), delete: () => void vscode.workspace.fs.delete(destination).then(undefined, () => undefined) };
  }

  /** Writes the state on show to `target`, with paths relative to `file`. */
  async #write(document: SessionDocument, target: vscode.Uri, file: vscode.Uri): Promise<void> {
    const session = await sessionOf(document.state, await this.services.models(), document.session);
    await writeFileAtomically(target.fsPath, sessionText(file.fsPath, session));
    document.session = session;
  }

  #take(document: SessionDocument, state: PanelState): void {
    const isSame = JSON.stringify(state) === JSON.stringify(document.state);
    document.state = state;
    if (!isSame) this.#changed.fire({ document });
  }
}

function stateOf({ images, state }: Session): PanelState {
  return { ...state, images: images.map(({ path }) => vscode.Uri.file(path).toString()) };
}

/** What is not as it was when the session was saved. The image and the models that a run needs and that are missing, that run tells. */
async function noticesOf({ images, state }: Session): Promise<readonly PanelNotice[]> {
  const notices = await Promise.all(
    images.map(async ({ path, sha256 }, index): Promise<readonly PanelNotice[]> => {
      const isThere = await access(path).then(() => true, () => false);
      if (!isThere && index === state.current) return [];
      if (!isThere) return [{ message: vscode.l10n.t("The image {0} of this session is not there.", path), remedy: vscode.l10n.t("Put it back, or correct its path in the file; the session stays as it is.") }];
      if (sha256 === undefined || (await fileSha256(path)) === sha256) return [];
      return [{ message: vscode.l10n.t("The image {0} was changed since the session was saved.", path), remedy: vscode.l10n.t("What is shown is of the image as it is now.") }];
    }),
  );
  return notices.flat();
}
