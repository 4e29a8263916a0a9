import { figureSvg, type FigureBar, type FigureTile } from "../../src/core/figure";
import type { DepthScaling } from "../../src/core/camera";
import { footerOf, imageName, provenanceOf, runLine, stemOf, type FigureFile } from "../bars/figureParts";
import type { Page, ShownMap } from "../page";
import { lutOf } from "../rows/colormaps";
import { stdTop, type ColourSource, type SpaceSettings } from "./cloud";
import { formulaOf } from "./cloudFile";
import type { Eye } from "./view";

/** What the stage shows, as its parts know it. */
export interface ShownInSpace {
  readonly depth: ShownMap;
  readonly settings: SpaceSettings;
  readonly scaling: DepthScaling;
  readonly source?: ColourSource;
  /** The picture itself. */
  readonly image: FigureTile["image"];
  /** Where it is seen from. */
  readonly eye: Eye;
  /** "120,000 of 442,368 points, every 2nd pixel". */
  readonly count: string;
}

const colourText: Record<ColourSource["kind"], string> = { rgb: "the photograph", normals: "predicted normals (RUB)", std: "standard deviation" };

/** The view in space as a figure: what is on the screen, with the numbers that made points of the prediction. */
export function spaceFigure(page: Page, { depth, settings, scaling, source, image, eye, count }: ShownInSpace): FigureFile {
  const name = imageName(page);
  const formula = `z = ${formulaOf(scaling)}`;
  const numbers = scaling.depthKind === "metric-depth" ? "in metres" : `scale ${scaling.scale}, shift ${scaling.shift}, in no unit`;
  const projection = `${formula}, ${numbers}; field of view ${settings.fovDegrees}°`;
  const colours = source ? `coloured by ${colourText[source.kind]}` : "";
  const bar: FigureBar | undefined = source?.kind === "std" ? { colours: lutOf("magma").lut, range: [0, stdTop(source.map)], label: "standard deviation, in the depth's own units" } : undefined;
  const seen = eye.viewpoint === undefined ? "turned by hand" : { front: "from the photograph's place", top: "from above", side: "from the right" }[eye.viewpoint];
  return {
    name: `${stemOf(name)}_space`,
    svg: figureSvg({
      rows: [{ label: depth.label, settings: [runLine(settings.of, page), projection].filter(Boolean).join("; "), tiles: [{ heading: `Depth in space, seen ${seen}`, image, bar, caption: [count, colours].filter(Boolean).join("; ") }] }],
      footer: footerOf(name, provenanceOf(settings.of, page)),
    }),
    provenance: {
      image: name,
      view: page.state.view,
      space: { shown: settings.of, label: depth.label, shape: settings.shape, colour: source?.kind, projection: { ...scaling, fovDegrees: settings.fovDegrees, formula }, eye },
      runs: [provenanceOf(settings.of, page)].filter((run) => run !== undefined),
    },
  };
}
