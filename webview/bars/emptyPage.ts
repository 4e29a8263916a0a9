import { el, setText } from "../dom";

/** What stands in the tiles' place while there is no image: how to begin. */
export class EmptyPage {
  readonly element = el("div", "empty");
  readonly #line = el("p");

  /** `begun`: whether the host has said what to show; before that nothing is said. */
  update(nothing: boolean, begun: boolean): void {
    this.element.hidden = !nothing;
    if (!nothing) return;
    if (this.element.childElementCount === 0) this.element.append(el("h2", "", "Depth and normals of a photograph"), this.#line);
    setText(this.#line, begun ? "Right-click an image in the Explorer and choose “Estimate Geometry”." : "");
    this.element.classList.toggle("starting", !begun);
  }
}
