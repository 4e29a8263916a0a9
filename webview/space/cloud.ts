import { depthZMap, pinholeFromFov, strideFor, thinnedMap, thinnedPinhole, unprojected, type DepthScaling, type Pinhole } from "../../src/core/camera";
import { colorIndex } from "../../src/core/colormap";
import type { FloatMap } from "../../src/core/image";
import { pixelsWithValue, surfaceTriangles } from "../../src/core/surface";
import type { DecodedImage } from "../../src/protocol/inference";
import type { StageView } from "../../src/protocol/panel";
import { lutOf } from "../rows/colormaps";
import { percentile } from "../rows/measures";
import type { Surface } from "./view";

export type SpaceSettings = Extract<StageView, { kind: "space" }>;

/** Prediction and camera at the size that is drawn. */
export interface Grid {
  readonly prediction: FloatMap;
  readonly stride: number;
  /** Of the map before it was thinned. */
  readonly fullSize: { readonly width: number; readonly height: number };
}

/** At most `most` pixels of a prediction, in rows and columns. */
export function gridOf(prediction: FloatMap, most: number): Grid {
  const stride = strideFor(prediction, most);
  return { prediction: thinnedMap(prediction, stride), stride, fullSize: prediction };
}

export function pinholeOf({ fullSize, stride }: Grid, fovDegrees: number): Pinhole {
  return thinnedPinhole(pinholeFromFov(fullSize, fovDegrees), stride);
}

/** The grid's points as they lie in space; `colours` as of `coloursOf`. */
export function surfaceOf(grid: Grid, colours: Uint8Array, { shape, fovDegrees }: SpaceSettings, scaling: DepthScaling): Surface {
  const { width, height } = grid.fullSize;
  const pinhole = pinholeOf(grid, fovDegrees);
  const z = depthZMap(grid.prediction, scaling);
  return {
    shape,
    positions: unprojected(z, pinhole).data,
    colours,
    index: shape === "mesh" ? surfaceTriangles(z, pinhole) : pixelsWithValue(z),
    tangent: Math.tan((fovDegrees * Math.PI) / 360),
    aspect: width / height,
    columns: width / grid.stride,
  };
}

/** What can colour the points; each may have a size of its own. */
export type ColourSource =
  | { readonly kind: "rgb"; readonly image: DecodedImage }
  | { readonly kind: "normals"; readonly map: FloatMap }
  | { readonly kind: "std"; readonly map: FloatMap };

/** Red, green, blue of every grid point: the photograph's, (n + 1) / 2 of normals, or magma from 0 to the 98th percentile of a std. */
export function coloursOf({ prediction, stride, fullSize }: Grid, source: ColourSource | undefined): Uint8Array {
  const colours = new Uint8Array(3 * prediction.data.length).fill(128);
  if (!source) return colours;
  const from = source.kind === "rgb" ? source.image : source.map;
  const write = colourWriter(source, colours);
  const first = ((stride - 1) >> 1) + 0.5;
  const columns = Int32Array.from({ length: prediction.width }, (_, i) => Math.floor(((i * stride + first) / fullSize.width) * from.width));
  for (let row = 0, p = 0; row < prediction.height; row++) {
    const line = Math.floor(((row * stride + first) / fullSize.height) * from.height) * from.width;
    for (let column = 0; column < prediction.width; column++, p++) write(3 * p, line + columns[column]);
  }
  return colours;
}

/** Writes the colour of one pixel of the source; pixels without a value keep their grey. */
function colourWriter(source: ColourSource, to: Uint8Array): (at: number, pixel: number) => void {
  if (source.kind === "rgb") {
    const { rgb } = source.image;
    return (at, pixel) => {
      for (let c = 0; c < 3; c++) to[at + c] = rgb[3 * pixel + c];
    };
  }
  const { data } = source.map;
  if (source.kind === "normals") {
    return (at, pixel) => {
      for (let c = 0; c < 3; c++) if (Number.isFinite(data[3 * pixel + c])) to[at + c] = Math.round(255 * (0.5 + 0.5 * Math.max(-1, Math.min(1, data[3 * pixel + c]))));
    };
  }
  const { lut } = lutOf("magma");
  const top = stdTop(source.map);
  return (at, pixel) => {
    const row = 3 * colorIndex(data[pixel] / top);
    if (Number.isFinite(data[pixel])) for (let c = 0; c < 3; c++) to[at + c] = lut[row + c];
  };
}

/** The deviation that gets the last colour. */
export function stdTop(map: FloatMap): number {
  return percentile(map, 98) || 1;
}
