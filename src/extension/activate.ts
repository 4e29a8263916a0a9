import { join } from "node:path";
import * as vscode from "vscode";
import { startEngine } from "../inference/client";
import { registerCommands } from "./commands";
import { FloatViewers, floatViewerType } from "./floatViewer";
import { createLog, messageOf } from "./log";
import { findModels, shippedModelsDir } from "./models";
import { readSettings } from "./settings";
import { registerSpotChecks } from "./spotChecks";

/** The child process gives its memory back after this long without a run. */
const idleMillis = 10 * 60 * 1000;

/** Called by VS Code when a command is used or a panel is restored. Nothing is loaded until then. */
export function activate(context: vscode.ExtensionContext): void {
  const log = createLog();
  const engine = startEngine({ childPath: join(context.extensionPath, "dist/inference.js"), niceness: 5, idleMillis, onLog: (text) => log.info(text.trimEnd()) });
  const models = async () => {
    const { models: found, problems } = await findModels(shippedModelsDir(context.extensionPath), readSettings().models);
    for (const problem of problems) log.warn(messageOf(problem));
    return found;
  };
  const services = { extensionUri: context.extensionUri, engine, log };
  context.subscriptions.push(
    log,
    { dispose: () => void engine.dispose() },
    registerCommands({ ...services, settings: readSettings, models, cacheDir: join(context.globalStorageUri.fsPath, "runs") }),
    vscode.window.registerCustomEditorProvider(floatViewerType, new FloatViewers(services)),
    registerSpotChecks({ extensionUri: context.extensionUri, log, settings: readSettings, models }),
  );
}
