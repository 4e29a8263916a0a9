import { readdir } from "node:fs/promises";
import * as vscode from "vscode";

/** Asks for a folder to write into; undefined when the dialog was dismissed. */
export async function chooseFolder(title: string): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true, title, openLabel: vscode.l10n.t("Export") });
  return chosen?.[0]?.fsPath;
}

/** Whether files may be written into a folder: asks the user when some of the same name are there. */
export async function mayWrite(dir: string, isClash: (name: string) => boolean): Promise<boolean> {
  const clashes = (await readdir(dir)).filter(isClash);
  if (clashes.length === 0) return true;
  const replace = vscode.l10n.t("Replace");
  const detail = clashes.slice(0, 5).join(", ");
  return (await vscode.window.showWarningMessage(vscode.l10n.t("Files of an earlier export are in this folder. Replace them?"), { modal: true, detail }, replace)) === replace;
}
