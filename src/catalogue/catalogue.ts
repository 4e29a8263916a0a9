import { join, resolve } from "node:path";
import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { readJsonObject, wrongFields } from "../io/jsonFile";
import type { Layout } from "./fileChoice";

/*
 * `catalogue.json`: the models that ship with Plumbline (`models`), those that can be downloaded (`downloads`), and what the files of each
 * kind of download are called (`layouts`). catalogue.schema.json is this schema for editors.
 */

const text = z.string().min(1);
const task = z.enum(["depth", "normals"]);
const spacing = z.enum(["trailing", "leading", "linspace"]);
const noise = z.enum(["gaussian", "zeros"]);
const steps = z.int().min(1).max(1000);

const shipped = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  name: text,
  family: z.literal("marigold"),
  task,
  dir: text.describe("Relative to the catalogue."),
  endToEnd: z.boolean().describe("Fine-tuned end to end: one step from zeros."),
  defaults: z.strictObject({ steps, spacing, noise, processingResolution: z.int().min(8).describe("Longest side in pixels.") }),
  licence: text.describe("SPDX identifier."),
});

const licence = z.strictObject({
  name: text.describe("SPDX identifier, or where to look."),
  url: z.url(),
  nonCommercial: z.boolean().optional().describe("Absent where it is not known."),
});

const figures = z.strictObject({
  table: text.describe("Of the paper, arXiv 2409.11355."),
  steps,
  ensemble: z.int().min(1),
  metrics: z.tuple([text, text]),
  values: z.record(text, z.tuple([z.number(), z.number()])).describe("By data set."),
});

const download = z.strictObject({
  repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  name: text,
  family: z.enum(["marigold", "geowizard", "depthfm", "feedforward", "autoencoder-tiny"]),
  layout: text.describe("One of the layouts below."),
  revision: text.describe("Commit, tag or branch."),
  predicts: z.strictObject({ depth: z.enum(["affine-depth", "affine-disparity", "metric-depth"]).optional(), normals: z.enum(["RUB", "LUB"]).optional() }).describe("Kind of depth, and frame of normals."),
  endToEnd: z.boolean(),
  defaults: z.strictObject({ steps, spacing, noise }).optional().describe("Where they differ from what the checkpoint's own files say."),
  licence,
  gated: z.literal(true).optional().describe("Its terms have to be accepted on its page first."),
  files: z.record(text, z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })).optional().describe("What is known of files at that revision, by path; the hub states the rest."),
  figures: z.array(figures).optional(),
  notes: z.array(text).optional(),
});

const part = z.strictObject({
  role: text,
  oneOf: z.array(z.array(text).min(1)).min(1).describe("Names or patterns with *; the first alternative of which every file is there is taken."),
  optional: z.boolean().default(false),
});

const catalogue = z.strictObject({
  $schema: z.string().optional(),
  models: z.array(shipped),
  layouts: z.record(text, z.array(part).min(1)).default({}).describe("In the order in which an unknown repository is tried."),
  downloads: z.array(download).default([]),
});

/** A model that ships with Plumbline. `dir` is absolute. */
export type ShippedModel = Readonly<z.infer<typeof shipped>>;
/** A model that can be downloaded. */
export type DownloadableModel = Readonly<z.infer<typeof download>>;

export interface Catalogue {
  readonly shipped: readonly ShippedModel[];
  readonly downloads: readonly DownloadableModel[];
  readonly layouts: Readonly<Record<string, Layout>>;
}

/** The JSON schema of the file, for editors. */
export function catalogueSchema(): object {
  return z.toJSONSchema(catalogue, { io: "input" });
}

/**
 * Reads `catalogue.json` of the folder that holds the shipped models. Throws `not-found`, or `bad-model` naming every field that is wrong,
 * an id that occurs twice, or a layout that is not there.
 */
export async function readCatalogue(modelsDir: string): Promise<Catalogue> {
  const path = join(modelsDir, "catalogue.json");
  const result = catalogue.safeParse(await readJsonObject(path));
  if (!result.success) {
    throw new PlumblineError("bad-model", `Expected a catalogue of models for ${path} but received one with wrong fields (${wrongFields(result.error)}).`, "Install Plumbline again.");
  }
  const { models, downloads, layouts } = result.data;
  const ids = [...models.map(({ id }) => id), ...downloads.map(({ repository }) => repository)];
  const repeated = ids.find((id, i) => ids.indexOf(id) !== i);
  if (repeated !== undefined) throw new PlumblineError("bad-model", `Expected every id of ${path} once but received "${repeated}" twice.`);
  const homeless = downloads.find(({ layout }) => !Object.hasOwn(layouts, layout));
  if (homeless) throw new PlumblineError("bad-model", `Expected ${Object.keys(layouts).join(", ")} for the layout of ${homeless.repository} in ${path} but received "${homeless.layout}".`);
  return { shipped: models.map((model) => ({ ...model, dir: resolve(modelsDir, model.dir) })), downloads, layouts };
}
