import type { DepthScaling } from "../../src/core/camera";
import type { FloatMap } from "../../src/core/image";
import { plyFile } from "../../src/core/ply";
import type { Questions } from "../../src/protocol/panel";
import type { Page, ShownMap } from "../page";
import { runIdOf } from "../session";
import { coloursOf, gridOf, surfaceOf, type ColourSource, type SpaceSettings } from "./cloud";
import { sampledTo } from "./consistency";

/** Points that are saved at most; every pixel of up to four million. */
const maxSaved = 4_000_000;

/** The shown cloud or mesh as a PLY file, at the map's own size, with what it was made from. */
export function cloudFile(page: Page, { map, label }: ShownMap, settings: SpaceSettings, scaling: DepthScaling, source: ColourSource | undefined, normals: FloatMap | undefined): Questions["saveFiles"]["params"] {
  const grid = gridOf(map, maxSaved);
  const surface = surfaceOf(grid, coloursOf(grid, source), settings, scaling);
  const { of, fovDegrees } = settings;
  const result = of.kind === "file" ? undefined : page.generation?.runs.get(runIdOf(of.rowId, "depth"))?.result;
  const image = page.session.images[page.state.current]?.name ?? "image";
  const formula = formulaOf(scaling);
  const units = scaling.depthKind === "metric-depth" ? "metres" : "no unit (scale and shift are not known)";
  const comments = [
    `Plumbline: ${label} of ${image}${result ? `, model ${result.provenance.model.id}` : ""}`,
    `z = ${formula}, scale ${scaling.scale}, shift ${scaling.shift}, in ${units}; horizontal field of view ${fovDegrees} degrees`,
    "Axes: x right, y up, z toward the viewer; the camera is at the origin",
  ];
  const content = plyFile({
    positions: surface.positions,
    colours: surface.colours,
    normals: normals && withoutNan(sampledTo(normals, grid).data),
    faces: settings.shape === "mesh" ? surface.index : undefined,
    comments,
  });
  const stem = image.replace(/\.[^.]+$/, "");
  const part = label.replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^-|-$/g, "");
  const projection = { ...scaling, fovDegrees, formula: `z = ${formula}`, units, everyPixel: grid.stride };
  return { files: [{ name: `${stem}-${part}.ply`, content }], provenance: { depth: result?.provenance ?? of, shown: of, shape: settings.shape, colour: source?.kind, projection } };
}

/** How the distance z comes from what was predicted. */
export function formulaOf({ depthKind }: DepthScaling): string {
  return depthKind === "affine-disparity" ? "1 / (scale * d + shift)" : "scale * d + shift";
}

/** Readers of PLY know no missing normal; a zero vector has no direction. */
function withoutNan(values: Float32Array): Float32Array {
  return values.map((value) => (Number.isFinite(value) ? value : 0));
}
