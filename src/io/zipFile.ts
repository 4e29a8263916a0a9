import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from "yauzl";
import { damaged, notFound } from "./jsonFile";

/** The directory of a zip file (zip64 too); the file stays open until `close`. */
export interface OpenZip {
  /** In the order of the directory. Folders are left out. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  close(): Promise<void>;
}

export interface ZipEntry {
  /** Bytes after unpacking. */
  readonly byteLength: number;
  /** True where the file holds the bytes as they are: neither compressed nor encrypted. */
  readonly isStored: boolean;
  /** Where the packed bytes start in the zip file. Throws `bad-model` where they would lie outside of it. */
  offset(): Promise<number>;
  /** The unpacked bytes; errors of the stream are those of a damaged file. */
  stream(): Promise<Readable>;
}

/** Throws `not-found`, or `bad-model` for what is no zip file, is cut off, or names an entry twice. */
export async function openZip(path: string): Promise<OpenZip> {
  const handle = await open(path, "r").catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  try {
    const { size } = await handle.stat();
    const zip = await fromRandomAccessReaderPromise(new FileReader(handle, size), size, { lazyEntries: true, autoClose: false });
    const entries = new Map<string, ZipEntry>();
    for await (const entry of zip.eachEntry()) {
      if (entry.fileName.endsWith("/")) continue;
      if (entries.has(entry.fileName)) throw damaged(path, `one entry "${entry.fileName}"`, "two");
      entries.set(entry.fileName, zipEntry(path, zip, entry));
    }
    return { entries, close: () => handle.close() };
  } catch (cause) {
    await handle.close();
    throw failed(path, cause);
  }
}

/** yauzl's own reader of files throws out of a callback where a damaged directory names a place beyond 2^53. */
class FileReader extends RandomAccessReader {
  constructor(
    private readonly handle: FileHandle,
    private readonly size: number,
  ) {
    super();
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null, bytesRead?: number) => void): void {
    if (position < 0 || position + length > this.size) {
      callback(new Error(`bytes ${position} to ${position + length} of ${this.size} are asked for`));
      return;
    }
    this.handle.read(buffer, offset, length, position).then(({ bytesRead }) => callback(null, bytesRead), callback);
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.chunks(start, end), { objectMode: false });
  }

  /** A stream of the handle itself would close it at its end. */
  private async *chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let position = start; position < end; ) {
      const { buffer, bytesRead } = await this.handle.read(Buffer.allocUnsafe(Math.min(end - position, 1 << 18)), 0, undefined, position);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      position += bytesRead;
    }
  }
}

function zipEntry(path: string, zip: ZipFile, entry: Entry): ZipEntry {
  return {
    byteLength: entry.uncompressedSize,
    isStored: entry.compressionMethod === 0 && !entry.isEncrypted() && entry.compressedSize === entry.uncompressedSize,
    offset: () => zip.readLocalFileHeaderPromise(entry, { minimal: true }).then(({ fileDataStart }) => fileDataStart, (cause: unknown) => Promise.reject(failed(path, cause))),
    stream: () => zip.openReadStreamPromise(entry).catch((cause: unknown) => Promise.reject(failed(path, cause))),
  };
}

function failed(path: string, cause: unknown): Error {
  if (!(cause instanceof Error) || cause.name === "PlumblineError") return cause as Error;
  return "syscall" in cause ? notFound(path, cause) : damaged(path, "a complete zip file", `one that cannot be read (${cause.message})`, cause);
}
