import type { FigureBar, FigureTile } from "../../src/core/figure";
import type { Provenance } from "../../src/protocol/inference";
import type { Questions, ShownRef } from "../../src/protocol/panel";
import type { Picture } from "../gl/painter";
import { shownRun } from "../maps";
import type { Page } from "../page";

/** A figure as the host writes it: SVG, PNG of it, and where its numbers come from as JSON. */
export type FigureFile = Questions["saveFigure"]["params"];

/** Longest side of a picture in a figure or an animation, pixels. */
const longestSide = 768;

/** A whole picture at its map's own size, or reduced; `mark` draws over it. Throws when the graphics context is lost. */
export function imageOf(picture: Picture, page: Page, mark?: (plane: CanvasRenderingContext2D, width: number, height: number) => void): FigureTile["image"] {
  const canvas = document.createElement("canvas");
  paintWhole(canvas, picture, page);
  const plane = canvas.getContext("2d");
  if (plane) mark?.(plane, canvas.width, canvas.height);
  return { url: canvas.toDataURL("image/png"), width: canvas.width, height: canvas.height };
}

/** Draws a whole picture at its map's own size, or reduced. Throws when the graphics context is lost. */
export function paintWhole(canvas: HTMLCanvasElement, picture: Picture, page: Page): void {
  const { width, height } = sizeOf(picture);
  const scale = Math.min(1, longestSide / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const whole = { u0: 0, v0: 0, du: 1 / canvas.width, dv: 1 / canvas.height };
  if (!page.painter.paint(canvas, picture, whole)) throw new Error("The pictures could not be drawn: the graphics device is busy. Try again.");
}

/** The colour bar of a picture of numbers; none of a photograph or normals. */
export function barOf(picture: Picture, label: string): FigureBar | undefined {
  const shown = picture.kind === "wipe" ? picture.right : picture;
  return shown.kind === "scalar" ? { colours: shown.lut.lut, range: shown.range, label } : undefined;
}

/** Small print: program, image, size and device of a run. */
export function footerOf(image: string, first: Provenance | undefined): string {
  if (!first) return image;
  const { tool, image: { width, height, sha256 }, processingSize, device } = first;
  return `Plumbline ${tool.version}; ${image}, ${width} × ${height}, sha256 ${sha256.slice(0, 16)}; run at ${processingSize.width} × ${processingSize.height} on ${device}. All settings and timesteps are in the .json of the same name.`;
}

/** Of the run that a map is of; undefined for a file and before the result. */
export function provenanceOf(ref: ShownRef, page: Page): Provenance | undefined {
  return ref.kind === "file" ? undefined : shownRun(ref.rowId, ref.task, page.generation).run?.result?.provenance;
}

/** "20 steps · trailing · gaussian noise · seed 3 · MODEL" of the run that a map is of; nothing for a file. */
export function runLine(ref: ShownRef, page: Page): string {
  const row = ref.kind === "file" ? undefined : page.scene.rows.find(({ rowId }) => rowId === ref.rowId);
  const provenance = provenanceOf(ref, page);
  const seed = !provenance || provenance.settings.noise.kind === "zeros" ? [] : [`seed ${provenance.settings.seed}`];
  return row ? [row.summary, ...seed, ...(provenance ? [provenance.model.id] : [])].join(" · ") : "";
}

/** Name of the image on show. */
export function imageName(page: Page): string {
  return page.session.images[page.state.current]?.name ?? "image";
}

/** A name without its extension, fit for a file. */
export function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^[-.]+|-+$/g, "") || "image";
}

function sizeOf(picture: Picture): { readonly width: number; readonly height: number } {
  if (picture.kind === "wipe") return sizeOf(picture.right);
  return picture.kind === "photo" ? picture.image : picture.map;
}
