import { join } from "node:path";
import * as vscode from "vscode";
import { startEngine } from "../inference/client";
import { registerCommands } from "./commands";
import { registerDoctor } from "./doctor";
import { FloatViewers, floatViewerType } from "./floatViewer";
import { createLog } from "./log";
import { registerModelCommands } from "./modelCommands";
import { ModelDownloads } from "./modelDownloads";
import { ModelLibrary } from "./modelLibrary";
import { shippedModelsDir, usableModels } from "./models";
import { licenceMarks, ModelsTree } from "./modelsTree";
import { readSettings } from "./settings";
import { registerSpotChecks } from "./spotChecks";

/** The child process gives its memory back after this long without a run. */
const idleMillis = 10 * 60 * 1000;

/** Called by VS Code when a command or a view is used, or a panel is restored. Nothing is loaded until then. */
export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const engine = startEngine({ childPath: join(context.extensionPath, "dist/inference.js"), niceness: 5, idleMillis, onLog: (text) => log.info(text.trimEnd()) });
  const library = new ModelLibrary(() => ({ modelsDir: shippedModelsDir(context.extensionPath), folders: readSettings().models }), (problem) => log.warn(problem));
  const models = async () => usableModels(await library.list());
  const downloads = new ModelDownloads(library, log);
  const tree = new ModelsTree(library, downloads);
  const services = { extensionUri: context.extensionUri, engine, log };
  const panels = registerCommands({ ...services, settings: readSettings, models, onDidChangeModels: library.onDidChange, cacheDir: join(context.globalStorageUri.fsPath, "runs") });
  context.subscriptions.push(
    log,
    { dispose: () => void engine.dispose() },
    library,
    downloads,
    tree,
    panels,
    vscode.window.registerTreeDataProvider("plumbline.models", tree),
    vscode.window.registerFileDecorationProvider(licenceMarks),
    registerModelCommands({ library, downloads, panels, log }),
    registerDoctor({ extensionPath: context.extensionPath, engine, library, panels, log }),
    vscode.window.registerCustomEditorProvider(floatViewerType, new FloatViewers(services)),
    registerSpotChecks({ extensionUri: context.extensionUri, log, settings: readSettings, models }),
  );
}
