import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { notFound, wrongFields } from "../io/jsonFile";
import { datasetPresets } from "./presets";

/*
 * `plumbline.spotcheck.json`: what is looked at and how. Everything that changes a number is in it, so that it can be committed and run
 * again; where the results go and on which device is said beside it.
 */

export const specVersion = 1;

const positive = z.int().min(1);
const seed = z.int().min(0).max(0xffffffff);

const sampling = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("all") }),
  z.strictObject({ kind: z.literal("first"), count: positive }),
  z.strictObject({ kind: z.literal("random"), count: positive, seed: seed.default(0) }),
  z.strictObject({ kind: z.literal("stratified"), count: positive, seed: seed.default(0) }),
  z.strictObject({ kind: z.literal("every"), nth: positive }),
  z.strictObject({ kind: z.literal("glob"), pattern: z.string().min(1) }),
  z.strictObject({ kind: z.literal("list"), file: z.string().min(1).describe("A text file with a path a line, relative to this file.") }),
]);

const noise = z.enum(["gaussian", "pyramid", "zeros"]);

const run = z.strictObject({
  name: z.string().min(1).describe("Shown in columns."),
  depth: z.string().optional().describe("Id or folder of the depth model."),
  normals: z.string().optional().describe("Id or folder of the normals model."),
  steps: z.int().min(1).max(1000).default(1),
  spacing: z.enum(["trailing", "leading", "linspace"]).default("trailing"),
  ensembleSize: z.int().min(1).max(100).default(1),
  noise: noise.optional().describe("The model's own when absent."),
  seed: seed.default(2024),
  processingResolution: z.int().min(0).max(8192).optional().describe("Longest side at which the networks run; the model's own when absent, 0 for the image's."),
});

const encoding = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("depth"),
    unitsPerMetre: z.number().positive().describe("1000 for millimetres."),
    invalid: z.array(z.number()).default([0]).describe("Stored numbers that mean no value."),
    size: z.strictObject({ width: positive, height: positive }).optional().describe("Of headerless float32."),
  }),
  z.strictObject({ kind: z.literal("normals"), stored: z.enum(["bytes", "floats"]), frame: z.enum(["RUB", "LUB"]) }),
]);

const truth = z.union([
  z.strictObject({ preset: z.enum(datasetPresets.map(({ id }) => id) as [string, ...string[]]) }),
  z.strictObject({
    image: z.string().min(1).describe("Pattern of the images, with * and **."),
    truth: z.string().min(1).describe("Where the truth is, with the same wildcards."),
    encoding,
    minDepth: z.number().positive().default(1e-3),
    maxDepth: z.number().positive().default(1000),
  }),
]);

const spec = z.strictObject({
  $schema: z.string().optional(),
  format: z.literal("plumbline-spotcheck"),
  version: z.literal(specVersion),
  folder: z.string().default(".").describe("Of the images, relative to this file."),
  images: z.string().default("**/*.{png,jpg,jpeg,webp,tif,tiff,avif,gif,bmp}").describe("Which files are images; case does not matter."),
  sampling: sampling.default({ kind: "all" }),
  runs: z.array(run).min(1).max(2).describe("One, or two to see where they disagree."),
  truth: truth.optional(),
});

/** As in the file, with every default filled in. */
export type SpotCheckSpec = Readonly<z.infer<typeof spec>>;
export type SpotRunSpec = SpotCheckSpec["runs"][number];

/** The JSON schema of the file, for editors. */
export function specSchema(): object {
  return z.toJSONSchema(spec, { io: "input" });
}

/** Reads and checks a spec; `folder` and the file of a list come back absolute. Throws `not-found`, or `bad-argument` naming every field that is wrong. */
export async function readSpec(path: string): Promise<SpotCheckSpec> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => Promise.reject(notFound(path, cause)));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PlumblineError("bad-argument", `Expected JSON for ${path} but received ${(cause as Error).message}.`, "Correct the file.", { cause });
  }
  const checked = parseSpec(value, path);
  const here = dirname(path);
  const { sampling: chosen } = checked;
  return { ...checked, folder: resolve(here, checked.folder), sampling: chosen.kind === "list" ? { ...chosen, file: resolve(here, chosen.file) } : chosen };
}

/** The spec in a parsed file. Throws `protocol-mismatch` for a newer version, `bad-argument` for anything else that is wrong. */
export function parseSpec(value: unknown, path: string): SpotCheckSpec {
  const version = typeof value === "object" && value !== null && "version" in value ? value.version : undefined;
  if (typeof version === "number" && version > specVersion) {
    throw new PlumblineError("protocol-mismatch", `Expected a spot check of version ${specVersion} for ${path} but received version ${version}.`, "Update Plumbline: the file was saved by a newer version.");
  }
  const result = spec.safeParse(value);
  if (!result.success) {
    throw new PlumblineError("bad-argument", `Expected a spot check for ${path} but received one with ${result.error.issues.length} wrong fields (${wrongFields(result.error)}).`, "Correct the fields.");
  }
  const nameless = result.data.runs.find(({ depth, normals }) => depth === undefined && normals === undefined);
  if (nameless) throw new PlumblineError("bad-argument", `Expected a depth or normals model for the run "${nameless.name}" of ${path} but received none.`, "Name one.");
  if (new Set(result.data.runs.map(({ name }) => name)).size < result.data.runs.length) throw new PlumblineError("bad-argument", `Expected two names for the runs of ${path} but received one.`, "Name them apart.");
  return result.data;
}

/**
 * Changes with everything that changes a number, SHA-256 in hexadecimal: a journal continues only under the same. `weights` are the hashes of the models' files
 * (modelHash.ts); without them it tells settings apart only. The sampling is left out, so that a sample can be enlarged and keeps what is done.
 */
export function fingerprintOf({ runs, truth: how }: SpotCheckSpec, weights: readonly string[] = []): string {
  return createHash("sha256").update(JSON.stringify({ runs, truth: how ?? null, ...(weights.length > 0 && { weights }) })).digest("hex");
}
