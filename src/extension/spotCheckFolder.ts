import { mkdir, readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { dirname, join, resolve } from "node:path";
import { PlumblineError } from "../core/errors";
import { appendLine, journalParts, readJournal } from "../evaluation/journal";
import { picturePath } from "../evaluation/pictures";
import { journalOf, marksFileOf, readSetup } from "../evaluation/resultFolder";
import { fingerprintOf, parseSpec, specVersion, type SpotCheckSpec } from "../evaluation/spec";
import { marksOf, type SpotEntry, type SpotMark, type SpotRecord } from "../evaluation/spotRun";
import { writeFileAtomically } from "../io/atomicFile";
import type { SpotItem, SpotItemMark } from "../protocol/spotCheck";

/** The file that says what is looked at, in the folder that was clicked. */
export const specName = "plumbline.spotcheck.json";

/** Beside that file; results of other models or ground truth lie in folders of their own in it, so that changing the file loses nothing. */
export const resultsName = ".plumbline-spotcheck";

/** Folder of the results of a spec. */
export function resultsOf(folder: string, spec: SpotCheckSpec): string {
  return join(folder, resultsName, fingerprintOf(spec).slice(0, 12));
}

/** Folder of the images. */
export function imagesOf(folder: string, spec: SpotCheckSpec): string {
  return resolve(folder, spec.folder);
}

/** The folder's spec with its paths as in the file; all images with the shipped end-to-end models where there is none. Throws what `parseSpec` throws. */
export async function readFolderSpec(folder: string): Promise<{ readonly spec: SpotCheckSpec; readonly isSaved: boolean }> {
  const path = join(folder, specName);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new PlumblineError("not-found", `Could not read ${path}: ${error instanceof Error ? error.message : String(error)}`, "Check that it may be read.", { cause: error });
  });
  if (text === undefined) return { spec: defaultSpec(), isSaved: false };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PlumblineError("bad-argument", `Expected JSON for ${path} but received ${(cause as Error).message}.`, "Correct the file.", { cause });
  }
  return { spec: parseSpec(value, path), isSaved: true };
}

/** All images, the shipped end-to-end models, no truth. */
export function defaultSpec(): SpotCheckSpec {
  const run = { name: "e2e", depth: "plumbline-e2e-depth", normals: "plumbline-e2e-normals" };
  return parseSpec({ format: "plumbline-spotcheck", version: specVersion, runs: [run] }, specName);
}

/** Checks and writes the folder's spec; a file that is there and damaged is left alone. Throws what `parseSpec` throws, `write-failed`. */
export async function saveFolderSpec(folder: string, value: unknown): Promise<SpotCheckSpec> {
  await readFolderSpec(folder);
  const path = join(folder, specName);
  const spec = parseSpec(value, path);
  await writeFileAtomically(path, `${JSON.stringify(spec, undefined, 2)}\n`);
  return spec;
}

export interface FolderContent {
  /** In the order of the paths. */
  readonly items: readonly SpotItem[];
  readonly marks: readonly SpotItemMark[];
  /** Images of the sample that have not been examined. */
  readonly pending: readonly string[];
}

/** What a folder of results holds so far. Never keeps this thread for long: a journal of thousands of images is read a part at a time. */
export async function readItems(out: string): Promise<FolderContent> {
  const items = new Map<string, SpotItem>();
  const early: SpotMark[] = [];
  for await (const { entries } of journalParts<SpotEntry>(journalOf(out))) {
    for (const entry of entries) {
      if (entry.type === "record") items.set(entry.id, itemOf(entry));
      else if (entry.type === "mark") early.push(entry);
    }
  }
  const marks = [...(await readMarks(out, early)).values()];
  const pending = (await sampleIds(out)).filter((id) => !items.has(id));
  await setImmediate();
  return { items: [...items.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), marks, pending };
}

/** The images that the last run in this folder was to examine; none before the first. */
export async function sampleIds(out: string): Promise<readonly string[]> {
  try {
    return (await readSetup(out)).ids;
  } catch (error) {
    if (error instanceof PlumblineError && error.code === "not-found") return [];
    throw error;
  }
}

/** The latest mark of every image. */
export async function readMarks(out: string, entries: readonly SpotEntry[] = []): Promise<ReadonlyMap<string, SpotMark>> {
  return marksOf([...entries, ...(await readJournal<SpotMark>(marksFileOf(out))).entries]);
}

/** A record without what the page does not need. */
export function itemOf({ id, status, reason, remedy, values, oddities, sha256, millis }: SpotRecord): SpotItem {
  return { id, status, reason, remedy, values, oddities, sha256, millis, picture: picturePath(id, "rgb").slice(0, -"rgb.webp".length) };
}

/** Appends to the marks, one line at a time; another window may do so too. */
export class Marks {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when the mark is on the disk. Throws `write-failed`. */
  add(out: string, { id, mark, note }: SpotItemMark): Promise<void> {
    const added = this.#last.then(() => append(out, { type: "mark", id, mark, note }));
    this.#last = added.catch(() => undefined); // whoever added it is told
    return added;
  }
}

async function append(out: string, mark: SpotMark): Promise<void> {
  const path = marksFileOf(out);
  await mkdir(dirname(path), { recursive: true });
  await appendLine(path, mark);
}
