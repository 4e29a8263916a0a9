/** Part of an image under a canvas: image coordinates (0..1) of its top-left corner, and per device pixel. */
export interface Span {
  readonly u0: number;
  readonly v0: number;
  readonly du: number;
  readonly dv: number;
}

/** What all tiles look at: the image point in their middle, and the magnification over "fits the tile". */
export interface Viewpoint {
  readonly u: number;
  readonly v: number;
  readonly zoom: number;
}

export const wholeImage: Viewpoint = { u: 0.5, v: 0.5, zoom: 1 };
export const maxZoom = 64;

/** The part of an image of the given aspect (width / height) that a canvas of width x height shows. */
export function spanOf(point: Viewpoint, aspect: number, width: number, height: number): Span {
  const scale = Math.min(width / aspect, height) * point.zoom;
  const du = 1 / (aspect * scale);
  const dv = 1 / scale;
  return { u0: point.u - (width / 2) * du, v0: point.v - (height / 2) * dv, du, dv };
}

/** Magnifies by `factor` about the image point (u, v), which stays where it is on the screen. */
export function zoomAbout(point: Viewpoint, factor: number, u: number, v: number): Viewpoint {
  const zoom = Math.min(maxZoom, Math.max(1, point.zoom * factor));
  const kept = point.zoom / zoom;
  return { u: u + (point.u - u) * kept, v: v + (point.v - v) * kept, zoom };
}

/** Moves the middle so that no more empty border shows than when the whole image fits. */
export function clamped(point: Viewpoint, aspect: number, width: number, height: number): Viewpoint {
  const { du, dv } = spanOf(point, aspect, width, height);
  return { ...point, u: between(point.u, (width * du) / 2), v: between(point.v, (height * dv) / 2) };
}

function between(middle: number, half: number): number {
  return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, middle));
}
