import type { Task } from "../../src/core/semantics";
import type { Variation, ViewState } from "../../src/protocol/panel";
import { dropdown, iconButton } from "../controls";
import { attributes, el, setText } from "../dom";
import { shortText } from "./measures";
import type { TileView } from "./scene";
import { variationTop } from "./variation";
import "./variationBar.css";

/** Positions of the threshold's slider. */
const notches = 200;

/** What the last column shows: of which task, which spread over what, and above which value pixels are marked. */
export class VariationBar {
  readonly element = attributes(el("div", "variation-bar"), { role: "group", "aria-label": "Variation" });
  readonly #task = dropdown("Variation", [["depth", "Variation of depth"], ["normals", "Variation of normals"], ["none", "No variation"]], "depth", (shown) =>
    this.changeView(shown === "none" ? { showStd: false } : { showStd: true, variationOf: shown as Task }),
  );
  readonly #spread = dropdown("Spread", [["std", "Std"], ["mad", "MAD"], ["range", "Range"]], "std", (spread) => this.#change({ spread: spread as Variation["spread"] }));
  readonly #over = dropdown("Spread over", [["steps", "over steps"], ["members", "over members"], ["seeds", "over seeds"]], "steps", (over) => this.#change({ over: over as Variation["over"] }));
  readonly #slider = attributes(el("input"), { type: "range", min: "0", max: String(notches), step: "1", "aria-label": "Mark pixels that changed more than" });
  readonly #thresholdText = el("span", "number");
  readonly #threshold = el("label", "field", el("span", "field-label", "Mark above"), this.#slider, this.#thresholdText);
  readonly #pinnedText = el("span", "variation-pinned");
  readonly #unpin = iconButton("Compare with the pinned map no longer", "remove", () => this.changeView({ pinned: undefined }));
  #variation?: Variation;
  #top = 1;

  constructor(private readonly changeView: (change: Partial<ViewState>) => void) {
    this.element.append(this.#task.element, this.#pinnedText, this.#unpin.element, this.#spread.element, this.#over.element, this.#threshold);
    this.#slider.addEventListener("input", () => this.#changeThreshold((Number(this.#slider.value) / notches) ** 2 * this.#top));
    this.#slider.addEventListener("dblclick", () => this.#changeThreshold(0));
  }

  /** `pinnedLabel` names the pinned map, if there is one. */
  update(view: ViewState, tiles: readonly TileView[], pinnedLabel: string | undefined): void {
    const { variation, pinned, showStd } = view;
    this.#variation = variation;
    this.element.hidden = view.stage !== undefined;
    this.#task.set(showStd ? (pinned?.task ?? view.variationOf ?? "depth") : "none");
    const compares = showStd && pinned !== undefined;
    this.#pinnedText.hidden = this.#unpin.element.hidden = !compares;
    setText(this.#pinnedText, compares ? `vs. ${pinnedLabel ?? ""}` : "");
    this.#spread.element.hidden = this.#over.element.hidden = !showStd || compares;
    this.#spread.set(variation?.spread ?? "std");
    this.#over.set(variation?.over ?? "steps");
    const top = variationTop(tiles);
    this.#threshold.hidden = !showStd || (top === undefined && variation?.threshold === undefined);
    if (top !== undefined) this.#top = top;
    const threshold = variation?.threshold;
    // Its square, so that small changes can be told apart beside a row that is far off.
    const at = Math.round(Math.sqrt(Math.min(1, (threshold ?? 0) / this.#top)) * notches);
    if (Number(this.#slider.value) !== at) this.#slider.value = String(at);
    setText(this.#thresholdText, threshold === undefined ? "off" : shortText(threshold));
    attributes(this.#slider, { "aria-valuetext": threshold === undefined ? "off" : shortText(threshold) });
  }

  #change(change: Partial<Variation>): void {
    this.changeView({ variation: { spread: "std", over: "steps", ...this.#variation, ...change } });
  }

  /** Three digits are what the text shows, so that the number in the badge is the one that is meant. */
  #changeThreshold(value: number): void {
    this.#change({ threshold: value > 0 ? Number(value.toPrecision(3)) : undefined });
  }
}
