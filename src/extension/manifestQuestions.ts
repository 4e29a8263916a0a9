import { basename, dirname, join } from "node:path";
import * as vscode from "vscode";
import { manifestName, manifestVersion, parseManifest, type ManifestFields } from "../catalogue/feedForward/manifest";
import { depthKindText } from "../core/semantics";
import { writeFileAtomically } from "../io/atomicFile";
import { openOnnx, type OnnxFile } from "../io/onnxFile";

type Output = ManifestFields["outputs"][number];

/** A choice of a quick pick, and what it stands for in the manifest. */
interface Choice<T> extends vscode.QuickPickItem {
  readonly value: T;
}

const outputs: readonly Choice<Output>[] = [
  { label: "Affine disparity", detail: depthKindText["affine-disparity"], value: { kind: "affine-disparity" } },
  { label: "Affine depth", detail: depthKindText["affine-depth"], value: { kind: "affine-depth" } },
  { label: "Metric depth", detail: depthKindText["metric-depth"], value: { kind: "metric-depth" } },
  { label: "Normals, LUB", detail: "x left, y up, z toward the camera (DSINE)", value: { kind: "normals", frame: "LUB" } },
  { label: "Normals, RUB", detail: "x right, y up, z toward the viewer", value: { kind: "normals", frame: "RUB" } },
  { label: "Normals, RDF", detail: "x right, y down, z forward (OpenCV's camera)", value: { kind: "normals", frame: "RDF" } },
];

const inputs: readonly Choice<NonNullable<ManifestFields["input"]>>[] = [
  { label: "ImageNet's mean and deviation", detail: "(rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], rgb from 0 to 1", value: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } },
  { label: "-1 to 1", detail: "mean 0.5, deviation 0.5", value: { range: [-1, 1] } },
  { label: "0 to 1", detail: "no mean, no deviation", value: {} },
  { label: "0 to 255", detail: "bytes", value: { range: [0, 255] } },
];

const sizes: readonly Choice<ManifestFields["size"]>[] = [
  { label: "518, multiples of 14", detail: "Vision transformers of DINOv2", value: { kind: "closest", width: 518, height: 518, multiple: 14 } },
  { label: "384, multiples of 32", detail: "MiDaS, DPT", value: { kind: "closest", width: 384, height: 384, multiple: 32 } },
  { label: "The image's own, multiples of 32", detail: "Convolutional networks", value: { kind: "own", multiple: 32 } },
];

/**
 * Asks what a network in ONNX format does not say of itself (what it estimates, how its image is scaled, at which size it runs, unless it was
 * exported for one) and writes a manifest beside it. Resolves to the manifest's path; undefined when a question was dismissed.
 * Throws `write-failed`, and what reading the network does.
 */
export async function askManifest(networkPath: string): Promise<string | undefined> {
  const fixed = fixedSize(await openOnnx(networkPath));
  const title = vscode.l10n.t("How {0} is run", basename(networkPath));
  const ask = async <T>(step: string, choices: readonly Choice<T>[]): Promise<T | undefined> =>
    (await vscode.window.showQuickPick(choices, { title, placeHolder: step, ignoreFocusOut: true }))?.value;
  const output = await ask(vscode.l10n.t("What the network estimates: its authors say"), outputs);
  const input = output && (await ask(vscode.l10n.t("How the colours of its image are scaled"), inputs));
  const size = input && (fixed ? { kind: "fixed" as const, ...fixed } : await ask(vscode.l10n.t("The size at which it runs"), sizes));
  if (!output || !input || !size) return undefined;
  const path = join(dirname(networkPath), manifestName);
  const manifest = { format: "plumbline-model", version: manifestVersion, name: basename(networkPath, ".onnx"), network: basename(networkPath), input, size, outputs: [output] };
  parseManifest(manifest, path);
  await writeFileAtomically(path, `${JSON.stringify(manifest, undefined, 2)}\n`);
  return path;
}

/** The one size of the image that a network takes. */
function fixedSize({ inputs }: OnnxFile): { readonly width: number; readonly height: number } | undefined {
  const [, first, second, third] = inputs.find(({ dims }) => dims.length === 4)?.dims ?? [];
  const [height, width] = third === 3 && first !== 3 ? [first, second] : [second, third];
  return typeof height === "number" && typeof width === "number" ? { width, height } : undefined;
}
