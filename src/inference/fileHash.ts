import { readFile, stat } from "node:fs/promises";
import { writeFileAtomically } from "../io/atomicFile";
import { fileSha256 } from "../io/fileSha256";
import { isObject, parseObject } from "../io/jsonFile";

interface KnownHash {
  readonly size: number;
  readonly modifiedMillis: number;
  readonly sha256: string;
}

/** Files from this size on are remembered on disk: a checkpoint of gigabytes takes seconds to read. */
const rememberedBytes = 100e6;

/** SHA-256 of files, hexadecimal; a file is read again only when its size or time of modification has changed. */
export class FileHashes {
  private readonly known = new Map<string, KnownHash>();
  private readonly recalled = new Set<string>();
  private hasNews = false;

  async of(path: string): Promise<string> {
    const { size, mtimeMs: modifiedMillis } = await stat(path);
    const found = this.known.get(path);
    if (found && found.size === size && found.modifiedMillis === modifiedMillis) return found.sha256;
    const sha256 = await fileSha256(path);
    this.known.set(path, { size, modifiedMillis, sha256 });
    this.hasNews ||= size >= rememberedBytes;
    return sha256;
  }

  /** Takes in, once, what `remember` wrote. A file that is missing or damaged says nothing. */
  async recall(path: string): Promise<void> {
    if (this.recalled.has(path)) return;
    this.recalled.add(path);
    const bytes = await readFile(path).catch(() => undefined);
    try {
      for (const [file, hash] of Object.entries(bytes ? parseObject(path, bytes) : {})) if (isKnownHash(hash) && !this.known.has(file)) this.known.set(file, hash);
    } catch {
      // Everything is hashed anew, and the next `remember` replaces it.
    }
  }

  /** Writes the hashes of large files, where there are new ones. Rejects with `write-failed`. */
  async remember(path: string): Promise<void> {
    if (!this.hasNews) return;
    this.hasNews = false;
    const large = [...this.known].filter(([, { size }]) => size >= rememberedBytes);
    await writeFileAtomically(path, JSON.stringify(Object.fromEntries(large), undefined, 1));
  }
}

function isKnownHash(value: unknown): value is KnownHash {
  return isObject(value) && typeof value.size === "number" && typeof value.modifiedMillis === "number" && typeof value.sha256 === "string" && /^[0-9a-f]{64}$/.test(value.sha256);
}
