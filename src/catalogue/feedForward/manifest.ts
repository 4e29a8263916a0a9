import { join } from "node:path";
import { z } from "zod";
import { PlumblineError } from "../../core/errors";
import type { AxesFrame } from "../../core/feedForward";
import { wrongFields } from "../../io/jsonFile";
import { readJsonFile } from "../jsonFile";

/*
 * `plumbline.model.json`, beside a network in ONNX format: what the network wants and what it answers, as far as the network does not say it
 * itself. models/feedForward.schema.json is this schema for editors.
 */

export const manifestName = "plumbline.model.json";
export const manifestVersion = 1;

const positive = z.int().min(1);
const multiple = positive.default(1).describe("Both sides become multiples of it: the network's stride or patch, such as 14 or 32.");
const triple = z.tuple([z.number(), z.number(), z.number()]);
const bounds = z.tuple([z.number(), z.number()]);
const tensorName = z.string().min(1);

const size = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("fixed"), width: positive, height: positive, keepAspect: z.boolean().default(false).describe("Fit the image inside and pad it; otherwise it is stretched.") }),
  z.strictObject({ kind: z.literal("closest"), width: positive, height: positive, multiple }).describe("The side that needs less scaling gets its length, the other follows (keep_aspect_ratio of transformers)."),
  z.strictObject({ kind: z.enum(["shortest", "longest"]), edge: positive, multiple }).describe("That side of the image gets this length."),
  z.strictObject({ kind: z.literal("area"), minPixels: positive, maxPixels: positive, multiple }),
  z.strictObject({ kind: z.literal("own"), multiple }).describe("The image's own size, padded."),
]);

const input = z.strictObject({
  name: tensorName.optional().describe("Needed only where the network has several inputs."),
  layout: z.enum(["NCHW", "NHWC"]).optional().describe("Read from the network where it tells."),
  channels: z.enum(["RGB", "BGR"]).default("RGB"),
  range: bounds.default([0, 1]).describe("What black (0) and white (255) become before mean and std: [0, 1], [0, 255] or [-1, 1]."),
  mean: triple.default([0, 0, 0]).describe("Subtracted, in the order R, G, B."),
  std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]).default([1, 1, 1]).describe("Divided by, in the order R, G, B."),
  filter: z.enum(["bilinear", "bicubic", "bilinear-no-antialias", "bicubic-no-antialias", "nearest", "nearest-exact"]).default("bilinear"),
  rounding: z.enum(["pillow", "bytes", "none"]).default("none").describe("pillow: whole grey levels after each pass; bytes: at the end (torchvision); none: fractions stay (OpenCV on floats)."),
  padding: z
    .strictObject({ place: z.enum(["centre", "end"]).default("centre"), value: z.union([triple, z.literal("edge")]).default([0, 0, 0]).describe("Samples of 0..255 in the order R, G, B.") })
    .default({ place: "centre", value: [0, 0, 0] }),
});

const depth = {
  name: tensorName.optional().describe("Needed only where several outputs would fit."),
  clip: z.tuple([z.number().nullable(), z.number().nullable()]).optional().describe("Lowest and highest number of the network that counts."),
  transform: z.enum(["none", "reciprocal", "negate", "exp"]).default("none").describe("From the network's number to the kind, after clipping."),
};
const focal = z.strictObject({
  canonical: z.number().positive().describe("Focal length in pixels of the network's input for which it answers in metres."),
  camera: z.strictObject({ focalPixels: z.number().positive(), imageWidth: positive }).optional().describe("The real camera's, in pixels of images of this width. Without it the map is not called metric."),
});

const output = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.enum(["affine-disparity", "affine-depth"]), ...depth }),
  z.strictObject({ kind: z.literal("metric-depth"), ...depth, focal: focal.optional() }),
  z.strictObject({
    kind: z.literal("normals"),
    name: depth.name,
    frame: z
      .string()
      .regex(/^[RL][UD][BF]$/, "where x (R or L), y (U or D) and z (B to the camera or F away from it) point, such as RUB")
      .transform((frame) => frame as AxesFrame)
      .describe("Where x, y and z point: R or L, U or D, B (back to the camera) or F (forward)."),
    range: bounds.default([-1, 1]).describe("What -1 and 1 are stored as."),
  }),
]);

const manifest = z.strictObject({
  $schema: z.string().optional(),
  format: z.literal("plumbline-model"),
  version: z.literal(manifestVersion),
  name: z.string().min(1),
  licence: z.string().min(1).optional().describe("Of the weights."),
  network: z.string().min(1).optional().describe("The .onnx file, relative to this one; the only one when absent."),
  input: input.default(() => input.parse({})),
  size,
  outputs: z
    .array(output)
    .min(1)
    .max(2)
    .refine((outputs) => outputs.filter(({ kind }) => kind === "normals").length < 2 && outputs.filter(({ kind }) => kind !== "normals").length < 2, "one output of depth and one of normals at most"),
  intrinsics: z.strictObject({ name: tensorName, fieldOfViewDegrees: z.number().gt(0).lt(180) }).optional().describe("A second input for the camera's matrix; the field of view is assumed, along the longer side."),
  notes: z.array(z.string().min(1)).default([]).describe("What whoever reads a map of this model should know, in sentences."),
});

/** As in the file, with every default filled in. */
export type Manifest = Readonly<z.infer<typeof manifest>>;
export type ManifestOutput = Manifest["outputs"][number];

/** What may be left out of a manifest. */
export type ManifestFields = Omit<z.input<typeof manifest>, "format" | "version">;

/** The JSON schema of the file, for editors. */
export function manifestSchema(): object {
  return z.toJSONSchema(manifest, { io: "input" });
}

/** Reads the manifest of a folder. Throws `not-found`, or `bad-model` naming every field that is wrong. */
export async function readManifest(folder: string): Promise<Manifest> {
  const { path, values } = await readJsonFile(join(folder, manifestName));
  return parseManifest(values, path);
}

/** The manifest in a parsed file. Throws `protocol-mismatch` for a newer version, `bad-model` for anything else that is wrong. */
export function parseManifest(values: Readonly<Record<string, unknown>>, path: string): Manifest {
  const { version } = values;
  if (typeof version === "number" && version > manifestVersion) {
    throw new PlumblineError("protocol-mismatch", `Expected a model manifest of version ${manifestVersion} for ${path} but received version ${version}.`, "Update Plumbline: the file was written for a newer version.");
  }
  const result = manifest.safeParse(values);
  if (result.success) return result.data;
  throw new PlumblineError("bad-model", `Expected a model manifest for ${path} but received one with ${result.error.issues.length} wrong fields (${wrongFields(result.error)}).`, "Correct the fields; docs/manifest.md describes them.");
}

/** A manifest that comes from Plumbline itself. */
export function manifestFrom(fields: ManifestFields): Manifest {
  return manifest.parse({ format: "plumbline-model", version: manifestVersion, ...fields });
}
