import { unexpected } from "../core/errors";
import type { DatasetPreset } from "./presets";

/** A path's partners by name alone: nothing is looked up on the disk. */
export interface Candidates {
  readonly truth: readonly string[];
  readonly masks: readonly { readonly path: string; readonly zeroIsValid: boolean }[];
}

/** Where the truth and the masks of an image may be (paths like its own); undefined for a file that is no image of the set. */
export function candidatesOf(preset: Pick<DatasetPreset, "image" | "truth" | "masks">, imagePath: string): Candidates | undefined {
  const match = preset.image.exec(imagePath);
  if (!match) return undefined;
  const fill = (template: string): string => template.replace(/\$<(\w+)>/g, (_, group: string) => match.groups?.[group] ?? "");
  return {
    truth: preset.truth.map(fill),
    masks: (preset.masks ?? []).map(({ path, zeroIsValid = false }) => ({ path: fill(path), zeroIsValid })),
  };
}

/**
 * A pairing written by the user: `image` and `truth` are paths with the same `*` (anything within a folder name) and `**`
 * (anything), which stand for the same text in both, in order: `rgb/**.jpg` and `depth/**.png`.
 * Throws `bad-argument` when the truth has more of them than the image.
 */
export function pairingOf(image: string, truth: string): Pick<DatasetPreset, "image" | "truth"> {
  const wildcard = /\*\*\/?|\*/g;
  const imageParts = [...image.matchAll(wildcard)].map(([text]) => text);
  const truthParts = [...truth.matchAll(wildcard)].map(([text]) => text);
  if (truthParts.length > imageParts.length) {
    throw unexpected("bad-argument", `the truth's pattern ${truth}`, `at most ${imageParts.length} wildcards, as in ${image}`, truthParts.length, "Use * and ** in the same places in both patterns.");
  }
  let group = 0;
  let at = 0;
  let source = "";
  for (const { 0: text, index } of image.matchAll(wildcard)) {
    source += escaped(image.slice(at, index)) + `(?<g${group++}>${text === "*" ? "[^/]*" : text === "**" ? ".*" : "(?:.*/)?"})`;
    at = index + text.length;
  }
  let used = 0;
  return { image: new RegExp(`^${source}${escaped(image.slice(at))}$`), truth: [truth.replace(wildcard, () => `$<g${used++}>`)] };
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
}
