import * as vscode from "vscode";
import { PlumblineError } from "../core/errors";

/** The one place where Plumbline writes what happened, and where the user is told about errors. */
export interface Log extends vscode.Disposable {
  info(text: string): void;
  warn(text: string): void;
  /** Writes the error, with its cause and stack, to the log only. */
  error(error: unknown): void;
  show(): void;
  /** Writes the error to the log and tells the user, with the remedy and a way to the log. */
  tell(error: unknown): void;
}

export function createLog(): Log {
  const channel = vscode.window.createOutputChannel("Plumbline", { log: true });
  const error = (reason: unknown): void => channel.error(describe(reason));
  const show = (): void => channel.show(true);
  return {
    info: (text) => channel.info(text),
    warn: (text) => channel.warn(text),
    error,
    show,
    tell(reason) {
      error(reason);
      const showLog = vscode.l10n.t("Show Log");
      void vscode.window.showErrorMessage(messageOf(reason), showLog).then((choice) => {
        if (choice === showLog) show();
      });
    },
    dispose: () => channel.dispose(),
  };
}

/** What a user reads: what was expected and received, and what to do. */
export function messageOf(error: unknown): string {
  if (error instanceof PlumblineError) return [error.message, error.remedy].filter(Boolean).join(" ");
  return error instanceof Error ? error.message : String(error);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof PlumblineError ? `[${error.code}] ` : "";
  const cause = error.cause === undefined ? "" : `\nCaused by: ${describe(error.cause)}`;
  return `${code}${messageOf(error)}\n${error.stack ?? ""}${cause}`;
}
