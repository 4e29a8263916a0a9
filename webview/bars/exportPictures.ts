import { figureSvg, type FigureBar, type FigureRow, type FigureTile } from "../../src/core/figure";
import type { Task } from "../../src/core/semantics";
import type { Provenance } from "../../src/protocol/inference";
import type { Questions } from "../../src/protocol/panel";
import type { PlainPicture, Picture } from "../gl/painter";
import { refOf, shownRun } from "../maps";
import type { Page } from "../page";
import type { RowView, TileView } from "../rows/scene";
import { stepRef } from "../rows/stops";

/** Longest side of a picture in a figure or an animation, pixels. */
const longestSide = 768;
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
export function figureOf(page: Page): Questions["saveFigure"]["params"] {
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
  const image = page.session.images[page.state.current]?.name ?? "image";
  const runs = rows.flatMap((row) => provenanceOf(row, page).map((provenance) => ({ row: row.label, shownStep: view.shownSteps?.[row.rowId], ...provenance })));
  return {
    name: `${stemOf(image)}_figure`,
    svg: figureSvg({ rows: figureRows, footer: footerOf(image, runs) }),
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
    paint(canvas, picture, page);
    frames.push(rgbOf(canvas));
  }
  page.refresh(); // frees what was drawn
  const provenance = shownRun(rowId, task, page.generation).run?.result?.provenance;
  const image = page.session.images[page.state.current]?.name ?? "image";
  const frameMillis = Math.max(shortestFrameMillis, Math.round(animationMillis / steps));
  const range = look.kind === "scalar" ? { colormap: look.lut.name, range: look.range } : {};
  return { name: `${stemOf(image)}_${stemOf(label)}_${task}_steps`, width: canvas.width, height: canvas.height, frames, frameMillis, provenance: { ...provenance, frames: "decoded prediction after each step", frameMillis, ...range } };
}

function figureTile(tile: TileView, page: Page): FigureTile | undefined {
  const { title, badge, picture, kind, task } = tile;
  if (!picture) return undefined;
  const canvas = document.createElement("canvas");
  paint(canvas, picture, page);
  const image = { url: canvas.toDataURL("image/png"), width: canvas.width, height: canvas.height };
  const bar = barOf(picture, task || tile.column === "variation" ? kind : "");
  return { heading: badge && tile.column !== "photo" ? `${title}, ${badge}` : title, image, bar, caption: bar ? undefined : kind };
}

function barOf(picture: Picture, label: string): FigureBar | undefined {
  const shown = picture.kind === "wipe" ? picture.right : picture;
  return shown.kind === "scalar" ? { colours: shown.lut.lut, range: shown.range, label } : undefined;
}

/** Draws a whole picture at its map's own size, or reduced. Throws when the graphics context is lost. */
function paint(canvas: HTMLCanvasElement, picture: Picture, page: Page): void {
  const { width, height } = sizeOf(picture);
  const scale = Math.min(1, longestSide / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const whole = { u0: 0, v0: 0, du: 1 / canvas.width, dv: 1 / canvas.height };
  if (!page.painter.paint(canvas, picture, whole)) throw new Error("The pictures could not be drawn: the graphics device is busy. Try again.");
}

function sizeOf(picture: Picture): { readonly width: number; readonly height: number } {
  if (picture.kind === "wipe") return sizeOf(picture.right);
  return picture.kind === "photo" ? picture.image : picture.map;
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

function footerOf(image: string, [first]: readonly Provenance[]): string {
  if (!first) return image;
  const { tool, image: { width, height, sha256 }, processingSize, device } = first;
  return `Plumbline ${tool.version}; ${image}, ${width} × ${height}, sha256 ${sha256.slice(0, 16)}; run at ${processingSize.width} × ${processingSize.height} on ${device}. All settings and timesteps are in the .json of the same name.`;
}

/** A name without its extension, fit for a file. */
function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^[-.]+|-+$/g, "") || "image";
}
