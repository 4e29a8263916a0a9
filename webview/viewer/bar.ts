import type { NormalsFrame } from "../../src/core/semantics";
import { colormapNames } from "../rows/colormaps";
import { dropdown, iconButton, numberField, type Control } from "../controls";
import { attributes, el, setText } from "../dom";
import type { ViewerState } from "./host";
import { isNormals, type Invalid, type Kind, type Reading } from "./kinds";

export interface BarActions {
  read(change: Partial<Reading>): void;
  look(change: Partial<ViewerState>): void;
  chooseEntry(entry: string): void;
  resetView(): void;
}

export interface BarState {
  readonly reading: Reading;
  /** Why the reading was guessed; absent where the user chose it. */
  readonly why?: string;
  readonly channels: number;
  readonly entries: readonly string[];
  readonly entry?: string;
  readonly colormap: string;
  readonly rangePercentiles: readonly [number, number];
  readonly frame?: NormalsFrame;
}

type Options = readonly (readonly [string, string])[];

const kinds: Options = [["depth", "Depth, larger = farther"], ["disparity", "Disparity, larger = nearer"], ["metric", "Metric depth in metres"], ["RUB", "Normals, RUB"], ["LUB", "Normals, LUB"], ["plain", "Plain numbers"]];
const units: Options = [["1", "1 is 1 m"], ["100", "100 are 1 m (cm)"], ["256", "256 are 1 m (KITTI)"], ["1000", "1000 are 1 m (mm)"], ["5000", "5000 are 1 m (TUM)"]];
const invalids: Options = [["none", "No value: NaN, inf"], ["0", "No value: 0"], ["65535", "No value: 65535"], ["<=0", "No value: 0 and below"]];

/** What the numbers are taken for, and how they are looked at. */
export class Bar {
  readonly element = attributes(el("div", "toolbar"), { role: "toolbar", "aria-label": "Float image" });
  readonly #kind = el("span", "holder");
  readonly #entry = el("span", "holder");
  readonly #channel = el("span", "holder");
  readonly #unit: Control<string>;
  readonly #invalid: Control<string>;
  readonly #colormap: Control<string>;
  readonly #frame: Control<string>;
  readonly #low: Control<number>;
  readonly #high: Control<number>;
  readonly #range: HTMLElement;
  readonly #why = el("span", "hint guess");
  /** Dropdowns whose options depend on the file, by what they were made from. */
  readonly #made = new Map<HTMLElement, { readonly options: string; readonly control: Control<string> }>();
  #percentiles: readonly [number, number] = [2, 98];

  constructor(private readonly actions: BarActions) {
    this.#unit = dropdown("Unit of the stored numbers", units, "1", (value) => actions.read({ perMetre: Number(value) }));
    this.#invalid = dropdown("Stored values that mean no value", invalids, "none", (value) => actions.read({ invalid: value as Invalid }));
    this.#colormap = dropdown("Colormap", colormapNames.map((name) => [name, name] as const), colormapNames[0], (colormap) => actions.look({ colormap }));
    this.#frame = dropdown("Frame in which normals are shown", [["own", "Shown as they are"], ["RUB", "Shown in RUB"], ["LUB", "Shown in LUB"]], "own", (frame) => actions.look({ frame: frame === "own" ? undefined : (frame as NormalsFrame) }));
    const limits = { min: 0, max: 100 };
    this.#low = numberField("Lower percentile of the range", 2, limits, (low) => this.#changeRange(low, this.#percentiles[1]));
    this.#high = numberField("Upper percentile of the range", 98, limits, (high) => this.#changeRange(this.#percentiles[0], high));
    this.#range = el("span", "field", el("span", "field-label", "Range"), this.#low.element, el("span", "", "–"), this.#high.element, el("span", "", "%"));
    const reset = iconButton("Reset zoom (0)", "reset", () => actions.resetView());
    this.element.append(
      el("div", "toolbar-line",
        el("div", "group", el("span", "field-label", "Show as"), this.#kind, this.#unit.element, this.#invalid.element, this.#entry, this.#channel),
        el("div", "group", this.#colormap.element, this.#range, this.#frame.element, reset.element),
      ),
      this.#why,
    );
  }

  update({ reading, why, channels, entries, entry, colormap, rangePercentiles, frame }: BarState): void {
    const normals = isNormals(reading.kind);
    const offered = kinds.filter(([kind]) => channels >= 3 || !isNormals(kind as Kind));
    this.#offer(this.#kind, "Kind of the numbers", offered, reading.kind, (kind) => this.actions.read({ kind: kind as Kind }));
    this.#offer(this.#entry, "Array of the file", entries.map((name) => [name, name] as const), entry ?? "", (name) => this.actions.chooseEntry(name));
    const list = Array.from({ length: channels }, (_, c) => [String(c), `Channel ${c + 1} of ${channels}`] as const);
    this.#offer(this.#channel, "Channel", list, String(reading.channel), (channel) => this.actions.read({ channel: Number(channel) }));
    this.#entry.hidden = entries.length < 2;
    this.#channel.hidden = channels < 2 || normals;
    this.#unit.element.hidden = reading.kind !== "metric";
    this.#unit.set(String(reading.perMetre));
    this.#invalid.set(reading.invalid);
    this.#colormap.element.hidden = this.#range.hidden = normals;
    this.#frame.element.hidden = !normals;
    this.#colormap.set(colormap);
    this.#frame.set(frame ?? "own");
    this.#percentiles = rangePercentiles;
    this.#low.set(rangePercentiles[0]);
    this.#high.set(rangePercentiles[1]);
    setText(this.#why, why === undefined ? "As you chose: the file does not say what its numbers are." : `A guess (${why}): the file does not say what its numbers are.`);
  }

  /** Brings a dropdown up to date; it is made anew only for other options. */
  #offer(holder: HTMLElement, label: string, options: Options, value: string, onChange: (value: string) => void): void {
    const key = JSON.stringify(options);
    const known = this.#made.get(holder);
    if (known?.options === key) return known.control.set(value);
    const control = dropdown(label, options, value, onChange);
    this.#made.set(holder, { options: key, control });
    holder.replaceChildren(control.element);
  }

  #changeRange(low: number, high: number): void {
    if (low < high) return this.actions.look({ rangePercentiles: [low, high] });
    // An empty range cannot be shown: the fields go back to the last good one.
    this.#low.set(this.#percentiles[0]);
    this.#high.set(this.#percentiles[1]);
  }
}
