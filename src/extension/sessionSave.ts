import { access } from "node:fs/promises";
import { basename, extname, join, dirname } from "node:path";
import * as vscode from "vscode";
import { writeFileAtomically } from "../io/atomicFile";
import type { PanelState } from "../protocol/panel";
import { mayWrite } from "./exportFolder";
import type { Model } from "./models";
import { pathOf } from "./panelRuns";
import { fileSha256, sessionSuffix, sessionText, type Session } from "./sessionFile";

/**
 * Asks for a place and saves the state as a session there. Returns the path; undefined when the user thought better of it.
 * Throws `write-failed`.
 */
export async function saveSession(state: PanelState, models: readonly Model[]): Promise<string | undefined> {
  const image = pathOf(state.images[state.current]);
  const suggested = join(dirname(image), `${basename(image, extname(image))}${sessionSuffix}`);
  const filters = { [vscode.l10n.t("Plumbline session")]: ["json"] };
  const chosen = await vscode.window.showSaveDialog({ title: vscode.l10n.t("Save the session"), defaultUri: vscode.Uri.file(suggested), filters });
  if (!chosen) return undefined;
  const file = withSuffix(chosen.fsPath);
  // The dialog has asked about the file that was named, not about the one that the name was made into.
  const isRenamed = file !== chosen.fsPath && (await access(file).then(() => true, () => false));
  if (isRenamed && !(await mayWrite(dirname(file), (name) => name === basename(file)))) return undefined;
  await writeFileAtomically(file, sessionText(file, await sessionOf(state, models)));
  return file;
}

/** What is saved of a state; `before` is the session that it was opened from. */
export async function sessionOf(state: PanelState, models: readonly Model[], before?: Session): Promise<Session> {
  const { images: uris, ...rest } = state;
  const images = await Promise.all(
    uris.map(async (uri) => {
      const path = pathOf(uri);
      // Of an image that is gone, what is known of it stays.
      const sha256 = (await fileSha256(path)) ?? before?.images.find((image) => image.path === path)?.sha256;
      return { path, ...(sha256 !== undefined && { sha256 }) };
    }),
  );
  const used = new Set(state.settings.rows.flatMap((row) => Object.values(row.models)));
  const named = [...models, ...(before?.models ?? [])].filter(({ id }) => used.has(id));
  const names = new Map(named.reverse().map(({ id, name }) => [id, name]));
  return { images, state: rest, models: [...names].map(([id, name]) => ({ id, name })), rest: before?.rest ?? {} };
}

function withSuffix(path: string): string {
  if (path.endsWith(sessionSuffix)) return path;
  return `${path.replace(/(\.plumbline)?(\.json)?$/, "")}${sessionSuffix}`;
}
