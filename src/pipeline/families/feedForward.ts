import { PlumblineError, unexpected } from "../../core/errors";
import { axisSigns, inputGeometry, type FeedForwardInput, type FeedForwardOutput, type FeedForwardSpec, type InputGeometry } from "../../core/feedForward";
import type { FloatMap, RgbImage } from "../../core/image";
import { resizeMap, resizeRgb, resizeRgbPillow, resizeRgbToBytes, type Size } from "../../core/resize";
import type { Task } from "../../core/semantics";
import type { RunSettings } from "../../core/settings";
import { tensor, type Tensor } from "../../core/tensor";
import { combine } from "../combine";
import type { Network } from "../networks";
import { validateSettings } from "../options";
import type { Prediction, PredictOptions } from "../predict";
import { workTimer } from "../work";

/** A loaded feed-forward estimator: the network's answer is the map. */
export interface FeedForwardEstimator {
  readonly kind: "feedforward";
  readonly network: Network;
  readonly task: Task;
  readonly spec: FeedForwardSpec;
}

/**
 * Estimates a map h x w (without padding) in the units and the frame that `semanticsOfOutput` says; numbers that are not finite become NaN. One
 * run, no schedule: the seed, the noise and the spacing mean nothing. Throws `bad-argument` or `bad-image` where the settings or the image do
 * not suit the network, `bad-tensor` where its answer is not a map, `cancelled`.
 */
export async function predictFeedForward(source: RgbImage, estimator: FeedForwardEstimator, settings: RunSettings, { observer, signal }: Pick<PredictOptions, "observer" | "signal">): Promise<Prediction> {
  const { network, task, spec } = estimator;
  validateSettings(settings);
  requireOneRun(settings);
  const output = outputOf(spec, task);
  requireCamera(output, source);
  const geometry = inputGeometry(source, spec.size, spec.input.padding.place, settings.processingResolution);
  const timer = workTimer(observer, signal);
  const inputs = await timer.run("encode", async () => networkInputs(source, spec, geometry));
  const answer = await timer.run("denoise", async () => answerOf(await network.run(inputs), output));
  const map = await timer.run("decode", async () => mapOf(answer, output, spec, geometry, source));
  await observer.stepDone({ member: 0, latents: { index: 0, timestep: 0, modelOutput: answer, prevSample: answer, predOriginalSample: answer }, map });
  const combined = await timer.run("combine", async () => combine([map], task));
  return { ...combined, processingSize: geometry.resized, timesteps: [], timingsMillis: timer.millis };
}

/** The size of the map that `predictFeedForward` gives. */
export function feedForwardSize(source: Size, { size, input }: FeedForwardSpec, processingResolution?: number): Size {
  return inputGeometry(source, size, input.padding.place, processingResolution).resized;
}

/** What a repetition would give is the same again: whoever asks for it expects something that is not there. */
function requireOneRun({ steps, ensembleSize }: RunSettings): void {
  const remedy = "A feed-forward network answers in one run: leave out the steps and the ensemble.";
  if (steps !== 1) throw unexpected("bad-argument", "the steps of a feed-forward network", "1", steps, remedy);
  if (ensembleSize !== 1) throw unexpected("bad-argument", "the ensemble size of a feed-forward network", "1", ensembleSize, remedy);
}

function networkInputs(source: RgbImage, { input, intrinsics }: FeedForwardSpec, geometry: InputGeometry): Readonly<Record<string, Tensor>> {
  return {
    [input.name]: networkInput(source, input, geometry),
    ...(intrinsics && { [intrinsics.name]: intrinsicsTensor(intrinsics.fieldOfViewDegrees, geometry) }),
  };
}

function answerOf(outputs: Readonly<Record<string, Tensor>>, { name }: FeedForwardOutput): Tensor {
  if (!(name in outputs)) throw unexpected("bad-tensor", "the network's outputs", `"${name}" among them`, Object.keys(outputs).join(", "));
  return outputs[name];
}

function mapOf(answer: Tensor, output: FeedForwardOutput, { input }: FeedForwardSpec, geometry: InputGeometry, source: Size): FloatMap {
  const map = withoutPadding(mapFromAnswer(answer, output, output.layout ?? input.layout), geometry);
  if (output.kind === "normals") return unitNormals(map, output);
  const camera = output.kind === "metric-depth" ? output.focal?.camera : undefined;
  return depthOf(map, output, camera && (camera.focalPixels * geometry.resized.width) / source.width);
}

function outputOf({ outputs }: FeedForwardSpec, task: Task): FeedForwardOutput {
  const found = outputs.find(({ kind }) => (kind === "normals") === (task === "normals"));
  if (!found) throw unexpected("bad-argument", "the task", outputs.map(({ kind }) => kind).join(" or "), task, `Choose a model for ${task}.`);
  return found;
}

/** Metres follow from the focal length of a camera only for that camera's images. */
function requireCamera(output: FeedForwardOutput, { width }: Size): void {
  const camera = output.kind === "metric-depth" ? output.focal?.camera : undefined;
  if (camera && camera.imageWidth !== width) throw unexpected("bad-argument", "the image", `a width of ${camera.imageWidth} pixels, that of the camera in the model's manifest,`, width, "Choose an uncropped image of that camera, or leave out the camera: then the map is not in metres.");
}

/** Resized, padded and normalised, [1, 3, H, W] or [1, H, W, 3]. */
export function networkInput(image: RgbImage, input: FeedForwardInput, geometry: InputGeometry): Tensor {
  const { resized, padded, left, top } = geometry;
  const { data } = resizedImage(image, resized, input);
  const { padding, range, mean, std } = input;
  const planar = input.layout === "NCHW";
  const out = new Float32Array(padded.width * padded.height * 3);
  for (let c = 0; c < 3; c++) {
    const target = input.channels === "RGB" ? c : 2 - c;
    const scale = (range[1] - range[0]) / 255 / std[c];
    const shift = (range[0] - mean[c]) / std[c];
    for (let y = 0; y < padded.height; y++) {
      for (let x = 0; x < padded.width; x++) {
        const inside = x >= left && y >= top && x < left + resized.width && y < top + resized.height;
        const column = Math.min(Math.max(x - left, 0), resized.width - 1);
        const row = Math.min(Math.max(y - top, 0), resized.height - 1);
        const sample = inside || padding.value === "edge" ? data[(row * resized.width + column) * 3 + c] : padding.value[c];
        const p = y * padded.width + x;
        out[planar ? target * padded.width * padded.height + p : p * 3 + target] = sample * scale + shift;
      }
    }
  }
  return tensor(out, planar ? [1, 3, padded.height, padded.width] : [1, padded.height, padded.width, 3]);
}

/** Only 8-bit images are rounded to whole grey levels; 16-bit ones keep their fractions. */
function resizedImage(image: RgbImage, size: Size, { filter, rounding }: FeedForwardInput): RgbImage {
  if (image.width === size.width && image.height === size.height) return image;
  if (rounding === "none" || !(image.data instanceof Uint8Array)) return resizeRgb(image, size, filter);
  if (rounding === "pillow" && (filter === "bilinear" || filter === "bicubic")) return resizeRgbPillow(image, size, filter);
  return resizeRgbToBytes(image, size, filter);
}

/** [1, 3, 3]: a pinhole camera with its centre in the middle of the image; the middle of the top left pixel is (0, 0). */
function intrinsicsTensor(fieldOfViewDegrees: number, { resized, left, top }: InputGeometry): Tensor {
  const focal = Math.max(resized.width, resized.height) / 2 / Math.tan((fieldOfViewDegrees * Math.PI) / 360);
  const centre = [resized.width / 2 - 0.5 + left, resized.height / 2 - 0.5 + top];
  return tensor(Float32Array.of(focal, 0, centre[0], 0, focal, centre[1], 0, 0, 1), [1, 3, 3]);
}

/** H x W x C from whatever shape a network answers in; `layout` decides where both would fit. */
function mapFromAnswer({ dims, data }: Tensor, { name, kind }: FeedForwardOutput, layout: "NCHW" | "NHWC"): FloatMap {
  const channels = kind === "normals" ? 3 : 1;
  const rows = dims.length === 4 && dims[0] === 1 ? dims.slice(1) : dims.length === 3 ? dims : dims.length === 2 ? [1, ...dims] : undefined;
  const planar = rows?.[0] === channels && !(rows[2] === channels && layout === "NHWC");
  const interleaved = !planar && rows?.[2] === channels;
  if (!rows || (!planar && !interleaved)) throw unexpected("bad-tensor", `output "${name}" of the network (${kind})`, channels === 1 ? "shape [1, H, W], [1, 1, H, W], [1, H, W, 1] or [H, W]" : "shape [1, 3, H, W] or [1, H, W, 3]", dims);
  const [height, width] = planar ? [rows[1], rows[2]] : [rows[0], rows[1]];
  if (interleaved || channels === 1) return { width, height, channels, data };
  const plane = width * height;
  const out = new Float32Array(data.length);
  for (let c = 0; c < channels; c++) for (let p = 0; p < plane; p++) out[p * channels + c] = data[c * plane + p];
  return { width, height, channels, data: out };
}

/** The part of the map that shows the image; a coarser or finer answer is brought to the size of the input first. */
function withoutPadding(map: FloatMap, { padded, resized, left, top }: InputGeometry): FloatMap {
  const isWhole = resized.width === padded.width && resized.height === padded.height;
  const full = map.width === padded.width && map.height === padded.height ? map : resizeMap(map, padded, "bilinear");
  if (isWhole) return full;
  const rowLength = resized.width * full.channels;
  const data = new Float32Array(resized.height * rowLength);
  for (let y = 0; y < resized.height; y++) {
    const start = ((top + y) * full.width + left) * full.channels;
    data.set(full.data.subarray(start, start + rowLength), y * rowLength);
  }
  return { ...resized, channels: full.channels, data };
}

function depthOf(map: FloatMap, output: Exclude<FeedForwardOutput, { kind: "normals" }>, focalInInput: number | undefined): FloatMap {
  const [low, high] = output.clip ?? [null, null];
  const factor = output.focal && focalInInput !== undefined ? focalInInput / output.focal.canonical : 1;
  const data = map.data.map((value) => {
    const result = factor * transformed(Math.min(high ?? Infinity, Math.max(low ?? -Infinity, value)), output.transform);
    return Number.isFinite(result) ? result : NaN;
  });
  requireNumbers(data, output);
  return { ...map, data };
}

function transformed(value: number, transform: "none" | "reciprocal" | "negate" | "exp"): number {
  switch (transform) {
    case "none":
      return value;
    case "reciprocal":
      return 1 / value;
    case "negate":
      return -value;
    case "exp":
      return Math.exp(value);
  }
}

/** Unit vectors in the frame that is shown; a zero vector stays zero, one that is not finite becomes NaN. */
function unitNormals(map: FloatMap, output: Extract<FeedForwardOutput, { kind: "normals" }>): FloatMap {
  const signs = axisSigns(output.frame);
  const [low, high] = output.range;
  const data = new Float32Array(map.data.length);
  for (let i = 0; i < data.length; i += 3) {
    const vector = signs.map((sign, c) => sign * (((map.data[i + c] - low) / (high - low)) * 2 - 1));
    const length = Math.hypot(...vector);
    for (let c = 0; c < 3; c++) data[i + c] = Number.isFinite(length) ? vector[c] / Math.max(length, 1e-12) : NaN;
  }
  requireNumbers(data, output);
  return { ...map, data };
}

function requireNumbers(data: Float32Array, { name, kind }: FeedForwardOutput): void {
  if (data.some((value) => !Number.isNaN(value))) return;
  throw new PlumblineError("bad-tensor", `Expected finite numbers for output "${name}" of the network (${kind}) but received none.`, "An fp16 network may have overflowed: choose its fp32 file, or another device.");
}
