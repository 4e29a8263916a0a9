import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as vscode from "vscode";
import { isObject } from "../io/jsonFile";
import type { SpotRunState } from "../protocol/spotCheck";

/** A spot check of the workspace. */
interface SpotCheckEntry {
  /** Absolute. */
  readonly folder: string;
}

interface Counts {
  readonly done: number;
  readonly failed: number;
  readonly bad: number;
}

const mostEntries = 200;

/** The spot checks of the workspace by folder, with how many images are done, failed and marked as bad. */
export class SpotCheckTree implements vscode.TreeDataProvider<SpotCheckEntry> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(private readonly stateOf: (folder: string) => SpotRunState | undefined) {}

  refresh(): void {
    this.#changed.fire();
  }

  async getChildren(entry?: SpotCheckEntry): Promise<SpotCheckEntry[]> {
    if (entry) return [];
    const files = await vscode.workspace.findFiles("**/plumbline.spotcheck.json", "**/{node_modules,.plumbline-spotcheck}/**", mostEntries);
    return files.map(({ fsPath }) => ({ folder: dirname(fsPath) })).sort((a, b) => (a.folder < b.folder ? -1 : 1));
  }

  async getTreeItem({ folder }: SpotCheckEntry): Promise<vscode.TreeItem> {
    const uri = vscode.Uri.file(folder);
    const item = new vscode.TreeItem(basename(folder));
    item.id = folder;
    item.description = await this.#describe(folder);
    item.tooltip = vscode.workspace.asRelativePath(uri);
    item.iconPath = new vscode.ThemeIcon("checklist");
    item.command = { command: "plumbline.spotCheck", title: vscode.l10n.t("Spot-Check Geometry"), arguments: [uri] };
    return item;
  }

  async #describe(folder: string): Promise<string> {
    const progress = this.stateOf(folder)?.progress;
    if (progress) return [vscode.l10n.t("{0} of {1}", progress.done, progress.total), ...(progress.failed > 0 ? [vscode.l10n.t("{0} failed", progress.failed)] : [])].join(", ");
    const counts = await countsOf(folder).catch(() => undefined); // a damaged file says what is wrong when it is opened
    if (!counts) return vscode.l10n.t("no report yet");
    const { done, failed, bad } = counts;
    return [vscode.l10n.t("{0} done", done), ...(failed > 0 ? [vscode.l10n.t("{0} failed", failed)] : []), ...(bad > 0 ? [vscode.l10n.t("{0} bad", bad)] : [])].join(", ");
  }
}

/** From the summary of the last run that ended, and the marks; nothing before. */
async function countsOf(folder: string): Promise<Counts | undefined> {
  const { readFolderSpec, readMarks, resultsOf } = await import("./spotCheckFolder");
  const out = resultsOf(folder, (await readFolderSpec(folder)).spec);
  const summary: unknown = JSON.parse(await readFile(join(out, "summary.json"), "utf8"));
  if (!isObject(summary) || !isObject(summary.images)) return undefined;
  const { done, failed } = summary.images;
  const marks = await readMarks(out);
  return typeof done === "number" && typeof failed === "number" ? { done, failed, bad: [...marks.values()].filter(({ mark }) => mark === "bad").length } : undefined;
}
