import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { readFloatImage, type FloatImage } from "../io/floatImage";
import { notFound } from "../io/jsonFile";
import { npzNames } from "../io/npz";
import type { FloatFile, FloatFileParams } from "../protocol/inference";

/**
 * Reads an image of numbers as it is stored, all channels, for looking at it. Of an .npz it is the array `entry`, else the
 * first that is an image. Throws what `readFloatImage` throws.
 */
export async function readFloatFile({ path, entry }: FloatFileParams): Promise<FloatFile> {
  if (extname(path).toLowerCase() !== ".npz") return { image: await readFloatImage(path), entries: [] };
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  const entries = npzNames(bytes, path);
  if (entry !== undefined && entries.includes(entry)) return { image: await readFloatImage(path, { entry }), entries, entry };
  const { image, name } = await firstImage(path, entries);
  return { image, entries, entry: name };
}

/** Throws the error of the last array when none is an image. */
async function firstImage(path: string, entries: readonly string[]): Promise<{ readonly image: FloatImage; readonly name?: string }> {
  for (const name of entries.slice(0, -1)) {
    const image = await readFloatImage(path, { entry: name }).catch(() => undefined);
    if (image) return { image, name };
  }
  const name = entries.at(-1);
  return { image: await readFloatImage(path, { entry: name }), name };
}
