import { colorize } from "../core/colormap";
import type { FloatMap } from "../core/image";
import { colorFromNormals } from "../core/normals";
import { depthKindText, normalsFrameText, type Semantics } from "../core/semantics";
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

/** A result in colour: depth in Spectral from its smallest (red) to its largest value (blue), as in the paper; normals as RGB. */
export function colourOf({ map, provenance }: RunResult): Uint8Array {
  if (provenance.task === "normals") return colorFromNormals(map);
  const finite = map.data.filter(Number.isFinite);
  const range = finite.reduce(({ low, high }, value) => ({ low: Math.min(low, value), high: Math.max(high, value) }), { low: Infinity, high: -Infinity });
  return colorize(map.data, { colormap: "Spectral", range });
}

/** A deviation or difference in colour: 0 is black, `high` or its 98th percentile is white. */
export function colourOfDeviation({ data }: FloatMap, high?: number): Uint8Array {
  const sorted = data.filter(Number.isFinite).sort();
  return colorize(data, { colormap: "inferno", range: { low: 0, high: high ?? sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1 } });
}
