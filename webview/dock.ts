import { el } from "./dom";
import type { Page, Part } from "./page";
import "./dock.css";

/** Plots under the tiles. */
export class Dock implements Part {
  readonly element = el("section", "dock");

  update(_page: Page): void {
    this.element.hidden = true;
  }
}
