import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError, unexpected } from "../core/errors";
import { writeFileAtomically } from "../io/atomicFile";
import { isObject, readJsonObject } from "../io/jsonFile";
import { readJournal } from "./journal";
import { samplesCsv, summaryOf, type SpotResult } from "./report";
import { marksOf, recordsOf, type SpotEntry, type SpotMark } from "./spotRun";

/*
 * A folder of results:
 *   setup.json       what was asked for, and the ids of the sample
 *   journal.jsonl    a line an image, as they are finished (written by the run alone)
 *   marks.jsonl      a line a mark (written by whoever looks at the results)
 *   pictures/        small pictures (pictures.ts)
 *   samples.csv, summary.json, report.html    written at the end, and again by `plumbline report`
 */

export const journalOf = (out: string): string => join(out, "journal.jsonl");
export const marksFileOf = (out: string): string => join(out, "marks.jsonl");
export const lockOf = (out: string): string => join(out, "lock");

/** What a folder of results says of itself. */
export interface SpotSetup {
  readonly version: 1;
  readonly title: string;
  /** Of the images, absolute. */
  readonly folder: string;
  readonly fingerprint: string;
  /** Names of the runs, the first first. */
  readonly runs: readonly string[];
  /** For people, in order. */
  readonly settings: readonly (readonly [label: string, value: string])[];
  /** What there is truth of. */
  readonly truth?: { readonly task: "depth" | "normals"; readonly title: string };
  /** The sample, sorted. */
  readonly ids: readonly string[];
}

/** Everything that a folder of results holds. */
export interface SpotFolder {
  readonly out: string;
  readonly setup: SpotSetup;
  readonly result: SpotResult;
  /** Ids without a record. */
  readonly pending: readonly string[];
}

/** Removes what a run that was killed had not finished writing. Only who holds the folder may do so. */
export async function removeUnfinished(out: string): Promise<void> {
  const pictures = join(out, "pictures");
  for (const folder of await readdir(pictures).catch((): string[] => [])) {
    for (const name of await readdir(join(pictures, folder)).catch((): string[] => [])) {
      if (name.endsWith(".tmp")) await rm(join(pictures, folder, name), { force: true });
    }
  }
}

export async function writeSetup(out: string, setup: SpotSetup): Promise<void> {
  await writeFileAtomically(join(out, "setup.json"), `${JSON.stringify(setup, undefined, 1)}\n`);
}

/** Throws `not-found` for a folder without results, `bad-argument` for a setup that is damaged or of a newer version. */
export async function readSetup(out: string): Promise<SpotSetup> {
  const path = join(out, "setup.json");
  const value = await readJsonObject(path);
  if (value.version !== 1) throw unexpected("protocol-mismatch", path, "results of version 1", value.version, "Update Plumbline: the results were written by a newer version.");
  const isStrings = (list: unknown): list is string[] => Array.isArray(list) && list.every((item) => typeof item === "string");
  const { title, folder, fingerprint, runs, settings, truth, ids } = value;
  const isWhole = typeof title === "string" && typeof folder === "string" && typeof fingerprint === "string" && isStrings(runs) && isStrings(ids) && Array.isArray(settings);
  if (!isWhole) throw new PlumblineError("bad-argument", `Expected the setup of a spot check for ${path} but received something else.`, "Run the spot check again: what is done is kept.");
  const pairs = settings.flatMap((pair: unknown) => (isStrings(pair) && pair.length === 2 ? [[pair[0], pair[1]] as const] : []));
  const task = isObject(truth) ? (["depth", "normals"] as const).find((name) => name === truth.task) : undefined;
  const known = task && isObject(truth) && typeof truth.title === "string" ? { task, title: truth.title } : undefined;
  return { version: 1, title, folder, fingerprint, runs, settings: pairs, ids, ...(known && { truth: known }) };
}

/** Reads a folder of results, also one that is still being written. */
export async function readResults(out: string): Promise<SpotFolder> {
  const setup = await readSetup(out);
  const { entries } = await readJournal<SpotEntry>(journalOf(out));
  const records = recordsOf(entries);
  const marks = marksOf([...entries, ...(await readJournal<SpotMark>(marksFileOf(out))).entries]);
  return {
    out,
    setup,
    result: { runNames: setup.runs, records: setup.ids.flatMap((id) => records.get(id) ?? []), marks },
    pending: setup.ids.filter((id) => !records.has(id)),
  };
}

/** Writes samples.csv and summary.json. Throws `write-failed`. */
export async function writeTables({ out, setup: { ids, ...about }, result, pending }: SpotFolder): Promise<void> {
  await writeFileAtomically(join(out, "samples.csv"), samplesCsv(result));
  const summary = { ...about, sample: ids.length, pending: pending.length, ...summaryOf(result) };
  await writeFileAtomically(join(out, "summary.json"), `${JSON.stringify(summary, undefined, 1)}\n`);
}
