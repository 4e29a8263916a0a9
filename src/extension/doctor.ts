import { join } from "node:path";
import * as vscode from "vscode";
import { readCatalogue } from "../catalogue/catalogue";
import type { CudaProgress } from "../catalogue/cudaProvider";
import { sizeText } from "../catalogue/download";
import { isCancelled } from "../core/errors";
import type { Diagnosis } from "../doctor/diagnosis";
import type { EngineClient } from "../inference/client";
import type { OpenPanels } from "./commands";
import type { Log } from "./log";
import { usableModels } from "./models";
import type { ModelLibrary } from "./modelLibrary";
import { pathOf } from "./panelRuns";

export interface DoctorServices {
  readonly extensionPath: string;
  readonly engine: EngineClient;
  readonly library: ModelLibrary;
  readonly panels: OpenPanels;
  readonly log: Log;
}

const scheme = "plumbline-doctor";
const document = vscode.Uri.from({ scheme, path: "/Plumbline Doctor.md" });

/** Registers the doctor, whose report is a document that cannot be edited, and the installation of the CUDA provider. */
export function registerDoctor(services: DoctorServices): vscode.Disposable {
  const { log } = services;
  const changed = new vscode.EventEmitter<vscode.Uri>();
  let report = "";
  let running: Promise<Diagnosis | undefined> | undefined;

  async function examine(): Promise<Diagnosis | undefined> {
    const options = { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t("Plumbline: Doctor"), cancellable: true };
    const diagnosis = await vscode.window.withProgress(options, (shown, token) => diagnoseMachine(services, shown, token));
    const { formatMarkdown } = await import("../doctor/report");
    report = formatMarkdown(diagnosis);
    changed.fire(document);
    await showReport();
    void offerNext(diagnosis).catch((error: unknown) => log.tell(error));
    return diagnosis;
  }

  /** A second call waits for the first. */
  function doctor(): Promise<Diagnosis | undefined> {
    running ??= examine()
      .catch((error: unknown) => void (isCancelled(error) || log.tell(error)))
      .then((diagnosis) => diagnosis ?? undefined)
      .finally(() => (running = undefined));
    return running;
  }

  async function offerNext(diagnosis: Diagnosis): Promise<void> {
    const { problemsOf } = await import("../doctor/report");
    const problems = problemsOf(diagnosis);
    const [again, cuda, copy] = [vscode.l10n.t("Run Again"), vscode.l10n.t("Install CUDA Provider"), vscode.l10n.t("Copy Report")];
    const text = problems.length === 0 ? vscode.l10n.t("The doctor found nothing wrong.") : vscode.l10n.t("The doctor found: {0}", problems.map((problem) => problem.text).slice(0, 3).join("; "));
    const choice = await vscode.window.showInformationMessage(text, again, ...(lacksCuda(diagnosis) ? [cuda] : []), copy);
    if (choice === again) await doctor();
    if (choice === cuda) await vscode.commands.executeCommand("plumbline.installCuda");
    if (choice === copy) await vscode.env.clipboard.writeText(report);
  }

  return vscode.Disposable.from(
    changed,
    vscode.workspace.registerTextDocumentContentProvider(scheme, { onDidChange: changed.event, provideTextDocumentContent: () => report }),
    vscode.commands.registerCommand("plumbline.doctor", doctor),
    vscode.commands.registerCommand("plumbline.installCuda", () => installCudaProvider(services).catch((error: unknown) => void (isCancelled(error) || log.tell(error)))),
  );
}

async function showReport(): Promise<void> {
  try {
    await vscode.commands.executeCommand("markdown.showPreview", document);
  } catch {
    // The editor was built without its Markdown preview.
    await vscode.window.showTextDocument(document, { preview: false });
  }
}

function lacksCuda({ machine, engine }: Diagnosis): boolean {
  return machine.platform === "linux x64" && machine.gpus.some(({ vendor }) => vendor === "NVIDIA") && !engine?.devices.includes("cuda");
}

async function diagnoseMachine(services: DoctorServices, shown: vscode.Progress<{ message?: string }>, token: vscode.CancellationToken): Promise<Diagnosis> {
  const { library, extensionPath } = services;
  const controller = new AbortController();
  token.onCancellationRequested(() => controller.abort());
  const [{ diagnose }, { shipped }, memoryOf] = await Promise.all([import("../doctor/diagnose"), readCatalogue(library.places().modelsDir), chosenModel(services)]);
  return diagnose({
    childPath: join(extensionPath, "dist/inference.js"),
    testModels: shipped.map(({ id, dir, task }) => ({ model: id, dir, task })),
    memoryOf,
    onProgress: (message) => shown.report({ message }),
    signal: controller.signal,
  });
}

/** What the panel in front runs, on its image; a photograph of 1024 x 768 with the first model otherwise. */
async function chosenModel({ library, panels }: DoctorServices): Promise<{ readonly model: string; readonly dir: string; readonly imageSize: { readonly width: number; readonly height: number }; readonly processingResolution?: number } | undefined> {
  const models = usableModels(await library.list());
  const state = panels.inFront();
  const row = state?.settings.rows[0];
  const found = models.find(({ id, task }) => row?.models[task] === id) ?? models.find(({ endToEnd }) => endToEnd) ?? models[0];
  if (!found) return undefined;
  const { id: model, dir } = found;
  if (!state || !row) return { model, dir, imageSize: { width: 1024, height: 768 } };
  const { readImageSize } = await import("../io/thumbnail");
  const imageSize = await readImageSize(pathOf(state.images[state.current])).catch(() => ({ width: 1024, height: 768 }));
  return { model, dir, imageSize, processingResolution: row.processingResolution ?? state.settings.processingResolution };
}

/** Fetches the provider once the user agrees; processes that start later use it. */
async function installCudaProvider({ engine }: DoctorServices): Promise<string | undefined> {
  const [{ cudaFolder, runtimeLibrary, onnxRuntimeVersion }, { installCuda }] = await Promise.all([import("../catalogue/cudaFolder"), import("../catalogue/cudaProvider")]);
  const detail = vscode.l10n.t("ONNX Runtime {0} for CUDA 12, some hundred MB, comes from nuget.org (or the feed that PLUMBLINE_NUGET_FEED names) to {1}. It needs CUDA 12 and cuDNN 9 on this machine.", onnxRuntimeVersion, cudaFolder() ?? "");
  const fetch = vscode.l10n.t("Download");
  if (cudaFolder() !== undefined && (await vscode.window.showInformationMessage(vscode.l10n.t("Install the CUDA provider?"), { modal: true, detail }, fetch)) !== fetch) return undefined;
  const options = { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t("Installing the CUDA provider"), cancellable: true };
  const folder = await vscode.window.withProgress(options, async (shown, token) => {
    const controller = new AbortController();
    token.onCancellationRequested(() => controller.abort());
    const { runtimeFolder } = await engine.info();
    let told = 0;
    const onProgress = (progress: CudaProgress): void => {
      const percent = "totalBytes" in progress ? Math.floor((100 * progress.bytes) / progress.totalBytes) : told;
      if (progress.phase === "downloading" && percent === told && told > 0) return;
      shown.report({ message: cudaText(progress), increment: Math.max(0, percent - told) });
      told = Math.max(told, percent);
    };
    return installCuda({ runtimePath: join(runtimeFolder, runtimeLibrary), signal: controller.signal, onProgress });
  });
  const reload = vscode.l10n.t("Reload Window");
  void vscode.window.showInformationMessage(vscode.l10n.t("The CUDA provider is in {0}. It is used once the window was reloaded.", folder), reload).then((choice) => {
    if (choice === reload) void vscode.commands.executeCommand("workbench.action.reloadWindow");
  });
  return folder;
}

function cudaText(progress: CudaProgress): string {
  if (progress.phase === "asking") return vscode.l10n.t("asking the feed");
  if (progress.phase === "unpacking") return vscode.l10n.t("unpacking {0}", progress.file);
  if (progress.phase === "waiting") return vscode.l10n.t("{0} Trying again in {1} s.", progress.reason, Math.ceil(progress.waitMillis / 1000));
  return vscode.l10n.t("{0} of {1}", sizeText(progress.bytes), sizeText(progress.totalBytes));
}
