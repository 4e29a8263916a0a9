import type { NormalsFrame } from "../../src/core/semantics";
import type { ViewState } from "../../src/protocol/panel";
import { colormapNames } from "../rows/colormaps";
import { button, dropdown, iconButton, numberField, type Control } from "../controls";
import { attributes, el, setText } from "../dom";
import { VariationBar } from "../rows/variationBar";

export interface ToolbarActions {
  run(): void;
  cancel(): void;
  toggleForm(): void;
  changeView(change: Partial<ViewState>): void;
  resetView(): void;
  showExport(): void;
  showPresets(): void;
  compare(): void;
  drawLine(): void;
  saveSession(): void;
}

export interface ToolbarState {
  readonly running: boolean;
  readonly ranBefore: boolean;
  /** Settings were edited since the last run. */
  readonly changed: boolean;
  readonly formOpen: boolean;
  readonly exportable: boolean;
  readonly hasImages: boolean;
  readonly drawsLine: boolean;
  /** There are two maps to compare. */
  readonly comparable: boolean;
}

/** Run and Cancel, what opens beside the tiles, and how things are looked at. */
export class Toolbar {
  readonly element = attributes(el("div", "toolbar"), { role: "toolbar", "aria-label": "Panel" });
  readonly #run;
  readonly #settings;
  readonly #export;
  readonly #compare;
  readonly #plots;
  readonly #line;
  readonly #save;
  readonly #colormap: Control<string>;
  readonly #low: Control<number>;
  readonly #high: Control<number>;
  readonly variation: VariationBar;
  readonly #frame: Control<string>;
  readonly #reset;
  readonly #exposure = attributes(el("input"), { type: "range", min: "-3", max: "3", step: "0.25", "aria-label": "Exposure of the photograph in stops" });
  readonly #exposureText = el("span", "number");
  readonly #exposureField = field("Exposure", this.#exposure, this.#exposureText);
  /** The second line: how maps are drawn. */
  readonly #looks = el("div", "toolbar-line");
  #running = false;
  #dock = false;
  #range: readonly [number, number] = [2, 98];

  constructor(private readonly actions: ToolbarActions) {
    this.variation = new VariationBar((change) => actions.changeView(change));
    this.#run = button("Run", () => (this.#running ? actions.cancel() : actions.run()), { appearance: "primary", icon: "run" });
    this.#settings = button("Settings", () => actions.toggleForm(), { icon: "settings" });
    this.#export = button("Export", () => actions.showExport(), { icon: "export" });
    const presets = button("Presets", () => actions.showPresets(), { icon: "presets" });
    attributes(presets.element, { "aria-haspopup": "dialog" });
    this.#compare = button("Compare A/B", () => actions.compare(), { icon: "compare" });
    this.#plots = button("Plots", () => actions.changeView({ dock: this.#dock ? undefined : "noise" }), { icon: "plot" });
    this.#line = iconButton("Draw a line for a profile (Alt + drag)", "line", () => actions.drawLine());
    this.#save = iconButton("Save session…", "save", () => actions.saveSession());
    this.#colormap = dropdown("Colormap", colormapNames.map((name) => [name, name] as const), colormapNames[0], (colormap) => actions.changeView({ colormap }));
    const limits = { min: 0, max: 100 };
    this.#low = numberField("Lower percentile of the range", 2, limits, (low) => this.#changeRange(low, this.#range[1]));
    this.#high = numberField("Upper percentile of the range", 98, limits, (high) => this.#changeRange(this.#range[0], high));
    this.#frame = dropdown("Frame of normals", [["own", "Normals: own"], ["RUB", "Normals: RUB"], ["LUB", "Normals: LUB"]], "own", (frame) =>
      actions.changeView({ normalsFrame: frame === "own" ? undefined : (frame as NormalsFrame) }),
    );
    this.#exposure.addEventListener("input", () => actions.changeView({ exposure: Number(this.#exposure.value) }));
    this.#exposure.addEventListener("dblclick", () => actions.changeView({ exposure: 0 }));
    this.#reset = iconButton("Reset zoom (0)", "reset", () => actions.resetView());
    const range = field("Range", this.#low.element, el("span", "", "–"), this.#high.element, el("span", "", "%"));
    this.#looks.append(
      group("look", this.#colormap.element, range, this.#frame.element),
      group("variation", this.variation.element),
    );
    this.element.append(
      el("div", "toolbar-line",
        group("main", this.#run.element, this.#settings.element, presets.element, this.#export.element),
        group("views", this.#compare.element, this.#plots.element, this.#line.element, this.#save.element),
        group("end", this.#exposureField, this.#reset.element),
      ),
      this.#looks,
    );
  }

  update(view: ViewState, state: ToolbarState): void {
    this.#running = state.running;
    this.#run.set(state.running ? "Cancel" : state.ranBefore ? "Run Again" : "Run", state.running ? "stop" : "run");
    this.#run.enable(state.hasImages);
    this.#run.element.classList.toggle("changed", state.changed && !state.running);
    attributes(this.#run.element, { title: state.changed ? "Settings were changed since the last run" : undefined });
    attributes(this.#settings.element, { "aria-expanded": String(state.formOpen), "aria-controls": "run-form" });
    this.#export.enable(state.exportable);
    this.#compare.enable(state.comparable || view.stage?.kind === "ab");
    this.#save.enable(state.hasImages);
    this.#dock = view.dock !== undefined;
    const pressed = [[this.#compare, view.stage?.kind === "ab"], [this.#plots, this.#dock], [this.#line, state.drawsLine]] as const;
    for (const [toggle, on] of pressed) attributes(toggle.element, { "aria-pressed": String(on) });
    // What changes nothing that is shown is not offered: space has its own controls, and a comparison no photograph.
    this.#looks.hidden = this.#line.element.hidden = this.#reset.element.hidden = view.stage?.kind === "space";
    this.#exposureField.hidden = view.stage !== undefined;
    this.#range = view.rangePercentiles;
    this.#colormap.set(view.colormap);
    this.#low.set(view.rangePercentiles[0]);
    this.#high.set(view.rangePercentiles[1]);
    this.#frame.set(view.normalsFrame ?? "own");
    const exposure = view.exposure ?? 0;
    if (Number(this.#exposure.value) !== exposure) this.#exposure.value = String(exposure);
    setText(this.#exposureText, `${exposure > 0 ? "+" : ""}${exposure}`);
  }

  #changeRange(low: number, high: number): void {
    if (low < high) return this.actions.changeView({ rangePercentiles: [low, high] });
    // An empty range cannot be shown: the fields go back to the last good one.
    this.#low.set(this.#range[0]);
    this.#high.set(this.#range[1]);
  }
}

function group(name: string, ...children: Node[]): HTMLElement {
  return el("div", `group group-${name}`, ...children);
}

function field(label: string, ...children: Node[]): HTMLElement {
  return el("span", "field", el("span", "field-label", label), ...children);
}
