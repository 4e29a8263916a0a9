import type { ViewState } from "../../src/protocol/panel";
import { el, setText } from "../dom";
import { exactText, valuesAt } from "./measures";
import type { Probe } from "./look";
import type { Scene, TileView } from "./scene";

/** What a tile holds at the crosshair. */
export interface ReadOut {
  /** The channels, as stored; normals in the frame in which they are shown. */
  readonly values: readonly number[];
  readonly text: string;
}

/** The exact values of a tile at an image point; undefined where it has none. */
export function readOut(view: TileView, { u, v }: Probe): ReadOut | undefined {
  if (view.read) return view.read(u, v);
  if (view.picture?.kind === "photo") {
    const { width, height, rgb } = view.picture.image;
    const at = 3 * (Math.floor(v * height) * width + Math.floor(u * width));
    const values = [...rgb.subarray(at, at + 3)];
    return { values, text: values.join("  ") };
  }
  const stored = view.map && valuesAt(view.map, u, v);
  if (!stored) return undefined;
  const values = stored.length === 3 ? [stored[0] * view.signX, stored[1], stored[2]] : stored;
  return { values, text: values.map(exactText).join("  ") };
}

/** Milliseconds between two announcements, so that a moving pointer does not flood a screen reader. */
const announceMillis = 400;

/** The line that names the pixel under the crosshair, and the same with all values for assistive technology. */
export class ProbeLine {
  readonly element = el("div", "probe-line");
  readonly live = el("div", "visually-hidden");
  #timer?: number;
  #text = "";

  constructor() {
    this.live.setAttribute("aria-live", "polite");
    this.live.setAttribute("role", "status");
    this.live.setAttribute("aria-label", "Values under the crosshair");
  }

  /** `values` are "row, tile: numbers". Without a crosshair the line says what can be done. */
  update(scene: Scene, probe: Probe | undefined, values: readonly string[], view: ViewState): void {
    if (!probe) {
      setText(this.element, scene.photo ? hintOf(view) : "");
      this.#text = "";
      return;
    }
    const size = scene.photo;
    const at = size ? `x ${Math.floor(probe.u * size.width)}  y ${Math.floor(probe.v * size.height)}` : "";
    setText(this.element, probe.pinned ? `${at}  pinned` : at);
    this.#text = [at, ...values].join("; ");
    this.#timer ??= window.setTimeout(() => {
      this.#timer = undefined;
      setText(this.live, this.#text);
    }, announceMillis);
  }
}

/** What can be done with what is shown. */
function hintOf({ stage, maximised }: ViewState): string {
  const steering = "Wheel zooms, drag moves, click holds the crosshair, Shift + click marks, Alt + drag draws a line";
  if (stage) return `${stage.kind === "ab" ? `${steering} · ` : ""}Esc goes back to the tiles`;
  return `${steering} · P pins a reference, A and B compare, ${maximised === undefined ? "Enter maximises" : "[ and ] flip through the tiles, Esc restores"}`;
}
