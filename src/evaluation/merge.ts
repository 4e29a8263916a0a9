import { copyFile, link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import { appendLine, Journal, readJournal } from "./journal";
import { journalOf, marksFileOf, readResults, writeSetup, type SpotFolder } from "./resultFolder";
import type { SpotEntry, SpotMark } from "./spotRun";

/**
 * Puts the results of the shards of one spot check together in a folder that has none yet, or has some of them. Of an image that several have, the last that
 * is done counts. Throws `bad-argument` for results of different settings, and what reading and writing throws.
 */
export async function mergeResults(outs: readonly string[], target: string): Promise<SpotFolder> {
  const folders: SpotFolder[] = [];
  for (const out of outs) folders.push(await readResults(out));
  const [{ setup }] = folders;
  const other = folders.find((folder) => folder.setup.fingerprint !== setup.fingerprint);
  if (other) throw new PlumblineError("bad-argument", `Expected shards of one spot check but received ${outs[0]} and ${other.out}, which were made with different settings.`, "Merge results of the same file only.");
  const ids = [...new Set(folders.flatMap((folder) => folder.setup.ids))].sort();
  await writeSetup(target, { ...setup, ids });
  await append(journalOf(target), (entries) => {
    const begun = entries.some((entry) => entry.type === "begin") ? [] : [{ type: "begin", version: 1, fingerprint: setup.fingerprint } as const];
    const done = new Set(entries.flatMap((entry) => (entry.type === "record" && entry.status === "done" ? [entry.id] : [])));
    const records = folders.flatMap(({ result }) => result.records);
    const finished = new Set(records.flatMap(({ id, status }) => (status === "done" ? [id] : [])));
    return [...begun, ...records.filter(({ id, status }) => !done.has(id) && (status === "done" || !finished.has(id)))];
  });
  // What was said of the whole stays; it may be shown, and marked, meanwhile.
  const marked = new Set((await readJournal<SpotMark>(marksFileOf(target))).entries.map(({ id }) => id));
  for (const { result } of folders) for (const mark of result.marks.values()) if (!marked.has(mark.id)) await appendLine(marksFileOf(target), mark);
  for (const { out } of folders) await gatherPictures(out, target);
  return readResults(target);
}

async function append(path: string, more: (entries: readonly SpotEntry[]) => readonly SpotEntry[]): Promise<void> {
  const { entries } = await readJournal<SpotEntry>(path);
  const added = more(entries);
  if (added.length === 0) return;
  const { journal } = await Journal.open<SpotEntry>(path);
  try {
    await Promise.all(added.map((entry) => journal.append(entry)));
  } finally {
    await journal.close();
  }
}

/** Links where the disk allows it: pictures take most of the room. */
async function gatherPictures(from: string, to: string): Promise<void> {
  const folders = await readdir(join(from, "pictures")).catch(() => []);
  for (const folder of folders) {
    await mkdir(join(to, "pictures", folder), { recursive: true });
    for (const name of await readdir(join(from, "pictures", folder))) {
      if (!name.endsWith(".webp")) continue;
      const [source, target] = [join(from, "pictures", folder, name), join(to, "pictures", folder, name)];
      await link(source, target).catch(() => copyFile(source, target));
    }
  }
}
