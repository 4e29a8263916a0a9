import { figureSvg, type FigureRow, type FigureTile } from "../../src/core/figure";
import type { Task } from "../../src/core/semantics";
import type { Provenance } from "../../src/protocol/inference";
import type { Questions } from "../../src/protocol/panel";
import { barOf, footerOf, imageName, imageOf, paintWhole, stemOf, type FigureFile } from "./figureParts";
import type { PlainPicture } from "../gl/painter";
import { refOf, shownRun } from "../maps";
import type { Page } from "../page";
import type { RowView, TileView } from "../rows/scene";
import { stepRef } from "../rows/stops";

/** An animation takes this long where its steps are not shown too shortly. */
const animationMillis = 6000;
const shortestFrameMillis = 120;

/** One run whose steps can become an animation. */
export interface AnimatedRun {
  readonly rowId: string;
  readonly label: string;
  readonly task: Task;
  readonly steps: number;
}

/** What is on show as a figure for a paper: the maximised tile, or all of them, whole images whatever part the page shows. */
export function figureOf(page: Page): FigureFile {
  const { state: { view }, scene } = page;
  const isShown = ({ key, picture }: TileView): boolean => picture !== undefined && (view.maximised === undefined || key === view.maximised);
  const rows = scene.rows.filter(({ tiles }) => tiles.some(isShown));
  const columns = scene.columns.filter((_, column) => rows.some(({ tiles }) => isShown(tiles[column])));
  const figureRows = rows.map((row): FigureRow => ({
    label: row.label,
    settings: settingsOf(row, page),
    tiles: columns.map((column) => {
      const tile = row.tiles.find((candidate) => candidate.column === column && isShown(candidate));
      return tile && figureTile(tile, page);
    }),
  }));
  const image = imageName(page);
  const runs = rows.flatMap((row) => provenanceOf(row, page).map((provenance) => ({ row: row.label, shownStep: view.shownSteps?.[row.rowId], ...provenance })));
  return {
    name: `${stemOf(image)}_figure`,
    svg: figureSvg({ rows: figureRows, footer: footerOf(image, runs[0]) }),
    provenance: { image, view, runs },
  };
}

/** The rows' runs whose steps are all there. */
export function animatedRuns(page: Page): readonly AnimatedRun[] {
  return page.scene.rows.flatMap(({ rowId, label }) =>
    (["depth", "normals"] as const).flatMap((task): AnimatedRun[] => {
      const { run, stale } = shownRun(rowId, task, page.generation);
      const steps = run?.plan.length ?? 0;
      return !stale && run?.result && run.runKey !== undefined && steps > 1 ? [{ rowId, label, task, steps }] : [];
    }),
  );
}

/** Every step as a frame, in the colours of the result's tile. Rejects with the host's message when a map is refused. */
export async function animationOf(run: AnimatedRun, page: Page): Promise<Questions["saveAnimation"]["params"]> {
  const { rowId, label, task, steps } = run;
  const look = page.scene.rows.find((row) => row.rowId === rowId)?.tiles.find(({ column }) => column === task)?.picture;
  if (look?.kind !== "scalar" && look?.kind !== "normals") throw new Error(`The ${task} of ${label} is not on show any more.`);
  const canvas = document.createElement("canvas");
  const frames: Uint8Array[] = [];
  for (let step = 0; step < steps; step++) {
    page.inform(`Drawing step ${step + 1} of ${steps} of ${label}`);
    const ref = refOf(stepRef(rowId, task, step), page);
    if (!ref) throw new Error(`The steps of ${label} are not there any more.`);
    const { map } = await page.ask("map", ref);
    const picture: PlainPicture = look.kind === "scalar" ? { kind: "scalar", map, lut: look.lut, range: look.range } : { kind: "normals", map, signX: look.signX };
    paintWhole(canvas, picture, page);
    frames.push(rgbOf(canvas));
  }
  page.refresh(); // frees what was drawn
  const provenance = shownRun(rowId, task, page.generation).run?.result?.provenance;
  const image = imageName(page);
  const frameMillis = Math.max(shortestFrameMillis, Math.round(animationMillis / steps));
  const range = look.kind === "scalar" ? { colormap: look.lut.name, range: look.range } : {};
  return { name: `${stemOf(image)}_${stemOf(label)}_${task}_steps`, width: canvas.width, height: canvas.height, frames, frameMillis, provenance: { ...provenance, frames: "decoded prediction after each step", frameMillis, ...range } };
}

function figureTile(tile: TileView, page: Page): FigureTile | undefined {
  const { title, badge, picture, kind, task } = tile;
  if (!picture) return undefined;
  const image = imageOf(picture, page);
  const bar = barOf(picture, task || tile.column === "variation" ? kind : "");
  return { heading: badge && tile.column !== "photo" ? `${title}, ${badge}` : title, image, bar, caption: bar ? undefined : kind };
}

function rgbOf(canvas: HTMLCanvasElement): Uint8Array {
  const rgba = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray(0);
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let p = 0, at = 0; p < rgba.length; p += 4) for (let c = 0; c < 3; c++) rgb[at++] = rgba[p + c];
  return rgb;
}

function settingsOf(row: RowView, page: Page): string {
  const runs = provenanceOf(row, page);
  const seed = runs[0]?.settings.noise.kind === "zeros" ? "" : ` · seed ${runs[0]?.settings.seed ?? page.state.settings.seed}`;
  const models = [...new Set(runs.map(({ model }) => model.id))].join(", ");
  return `${row.summary}${seed}${models && ` · ${models}`}`;
}

function provenanceOf({ rowId }: RowView, page: Page): readonly Provenance[] {
  return (["depth", "normals"] as const).flatMap((task) => shownRun(rowId, task, page.generation).run?.result?.provenance ?? []);
}
