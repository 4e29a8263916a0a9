import { basename } from "node:path";
import * as vscode from "vscode";
import { sizeText } from "../catalogue/download";
import { readHubSettings } from "../catalogue/hubSettings";
import type { LibraryModel } from "../catalogue/library";
import { describeModel, type Statement } from "../catalogue/modelFolder";
import { isRepositoryName } from "../catalogue/storage";
import { isCancelled, PlumblineError } from "../core/errors";
import { normalsFrameText } from "../core/semantics";
import type { OpenPanels } from "./commands";
import { messageOf, type Log } from "./log";
import type { ModelDownloads } from "./modelDownloads";
import type { ModelLibrary } from "./modelLibrary";
import { bytesOf, type ModelNode } from "./modelsTree";
import { familyText, knownBytes, licenceText, predictsText } from "./modelText";

export interface ModelServices {
  readonly library: ModelLibrary;
  readonly downloads: ModelDownloads;
  readonly panels: OpenPanels;
  readonly log: Log;
}

/** Registers what can be done with models: the commands of the view and of the palette. A command takes a line of the tree, or a model's id. */
export function registerModelCommands(services: ModelServices): vscode.Disposable {
  const { library, downloads, panels, log } = services;

  const onModel = (name: string, act: (model: LibraryModel) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`plumbline.models.${name}`, async (target?: ModelNode | string) => {
      try {
        const model = await modelOfTarget(library, target);
        return model && (await act(model));
      } catch (error) {
        return void (isCancelled(error) || log.tell(error));
      }
    });

  const command = (name: string, act: () => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`plumbline.${name}`, async () => {
      try {
        return await act();
      } catch (error) {
        return void (isCancelled(error) || log.tell(error));
      }
    });

  return vscode.Disposable.from(
    command("addModel", async () => idOf(await addModel(services))),
    command("refreshModels", () => library.refresh()),
    onModel("download", async ({ id }) => idOf(await downloads.start(id))),
    onModel("continue", async ({ id }) => idOf(await downloads.start(id))),
    onModel("pause", ({ id }) => downloads.pause(id)),
    onModel("verify", (model) => verify(services, model)),
    onModel("remove", (model) => remove(library, model)),
    onModel("reveal", reveal),
    onModel("openPage", async ({ id }) => vscode.env.openExternal(vscode.Uri.parse(`${(await readHubSettings()).endpoint}/${id}`))),
    onModel("useForDepth", (model) => panels.use(model, "depth")),
    onModel("useForNormals", (model) => panels.use(model, "normals")),
  );
}

async function modelOfTarget(library: ModelLibrary, target: ModelNode | string | undefined): Promise<LibraryModel | undefined> {
  if (typeof target === "object") return target.kind === "model" ? target.model : undefined;
  const found = target === undefined ? undefined : await library.find(target);
  if (!found && target !== undefined) throw new PlumblineError("not-found", `Expected a model of the view Models but received "${target}".`, "Refresh the view.");
  return found;
}

function idOf(model: { readonly id: string } | undefined): string | undefined {
  return model?.id;
}

type Source = vscode.QuickPickItem & ({ readonly from: "catalogue"; readonly id: string } | { readonly from: "disk" | "hub" });

/** Lets the user choose where a model comes from. Resolves to it, or to undefined where there is none in the end. */
async function addModel({ library, downloads }: ModelServices): Promise<{ readonly id: string } | undefined> {
  const models = await library.list();
  const sources: (Source | vscode.QuickPickItem)[] = [
    { label: `$(folder-opened) ${vscode.l10n.t("A folder or ONNX file on this machine...")}`, detail: vscode.l10n.t("It stays where it is; nothing is copied."), from: "disk" } satisfies Source,
    { label: `$(search) ${vscode.l10n.t("A Hugging Face repository by name...")}`, detail: vscode.l10n.t("A checkpoint in the layout of diffusers, or a network in ONNX format with its processor's configuration."), from: "hub" } satisfies Source,
    { label: vscode.l10n.t("Can be downloaded"), kind: vscode.QuickPickItemKind.Separator },
    ...models.filter(({ state, entry }) => state === "available" || (state === "incomplete" && entry)).map(sourceOf),
  ];
  const chosen = await vscode.window.showQuickPick(sources, { title: vscode.l10n.t("Add Model"), placeHolder: vscode.l10n.t("Where the model comes from"), matchOnDescription: true, matchOnDetail: true });
  if (!chosen || !("from" in chosen)) return undefined;
  if (chosen.from === "catalogue") return downloads.start(chosen.id);
  return chosen.from === "hub" ? downloadByName(downloads) : addFromDisk(library);
}

function sourceOf(model: LibraryModel): Source {
  const { id, name, licence, semantics, family, state } = model;
  const bytes = knownBytes(model);
  const size = bytes === undefined ? vscode.l10n.t("size is asked of the hub") : sizeText(bytes);
  const facts = [licenceText(licence), size, ...(state === "incomplete" ? [vscode.l10n.t("begun")] : [])].filter(Boolean).join(" · ");
  return { label: name, description: facts, detail: [predictsText(semantics), familyText(family), id].filter(Boolean).join(" · "), from: "catalogue", id };
}

async function downloadByName(downloads: ModelDownloads): Promise<{ readonly id: string } | undefined> {
  const { endpoint } = await readHubSettings();
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t("Add Model"),
    prompt: vscode.l10n.t("Name of a repository of {0}; its licence and size are shown before anything is downloaded.", endpoint),
    placeHolder: "prs-eth/marigold-depth-v1-1",
    validateInput: (value) => (isRepositoryName(repositoryIn(value)) ? undefined : vscode.l10n.t("OWNER/NAME, of letters, digits, - _ and .")),
  });
  return text === undefined ? undefined : downloads.start(repositoryIn(text));
}

/** OWNER/NAME, out of the address of its page too. */
export function repositoryIn(text: string): string {
  return text.trim().replace(/^https?:\/\/[^/]+\//, "").split("/").slice(0, 2).join("/");
}

async function addFromDisk(library: ModelLibrary): Promise<{ readonly id: string } | undefined> {
  const what = [
    { label: vscode.l10n.t("A folder"), detail: vscode.l10n.t("A checkpoint in the layout of diffusers or Optimum, or the folder of an ONNX file"), isFolder: true },
    { label: vscode.l10n.t("An ONNX file"), detail: vscode.l10n.t("With plumbline.model.json or its processor's configuration beside it, or a network that is known by its name"), isFolder: false },
  ];
  // Dialogs of Linux and Windows choose folders or files, not either.
  const kind = await vscode.window.showQuickPick(what, { title: vscode.l10n.t("Add Model") });
  if (!kind) return undefined;
  const chosen = await vscode.window.showOpenDialog({
    canSelectFolders: kind.isFolder,
    canSelectFiles: !kind.isFolder,
    title: vscode.l10n.t("Choose the model"),
    openLabel: vscode.l10n.t("Add"),
    ...(!kind.isFolder && { filters: { ONNX: ["onnx"] } }),
  });
  const path = chosen?.[0]?.fsPath;
  if (path === undefined) return undefined;
  const manifest = await describeNetwork(path);
  try {
    const statement = await askStatement(path);
    const { addFolder } = await import("../catalogue/changes");
    await addFolder(library.places(), path, statement);
  } catch (error) {
    // What was answered does not fit the network: the file is where it can be put right.
    if (manifest !== undefined && !isCancelled(error)) await vscode.window.showTextDocument(vscode.Uri.file(manifest));
    throw error;
  }
  library.refresh();
  void vscode.window.showInformationMessage(vscode.l10n.t("{0} is ready to use.", basename(path)));
  return { id: path };
}

/** Asks how a network in ONNX format is run where nothing tells. Resolves to the manifest that was written, if one was. Throws `cancelled` when a question was dismissed. */
async function describeNetwork(path: string): Promise<string | undefined> {
  const problem = await describeModel(path).then(() => undefined, (error: unknown) => error);
  if (!path.endsWith(".onnx") || !(problem instanceof PlumblineError) || problem.code !== "unsupported") return undefined;
  const describe = vscode.l10n.t("Answer Three Questions");
  const choice = await vscode.window.showInformationMessage(vscode.l10n.t("Nothing says how {0} is run.", basename(path)), { modal: true, detail: messageOf(problem) }, describe);
  if (choice !== describe) throw dismissed();
  const { askManifest } = await import("./manifestQuestions");
  const manifest = await askManifest(path);
  if (manifest === undefined) throw dismissed();
  return manifest;
}

/** Asks what a checkpoint estimates, and in which frame its normals are, where its files do not tell. Throws `cancelled` when a question was dismissed. */
async function askStatement(path: string): Promise<Statement> {
  const { tasks, open, normalsFrame: assumed } = await describeModel(path);
  const placeHolder = vscode.l10n.t("Its files do not tell");
  const ask = async <T extends vscode.QuickPickItem>(title: string, items: readonly T[]): Promise<T> => {
    const chosen = await vscode.window.showQuickPick(items, { title, placeHolder });
    if (!chosen) throw dismissed();
    return chosen;
  };
  const taskItems = [
    { label: vscode.l10n.t("Depth"), task: "depth" as const },
    { label: vscode.l10n.t("Surface normals"), task: "normals" as const },
  ];
  const task = open.includes("task") ? (await ask(vscode.l10n.t("What does {0} estimate?", basename(path)), taskItems)).task : undefined;
  if (!open.includes("normalsFrame") || !(task ? [task] : tasks).includes("normals")) return { ...(task && { task }) };
  const frameItems = [
    { label: vscode.l10n.t("I do not know"), detail: vscode.l10n.t("{0} is assumed from its index and name", assumed) },
    ...(["RUB", "LUB"] as const).map((frame) => ({ label: frame, detail: normalsFrameText[frame], frame })),
  ];
  const chosen = await ask(vscode.l10n.t("In which frame are the normals of {0}?", basename(path)), frameItems);
  return { ...(task && { task }), ...("frame" in chosen && { normalsFrame: chosen.frame }) };
}

function dismissed(): PlumblineError {
  return new PlumblineError("cancelled", "The question was dismissed.");
}

async function verify({ library, downloads, log }: ModelServices, model: LibraryModel): Promise<string> {
  const { verifyModel } = await import("../catalogue/verification");
  const options = { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t("Verifying {0}", model.name), cancellable: true };
  const { files } = await vscode.window.withProgress(options, async (shown, token) => {
    const controller = new AbortController();
    token.onCancellationRequested(() => controller.abort());
    return verifyModel(library.places(), model.id, (path) => shown.report({ message: path }), controller.signal);
  });
  const of = (verdict: string): readonly string[] => files.filter((file) => file.verdict === verdict).map(({ path }) => path);
  const [wrong, missing, unknown] = [of("wrong"), of("missing"), of("unknown")];
  for (const { path, verdict } of files) log.info(`${model.id}: ${path || model.dir}: ${verdict}`);
  if (wrong.length + missing.length === 0) {
    const right = vscode.l10n.t("{0} of {1} files of {2} have the hash that they were downloaded with.", files.length - unknown.length, files.length, model.name);
    void vscode.window.showInformationMessage(unknown.length > 0 ? `${right} ${vscode.l10n.t("Nothing states what the others should be.")}` : right);
    return unknown.length === files.length ? "unknown" : "right";
  }
  const again = vscode.l10n.t("Download Again");
  const damaged = [...wrong, ...missing.map((path) => vscode.l10n.t("{0} (missing)", path))].join(", ");
  const text = vscode.l10n.t("{0} is damaged: {1}.", model.name, damaged);
  const isOurs = model.state === "installed";
  void vscode.window.showErrorMessage(text, ...(isOurs ? [again] : [])).then(async (choice) => {
    if (choice !== again) return;
    const { removeModel } = await import("../catalogue/changes");
    await removeModel(library.places(), model.id);
    await downloads.start(model.id);
  }).then(undefined, (error: unknown) => log.tell(error));
  return "damaged";
}

/** Deletes what Plumbline downloaded, or forgets a folder, once the user agrees. */
async function remove(library: ModelLibrary, model: LibraryModel): Promise<string | undefined> {
  const isFolder = !isRepositoryName(model.id);
  const bytes = await bytesOf(model);
  const [question, detail, act] = isFolder
    ? [vscode.l10n.t("Take {0} out of the list?", model.name), vscode.l10n.t("Its files stay where they are: {0}", model.id), vscode.l10n.t("Take Out")]
    : [vscode.l10n.t("Delete {0}?", model.name), vscode.l10n.t("{0} ({1}) will be deleted.", model.dir ?? model.id, sizeText(bytes ?? 0)), vscode.l10n.t("Delete")];
  if ((await vscode.window.showWarningMessage(question, { modal: true, detail }, act)) !== act) return undefined;
  const { removeModel } = await import("../catalogue/changes");
  const { did } = await removeModel(library.places(), model.id);
  library.refresh();
  return did;
}

/** In the file manager; on a remote machine, which has none, in a window of VS Code. */
async function reveal({ dir }: LibraryModel): Promise<void> {
  if (dir === undefined) return;
  const uri = vscode.Uri.file(dir);
  if (vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop) return vscode.commands.executeCommand("revealFileInOS", uri);
  const [open, copy] = [vscode.l10n.t("Open in New Window"), vscode.l10n.t("Copy Path")];
  const choice = await vscode.window.showInformationMessage(dir, open, copy);
  if (choice === open) await vscode.commands.executeCommand("vscode.openFolder", uri, { forceNewWindow: true });
  if (choice === copy) await vscode.env.clipboard.writeText(dir);
}
