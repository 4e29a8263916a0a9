import { el } from "./dom";
import type { Page, Part } from "./page";
import "./spaceStage.css";

/** The depth as points or a mesh in space. */
export class SpaceStage implements Part {
  readonly element = el("section", "space-stage");

  update(_page: Page): void {
    this.element.hidden = true;
  }
}
