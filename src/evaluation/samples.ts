import type { Dirent } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import picomatch from "picomatch";
import { PlumblineError, unexpected } from "../core/errors";
import { notFound } from "../io/jsonFile";
import { candidatesOf } from "./pairing";
import { sample } from "./sampling";
import type { SpotCheckSpec } from "./spec";
import type { SpotSample } from "./spotRun";
import type { TruthSource } from "./truthSource";

/** What a folder holds: images, of which some are known to be unreadable, and folders that could not be looked into. */
interface Found {
  readonly images: Map<string, SpotSample>;
  readonly folders: SpotSample[];
}

/**
 * The images of `spec.folder` that the sampling chooses, sorted by id; images that are known to be unreadable have a `problem`. Folders that cannot be
 * looked into are samples with a problem too (their ids end with a slash), whatever the sampling. Links are followed, to no folder that contains
 * them. Names that begin with a dot are left out, and so is `except`, the folder of the results. With ground truth only the images
 * of the set count. Throws `not-found` for the folder, `bad-argument` for a sampling that cannot be, or where nothing is found.
 */
export async function findSamples(spec: Pick<SpotCheckSpec, "folder" | "images" | "sampling">, truth: TruthSource | undefined, except?: string): Promise<readonly SpotSample[]> {
  const { folder } = spec;
  const real = await realpath(folder).catch((cause: unknown) => Promise.reject(notFound(folder, cause)));
  const isImage = picomatch(spec.images, { nocase: true });
  const found: Found = { images: new Map(), folders: [] };
  await walk({ dir: folder, prefix: "", ancestors: [real], isImage, except }, found);
  const ids = [...found.images.keys()].filter((id) => truth === undefined || candidatesOf(truth, id) !== undefined);
  if (ids.length === 0 && found.folders.length === 0) {
    const expected = truth ? `images of ${truth.title}` : `images (${spec.images})`;
    throw unexpected("bad-argument", folder, expected, found.images.size > 0 ? `${found.images.size} images that are none` : "none", "Check the folder, the pattern and the preset.");
  }
  const chosen = sample(ids, await samplingOf(spec.sampling)).flatMap((id) => found.images.get(id) ?? []);
  return [...chosen, ...found.folders].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The part of a sample that one of `count` tasks looks at, counted from 1: every count-th image. Throws `bad-argument`. */
export function shardOf<T>(samples: readonly T[], { index, count }: { readonly index: number; readonly count: number }): readonly T[] {
  if (!(index >= 1 && index <= count)) throw unexpected("bad-argument", "the shard", "i/n with i from 1 to n", `${index}/${count}`, "Number the tasks from 1.");
  return samples.filter((_, i) => i % count === index - 1);
}

async function samplingOf(sampling: SpotCheckSpec["sampling"]): Promise<Parameters<typeof sample>[1]> {
  if (sampling.kind !== "list") return sampling;
  const text = await readFile(sampling.file, "utf8").catch((cause: unknown) => Promise.reject(notFound(sampling.file, cause)));
  return { kind: "list", paths: text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "") };
}

interface Place {
  readonly dir: string;
  /** Of ids: the folder relative to the top, with a slash at its end. */
  readonly prefix: string;
  /** Real paths of the folder and of those that it was reached through. */
  readonly ancestors: readonly string[];
  readonly isImage: (id: string) => boolean;
  readonly except?: string;
}

async function walk({ dir, prefix, ancestors, isImage, except }: Place, found: Found): Promise<void> {
  let entries: Dirent<Buffer>[];
  try {
    entries = await readdir(dir, { withFileTypes: true, encoding: "buffer" });
  } catch (cause) {
    found.folders.push({ id: prefix || "./", path: dir, problem: problem("a folder that may be read", dir, reasonOf(cause), "Check its permissions.") });
    return;
  }
  for (const entry of entries) {
    const { text, isText } = nameOf(entry.name);
    const path = join(dir, text);
    if (text.startsWith(".") || path === except) continue;
    const id = prefix + text;
    const kind = isText ? await kindOf(entry, path) : entry.isDirectory() ? "folder" : "file";
    if (!isText) {
      const named = problem("a name in UTF-8", path, "one with other bytes", "Rename it.");
      if (kind === "folder") found.folders.push({ id: `${id}/`, path, problem: named });
      else if (isImage(id)) found.images.set(id, { id, path, problem: named });
    } else if (kind === "folder") {
      const real = entry.isSymbolicLink() ? await realpath(path) : join(ancestors[ancestors.length - 1], text);
      if (ancestors.includes(real)) found.folders.push({ id: `${id}/`, path, problem: problem("a folder", path, "a link to a folder that contains it", "Nothing is missing: its images are looked at once.") });
      else await walk({ dir: path, prefix: `${id}/`, ancestors: [...ancestors, real], isImage, except }, found);
    } else if (isImage(id)) {
      found.images.set(id, { id, path, ...(kind !== "file" && { problem: problem("an image file", path, kind, "Replace it by the image.") }) });
    }
  }
}

/** "file", "folder", or what it is instead. */
async function kindOf(entry: Dirent<Buffer>, path: string): Promise<string> {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  // A pipe or a device would be read for ever.
  if (!entry.isSymbolicLink()) return "something that is no file (a pipe, socket or device)";
  try {
    const target = await stat(path);
    return target.isFile() ? "file" : target.isDirectory() ? "folder" : "a link to something that is no file";
  } catch (error) {
    return { ELOOP: "a link that leads to itself", ENOENT: "a link to a file that is not there" }[codeOf(error)] ?? `a link that cannot be followed (${reasonOf(error)})`;
  }
}

/** A file's name; bytes that are no UTF-8 as \xNN, so that no two names become one. */
function nameOf(bytes: Buffer): { readonly text: string; readonly isText: boolean } {
  const text = bytes.toString("utf8");
  if (Buffer.from(text, "utf8").equals(bytes)) return { text, isText: true };
  return { text: [...bytes.toString("latin1")].map((letter) => (letter < "\x80" ? letter : `\\x${letter.charCodeAt(0).toString(16)}`)).join(""), isText: false };
}

function problem(expected: string, path: string, received: string, remedy: string): PlumblineError {
  return new PlumblineError("bad-image", `Expected ${expected} for ${path} but received ${received}.`, remedy);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function reasonOf(error: unknown): string {
  if (codeOf(error) === "EACCES") return "one without read permission";
  return error instanceof Error ? error.message : String(error);
}
