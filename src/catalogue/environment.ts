import { homedir } from "node:os";
import { join } from "node:path";

/** Variables that say where models are. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of Hugging Face's programs: HF_HOME, else `huggingface` in the user's cache folder. */
export function huggingFaceHome(environment: Environment = process.env): string {
  return expand(environment["HF_HOME"] || join(environment["XDG_CACHE_HOME"] || "~/.cache", "huggingface"), environment);
}

/** A leading ~ is the user's home folder. */
export function expand(path: string, environment: Environment): string {
  return /^~(?=$|[\\/])/.test(path) ? join(environment["HOME"] || homedir(), path.slice(1)) : path;
}
