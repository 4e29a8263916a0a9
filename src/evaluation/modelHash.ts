import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** What a model's numbers come from: its configurations and weights; not its card, nor files beside it. */
const counted = /\.(?:safetensors|json)$/;

/** Changes with the content of any file of a model folder that counts, and with their names: SHA-256 in hexadecimal. Rejects with the system's error. */
export async function modelHash(dir: string): Promise<string> {
  const names = (await readdir(dir, { recursive: true })).map((name) => name.replaceAll("\\", "/")).filter((name) => counted.test(name)).sort();
  const all = createHash("sha256");
  for (const name of names) {
    const one = createHash("sha256");
    await pipeline(createReadStream(join(dir, name), { highWaterMark: 1 << 20 }), one);
    all.update(`${one.digest("hex")} ${name}\n`);
  }
  return all.digest("hex");
}
