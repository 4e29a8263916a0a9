import { PlumblineError } from "../core/errors";
import type { HubFile } from "./hubClient";

/** One thing that a model needs. */
export interface Part {
  readonly role: string;
  /** Names, or patterns in which * stands for anything but a slash; the first alternative that is there in full is taken. */
  readonly oneOf: readonly (readonly string[])[];
  readonly optional?: boolean;
}

/** What the files of a kind of model are called. */
export type Layout = readonly Part[];

/**
 * The files of a repository that a layout needs, each once, in its order. Throws `unsupported`, naming the part that is missing and what
 * there is instead.
 */
export function chooseFiles(files: readonly HubFile[], layout: Layout, repository: string): readonly HubFile[] {
  const chosen = new Set<HubFile>();
  for (const { role, oneOf, optional } of layout) {
    const alternative = oneOf.map((patterns) => patterns.map((pattern) => files.filter(({ path }) => matches(path, pattern)))).find((found) => found.every(({ length }) => length > 0));
    if (alternative) for (const file of alternative.flat()) chosen.add(file);
    else if (!optional) throw lacking(files, repository, role, oneOf);
  }
  return [...chosen];
}

/** The first layout that a repository has all of, by name; undefined where it has none. */
export function recogniseLayout(files: readonly HubFile[], layouts: Readonly<Record<string, Layout>>): string | undefined {
  return Object.keys(layouts).find((name) => {
    try {
      return chooseFiles(files, layouts[name], "").length > 0;
    } catch {
      return false;
    }
  });
}

function matches(path: string, pattern: string): boolean {
  const expression = pattern.split("*").map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*");
  return new RegExp(`^${expression}$`).test(path);
}

function lacking(files: readonly HubFile[], repository: string, role: string, oneOf: Part["oneOf"]): PlumblineError {
  const weights = files.filter(({ path }) => /\.(safetensors|bin|onnx|ckpt|pth|pt)$/.test(path)).map(({ path }) => path);
  const there = weights.length === 0 ? "no weights at all" : weights.slice(0, 6).join(", ") + (weights.length > 6 ? ", ..." : "");
  return new PlumblineError("unsupported", `Expected ${oneOf.map((patterns) => patterns.join(" with ")).join(" or ")} for the ${role} in ${repository} but found ${there}.`, "Choose a repository in the layout of diffusers, or one with ONNX files.");
}
