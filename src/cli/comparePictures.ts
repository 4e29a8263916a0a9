import { join } from "node:path";
import { readCachedMap } from "../cache/runReader";
import { depthZMap, pinholeFromFov, unprojected } from "../core/camera";
import { colorize, colormapTable, type ColormapName } from "../core/colormap";
import type { FigureBar, FigureRow, FigureTile } from "../core/figure";
import { mapFromHalf } from "../core/half";
import type { FloatMap } from "../core/image";
import { colorFromNormals } from "../core/normals";
import { plyFile } from "../core/ply";
import { maxEdgeSize, resizeRgbToBytes } from "../core/resize";
import { normalsFrameText } from "../core/semantics";
import type { RunSettings } from "../core/settings";
import { displayRange, percentiles } from "../core/statistics";
import { writeAnimation } from "../io/animation";
import { writeFileAtomically } from "../io/atomicFile";
import { encodePng } from "../io/export";
import type { DecodedImage, RunResult } from "../protocol/inference";
import type { ComparedTask } from "./comparedTasks";

/** Longest side of a picture in a figure, pixels: fine for print at a column's width. */
const pictureSide = 512;
/** Percentiles of the values between which depth is coloured, as the panel does. */
const shownRanks = [2, 98] as const;
const stepMillis = { shortest: 120, whole: 6000 } as const;

/** A picture as a data URL for a figure, reduced where it is large. */
export async function pictureOf(rgb: Uint8Array, { width, height }: { readonly width: number; readonly height: number }): Promise<FigureTile["image"]> {
  const size = Math.max(width, height) > pictureSide ? maxEdgeSize({ width, height }, pictureSide) : { width, height };
  const reduced = size.width === width ? rgb : (resizeRgbToBytes({ width, height, data: rgb }, size, "bilinear").data as Uint8Array);
  return { url: `data:image/png;base64,${(await encodePng(reduced, size.width, size.height)).toString("base64")}`, ...size };
}

export async function photoTile({ rgb, width, height }: DecodedImage): Promise<FigureTile> {
  return { heading: "RGB", image: await pictureOf(rgb, { width, height }), caption: `${width} × ${height}` };
}

/** The result of a task in colour, with its bar or frame and, where it is known, its error. */
export async function resultTile({ result, error }: Pick<ComparedTask, "result" | "error">, colormap: ColormapName): Promise<FigureTile> {
  const { map, provenance: { semantics } } = result;
  if (semantics.task === "normals") {
    const errorText = error === undefined ? "" : `mean angle to the truth ${error.toFixed(1)}°; `;
    return { heading: "normals", image: await pictureOf(colorFromNormals(map), map), caption: `${errorText}${semantics.frame}: ${normalsFrameText[semantics.frame]}` };
  }
  const range = displayRange(map.data, ...shownRanks);
  const kind = { "affine-depth": "relative depth, larger = farther", "affine-disparity": "relative disparity, larger = nearer", "metric-depth": "depth in metres" }[semantics.depthKind];
  return {
    heading: "depth",
    image: await pictureOf(colorize(map.data, { colormap, range }), map),
    bar: barOf(colormap, [range.low, range.high], kind),
    caption: error === undefined ? undefined : `AbsRel to the truth ${(100 * error).toFixed(2)} %`,
  };
}

/** What the last column of a row shows: how much something varies, or how far it is from something else. */
export interface Variation {
  readonly heading: string;
  readonly unit: string;
  readonly map: FloatMap;
}

/** Variations of one kind have one scale, 0 to the largest 98th percentile, so that rows can be compared. */
export async function variationTile(variation: Variation, all: readonly (Variation | undefined)[]): Promise<FigureTile> {
  const same = all.filter((other): other is Variation => other?.heading === variation.heading);
  const high = Math.max(...same.map(({ map }) => displayRange(map.data, ...shownRanks).high));
  const { map, heading, unit } = variation;
  return {
    heading,
    image: await pictureOf(colorize(map.data, { colormap: "inferno", range: { low: 0, high } }), map),
    bar: barOf("inferno", [0, high], unit),
    caption: `mean ${shortNumber(meanOf(map.data))}, median ${shortNumber(percentiles(map.data, [50])[0])}`,
  };
}

export function barOf(colormap: ColormapName, range: readonly [number, number], label: string): FigureBar {
  return { colours: colormapTable(colormap), range, label };
}

/** Rows of equal columns; a column that no row has is left out. */
export function withoutEmptyColumns(rows: readonly FigureRow[]): readonly FigureRow[] {
  const used = Math.max(...rows.map(({ tiles }) => tiles.length));
  const columns = Array.from({ length: used }, (_, column) => column).filter((column) => rows.some(({ tiles }) => tiles[column]));
  return rows.map((row) => ({ ...row, tiles: columns.map((column) => row.tiles[column]) }));
}

/** "10 steps, trailing, Gaussian noise, seed 2024" */
export function settingsText({ steps, spacing, noise, ensembleSize, seed }: RunSettings): string {
  const noiseText = { gaussian: "Gaussian noise", pyramid: "pyramid noise", zeros: "no noise", file: "noise from a file" }[noise.kind];
  const members = ensembleSize > 1 ? `, ${ensembleSize} members` : "";
  return `${steps} ${steps === 1 ? "step" : "steps"}, ${spacing}, ${noiseText}${members}${noise.kind === "zeros" ? "" : `, seed ${seed}`}`;
}

/** The steps of a run as they are in the cache, coloured as its last map is. Returns the names of the files. */
export async function writeSteps(dir: string, name: string, cacheDir: string, { result, plan }: ComparedTask, colormap: ColormapName): Promise<readonly string[]> {
  const { runKey = "", map, provenance } = result;
  const range = displayRange(map.data, ...shownRanks);
  const frames: Uint8Array[] = [];
  for (let step = 0; step < plan.length; step++) {
    const stepMap = mapFromHalf(await readCachedMap(cacheDir, { kind: "step", runKey, step }));
    frames.push(stepMap.channels === 3 ? colorFromNormals(stepMap) : colorize(stepMap.data, { colormap, range }));
  }
  const frameMillis = Math.max(stepMillis.shortest, Math.round(stepMillis.whole / frames.length / 10) * 10);
  return writeAnimation(dir, name, { width: map.width, height: map.height, frames, frameMillis }, { ...provenance, frames: "decoded prediction after each step, coloured in the range of the last", frameMillis });
}

/** How a prediction becomes a cloud: z = scale * depth + shift, or its inverse for disparity. */
export interface Projection {
  readonly fovDegrees: number;
  readonly scale: number;
  readonly shift: number;
  /** "arbitrary units", "metres" */
  readonly units: string;
}

/** The depth of a run as points with the colours of the photograph, and its normals where it has them. Returns the file's name. */
export async function writeCloud(dir: string, name: string, depth: RunResult, normals: RunResult | undefined, photo: DecodedImage, { fovDegrees, scale, shift, units }: Projection): Promise<string> {
  const { map, provenance } = depth;
  const { semantics } = provenance;
  if (semantics.task !== "depth") return "";
  const z = depthZMap(map, { depthKind: semantics.depthKind, scale, shift });
  const points = unprojected(z, pinholeFromFov(map, fovDegrees));
  const colours = resizeRgbToBytes({ width: photo.width, height: photo.height, data: photo.rgb }, { width: map.width, height: map.height }, "bilinear").data as Uint8Array;
  const ownNormals = normals?.map.data.length === points.data.length && normals.provenance.semantics.task === "normals" ? normals : undefined;
  const inRub = ownNormals && ownNormals.provenance.semantics.task === "normals" && ownNormals.provenance.semantics.frame === "LUB" ? ownNormals.map.data.map((value, i) => (i % 3 === 0 ? -value : value)) : ownNormals?.map.data;
  const formula = semantics.depthKind === "affine-disparity" ? `1 / (${scale} * d + ${shift})` : `${scale} * d + ${shift}`;
  const comments = [
    `Plumbline ${provenance.tool.version}, ${provenance.model.id}, ${settingsText(provenance.settings)}`,
    `z = ${formula}, in ${units}; horizontal field of view ${fovDegrees} degrees; x right, y up, z toward the viewer`,
    `image sha256 ${provenance.image.sha256}`,
  ];
  const file = `${name}.ply`;
  await writeFileAtomically(join(dir, file), plyFile({ positions: points.data, colours, normals: inRub, comments }));
  return file;
}

/** Over the finite values. */
export function meanOf(values: Float32Array): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

/** Three significant digits. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
