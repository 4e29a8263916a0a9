import { colorIndex, placeInRange } from "../../src/core/colormap";
import type { FloatMap } from "../../src/core/image";
import { attributes, el, setChildren } from "../dom";
import { stopsOf, type ThumbnailLook, type TimelineView } from "./stops";

/** Small pictures at most in one strip; of more steps every other, or fewer, has one. */
const mostPictures = 100;

/** One small picture a step, the one on show marked. A press or a drag anywhere chooses, as a part (0..1) of the strip. */
export class Thumbnails {
  readonly element = attributes(el("div", "timeline-strip"), { "aria-hidden": "true" });
  readonly #combined = el("span", "timeline-combined");
  #pictures: readonly Picture[] = [];
  #view?: TimelineView;

  constructor(choose: (part: number) => void) {
    const chooseAt = (event: PointerEvent): void => {
      const box = this.element.getBoundingClientRect();
      choose(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.element.setPointerCapture(event.pointerId);
      chooseAt(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) chooseAt(event);
    });
  }

  update(view: TimelineView): void {
    const { count, members, steps, plan, shown, pinnedStep, look } = view;
    const shape = Math.min(count, mostPictures);
    if (this.#pictures.length !== shape || this.#view?.members !== members) {
      this.#pictures = Array.from({ length: shape }, () => new Picture());
      this.#combined.textContent = `mean of ${members}`;
      setChildren(this.element, [...this.#pictures.map(({ element }) => element), ...(stopsOf(view) > count ? [this.#combined] : [])]);
    }
    const stepOf = (picture: number): number => (shape === count ? picture : Math.round((picture * (count - 1)) / (shape - 1)));
    const nearest = shown === undefined || shown >= count ? shown : Math.round((shown * (shape - 1)) / Math.max(1, count - 1));
    this.#pictures.forEach((picture, i) => {
      const step = stepOf(i);
      const timestep = steps[step]?.timestep ?? plan[step]?.timestep;
      const marks = { shown: i === nearest, pinned: pinnedStep !== undefined && step === pinnedStep };
      picture.update(steps[step]?.thumbnail, look, marks, `step ${step + 1}${timestep === undefined ? "" : `, t = ${timestep}`}`);
    });
    this.#combined.classList.toggle("shown", shown !== undefined && shown >= count);
    if (shown !== this.#view?.shown) this.#reveal(nearest);
    this.#view = view;
  }

  /** Scrolls the strip alone, never the page, until the picture on show is seen. */
  #reveal(at: number | undefined): void {
    const scroll = this.element.parentElement?.parentElement;
    const picture = at === undefined ? undefined : this.element.children[Math.min(at, this.element.children.length - 1)];
    if (!scroll || !(picture instanceof HTMLElement) || scroll.scrollWidth <= scroll.clientWidth) return;
    const { offsetLeft, offsetWidth } = picture;
    if (offsetLeft < scroll.scrollLeft) scroll.scrollLeft = offsetLeft;
    else if (offsetLeft + offsetWidth > scroll.scrollLeft + scroll.clientWidth) scroll.scrollLeft = offsetLeft + offsetWidth - scroll.clientWidth;
  }
}

/** One thumbnail, coloured again only when what it shows or how has changed. */
class Picture {
  readonly element = attributes(el("canvas", "thumbnail"), { width: "1", height: "1" });
  #drawn: readonly unknown[] = [];

  update(map: FloatMap | undefined, look: ThumbnailLook, marks: { readonly shown: boolean; readonly pinned: boolean }, title: string): void {
    this.element.classList.toggle("shown", marks.shown);
    this.element.classList.toggle("pinned", marks.pinned);
    this.element.classList.toggle("pending", map === undefined);
    if (this.element.title !== title) this.element.title = title;
    const wanted = look.kind === "scalar" ? [map, look.lut, ...look.range] : [map, look.signX];
    if (wanted.length === this.#drawn.length && wanted.every((part, i) => part === this.#drawn[i])) return;
    this.#drawn = wanted;
    draw(this.element, map, look);
  }
}

function draw(canvas: HTMLCanvasElement, map: FloatMap | undefined, look: ThumbnailLook): void {
  // On the graphics device each would be a layer of its own, and the browser would sort hundreds of them anew in every frame.
  const plane = canvas.getContext("2d", { willReadFrequently: true });
  if (!plane) return;
  canvas.width = map?.width ?? 1;
  canvas.height = map?.height ?? 1;
  if (!map) return;
  const image = plane.createImageData(map.width, map.height);
  if (look.kind === "scalar") colourScalar(map, look, image.data);
  else colourNormals(map, look.signX, image.data);
  plane.putImageData(image, 0, 0);
}

/** Pixels without a value stay transparent. */
function colourScalar({ data }: FloatMap, { lut, range: [low, high] }: Extract<ThumbnailLook, { kind: "scalar" }>, rgba: Uint8ClampedArray): void {
  const range = { low, high };
  for (let i = 0; i < data.length; i++) {
    const place = placeInRange(data[i], range);
    if (Number.isNaN(place)) continue;
    const at = 3 * colorIndex(place);
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = lut.lut[at + c];
    rgba[4 * i + 3] = 255;
  }
}

function colourNormals({ data }: FloatMap, signX: number, rgba: Uint8ClampedArray): void {
  for (let i = 0; i < data.length; i += 3) {
    const norm = Math.hypot(data[i], data[i + 1], data[i + 2]);
    if (!(norm > 0)) continue;
    const at = (4 * i) / 3;
    rgba[at] = 127.5 + (127.5 * data[i] * signX) / norm;
    rgba[at + 1] = 127.5 + (127.5 * data[i + 1]) / norm;
    rgba[at + 2] = 127.5 + (127.5 * data[i + 2]) / norm;
    rgba[at + 3] = 255;
  }
}
