import { extname } from "node:path";
import * as vscode from "vscode";

/** Files that can be opened; the menus of package.json show the commands on the same ones. */
const extensions = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "gif", "avif"];

/** True for an image file on a disk (virtual workspaces have no paths that the engine could read). */
export function isImageFile(uri: vscode.Uri): boolean {
  return uri.scheme === "file" && extensions.includes(extname(uri.path).slice(1).toLowerCase());
}

/**
 * The images that a command is about. A menu hands over what was clicked and, in the explorer, everything that is
 * selected; the command palette hands over nothing: then it is the image in the active editor, else a file dialog.
 * Empty when the dialog was dismissed or nothing chosen is an image.
 */
export async function chooseImages(clicked?: vscode.Uri, selected?: readonly vscode.Uri[]): Promise<readonly vscode.Uri[]> {
  if (clicked instanceof vscode.Uri) {
    const all = Array.isArray(selected) && selected.length > 0 ? (selected as readonly vscode.Uri[]) : [clicked];
    // What was clicked comes first, whatever the order of the selection.
    const ordered = [clicked, ...all.filter((uri) => uri.toString() !== clicked.toString())];
    return ordered.filter(isImageFile);
  }
  const active = activeResource();
  if (active && isImageFile(active)) return [active];
  const chosen = await vscode.window.showOpenDialog({
    canSelectMany: true,
    title: vscode.l10n.t("Choose images"),
    filters: { [vscode.l10n.t("Images")]: extensions },
  });
  return (chosen ?? []).filter(isImageFile);
}

function activeResource(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputCustom || input instanceof vscode.TabInputText ? input.uri : undefined;
}
