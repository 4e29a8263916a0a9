import { attributes, el, icon } from "../dom";
import { splitPixel } from "../gl/painter";
import type { Span } from "../rows/viewport";

/** The line between the two pictures of a wipe, moved by pointer or keys. */
export class AbHandle {
  readonly element = attributes(el("div", "ab-handle", el("div", "ab-grip", icon("previous"), icon("next"))), {
    role: "slider", tabindex: "0", "aria-label": "Wipe between A and B", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  #split = 0.5;
  /** Left end and width of what is seen of the image, in pixels of the area. */
  #seen: readonly [number, number] = [0, 1];

  constructor(private readonly onMove: (split: number) => void) {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      // A drag of the line is no drag of the picture under it.
      event.stopPropagation();
      event.preventDefault();
      element.focus();
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (!element.hasPointerCapture(event.pointerId)) return;
      event.stopPropagation();
      const left = element.parentElement?.getBoundingClientRect().left ?? 0;
      this.#move((event.clientX - left - this.#seen[0]) / this.#seen[1]);
    });
    element.addEventListener("pointerup", (event) => event.stopPropagation());
    element.addEventListener("dblclick", (event) => {
      event.stopPropagation();
      this.#move(0.5);
    });
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Puts the line where the pictures meet; the span is in pixels of an area `width` wide. */
  place(split: number, span: Span, width: number): void {
    this.#split = split;
    const from = splitPixel(0, span, width);
    this.#seen = [from, Math.max(1, splitPixel(1, span, width) - from)];
    const percent = String(Math.round(split * 100));
    attributes(this.element, { "aria-valuenow": percent, "aria-valuetext": `A on the left ${percent} %` });
    this.element.style.transform = `translateX(${splitPixel(split, span, width)}px)`;
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 0.1 : 0.01;
    const moves: Readonly<Record<string, number>> = { ArrowLeft: this.#split - step, ArrowRight: this.#split + step, Home: 0, End: 1 };
    const to = moves[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(to);
  }

  #move(to: number): void {
    // Kept at once: a second key may come before the next frame.
    this.#split = Math.min(1, Math.max(0, Number(to.toFixed(4))));
    this.onMove(this.#split);
  }
}
