import assert from "node:assert/strict";
import * as vscode from "vscode";

/** The extension under test, as VS Code loaded it. */
export function extension(): vscode.Extension<unknown> {
  const found = vscode.extensions.getExtension("plumbline.plumbline");
  assert.ok(found, "VS Code did not load the extension.");
  return found;
}

/** A file of the workspace folder (media/samples). */
export function sample(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, "No folder is open.");
  return vscode.Uri.joinPath(folder.uri, name);
}
