import { join } from "node:path";
import * as vscode from "vscode";
import { PlumblineError } from "../core/errors";
import type { SpotCheckSpec } from "../evaluation/spec";
import { isObject } from "../io/jsonFile";
import type { Services } from "./services";
import type { SpotCheckPanel, SpotRuns } from "./spotCheckPanel";
import { SpotCheckRun } from "./spotCheckRun";
import { SpotCheckTree } from "./spotCheckTree";

const spotPanelType = "plumbline.spotCheck";

/** Registers the command, the panels that VS Code restores, and the tree of spot checks. */
export function registerSpotChecks(services: Pick<Services, "extensionUri" | "log" | "models" | "settings">): vscode.Disposable {
  const cliPath = vscode.Uri.joinPath(services.extensionUri, "dist/cli.js").fsPath;
  const panels = new Map<string, SpotCheckPanel>();
  const current = new Map<string, SpotCheckRun>();
  const tree = new SpotCheckTree((folder) => current.get(folder)?.state);
  const onLog = (text: string): void => services.log.info(text);

  const runs: SpotRuns = {
    of: (folder) => current.get(folder),
    start(folder, spec, retryFailed) {
      const known = current.get(folder);
      if (known) return known;
      const run = startRun(folder, spec, retryFailed);
      current.set(folder, run);
      return run;
    },
    async report(out) {
      await new SpotCheckRun(cliPath, ["report", out], onLog).ended;
      void offerReport(out);
    },
    refresh: () => tree.refresh(),
  };

  function startRun(folder: string, spec: SpotCheckSpec, retryFailed: boolean): SpotCheckRun {
    const { resultsOf, specName } = folderModule;
    const args = ["spot-check", "--config", join(folder, specName), "--out", resultsOf(folder, spec), "--device", services.settings().device, "--json-progress"];
    const run = new SpotCheckRun(cliPath, retryFailed ? [...args, "--retry-failed"] : args, onLog);
    void showProgress(folder, run);
    void run.ended.catch(() => undefined).then(() => {
      current.delete(folder);
      tree.refresh();
    });
    return run;
  }

  let folderModule: typeof import("./spotCheckFolder");

  /** What only spot checks need is loaded with the first. */
  async function adopt(panel: vscode.WebviewPanel, folder: string): Promise<SpotCheckPanel> {
    folderModule = await import("./spotCheckFolder");
    const { SpotCheckPanel } = await import("./spotCheckPanel");
    const shown = new SpotCheckPanel(panel, folder, services, runs);
    panels.set(folder, shown);
    shown.onDidDispose(() => {
      if (panels.get(folder) === shown) panels.delete(folder);
    });
    return shown;
  }

  async function open(clicked?: vscode.Uri): Promise<void> {
    const uri = clicked ?? (await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, title: vscode.l10n.t("Choose a folder of images") }))?.[0];
    if (!uri) return;
    const known = panels.get(uri.fsPath);
    if (known) return known.reveal();
    const panel = vscode.window.createWebviewPanel(spotPanelType, vscode.l10n.t("Spot Check"), vscode.ViewColumn.Active);
    await adopt(panel, uri.fsPath);
  }

  return vscode.Disposable.from(
    vscode.commands.registerCommand("plumbline.spotCheck", (clicked?: vscode.Uri) => open(clicked).catch((error: unknown) => services.log.tell(error))),
    vscode.window.registerTreeDataProvider("plumbline.spotChecks", tree),
    vscode.window.registerWebviewPanelSerializer(spotPanelType, {
      async deserializeWebviewPanel(panel, saved) {
        try {
          await adopt(panel, restoredFolder(saved));
        } catch (error) {
          panel.dispose();
          services.log.tell(error);
        }
      },
    }),
    new vscode.Disposable(() => current.forEach((run) => run.cancel())),
  );
}

/** A notification with rate and time left, which can cancel, until the run has ended. */
function showProgress(folder: string, run: SpotCheckRun): Thenable<void> {
  const title = vscode.l10n.t("Spot check of {0}", vscode.workspace.asRelativePath(folder));
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (shown, token) => {
    token.onCancellationRequested(() => run.cancel());
    let told = 0;
    const stop = run.listen({
      record: () => undefined,
      state: ({ phase, progress }) => {
        if (!progress) return;
        const { done, total, imagesPerSecond, remainingMillis } = progress;
        const increment = total > 0 ? (100 * (done - told)) / total : 0;
        told = done;
        const left = imagesPerSecond === undefined || remainingMillis === undefined ? "" : `, ${vscode.l10n.t("{0} a second, {1} left", imagesPerSecond.toPrecision(3), timeText(remainingMillis))}`;
        shown.report({ increment, message: phase === "paused" ? vscode.l10n.t("{0} of {1}, paused", done, total) : `${vscode.l10n.t("{0} of {1}", done, total)}${left}` });
      },
    });
    await run.ended.catch(() => undefined);
    stop();
  });
}

async function offerReport(out: string): Promise<void> {
  const [table, report] = [vscode.l10n.t("Open the Table"), vscode.l10n.t("Open the Report")];
  const choice = await vscode.window.showInformationMessage(vscode.l10n.t("samples.csv, summary.json and report.html are in {0}.", out), table, report);
  if (choice === table) await vscode.commands.executeCommand("vscode.open", vscode.Uri.file(join(out, "samples.csv")));
  if (choice === report) await vscode.env.openExternal(vscode.Uri.file(join(out, "report.html")));
}

/** "45 s", "12 min", "3.5 h" */
function timeText(millis: number): string {
  const seconds = millis / 1000;
  return seconds < 100 ? `${Math.round(seconds)} s` : seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The folder of a page that VS Code kept. Throws `bad-argument`. */
function restoredFolder(saved: unknown): string {
  if (isObject(saved) && typeof saved.folder === "string") return vscode.Uri.parse(saved.folder).fsPath;
  throw new PlumblineError("bad-argument", "Expected the folder of a spot check but received none.", "Open it again from the explorer.");
}
