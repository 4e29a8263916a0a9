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
  return parse(await readFile(path).catch(missing));
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
