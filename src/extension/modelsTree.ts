import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";
import { readFolders } from "../catalogue/folders";
import type { LibraryModel } from "../catalogue/library";
import { isRepositoryName, modelPaths, storageFolder } from "../catalogue/storage";
import type { ModelDownloads } from "./modelDownloads";
import type { ModelLibrary } from "./modelLibrary";
import { badgeText, familyText, knownBytes, licenceText, predictsText, tooltipText } from "./modelText";

type GroupId = "ready" | "incomplete" | "available";

/** A heading of the tree, or a model under it. */
export type ModelNode = { readonly kind: "group"; readonly group: GroupId } | { readonly kind: "model"; readonly model: LibraryModel };

const groups: readonly GroupId[] = ["ready", "incomplete", "available"];
const icons: Readonly<Record<LibraryModel["state"], string>> = { shipped: "package", installed: "pass", cached: "database", folder: "folder", incomplete: "warning", available: "cloud-download" };

/** Lines of the tree have addresses of this scheme, so that they can be marked. */
const scheme = "plumbline-model";

/** Marks non-commercial models at the end of their line, where a narrow side bar does not cut it off. */
export const licenceMarks: vscode.FileDecorationProvider = {
  provideFileDecoration: ({ scheme: of, query }) => (of === scheme && query === "non-commercial" ? { badge: "NC", tooltip: vscode.l10n.t("Non-commercial use only") } : undefined),
};

export function groupOf({ state }: LibraryModel): GroupId {
  return state === "incomplete" || state === "available" ? state : "ready";
}

/** The models that are here, complete or not, and those that can be downloaded. */
export class ModelsTree implements vscode.TreeDataProvider<ModelNode>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<ModelNode | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #subscriptions: vscode.Disposable;
  /** What was last listed, by id: a download changes one line of it only. */
  #nodes = new Map<string, ModelNode>();

  constructor(
    private readonly library: ModelLibrary,
    private readonly downloads: ModelDownloads,
  ) {
    this.#subscriptions = vscode.Disposable.from(
      this.#changed,
      library.onDidChange(() => this.#changed.fire(undefined)),
      downloads.onDidChange((repository) => this.#changed.fire(this.#nodes.get(repository.toLowerCase()))),
    );
  }

  async getChildren(node?: ModelNode): Promise<ModelNode[]> {
    if (node?.kind === "model") return [];
    const models = await this.library.list();
    if (!node) {
      this.#nodes = new Map(models.map((model) => [model.id.toLowerCase(), { kind: "model", model }]));
      return groups.filter((group) => models.some((model) => groupOf(model) === group)).map((group) => ({ kind: "group", group }));
    }
    return models.filter((model) => groupOf(model) === node.group).map((model) => this.#nodes.get(model.id.toLowerCase()) ?? { kind: "model", model });
  }

  getParent(node: ModelNode): ModelNode | undefined {
    return node.kind === "model" ? { kind: "group", group: groupOf(node.model) } : undefined;
  }

  async getTreeItem(node: ModelNode): Promise<vscode.TreeItem> {
    return node.kind === "group" ? groupItem(node.group) : this.#modelItem(node.model);
  }

  async resolveTreeItem(item: vscode.TreeItem, node: ModelNode): Promise<vscode.TreeItem> {
    if (node.kind === "model") item.tooltip = new vscode.MarkdownString(tooltipText(node.model, await bytesOf(node.model)));
    return item;
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  async #modelItem(model: LibraryModel): Promise<vscode.TreeItem> {
    const { id, name, state, problem, licence, semantics, family } = model;
    const running = this.downloads.textOf(id);
    const item = new vscode.TreeItem(name);
    item.id = id;
    if (licence?.nonCommercial) item.resourceUri = vscode.Uri.from({ scheme, path: `/${id}`, query: "non-commercial" });
    const badge = running ?? (problem === undefined ? badgeText(model, await bytesOf(model)) : problem);
    item.description = badge;
    item.iconPath = new vscode.ThemeIcon(running === undefined ? icons[state] : "sync~spin");
    item.contextValue = (await actionsOf(model, running !== undefined)).join(" ");
    const spoken = [name, running ?? problem, predictsText(semantics), familyText(family), licenceText(licence)].filter(Boolean).join(", ");
    item.accessibilityInformation = { label: spoken, role: "treeitem" };
    return item;
  }
}

/** What can be done with a model, as the menus of package.json ask for it. */
export async function actionsOf(model: LibraryModel, isRunning: boolean): Promise<readonly string[]> {
  if (isRunning) return ["pause"];
  const { id, state, dir, description } = model;
  const stored = isRepositoryName(id) ? modelPaths(storageFolder(), id) : undefined;
  const isPartial = dir !== undefined && dir === stored?.partial;
  const isInstalled = dir !== undefined && dir === stored?.installed;
  const isAdded = !stored && (await readFolders(storageFolder())).some(({ path }) => path === id);
  return [
    // Of what a cache holds a part of, Plumbline downloads all, to a folder of its own.
    ...(state === "available" || (state === "incomplete" && model.entry && !isPartial && !isInstalled) ? ["download"] : []),
    ...(isPartial ? ["continue"] : []),
    ...(description?.tasks ?? []),
    ...(dir !== undefined && !isPartial ? ["verify"] : []),
    ...(isPartial || isInstalled || isAdded ? ["remove"] : []),
    ...(dir !== undefined ? ["reveal"] : []),
    ...(stored ? ["page"] : []),
  ];
}

function groupItem(group: GroupId): vscode.TreeItem {
  const names: Readonly<Record<GroupId, string>> = { ready: vscode.l10n.t("Ready"), incomplete: vscode.l10n.t("Incomplete"), available: vscode.l10n.t("Can Be Downloaded") };
  const item = new vscode.TreeItem(names[group], vscode.TreeItemCollapsibleState.Expanded);
  item.id = `group:${group}`;
  return item;
}

/** What a model's files take, or what the catalogue knows that they would; undefined of the shipped ones, which share theirs. */
export async function bytesOf(model: LibraryModel): Promise<number | undefined> {
  if (model.state === "shipped") return undefined;
  return model.dir === undefined ? knownBytes(model) : sizeOf(model.dir).catch(() => undefined);
}

/** Of a file, or of a folder with what its links point to. */
async function sizeOf(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size;
  const names = await readdir(path, { recursive: true });
  const sizes = await Promise.all(names.map((name) => stat(join(path, name)).then((entry) => (entry.isFile() ? entry.size : 0), () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
