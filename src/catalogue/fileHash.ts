import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import type { FileHash } from "./hubClient";

/** True when a file's bytes are those that the hash was taken of. Rejects with the system's error when it cannot be read. */
export async function hasHash(path: string, { kind, hex }: FileHash, signal?: AbortSignal): Promise<boolean> {
  const hash = createHash(kind === "git-sha1" ? "sha1" : kind);
  if (kind === "git-sha1") hash.update(`blob ${(await stat(path)).size}\0`);
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest("hex") === hex;
}
