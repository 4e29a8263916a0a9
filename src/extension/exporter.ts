import { basename, extname } from "node:path";
import * as vscode from "vscode";
import { colorize, colormapNames, type ColormapName } from "../core/colormap";
import type { FloatMap } from "../core/image";
import { colorFromNormals, convertFrame } from "../core/normals";
import { depthKindText, normalsFrameText, type NormalsFrame } from "../core/semantics";
import { exportMaps, type MapExport } from "../io/export";
import type { RunResult } from "../protocol/inference";
import type { ExportRequest } from "../protocol/panel";
import { chooseFolder, mayWrite } from "./exportFolder";

/** One map of the panel to be written, the result that it is of, and how its row is called. */
export interface ShownMap {
  readonly request: ExportRequest;
  readonly result: RunResult;
  readonly label: string;
}

/**
 * Asks for a folder and writes the maps into it, with one provenance file for each result:
 * IMAGE_ROW_TASK.npy, .png, _16bit.png and .json. Existing files are replaced only when the user says so.
 * Returns the names of the files; empty when the user thought better of it. Throws `write-failed`.
 */
export async function exportShown(maps: readonly ShownMap[]): Promise<readonly string[]> {
  const dir = await chooseFolder(vscode.l10n.t("Choose a folder for the maps"));
  if (dir === undefined) return [];
  const groups = new Map<string, ShownMap[]>();
  for (const map of maps) groups.set(baseName(map), [...(groups.get(baseName(map)) ?? []), map]);
  if (!(await mayWrite(dir, (name) => [...groups.keys()].some((base) => name.startsWith(`${base}.`) || name.startsWith(`${base}_`))))) return [];
  const written: string[] = [];
  for (const [base, group] of groups) {
    written.push(...(await exportMaps(dir, group.map((map) => mapExport(base, map)), group[0].result.provenance, `${base}.json`)));
  }
  return written;
}

/** "room_multi-step_depth": the image, the row, the task. */
export function baseName({ result, label }: Pick<ShownMap, "result" | "label">): string {
  const { path } = result.provenance.image;
  const row = label.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  return `${basename(path, extname(path))}_${row}_${result.provenance.task}`;
}

function mapExport(base: string, { request, result }: ShownMap): MapExport {
  const { quantity, formats, range: [low, high] } = request;
  const { semantics } = result.provenance;
  if (quantity === "map" && semantics.task === "normals") {
    const frame = request.normalsFrame ?? semantics.frame;
    const map = convertFrame(result.map, semantics.frame, frame);
    return { name: base, meaning: normalsMeaning(frame), map, formats, colour: formats.includes("png") ? colorFromNormals(map) : undefined };
  }
  const map = scalarMap(result, quantity);
  const colormap = colormapNames.find((name) => name === request.colormap) ?? ("Spectral" satisfies ColormapName);
  const colour = formats.includes("png") ? colorize(map.data, { colormap, range: { low, high } }) : undefined;
  if (quantity === "map") return { name: base, meaning: semantics.task === "depth" ? depthKindText[semantics.depthKind] : "", map, formats, colour };
  const over = quantity === "std" ? "steps" : "ensemble members";
  const unit = semantics.task === "depth" ? "standard deviation of the depth" : "root mean squared angle of the normals, radians,";
  return { name: `${base}_${quantity === "std" ? "std" : "std_members"}`, meaning: `${unit} over the ${over}`, map, formats, colour };
}

function normalsMeaning(frame: NormalsFrame): string {
  return `unit surface normals, ${frame}: ${normalsFrameText[frame]}`;
}

/** The one-channel map that is shown. A deviation that the panel shows is there. */
function scalarMap(result: RunResult, quantity: ExportRequest["quantity"]): FloatMap {
  if (quantity === "map") return result.map;
  const map = quantity === "std" ? result.stdOverSteps : result.stdOverMembers;
  if (!map) throw new Error(`The result of ${result.runId} has no ${quantity}.`);
  return map;
}
