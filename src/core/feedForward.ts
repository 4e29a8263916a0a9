import { unexpected } from "./errors";
import { maxEdgeSize, paddedSize, type ResizeFilter, type Size } from "./resize";
import type { NormalsFrame, Semantics } from "./semantics";

/*
 * How a feed-forward estimator wants its image and what it answers: the facts of a model's manifest, checked. One network, one run:
 * image H x W -> resized h x w -> padded, normalised input -> output -> map h x w.
 */

/** How the size of the network's input follows from the image's. Sides are rounded to multiples of `multiple`. */
export type SizeRule =
  /** One size only: the image is stretched to it, or keeps its shape inside it and is padded. */
  | { readonly kind: "fixed"; readonly width: number; readonly height: number; readonly keepAspect: boolean }
  /** The side that needs less scaling gets its length, the other follows (`keep_aspect_ratio` of transformers' DPTImageProcessor). */
  | { readonly kind: "closest"; readonly width: number; readonly height: number; readonly multiple: number }
  /** That side gets the length; rounding never takes the shortest below it, nor the longest above. */
  | { readonly kind: "shortest" | "longest"; readonly edge: number; readonly multiple: number }
  /** Enlarged or reduced until the number of pixels is within the bounds. */
  | { readonly kind: "area"; readonly minPixels: number; readonly maxPixels: number; readonly multiple: number }
  /** The image's own size, padded up to multiples. */
  | { readonly kind: "own"; readonly multiple: number };

export interface FeedForwardInput {
  readonly name: string;
  readonly layout: "NCHW" | "NHWC";
  readonly channels: "RGB" | "BGR";
  /** What a sample of 0 and one of 255 become; then (x - mean) / std, both in the order R, G, B. */
  readonly range: readonly [number, number];
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly filter: ResizeFilter;
  /** `pillow`: to whole grey levels after each of the two passes; `bytes`: once, at the end; `none`: fractions stay. */
  readonly rounding: "pillow" | "bytes" | "none";
  /** Where the image lies in a larger input, and what is around it: samples of 0..255 in the order R, G, B, or the image's edge. */
  readonly padding: { readonly place: "centre" | "end"; readonly value: readonly [number, number, number] | "edge" };
}

/** Camera frame in three letters: where x (Right, Left), y (Up, Down) and z (Back to the camera, Forward away from it) point. */
export type AxesFrame = `${"R" | "L"}${"U" | "D"}${"B" | "F"}`;

/** An output of the network; the layout is absent where its shape is known only from the answer. */
interface NamedOutput {
  readonly name: string;
  readonly layout?: "NCHW" | "NHWC";
}

/** What one output holds. `clip` comes first, then `transform`. */
export type FeedForwardOutput = NamedOutput & FeedForwardContents;
type FeedForwardContents =
  | {
      readonly kind: "affine-disparity" | "affine-depth" | "metric-depth";
      readonly clip?: readonly [number | null, number | null];
      readonly transform: "none" | "reciprocal" | "negate" | "exp";
      /**
       * Metric depth of a camera whose focal length is `canonical` pixels of the network's input: metres only where the real camera's
       * is known, in pixels of images of one width.
       */
      readonly focal?: { readonly canonical: number; readonly camera?: { readonly focalPixels: number; readonly imageWidth: number } };
    }
  | { readonly kind: "normals"; readonly frame: AxesFrame; /** What -1 and 1 are stored as. */ readonly range: readonly [number, number] };

/** A second input that holds the camera's matrix [N, 3, 3] for an assumed field of view along the longer side. */
export interface IntrinsicsInput {
  readonly name: string;
  readonly fieldOfViewDegrees: number;
}

export interface FeedForwardSpec {
  readonly input: FeedForwardInput;
  readonly size: SizeRule;
  readonly outputs: readonly FeedForwardOutput[];
  readonly intrinsics?: IntrinsicsInput;
}

/** The image within the network's input. */
export interface InputGeometry {
  readonly resized: Size;
  /** Of the whole input. */
  readonly padded: Size;
  readonly left: number;
  readonly top: number;
}

/** The processing resolution at which the rule is applied as it stands: its longest side, 0 where the image's own size counts. */
export function defaultResolution(rule: SizeRule): number {
  switch (rule.kind) {
    case "fixed":
    case "closest":
      return Math.max(rule.width, rule.height);
    case "shortest":
    case "longest":
      return rule.edge;
    case "area":
    case "own":
      return 0;
  }
}

/**
 * Where the image lies in the network's input. Another `resolution` than the default takes the place of the rule's own length; 0 keeps the
 * image's size, rounded to the multiple. Throws `bad-argument` where the network takes one size only, `bad-image` for an image that would
 * become too narrow.
 */
export function inputGeometry(image: Size, rule: SizeRule, place: "centre" | "end", resolution = defaultResolution(rule)): InputGeometry {
  const resized = resizedSize(image, rule, resolution);
  const padded = rule.kind === "fixed" ? { width: rule.width, height: rule.height } : rule.kind === "own" ? paddedSize(resized, rule.multiple) : resized;
  const before = (inner: number, outer: number): number => (place === "centre" ? Math.floor((outer - inner) / 2) : 0);
  return { resized, padded, left: before(resized.width, padded.width), top: before(resized.height, padded.height) };
}

function resizedSize(image: Size, rule: SizeRule, resolution: number): Size {
  const isDefault = resolution === defaultResolution(rule);
  if (rule.kind === "fixed") {
    if (!isDefault) throw unexpected("bad-argument", "the processing resolution", `${defaultResolution(rule)} (the network takes ${rule.width} x ${rule.height} only)`, resolution);
    return rule.keepAspect ? truncated(image, Math.min(rule.width / image.width, rule.height / image.height)) : { width: rule.width, height: rule.height };
  }
  if (rule.kind === "own") return maxEdgeSize(image, resolution);
  if (rule.kind === "area") {
    if (!isDefault) return rounded(image, resolution / Math.max(image.width, image.height), rule.multiple);
    const pixels = image.width * image.height;
    const bound = Math.min(rule.maxPixels, Math.max(rule.minPixels, pixels));
    return rounded(image, Math.sqrt(bound / pixels), rule.multiple);
  }
  if (resolution === 0) return rounded(image, 1, rule.multiple);
  if (rule.kind === "closest") return closest(image, rule, resolution / defaultResolution(rule));
  const side = rule.kind === "shortest" ? Math.min(image.width, image.height) : Math.max(image.width, image.height);
  return rounded(image, resolution / side, rule.multiple, rule.kind === "shortest" ? { lowest: resolution } : { highest: resolution });
}

/** Of the two scales that would give a side its length, the one nearer to 1 is applied to both. */
function closest(image: Size, { width, height, multiple }: { width: number; height: number; multiple: number }, factor: number): Size {
  const across = (factor * width) / image.width;
  const down = (factor * height) / image.height;
  return rounded(image, Math.abs(1 - across) < Math.abs(1 - down) ? across : down, multiple);
}

function truncated(image: Size, scale: number): Size {
  // The side that decides has its length exactly; a product just below a whole number is that number.
  const side = (length: number): number => Math.max(1, Math.floor(length * scale + 1e-9));
  return { width: side(image.width), height: side(image.height) };
}

function rounded(image: Size, scale: number, multiple: number, { lowest = 0, highest = Infinity }: { lowest?: number; highest?: number } = {}): Size {
  const side = (length: number): number => {
    const exact = length * scale;
    let result = roundHalfToEven(exact / multiple) * multiple;
    if (result > highest) result = Math.floor(exact / multiple) * multiple;
    if (result < lowest) result = Math.ceil(exact / multiple - 1e-9) * multiple;
    if (result === 0) throw unexpected("bad-image", "the image at the processing resolution", `at least ${multiple} pixels on both sides`, `${Math.round(image.width * scale)} x ${Math.round(image.height * scale)}`, "Choose a higher processing resolution or a less narrow image.");
    return result;
  };
  return { width: side(image.width), height: side(image.height) };
}

/** As Python rounds: the DPT processor's sizes depend on it. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  return fraction > 0.5 || (fraction === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** What the numbers of an output's map mean. Metres are claimed only where they follow from what is known of the camera. */
export function semanticsOfOutput(output: FeedForwardOutput): Semantics {
  if (output.kind === "normals") return { task: "normals", frame: displayFrame(output.frame) };
  const isScaleless = output.kind === "metric-depth" && output.focal !== undefined && output.focal.camera === undefined;
  return { task: "depth", depthKind: isScaleless ? "affine-depth" : output.kind };
}

/** The frame in which normals are given out: the network's own where it has a name here, else the one with the same x. */
export function displayFrame(frame: AxesFrame): NormalsFrame {
  return frame.startsWith("R") ? "RUB" : "LUB";
}

/** The signs that take a vector of `frame` to its `displayFrame`. */
export function axisSigns(frame: AxesFrame): readonly [number, number, number] {
  return [1, frame[1] === "U" ? 1 : -1, frame[2] === "B" ? 1 : -1];
}
