import { presets, type Preset } from "../../src/core/presets";
import type { ModelChoice, PanelSettings } from "../../src/protocol/panel";
import type { AddAndRun } from "./addRows";
import { button } from "../controls";
import { attributes, closeOnLeave, el, setText } from "../dom";
import { withPreset } from "../state";
import { viewOfPreset } from "../viewChanges";
import "./presetMenu.css";

/** The comparisons of the paper, each added to the rows or put in their place with one click, and run. */
export class PresetMenu {
  readonly element = attributes(el("div", "preset-menu"), { role: "dialog", "aria-label": "Presets" });
  readonly #entries: readonly Entry[];
  #opener?: Element | null;
  #settings?: PanelSettings;
  #models: readonly ModelChoice[] = [];

  constructor(addAndRun: AddAndRun) {
    const apply = (preset: Preset, replace: boolean): void => {
      if (!this.#settings) return;
      const { settings, rowIds } = withPreset(this.#settings, preset, this.#models, replace);
      this.close();
      if (rowIds.length > 0) addAndRun(settings, rowIds, viewOfPreset(preset));
    };
    this.#entries = presets.map((preset) => new Entry(preset, apply));
    this.element.append(...this.#entries.map(({ element }) => element));
    this.element.hidden = true;
    closeOnLeave(this.element, () => this.close(), () => this.#opener);
  }

  toggle(settings: PanelSettings, models: readonly ModelChoice[]): void {
    if (!this.element.hidden) return this.close();
    this.#opener = document.activeElement;
    this.#settings = settings;
    this.#models = models;
    for (const entry of this.#entries) entry.update(settings, models);
    this.element.hidden = false;
    this.#entries[0]?.focus();
  }

  close(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    if (this.#opener instanceof HTMLElement) this.#opener.focus();
  }
}

class Entry {
  readonly element;
  readonly #add;
  readonly #replace;
  readonly #runs = el("span", "preset-runs");

  constructor(private readonly preset: Preset, apply: (preset: Preset, replace: boolean) => void) {
    this.#add = button("Add", () => apply(preset, false), { icon: "add" });
    this.#replace = button("Replace all", () => apply(preset, true));
    attributes(this.#add.element, { "aria-label": `Add: ${preset.title}`, title: "Adds these rows and runs them" });
    attributes(this.#replace.element, { "aria-label": `Replace all by: ${preset.title}`, title: "Puts these rows in place of all others and runs them" });
    const text = el("div", "preset-text", el("h3", "", preset.title), el("p", "", preset.about), this.#runs);
    this.element = attributes(el("section", "preset", text, el("div", "preset-actions", this.#add.element, this.#replace.element)), { "data-preset": preset.id });
  }

  update(settings: PanelSettings, models: readonly ModelChoice[]): void {
    const { rowIds } = withPreset(settings, this.preset, models, false);
    const steps = this.preset.runs.reduce((sum, run) => sum + run.steps * run.ensembleSize, 0);
    setText(this.#runs, rowIds.length === 0 ? "There is no model for it." : `${rowIds.length} rows, ${steps} steps for each task`);
    this.#add.enable(rowIds.length > 0);
    this.#replace.enable(rowIds.length > 0);
  }

  focus(): void {
    this.#add.element.focus();
  }
}
