import { colorize } from "../core/colormap";
import type { FloatMap } from "../core/image";
import { colorFromNormals } from "../core/normals";
import { depthKindText, normalsFrameText, type Semantics } from "../core/semantics";
import { displayRange } from "../core/statistics";
import type { MapExport } from "../io/export";
import type { RunResult } from "../protocol/inference";

/**
 * The files of one result: `depth` or `normals`, and the deviations over steps (`std`) and members (`std_members`).
 * The deviations of a second task in the same folder are prefixed with it.
 */
export function mapExports(result: RunResult, isFirst: boolean): MapExport[] {
  const { semantics } = result.provenance;
  const { task } = semantics;
  const prefix = isFirst ? "" : `${task}_`;
  const deviations: readonly (readonly [string, string, FloatMap | undefined])[] = [
    ["std", "steps", result.stdOverSteps],
    ["std_members", "ensemble members", result.stdOverMembers],
  ];
  return [
    { name: task, meaning: meaningOf(semantics), map: result.map, formats: ["npy", "png", "png16"], colour: colourOf(result) },
    ...deviations.flatMap(([name, over, map]): MapExport[] =>
      map ? [{ name: `${prefix}${name}`, meaning: `${task}: ${deviationText[task]} over the ${over}`, map, formats: ["npy", "png"], colour: colourOfDeviation(map) }] : [],
    ),
  ];
}

const deviationText: Readonly<Record<Semantics["task"], string>> = {
  depth: "pixel-wise standard deviation, in units of the depth map,",
  normals: "root mean squared angle to the mean direction, radians,",
};

function meaningOf(semantics: Semantics): string {
  return semantics.task === "depth" ? depthKindText[semantics.depthKind] : `unit surface normals, ${semantics.frame}: ${normalsFrameText[semantics.frame]}`;
}

/** A result in colour: depth in Spectral, from red at its 2nd to blue at its 98th percentile (the paper shows depth so); normals as RGB. */
export function colourOf({ map, provenance }: RunResult): Uint8Array {
  if (provenance.task === "normals") return colorFromNormals(map);
  return colorize(map.data, { colormap: "Spectral", range: displayRange(map.data, 2, 98) });
}

/** A deviation or difference in colour: 0 is black, `high` or its 98th percentile is bright. */
export function colourOfDeviation({ data }: FloatMap, high?: number): Uint8Array {
  return colorize(data, { colormap: "inferno", range: { low: 0, high: high ?? displayRange(data, 2, 98).high } });
}
