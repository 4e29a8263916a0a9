import { el } from "./dom";
import type { Page, Part } from "./page";
import "./abStage.css";

/** Two maps laid over each other: wipe, flicker, and their difference. */
export class AbStage implements Part {
  readonly element = el("section", "ab-stage");

  update(_page: Page): void {
    this.element.hidden = true;
  }
}
