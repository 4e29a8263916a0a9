import { clamped, wholeImage, zoomAbout, type Viewpoint } from "./viewport";

/** An image point (0..1) under the crosshair; a pinned one stays when the pointer leaves. */
export interface Probe {
  readonly u: number;
  readonly v: number;
  readonly pinned: boolean;
}

/** Where all tiles look, and the crosshair they share. */
export class Look {
  viewpoint: Viewpoint = wholeImage;
  probe?: Probe;
  /** A plain drag draws the line of the profile. */
  drawsLine = false;

  constructor(private readonly onChange: () => void) {}

  /** Magnifies about an image point; the size is the tile's in any unit. */
  zoom(factor: number, u: number, v: number, aspect: number, width: number, height: number): void {
    this.#moveTo(clamped(zoomAbout(this.viewpoint, factor, u, v), aspect, width, height));
  }

  /** Moves the middle by a part of the image. */
  pan(du: number, dv: number, aspect: number, width: number, height: number): void {
    const { u, v, zoom } = this.viewpoint;
    this.#moveTo(clamped({ u: u + du, v: v + dv, zoom }, aspect, width, height));
  }

  reset(): void {
    this.#moveTo(wholeImage);
  }

  /** Moves the crosshair unless it is pinned; undefined when the pointer left. */
  hover(point: { readonly u: number; readonly v: number } | undefined): void {
    if (this.probe?.pinned) return;
    this.probe = point && inside(point) ? { ...point, pinned: false } : undefined;
    this.onChange();
  }

  /** Pins the crosshair at a point, or frees it when it is pinned. */
  pin(point: { readonly u: number; readonly v: number }): void {
    this.probe = this.probe?.pinned || !inside(point) ? undefined : { ...point, pinned: true };
    this.onChange();
  }

  /** Moves the crosshair by a part of the image, beginning in the middle of what is seen. */
  step(du: number, dv: number): void {
    const from = this.probe ?? this.viewpoint;
    const within = (value: number): number => Math.min(1 - 1e-7, Math.max(0, value));
    this.probe = { u: within(from.u + du), v: within(from.v + dv), pinned: true };
    this.onChange();
  }

  drawLines(draws: boolean): void {
    this.drawsLine = draws;
    this.onChange();
  }

  release(): void {
    this.probe = undefined;
    this.onChange();
  }

  #moveTo(point: Viewpoint): void {
    const { u, v, zoom } = this.viewpoint;
    if (point.u === u && point.v === v && point.zoom === zoom) return;
    this.viewpoint = point;
    this.onChange();
  }
}

function inside({ u, v }: { readonly u: number; readonly v: number }): boolean {
  return u >= 0 && u < 1 && v >= 0 && v < 1;
}
