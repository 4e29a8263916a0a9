import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

interface KnownHash {
  readonly size: number;
  readonly modifiedMillis: number;
  readonly sha256: string;
}

/** SHA-256 of files, hexadecimal; a file is read again only when its size or time of modification has changed. */
export class FileHashes {
  private readonly known = new Map<string, KnownHash>();

  async of(path: string): Promise<string> {
    const { size, mtimeMs: modifiedMillis } = await stat(path);
    const found = this.known.get(path);
    if (found && found.size === size && found.modifiedMillis === modifiedMillis) return found.sha256;
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
    const sha256 = hash.digest("hex");
    this.known.set(path, { size, modifiedMillis, sha256 });
    return sha256;
  }
}
