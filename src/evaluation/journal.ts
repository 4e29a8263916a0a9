import { createReadStream } from "node:fs";
import { open, readFile, type FileHandle } from "node:fs/promises";
import { PlumblineError } from "../core/errors";

/*
 * An append-only file of JSON lines. A line counts once its line break is there; what follows the last line break was being
 * written when the process died, and is cut off before anything is appended.
 */

/** A journal's entries, and how many of its lines are no JSON objects (a disk that lost data, an editor that changed it). */
export interface JournalContent<Entry> {
  readonly entries: readonly Entry[];
  readonly damagedLines: number;
}

/** Everything that was appended to a journal; empty when there is none. A line that is still being written is left out. */
export async function readJournal<Entry>(path: string): Promise<JournalContent<Entry>> {
  const entries: Entry[] = [];
  let damagedLines = 0;
  for await (const part of journalParts<Entry>(path)) {
    entries.push(...part.entries);
    damagedLines += part.damagedLines;
  }
  return { entries, damagedLines };
}

/** Bytes that are parsed in one go: a millisecond or two, so that whoever reads a long journal can do other things meanwhile. */
const partBytes = 1 << 18;

/** The same, a part at a time; what else waits for this thread gets its turn between two parts. */
export async function* journalParts<Entry>(path: string): AsyncGenerator<JournalContent<Entry>> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: partBytes })) {
      const bytes = Buffer.concat([rest, chunk as Buffer]);
      const whole = bytes.lastIndexOf("\n") + 1;
      rest = bytes.subarray(whole);
      if (whole > 0) yield parse(bytes.subarray(0, whole));
      await new Promise(setImmediate);
    }
  } catch (error) {
    missing(error);
  }
}

/**
 * Appends a line to a journal that several processes may append to, none of which holds it. The line break before it ends a line that was being written when another process died.
 * Resolves when it is on the disk. Throws `write-failed`.
 */
export async function appendLine(path: string, entry: object): Promise<void> {
  try {
    const file = await open(path, "a");
    try {
      // One write: lines of several processes may take turns, but never mix.
      await file.write(`\n${JSON.stringify(entry)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

/** The writer of a journal: one a file. */
export class Journal<Entry> {
  #waiting: string[] = [];
  #flushing?: Promise<void>;
  #failure?: PlumblineError;

  private constructor(private readonly file: FileHandle, private readonly path: string) {}

  /** Opens or makes the journal, cuts off a line that was being written, and returns what it holds. Throws `write-failed`. */
  static async open<Entry>(path: string): Promise<{ readonly journal: Journal<Entry>; readonly content: JournalContent<Entry> }> {
    const bytes = await readFile(path).catch(missing);
    try {
      const file = await open(path, "a");
      const whole = bytes.lastIndexOf("\n") + 1;
      if (whole < bytes.length) await file.truncate(whole);
      return { journal: new Journal<Entry>(file, path), content: parse(bytes) };
    } catch (cause) {
      throw writeFailed(path, cause);
    }
  }

  /** Resolves when the entry is on the disk (fdatasync); entries that wait for the same disk share one. Throws `write-failed`. */
  async append(entry: Entry): Promise<void> {
    this.#requireGood();
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    this.#flushing ??= this.#flush();
    // What is flushing now may have been gathered before this entry came.
    while (this.#flushing !== undefined) await this.#flushing;
    this.#requireGood();
  }

  #requireGood(): void {
    if (this.#failure) throw this.#failure;
  }

  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    await this.file.close();
  }

  async #flush(): Promise<void> {
    try {
      await Promise.resolve(); // whatever is appended in this turn goes together
      const lines = this.#waiting.join("");
      this.#waiting = [];
      await this.file.appendFile(lines);
      await this.file.datasync();
    } catch (cause) {
      this.#failure = writeFailed(this.path, cause);
      this.#waiting = [];
    }
    this.#flushing = this.#waiting.length > 0 ? this.#flush() : undefined;
  }
}

function parse<Entry>(bytes: Buffer): JournalContent<Entry> {
  const entries: Entry[] = [];
  let damagedLines = 0;
  const lines = bytes.subarray(0, bytes.lastIndexOf("\n") + 1).toString("utf8").split("\n");
  for (const line of lines) {
    if (line === "") continue;
    const value = parsed(line);
    if (typeof value === "object" && value !== null) entries.push(value as Entry);
    else damagedLines++;
  }
  return { entries, damagedLines };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function missing(error: unknown): Buffer {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
  throw new PlumblineError("not-found", `Could not read the journal: ${error instanceof Error ? error.message : String(error)}`, "Check that it may be read.", { cause: error });
}

function writeFailed(path: string, cause: unknown): PlumblineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PlumblineError("write-failed", `Could not write ${path}: ${reason}`, "Choose a folder that can be written to and has room.", { cause });
}
