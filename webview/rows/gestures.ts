import type { Look } from "./look";
import type { MarkActions, Point } from "./marks";
import { spanOf } from "./viewport";

/** Pixels that a pointer may move and still be a click. */
const clickSlack = 4;

/**
 * Wheel, drag, pinch, click and double click on a tile's picture; all tiles share one `look`.
 * The wheel zooms about the pointer (Shift + wheel scrolls the page as usual). With `marks`, Shift + click puts a
 * mark, and Alt + drag draws the line of the profile.
 */
export function attachGestures(area: HTMLElement, look: Look, aspect: () => number | undefined, marks?: MarkActions): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  let lineFrom: Point | undefined;

  const pointAt = (x: number, y: number): Place | undefined => {
    const ratio = aspect();
    const box = area.getBoundingClientRect();
    if (!ratio || box.width === 0) return undefined;
    const span = spanOf(look.viewpoint, ratio, box.width, box.height);
    return { u: span.u0 + (x - box.left) * span.du, v: span.v0 + (y - box.top) * span.dv, du: span.du, dv: span.dv, ratio, width: box.width, height: box.height };
  };

  area.addEventListener("wheel", (event) => {
    const at = pointAt(event.clientX, event.clientY);
    if (!at || event.shiftKey) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // Browsers report a trackpad pinch as a wheel with Ctrl and small steps.
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002));
    look.zoom(factor, at.u, at.v, at.ratio, at.width, at.height);
    look.hover(pointAt(event.clientX, event.clientY));
  }, { passive: false });

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    travelled = 0;
    if (marks && pointers.size === 1 && (event.altKey || marks.drawsLine)) lineFrom = pointAt(event.clientX, event.clientY);
    area.setPointerCapture(event.pointerId);
  });

  area.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    const at = pointAt(event.clientX, event.clientY);
    if (!at) return;
    if (!before) return look.hover(at);
    const now = { x: event.clientX, y: event.clientY };
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (lineFrom) marks?.drawLine(lineFrom, at, false);
    else if (pointers.size === 2) pinch(pointers, event.pointerId, now, look, pointAt);
    else if (travelled > clickSlack) {
      look.pan((before.x - now.x) * at.du, (before.y - now.y) * at.dv, at.ratio, at.width, at.height);
      look.hover(pointAt(now.x, now.y));
    }
    pointers.set(event.pointerId, now);
  });

  const lift = (event: PointerEvent): void => {
    const wasDown = pointers.delete(event.pointerId);
    const at = pointAt(event.clientX, event.clientY);
    const isClick = travelled <= clickSlack && pointers.size === 0;
    const from = lineFrom;
    lineFrom = undefined;
    if (!wasDown || event.type !== "pointerup" || !at) return;
    if (from) marks?.drawLine(from, at, true);
    else if (isClick && event.shiftKey) marks?.addProbe(at);
    else if (isClick) look.pin(at);
  };
  area.addEventListener("pointerup", lift);
  area.addEventListener("pointercancel", lift);
  area.addEventListener("pointerleave", () => {
    if (pointers.size === 0) look.hover(undefined);
  });
  area.addEventListener("dblclick", (event) => {
    if (!event.shiftKey && !event.altKey) look.reset();
  });
}

interface Place {
  readonly u: number;
  readonly v: number;
  readonly du: number;
  readonly dv: number;
  readonly ratio: number;
  readonly width: number;
  readonly height: number;
}

/** Two fingers: the image point between them follows, and their distance is the magnification. */
function pinch(
  pointers: ReadonlyMap<number, { x: number; y: number }>,
  moved: number,
  now: { x: number; y: number },
  look: Look,
  pointAt: (x: number, y: number) => Place | undefined,
): void {
  const before = pointers.get(moved);
  const other = [...pointers].find(([id]) => id !== moved)?.[1];
  if (!before || !other) return;
  const apart = (p: { x: number; y: number }): number => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
  const start = pointAt((before.x + other.x) / 2, (before.y + other.y) / 2);
  if (!start) return;
  look.zoom(apart(now) / apart(before), start.u, start.v, start.ratio, start.width, start.height);
  const end = pointAt((now.x + other.x) / 2, (now.y + other.y) / 2);
  if (end) look.pan(start.u - end.u, start.v - end.v, end.ratio, end.width, end.height);
}

/** Keys on a tile that has the focus. True when the key was one of its own. */
export function steerByKey(event: KeyboardEvent, look: Look, area: HTMLElement, aspect: number | undefined, pixel: readonly [number, number]): boolean {
  if (!aspect || event.ctrlKey || event.metaKey || event.altKey) return false;
  const { clientWidth: width, clientHeight: height } = area;
  const centre = look.probe ?? look.viewpoint;
  const arrows: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const arrow = arrows[event.key];
  if (arrow && event.shiftKey) look.step(arrow[0] * pixel[0], arrow[1] * pixel[1]);
  else if (arrow) {
    const span = spanOf(look.viewpoint, aspect, width, height);
    look.pan(arrow[0] * 0.15 * width * span.du, arrow[1] * 0.15 * height * span.dv, aspect, width, height);
  } else if (event.key === "+" || event.key === "=") look.zoom(1.25, centre.u, centre.v, aspect, width, height);
  else if (event.key === "-" || event.key === "_") look.zoom(0.8, centre.u, centre.v, aspect, width, height);
  else if (event.key === "0") look.reset();
  else if (event.key === " ") look.pin({ u: centre.u, v: centre.v });
  else return false;
  return true;
}
