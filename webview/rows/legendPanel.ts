import { depthKindText, normalsFrameText, type DepthKind, type NormalsFrame } from "../../src/core/semantics";
import { ColorBar } from "./colorBar";
import { lutOf } from "./colormaps";
import { el, setText } from "../dom";
import { normalsSphere } from "./legend";
import type { Scene } from "./scene";
import type { ViewState } from "../../src/protocol/panel";

/** How to read the colours: the depth colormap, a ball in the colours of normals, and what variation means. */
export class Legend {
  readonly element = el("footer", "legend");
  readonly #depthKind = el("p", "legend-text");
  readonly #depthBar = new ColorBar();
  readonly #ends = el("div", "legend-ends", el("span"), el("span"));
  readonly #depth = el("section", "legend-part", el("h3", "", "Depth"), this.#depthBar.element, this.#ends, this.#depthKind);
  readonly #spheres = el("div", "spheres");
  readonly #normals = el("section", "legend-part legend-normals", this.#spheres);
  readonly #variationBar = new ColorBar();
  readonly #variationText = el("p", "legend-text");
  readonly #variation = el(
    "section",
    "legend-part",
    el("h3", "", "Variation"),
    this.#variationBar.element,
    el("div", "legend-ends", el("span", "", "the same"), el("span", "", "varies most")),
    this.#variationText,
  );
  #frames = "";

  constructor() {
    this.element.append(this.#depth, this.#normals, this.#variation);
    for (const bar of [this.#depthBar, this.#variationBar]) bar.element.classList.add("bare");
  }

  update({ columns, rows }: Scene, view: ViewState): void {
    const tiles = rows.flatMap((row) => row.tiles);
    const kinds = [...new Set(tiles.flatMap(({ depthKind }) => (depthKind ? [depthKind] : [])))];
    this.#depth.hidden = !columns.includes("depth");
    this.#depthBar.set(lutOf(view.colormap), [0, 1]);
    setText(this.#depthKind, kinds.map((kind) => capitalised(depthKindText[kind])).join(". "));
    this.#nameEnds(kinds);
    this.#normals.hidden = !columns.includes("normals");
    this.#variation.hidden = !columns.includes("variation");
    this.#variationBar.set(lutOf("magma"), [0, 1]);
    setText(this.#variationText, variationText(view));
    this.#updateSpheres([...new Set(tiles.flatMap(({ column, frame }) => (column === "normals" && frame ? [frame] : [])))]);
  }

  #nameEnds(kinds: readonly DepthKind[]): void {
    const inverse = kinds.filter((kind) => kind === "affine-disparity").length;
    const [low, high] = inverse === 0 ? ["near", "far"] : inverse === kinds.length ? ["far", "near"] : ["near; disparity: far", "far; disparity: near"];
    setText(this.#ends.children[0], low);
    setText(this.#ends.children[1], high);
  }

  #updateSpheres(frames: readonly NormalsFrame[]): void {
    if (frames.join() === this.#frames) return;
    this.#frames = frames.join();
    const parts = frames.map((frame) => {
      const text = el("div", "", el("h3", "", `Normals, ${frame}`), el("p", "legend-text", capitalised(normalsFrameText[frame])));
      return el("div", "sphere-part", normalsSphere(frame, 72), text);
    });
    this.#spheres.replaceChildren(...parts);
  }
}

function variationText({ pinned, variation }: ViewState): string {
  const grey = variation?.threshold === undefined ? "" : " Grey: not more than the threshold.";
  if (pinned) return `Per pixel, the difference to the pinned reference.${grey}`;
  if (variation?.over === "seeds") return `Per pixel over runs that differ in their seed alone.${grey}`;
  return `Per pixel over the denoising steps (or members); for a single step, the difference to the multi-step row.${grey}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
