import { basename, extname, join } from "node:path";
import * as vscode from "vscode";
import { unexpected } from "../core/errors";
import { writeFileAtomically } from "../io/atomicFile";
import type { PageFile, Questions } from "../protocol/panel";
import { chooseFolder, mayWrite } from "./exportFolder";

/** Asks for a file of ground truth; no path when the dialog was dismissed. */
export async function chooseTruth(): Promise<{ readonly path?: string }> {
  const filters = { [vscode.l10n.t("Ground truth")]: ["npy", "png"] };
  const chosen = await vscode.window.showOpenDialog({ title: vscode.l10n.t("Choose the ground truth"), filters });
  return chosen?.[0] ? { path: chosen[0].fsPath } : {};
}

/**
 * Asks for a folder and writes the files into it, and last `provenance` as JSON under the name of the first. Existing
 * files are replaced only when the user says so. Returns the names; empty when the user thought better of it.
 * Throws `bad-argument` for a name that is more than a name, `write-failed`.
 */
export async function saveFiles(files: readonly PageFile[], provenance: unknown): Promise<readonly string[]> {
  if (files.length === 0) throw unexpected("bad-argument", "the files to save", "at least one", files.length);
  const names = files.map(({ name }) => requireName(name));
  const jsonName = jsonNameBeside(names);
  return writeToFolder([...names, jsonName], async (dir) => {
    for (const { name, content } of files) await writeFileAtomically(join(dir, name), content);
    await writeFileAtomically(join(dir, jsonName), `${JSON.stringify(provenance, null, 2)}\n`);
    return [...names, jsonName];
  });
}

/** The same for a figure: NAME.svg, NAME.png and NAME.json. */
export async function saveFigure({ name, svg, provenance }: Questions["saveFigure"]["params"]): Promise<readonly string[]> {
  const names = [".svg", ".png", ".json"].map((suffix) => `${requireName(name)}${suffix}`);
  const { writeFigure } = await import("../io/figureFile"); // loads sharp
  return writeToFolder(names, (dir) => writeFigure(dir, name, svg, provenance));
}

/** The same for an animation: NAME.webp and NAME.json. */
export async function saveAnimation({ name, provenance, ...animation }: Questions["saveAnimation"]["params"]): Promise<readonly string[]> {
  const names = [".webp", ".json"].map((suffix) => `${requireName(name)}${suffix}`);
  const { writeAnimation } = await import("../io/animation"); // loads sharp
  return writeToFolder(names, (dir) => writeAnimation(dir, name, animation, provenance));
}

/** Asks for a folder, and whether `names` may be replaced in it, then writes; empty when the user thought better of it. */
async function writeToFolder(names: readonly string[], write: (dir: string) => Promise<readonly string[]>): Promise<readonly string[]> {
  const dir = await chooseFolder(vscode.l10n.t("Choose a folder for {0}", names[0]));
  if (dir === undefined || !(await mayWrite(dir, (name) => names.includes(name)))) return [];
  return write(dir);
}

/** "steps.csv" has its provenance in "steps.json", and a first file that is JSON itself in "steps.provenance.json". */
function jsonNameBeside([first, ...others]: readonly string[]): string {
  const stem = basename(first, extname(first));
  const plain = `${stem}.json`;
  return [first, ...others].includes(plain) ? `${stem}.provenance.json` : plain;
}

/** A page names files, never places. */
function requireName(name: string): string {
  if (name !== "" && name === basename(name) && !/[\\/:*?"<>|]/.test(name) && !name.startsWith(".")) return name;
  throw unexpected("bad-argument", "the name of a file to save", "a name without a folder", name);
}
