import { attributes, el, setText } from "../dom";
import type { Lut } from "../gl/texture";
import { shortText } from "./measures";

/** A colormap from left to right with the numbers at its ends and a mark at the value under the crosshair. */
export class ColorBar {
  readonly element = el("div", "color-bar");
  readonly #low = el("span", "number");
  readonly #high = el("span", "number");
  readonly #canvas = attributes(el("canvas"), { width: "256", height: "1", "aria-hidden": "true" });
  readonly #mark = el("div", "mark");
  #lut?: Lut;
  #range: readonly [number, number] = [0, 1];

  constructor() {
    this.element.append(this.#low, el("div", "gradient", this.#canvas, this.#mark), this.#high);
    this.mark(undefined);
  }

  set(lut: Lut, range: readonly [number, number]): void {
    this.#range = range;
    setText(this.#low, shortText(range[0]));
    setText(this.#high, shortText(range[1]));
    if (lut === this.#lut) return;
    this.#lut = lut;
    drawLut(this.#canvas, lut);
  }

  /** Marks a value; outside the range the mark stays at the end. */
  mark(value: number | undefined): void {
    this.#mark.hidden = value === undefined || !Number.isFinite(value);
    if (value === undefined) return;
    const [low, high] = this.#range;
    this.#mark.style.left = `${100 * Math.min(1, Math.max(0, (value - low) / (high - low)))}%`;
  }
}

/** Fills a canvas of 256 x 1 pixels with the colours of a colormap. */
export function drawLut(canvas: HTMLCanvasElement, { lut }: Lut): void {
  // Not a layer of its own: as for thumbnails.
  const plane = canvas.getContext("2d", { willReadFrequently: true });
  if (!plane) return;
  const image = plane.createImageData(256, 1);
  for (let i = 0; i < 256; i++) {
    image.data.set(lut.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  plane.putImageData(image, 0, 0);
}
