import { isCancelled, PlumblineError } from "../core/errors";
import { Journal } from "./journal";
import type { Judgement } from "./judge";

/** A line of a spot check's journal. */
export type SpotEntry =
  /** First line: what the numbers were made with. */
  | { readonly type: "begin"; readonly version: 1; readonly fingerprint: string }
  | SpotRecord
  | SpotMark;

/** What came of one image; of several lines for one image the last counts. */
export interface SpotRecord {
  readonly type: "record";
  /** Path relative to the folder, forward slashes. */
  readonly id: string;
  readonly status: "done" | "failed";
  /** Why it failed, and what to do. */
  readonly reason?: string;
  readonly remedy?: string;
  /** By column id. */
  readonly values: Readonly<Record<string, number>>;
  readonly oddities: readonly string[];
  readonly sha256?: string;
  /** Pooled angles, by run: see anglePool.ts. */
  readonly angles?: Readonly<Record<string, string>>;
  readonly millis: number;
}

/** What a person said of an image; `none` takes it back. */
export interface SpotMark {
  readonly type: "mark";
  readonly id: string;
  readonly mark: "good" | "bad" | "unsure" | "none";
  readonly note: string;
}

/** An image of the sample. */
export interface SpotSample {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  /** Why it cannot be looked at, known from its name or kind alone. */
  readonly problem?: PlumblineError;
}

/** What one image led to, with everything that belongs to it already on the disk. */
export interface SpotOutcome {
  readonly judgement: Judgement;
  readonly sha256: string;
  readonly angles?: Readonly<Record<string, string>>;
}

export interface SpotRunOptions {
  readonly samples: readonly SpotSample[];
  readonly fingerprint: string;
  readonly journalPath: string;
  /** Estimates and judges one image and writes its pictures. Several are under way at once. */
  readonly examine: (sample: SpotSample, signal: AbortSignal) => Promise<SpotOutcome>;
  /** Requests under way at once: enough that decoding and writing hide behind the networks. */
  readonly inFlight: number;
  /** Examine images again that failed in an earlier run. */
  readonly retryFailed: boolean;
  readonly signal: AbortSignal;
  /** While it is pending nothing new is begun. */
  readonly gate: () => Promise<void> | undefined;
  readonly onRecord: (record: SpotRecord, progress: SpotProgress) => void;
}

export interface SpotProgress {
  /** Of the sample: examined now or earlier, and how many of these failed. */
  readonly done: number;
  readonly failed: number;
  readonly total: number;
}

/**
 * Examines every image of the sample that the journal does not hold yet. An image counts once its line is on the disk, and only there is it kept: memory does
 * not grow with what was found. Returns how far it came.
 * One image's failure is a record; the run goes on. Throws `cancelled`, `bad-argument` when the journal belongs to other settings,
 * `write-failed` when a line cannot be written, and `engine-died` when the engine fails three images in a row.
 */
export async function runSpotCheck(options: SpotRunOptions): Promise<SpotProgress> {
  const { journal, statuses } = await openJournal(options);
  try {
    return await examineAll(statuses, journal, options);
  } finally {
    await journal.close();
  }
}

/** The journal, and what of its content a run needs. */
async function openJournal({ journalPath, fingerprint }: SpotRunOptions): Promise<{ readonly journal: Journal<SpotEntry>; readonly statuses: ReadonlyMap<string, SpotRecord["status"]> }> {
  const { journal, content } = await Journal.open<SpotEntry>(journalPath);
  try {
    await begin(journal, content.entries, fingerprint);
  } catch (error) {
    await journal.close();
    throw error;
  }
  return { journal, statuses: new Map(Array.from(recordsOf(content.entries).values(), ({ id, status }) => [id, status])) };
}

/** The latest record of every image. */
export function recordsOf(entries: readonly SpotEntry[]): Map<string, SpotRecord> {
  return new Map(entries.filter((entry) => entry.type === "record").map((record) => [record.id, record]));
}

/** The latest mark of every image that has one. */
export function marksOf(entries: readonly SpotEntry[]): Map<string, SpotMark> {
  const marks = new Map(entries.filter((entry) => entry.type === "mark").map((mark) => [mark.id, mark]));
  for (const [id, { mark, note }] of marks) if (mark === "none" && note === "") marks.delete(id);
  return marks;
}

async function begin(journal: Journal<SpotEntry>, entries: readonly SpotEntry[], fingerprint: string): Promise<void> {
  const first = entries.find((entry) => entry.type === "begin");
  if (!first) return journal.append({ type: "begin", version: 1, fingerprint });
  if (first.fingerprint !== fingerprint) {
    throw new PlumblineError("bad-argument", "Expected a journal of these runs and this ground truth but received one of others.", "Choose another output folder, or delete the journal in this one.");
  }
}

/** Consecutive deaths of the engine after which the run ends: more images would only die too. */
const deathsInARow = 3;

async function examineAll(statuses: ReadonlyMap<string, SpotRecord["status"]>, journal: Journal<SpotEntry>, options: SpotRunOptions): Promise<SpotProgress> {
  const { samples, inFlight, gate, onRecord } = options;
  // One worker's failure ends the others after the image that they are at.
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const isKnown = ({ id }: SpotSample): boolean => statuses.has(id) && !(options.retryFailed && statuses.get(id) === "failed");
  const queue = samples.filter((sample) => !isKnown(sample)).values();
  const earlier = samples.filter(isKnown);
  const progress = { done: earlier.length, failed: earlier.filter(({ id }) => statuses.get(id) === "failed").length, total: samples.length };
  let deaths = 0;
  async function work(): Promise<void> {
    for (const sample of queue) {
      await gate();
      if (signal.aborted) return;
      const { record, error } = await examineOne(sample, { ...options, signal });
      if (isCancelled(error)) return;
      deaths = error?.code === "engine-died" ? deaths + 1 : 0;
      if (error && deaths >= deathsInARow) throw error;
      await journal.append(record);
      progress.done++;
      if (record.status === "failed") progress.failed++;
      onRecord(record, { ...progress });
    }
  }
  const workers = Array.from({ length: inFlight }, () =>
    work().catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  );
  await Promise.allSettled(workers); // the journal may be closed only when none writes any more
  await Promise.all(workers);
  if (options.signal.aborted) throw new PlumblineError("cancelled", "The spot check was cancelled.", "Run it again: what is done is kept.");
  return progress;
}

async function examineOne(sample: SpotSample, { examine, signal }: SpotRunOptions): Promise<{ record: SpotRecord; error?: PlumblineError }> {
  const start = performance.now();
  const common = { type: "record", id: sample.id } as const;
  // An engine that dies takes every image under way with it: only what fails again is to blame.
  const again = (error: unknown): Promise<SpotOutcome> => {
    if (error instanceof PlumblineError && error.code === "engine-died" && !signal.aborted) return examine(sample, signal);
    throw error;
  };
  try {
    const { judgement, sha256, angles } = await examine(sample, signal).catch(again);
    const millis = Math.round(performance.now() - start);
    return { record: { ...common, status: "done", values: judgement.values, oddities: judgement.oddities, sha256, ...(angles && { angles }), millis } };
  } catch (cause) {
    // A bug is no property of an image: it ends the run and is seen.
    if (!(cause instanceof PlumblineError) || cause.code === "write-failed") throw cause;
    const millis = Math.round(performance.now() - start);
    return { record: { ...common, status: "failed", reason: cause.message, ...(cause.remedy && { remedy: cause.remedy }), values: {}, oddities: [], millis }, error: cause };
  }
}
