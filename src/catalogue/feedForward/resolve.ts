import { PlumblineError } from "../../core/errors";
import type { FeedForwardInput, FeedForwardOutput, FeedForwardSpec, SizeRule } from "../../core/feedForward";
import { describeTensor, type TensorInfo } from "../../core/networkSignature";
import type { OnnxFile } from "../../io/onnxFile";
import type { Manifest, ManifestOutput } from "./manifest";

/** A manifest and a network brought together: every name, the layout and the size are known and fit. */
export interface Resolved {
  readonly spec: FeedForwardSpec;
  /** What the manifest left open or the network decided otherwise, in sentences. */
  readonly assumptions: readonly string[];
}

/**
 * Checks a manifest against what the network says of its inputs and outputs. Throws `bad-model` that names what does not fit: input or output
 * names, element types, rank, channels, layout, or a fixed size. A size that the manifest was only guessed to have (`isInferred`) gives
 * way to the network's.
 */
export function resolveManifest(manifest: Manifest, network: OnnxFile, { isInferred }: { isInferred: boolean }): Resolved {
  const assumptions = [...manifest.notes];
  const input = findInput(manifest, network);
  const layout = layoutOf(manifest, input, network);
  const fixed = sizeOf(input, layout);
  const size = fitSize(manifest.size, fixed, network, isInferred, assumptions);
  const { padding, ...scaling } = manifest.input;
  const spec: FeedForwardSpec = {
    input: { ...scaling, padding, name: input.name, layout } satisfies FeedForwardInput,
    size,
    outputs: manifest.outputs.map((output): FeedForwardOutput => {
      const { name, dims } = findOutput(output, network);
      return { ...output, name, layout: outputLayout(dims, channelsOf(output)) };
    }),
    ...(hasIntrinsics(manifest, network) && { intrinsics: manifest.intrinsics }),
  };
  return { spec, assumptions };
}

function findInput({ input: { name }, intrinsics }: Manifest, network: OnnxFile): TensorInfo {
  const images = network.inputs.filter((input) => input.name !== intrinsics?.name);
  const found = name === undefined ? (images.length === 1 ? images[0] : undefined) : images.find((input) => input.name === name);
  if (!found) throw mismatch(network, name === undefined ? "one input" : `an input "${name}"`, list(images), name === undefined ? 'Say which one is the image as "input.name", and make the others constants of the network.' : 'Correct "input.name" of the manifest.');
  const other = images.find((input) => input !== found);
  if (other) throw mismatch(network, `no input besides "${found.name}"`, list(images), "Make the other inputs constants of the network.");
  requireType(found, ["float32", "float16", "uint8"], network);
  if (found.dims.length !== 4) throw mismatch(network, `an input of 4 dimensions ([N, 3, H, W] or [N, H, W, 3]) for "${found.name}"`, describeTensor(found));
  if (typeof found.dims[0] === "number" && found.dims[0] !== 1) throw mismatch(network, `a batch of 1 or any number for "${found.name}"`, describeTensor(found), "Export the network for one image at a time.");
  return found;
}

function layoutOf({ input: { layout } }: Manifest, input: TensorInfo, network: OnnxFile): "NCHW" | "NHWC" {
  const [, second, , last] = input.dims;
  const fits = { NCHW: second === 3 || typeof second === "string", NHWC: last === 3 || typeof last === "string" };
  const told = second === 3 && last !== 3 ? "NCHW" : last === 3 && second !== 3 ? "NHWC" : undefined;
  const chosen = layout ?? told ?? (fits.NCHW ? "NCHW" : "NHWC");
  if (!fits[chosen] || (told !== undefined && told !== chosen)) {
    const remedy = told === undefined ? "The network must take images of three channels." : `Correct "input.layout" of the manifest: the network takes ${told}.`;
    throw mismatch(network, `three channels in layout ${chosen} for "${input.name}"`, describeTensor(input), remedy);
  }
  return chosen;
}

function sizeOf({ dims }: TensorInfo, layout: "NCHW" | "NHWC"): { height: number | string; width: number | string } {
  const [height, width] = layout === "NCHW" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  return { height, width };
}

/** The rule, or the one size that the network takes. */
function fitSize(rule: SizeRule, { height, width }: { height: number | string; width: number | string }, network: OnnxFile, isInferred: boolean, assumptions: string[]): SizeRule {
  if (typeof height === "string" && typeof width === "string") return rule;
  if (rule.kind === "fixed" && (typeof height === "string" || height === rule.height) && (typeof width === "string" || width === rule.width)) return rule;
  const received = rule.kind === "fixed" ? `${rule.width} x ${rule.height}` : `the rule "${rule.kind}"`;
  if (!isInferred || typeof height === "string" || typeof width === "string") {
    throw mismatch(network, `the size that the network was exported with, ${width} x ${height},`, received, `Write "size": {"kind": "fixed", "width": ${width}, "height": ${height}} in the manifest, or export the network for any size.`);
  }
  assumptions.push(`The network was exported for ${width} x ${height} only: images are stretched to that size.`);
  return { kind: "fixed", width, height, keepAspect: false };
}

/** The output that a manifest means: the one that it names, else the only one that can hold its kind. */
function findOutput(output: ManifestOutput, network: OnnxFile): TensorInfo {
  const { name, kind } = output;
  const channels = channelsOf(output);
  const word = kind === "normals" ? /normal/i : /depth|disp/i;
  const named = network.outputs.find((candidate) => candidate.name === name);
  if (name !== undefined && !named) throw mismatch(network, `an output "${name}"`, list(network.outputs), `Correct "name" of the output of kind ${kind} in the manifest.`);
  const fitting = network.outputs.filter((candidate) => holds(candidate, channels));
  const likely = fitting.filter((candidate) => word.test(candidate.name) && !/confidence/i.test(candidate.name));
  const found = named ?? (fitting.length === 1 ? fitting[0] : likely.length === 1 ? likely[0] : undefined);
  if (!found) throw mismatch(network, `one output of ${shapes(channels)} for ${kind}`, list(network.outputs), 'Say which one it is as "name" of that output in the manifest.');
  if (!holds(found, channels)) throw mismatch(network, `${shapes(channels)} for the ${kind} in "${found.name}"`, describeTensor(found), "Correct the kind in the manifest: depth has one channel, normals have three.");
  requireType(found, ["float32", "float16", "float64", "uint8"], network);
  return found;
}

function channelsOf({ kind }: ManifestOutput): 1 | 3 {
  return kind === "normals" ? 3 : 1;
}

/** Where the channels are declared to be, if that is in one place only. */
function outputLayout(dims: TensorInfo["dims"], channels: number): "NCHW" | "NHWC" | undefined {
  const isPlanar = dims.at(-3) === channels;
  const isInterleaved = dims.at(-1) === channels;
  return dims.length < 3 || isPlanar === isInterleaved ? undefined : isPlanar ? "NCHW" : "NHWC";
}

function shapes(channels: number): string {
  return channels === 1 ? "[N, H, W], [N, 1, H, W], [N, H, W, 1] or [H, W]" : "[N, 3, H, W] or [N, H, W, 3]";
}

/** Whether the dimensions, as far as they are known, can be those of a map. */
function holds({ dims }: TensorInfo, channels: number): boolean {
  // An exporter that does not know the rank writes none.
  if (dims.length === 0) return true;
  if (dims.length === 4) return dims[1] === channels || dims[3] === channels || (typeof dims[1] === "string" && typeof dims[3] === "string");
  return channels === 1 ? dims.length === 2 || dims.length === 3 : dims.length === 3 && (dims[0] === channels || dims[2] === channels);
}

function hasIntrinsics({ intrinsics }: Manifest, network: OnnxFile): boolean {
  return intrinsics !== undefined && network.inputs.some(({ name }) => name === intrinsics.name);
}

function requireType(tensor: TensorInfo, types: readonly string[], network: OnnxFile): void {
  if (!types.includes(tensor.type)) throw mismatch(network, `elements of type ${types.join(" or ")} for "${tensor.name}"`, describeTensor(tensor), "Export the network in fp32 or fp16.");
}

function list(tensors: readonly TensorInfo[]): string {
  return tensors.length === 0 ? "none" : tensors.map(describeTensor).join("; ");
}

function mismatch({ path }: OnnxFile, expected: string, received: string, remedy = "Choose another network, or correct the manifest."): PlumblineError {
  return new PlumblineError("bad-model", `Expected ${expected} for ${path} but received ${received}.`, remedy);
}
