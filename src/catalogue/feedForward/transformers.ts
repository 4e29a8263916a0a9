import { join } from "node:path";
import { PlumblineError, unexpected } from "../../core/errors";
import { isObject } from "../../io/jsonFile";
import { booleanAt, choiceAt, numberAt, readJsonFile, required, stringAt, type JsonFile } from "../jsonFile";
import { manifestFrom, type Manifest, type ManifestFields } from "./manifest";

/*
 * The manifest that follows from a model's own files in the layout of transformers.js (onnx-community, Xenova): config.json,
 * preprocessor_config.json and onnx/model.onnx.
 */

type ManifestOutputs = ManifestFields["outputs"];

/**
 * Reads what the processor of a folder does to an image and what its model answers. `name` is the repository's.
 * Throws `not-found`, `bad-model`, or `unsupported` where the files do not say enough: then a manifest has to.
 */
export async function manifestFromTransformers(dir: string, name: string): Promise<Manifest> {
  const config = await readJsonFile(join(dir, "config.json"));
  const processor = await readJsonFile(join(dir, "preprocessor_config.json"));
  const { outputs, notes } = outputsOf(config, name);
  const { size, filter } = sizeOf(processor);
  const scaling = scalingOf(processor);
  const { range = [0, 1], mean = [0, 0, 0] } = scaling;
  // The processor pads with zeros after the scaling.
  const sample = (channel: number): number => ((mean[channel] - range[0]) / (range[1] - range[0])) * 255;
  return manifestFrom({
    name,
    size,
    outputs,
    notes,
    input: { ...scaling, filter, rounding: "pillow", padding: { place: "centre", value: [sample(0), sample(1), sample(2)] } },
  });
}

/** What each class of model predicts, as its model card says. */
function outputsOf(config: JsonFile, name: string): { outputs: ManifestOutputs; notes: string[] } {
  const type = required(stringAt(config, "model_type"), config, "model_type");
  if (type === "metric3d") {
    const note = "The depth is in metres for a camera with a focal length of 1000 pixels of the network's input; the real camera's is not known, so it is depth up to a scale.";
    return { outputs: [{ kind: "metric-depth", name: "predicted_depth", focal: { canonical: 1000 } }, { kind: "normals", frame: "RDF" }], notes: [note] };
  }
  if (type === "depth_anything") {
    const isMetric = choiceAt(config, "depth_estimation_type", ["relative", "metric"]) === "metric";
    const note = `Trained for metric depth of up to ${numberAt(config, "max_depth") ?? "unknown"} m without the camera's focal length: metres hold for cameras like those of its training data.`;
    return { outputs: [{ kind: isMetric ? "metric-depth" : "affine-disparity", name: "predicted_depth" }], notes: isMetric ? [note] : [] };
  }
  // Fine-tuned on one data set, some answer in metres and others do not.
  if (type === "dpt" && !/nyu|kitti|ade|normal/i.test(name)) return { outputs: [{ kind: "affine-disparity", name: "predicted_depth" }], notes: [] };
  throw new PlumblineError(
    "unsupported",
    `Expected depth_anything, dpt or metric3d with a known meaning for "model_type" of ${config.path} but received "${type}" of ${name}.`,
    "Write plumbline.model.json beside it, which says what its output is; docs/manifest.md describes it.",
  );
}

/** The size rule of DPTImageProcessor; a side alone means a square. */
function sizeOf(processor: JsonFile): { size: ManifestFields["size"]; filter: "bilinear" | "bicubic" } {
  const kind = stringAt(processor, "image_processor_type") ?? stringAt(processor, "feature_extractor_type");
  if (kind !== undefined && !/^DPT(ImageProcessor(Fast)?|FeatureExtractor)$/.test(kind)) throw unexpected("unsupported", `"image_processor_type" of ${processor.path}`, "DPTImageProcessor", kind, "Write plumbline.model.json beside it; docs/manifest.md describes it.");
  const resample = numberAt(processor, "resample") ?? 3;
  if (resample !== 2 && resample !== 3) throw unexpected("unsupported", `"resample" of ${processor.path}`, "2 (bilinear) or 3 (bicubic)", resample);
  const filter = resample === 2 ? "bilinear" : "bicubic";
  if (!(booleanAt(processor, "do_resize") ?? true)) return { size: { kind: "own", multiple: (booleanAt(processor, "do_pad") ?? false) ? (numberAt(processor, "size_divisor") ?? 1) : 1 }, filter };
  if (booleanAt(processor, "do_pad") ?? false) throw unexpected("unsupported", `"do_pad" of ${processor.path}`, "false where the image is resized", true);
  const stated = processor.values["size"] ?? 384;
  const square = typeof stated === "number" ? { width: stated, height: stated } : undefined;
  const size = square ?? sidesOf(processor, stated);
  const multiple = numberAt(processor, "ensure_multiple_of") ?? 1;
  if (booleanAt(processor, "keep_aspect_ratio") ?? false) return { size: { kind: "closest", ...size, multiple }, filter };
  if (size.width % multiple !== 0 || size.height % multiple !== 0) throw unexpected("bad-model", `"size" of ${processor.path}`, `multiples of ${multiple}`, `${size.width} x ${size.height}`);
  return { size: { kind: "fixed", ...size }, filter };
}

function sidesOf({ path }: JsonFile, stated: unknown): { width: number; height: number } {
  if (!isObject(stated)) throw unexpected("bad-model", `"size" of ${path}`, "a number, or a width and a height", stated);
  const sides: JsonFile = { path: `"size" of ${path}`, values: stated };
  return { width: required(numberAt(sides, "width"), sides, "width"), height: required(numberAt(sides, "height"), sides, "height") };
}

/** (x * rescale_factor - image_mean) / image_std, each as far as it is switched on. */
function scalingOf(processor: JsonFile): Pick<NonNullable<ManifestFields["input"]>, "range" | "mean" | "std"> {
  const isRescaled = booleanAt(processor, "do_rescale") ?? true;
  const range: [number, number] = [0, isRescaled ? 255 * (numberAt(processor, "rescale_factor") ?? 1 / 255) : 255];
  if (!(booleanAt(processor, "do_normalize") ?? true)) return { range };
  return { range, mean: triple(processor, "image_mean") ?? [0.5, 0.5, 0.5], std: triple(processor, "image_std") ?? [0.5, 0.5, 0.5] };
}

function triple({ path, values }: JsonFile, key: string): [number, number, number] | undefined {
  const value = values[key] ?? undefined;
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length !== 3 || !value.every((item) => typeof item === "number")) throw unexpected("bad-model", `"${key}" of ${path}`, "three numbers", value);
  return value as [number, number, number];
}
