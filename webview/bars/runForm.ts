import { adviceOf } from "../../src/core/advice";
import type { Task } from "../../src/core/semantics";
import { decoders, deviceChoices, domains, type Decoder, type DeviceChoice, type Domain, type NoiseChoice, type TimestepSpacing } from "../../src/core/settings";
import type { ModelChoice, PanelSettings, RowSettings } from "../../src/protocol/panel";
import { addRowButtons, type AddAndRun } from "./addRows";
import { dropdown, iconButton, numberField, optionalNumberField, textField } from "../controls";
import { attributes, el } from "../dom";
import { isOnePass, modelsOf, rowKinds, withChangedRow, withDuplicate, type RowKind } from "../state";

export interface RunFormActions {
  /** The settings were edited; nothing runs yet. */
  change(settings: PanelSettings): void;
  /** A row was added with one click and is to run at once. */
  addAndRun: AddAndRun;
  chooseNoise(rowId: string): void;
}

const none = "(none)";
const columns = ["Row", "Depth model", "Normals model", "Steps", "Spacing", "Members", "Noise", ""];

/** The settings of every row and of the whole run, for running again with others. */
export class RunForm {
  readonly element = attributes(el("form", "run-form"), { id: "run-form", "aria-label": "Settings of the runs" });
  #settings?: PanelSettings;
  #models: readonly ModelChoice[] = [];
  /** Rows whose further settings are shown. */
  readonly #unfolded = new Set<string>();
  /** What each row leaves of its models' own settings, by row. */
  readonly #advice = new Map<string, HTMLElement>();

  constructor(private readonly actions: RunFormActions) {
    this.element.addEventListener("submit", (event) => event.preventDefault());
  }

  /** Builds the form anew when settings or models are other objects than before; an edit under way keeps the focus. */
  update(settings: PanelSettings, models: readonly ModelChoice[], open: boolean): void {
    this.element.hidden = !open;
    if (!open || (settings === this.#settings && models === this.#models)) return;
    const shapeOf = ({ rows }: PanelSettings): string => JSON.stringify(rows.map((row) => [row.rowId, row.noise, this.#chosen(row).map(({ family, tinyDecoder }) => [family, tinyDecoder])]));
    const sameShape = this.#settings !== undefined && shapeOf(this.#settings) === shapeOf(settings);
    const ownEdit = sameShape && models === this.#models && this.element.contains(document.activeElement);
    this.#settings = settings;
    this.#models = models;
    if (!ownEdit) this.#build(settings);
    for (const row of settings.rows) this.#advise(row, settings);
  }

  /** An edit keeps the controls, so that the advice is brought up to date on its own. */
  #advise(row: RowSettings, settings: PanelSettings): void {
    const run = { ...row, seed: row.seed ?? settings.seed, processingResolution: row.processingResolution ?? settings.processingResolution };
    const sentences = this.#chosen(row).flatMap(({ advised }) => (advised ? adviceOf(advised, run) : []));
    const text = [...new Set(sentences)].join(" ");
    const element = this.#advice.get(row.rowId);
    if (!element || element.textContent === text) return;
    element.textContent = text;
    element.hidden = text === "";
  }

  #chosen(row: RowSettings): readonly ModelChoice[] {
    return modelsOf(row, this.#models);
  }

  #change(rowId: string, change: Partial<RowSettings>): void {
    if (this.#settings) this.actions.change(withChangedRow(this.#settings, rowId, change));
  }

  #build(settings: PanelSettings): void {
    const table = attributes(el("div", "run-rows"), { role: "table", "aria-label": "Rows" });
    table.append(attributes(el("div", "run-row run-row-head", ...columns.map((name) => attributes(el("span", "", name), { role: "columnheader" }))), { role: "row" }));
    for (const row of settings.rows) table.append(...this.#row(row, settings));
    const buttons = addRowButtons(Object.keys(rowKinds) as RowKind[], settings, this.#models, () => this.#settings ?? settings, this.actions.addAndRun);
    const add = el("div", "run-add", ...buttons);
    const common = el(
      "div",
      "run-common",
      labelled("Seed", numberField("Seed of the noise", settings.seed, { min: 0, max: 0xffffffff, integer: true }, (seed) => this.#common({ seed })).element),
      labelled("Resolution", numberField("Longest side at which the networks run; 0 is the image's own", settings.processingResolution, { min: 0, max: 8192, integer: true }, (processingResolution) => this.#common({ processingResolution })).element),
      el("span", "hint", "longest side in pixels, 0 = the image's own"),
    );
    this.element.replaceChildren(table, el("div", "run-foot", add, common));
  }

  #common(change: Partial<PanelSettings>): void {
    if (this.#settings) this.actions.change({ ...this.#settings, ...change });
  }

  #row(row: RowSettings, settings: PanelSettings): HTMLElement[] {
    const { rowId } = row;
    const more = this.#overrides(row, settings);
    const advice = attributes(el("div", "run-advice"), { role: "note", "aria-label": `Advice on ${row.label}`, "data-advice": rowId });
    advice.hidden = true;
    this.#advice.set(rowId, advice);
    const cells = [
      textField("Name", row.label, (label) => this.#change(rowId, { label })).element,
      this.#model(row, "depth"),
      this.#model(row, "normals"),
      ...(isOnePass(this.#chosen(row)) ? this.#onePass(row) : this.#schedule(row)),
      el("span", "run-actions", this.#unfold(row, more), this.#duplicate(row, settings), this.#remove(row, settings)),
    ];
    const cellElements = cells.map((cell, i) => attributes(el("span", "run-cell", cell), { role: "cell", "data-column": columns[i] }));
    return [attributes(el("div", "run-row", ...cellElements), { role: "row", "data-row": rowId }), more, advice];
  }

  #schedule(row: RowSettings): HTMLElement[] {
    const { rowId } = row;
    return [
      numberField("Denoising steps", row.steps, { min: 1, max: 1000, integer: true }, (steps) => this.#change(rowId, { steps })).element,
      dropdown("Timestep spacing", [["trailing", "trailing"], ["leading", "leading"], ["linspace", "linspace"]], row.spacing, (spacing) => this.#change(rowId, { spacing: spacing as TimestepSpacing })).element,
      numberField("Ensemble members", row.ensembleSize, { min: 1, max: 100, integer: true }, (ensembleSize) => this.#change(rowId, { ensembleSize })).element,
      this.#noise(row),
    ];
  }

  /** Nothing is denoised: there is no schedule, and no noise to start from. */
  #onePass({ label }: RowSettings): HTMLElement[] {
    const text = attributes(el("span", "hint", "one pass"), { title: `The model of ${label} predicts in one pass: it has no steps and no noise` });
    return [text, el("span"), el("span"), el("span")];
  }

  /** Seed, resolution and device of this row alone; folded away while it has none of its own. */
  #overrides(row: RowSettings, settings: PanelSettings): HTMLElement {
    const { rowId } = row;
    const devices = [["", "as in the settings"], ...deviceChoices.map((name) => [name, name] as const)] as const;
    const element = el(
      "div",
      "run-more",
      labelled("Seed", optionalNumberField(`Seed of ${row.label} alone`, row.seed, `${settings.seed}`, { min: 0, max: 0xffffffff, integer: true }, (seed) => this.#change(rowId, { seed })).element),
      labelled("Resolution", optionalNumberField(`Resolution of ${row.label} alone`, row.processingResolution, `${settings.processingResolution}`, { min: 0, max: 8192, integer: true }, (processingResolution) => this.#change(rowId, { processingResolution })).element),
      labelled("Device", dropdown(`Device of ${row.label} alone`, devices, row.device ?? "", (device) => this.#change(rowId, { device: device === "" ? undefined : (device as DeviceChoice) })).element),
      ...this.#familySettings(row),
      el("span", "hint", "of this row alone; empty as for all"),
    );
    const own = [row.seed, row.processingResolution, row.device, row.domain, row.decoder];
    element.hidden = !this.#unfolded.has(rowId) && own.every((value) => value === undefined);
    return attributes(element, { role: "row", "data-more": rowId });
  }

  /** What only some families are told, or offer. */
  #familySettings({ rowId, label, domain, decoder }: RowSettings): HTMLElement[] {
    const row = this.#settings?.rows.find((candidate) => candidate.rowId === rowId);
    const chosen = row ? this.#chosen(row) : [];
    const isTold = chosen.some(({ family }) => family === "geowizard");
    const isOffered = decoder !== undefined || chosen.some(({ tinyDecoder }) => tinyDecoder === true);
    const domainChoice = (): HTMLElement => dropdown(`Domain of ${label}`, domains.map((name) => [name, name] as const), domain ?? "indoor", (chosenDomain) => this.#change(rowId, { domain: chosenDomain === "indoor" ? undefined : (chosenDomain as Domain) })).element;
    const decoderChoice = (): HTMLElement => dropdown(`Decoder of ${label}`, decoders.map((name) => [name, name === "tiny" ? "tiny, approximate" : name] as const), decoder ?? "full", (chosenDecoder) => this.#change(rowId, { decoder: chosenDecoder === "full" ? undefined : (chosenDecoder as Decoder) })).element;
    return [...(isTold ? [labelled("Domain", domainChoice())] : []), ...(isOffered ? [labelled("Decoder", decoderChoice())] : [])];
  }

  #unfold(row: RowSettings, more: HTMLElement): HTMLElement {
    const label = `More of ${row.label}`;
    const toggle = iconButton(label, "more", () => {
      more.hidden = !more.hidden;
      if (more.hidden) this.#unfolded.delete(row.rowId);
      else this.#unfolded.add(row.rowId);
      show();
    });
    const show = (): void => {
      toggle.set(label, more.hidden ? "more" : "less");
      attributes(toggle.element, { "aria-expanded": String(!more.hidden) });
    };
    show();
    return toggle.element;
  }

  #duplicate(row: RowSettings, settings: PanelSettings): HTMLElement {
    return iconButton(`Duplicate ${row.label}`, "duplicate", () => this.#rebuild(withDuplicate(this.#settings ?? settings, row.rowId))).element;
  }

  /** The form is built anew with other rows even though one of its buttons has the focus. */
  #rebuild(settings: PanelSettings): void {
    this.#settings = undefined;
    this.actions.change(settings);
  }

  #model(row: RowSettings, task: Task): HTMLElement {
    const choices = this.#models.filter((model) => model.task === task).map(({ id, name }) => [id, name] as const);
    return dropdown(`${task === "depth" ? "Depth" : "Normals"} model`, [...choices, [none, "none"]], row.models[task] ?? none, (id) => {
      const current = this.#settings?.rows.find(({ rowId }) => rowId === row.rowId) ?? row;
      const models = { ...current.models, [task]: id === none ? undefined : id };
      this.#change(row.rowId, { models, ...(isOnePass(this.#chosen({ ...current, models })) && { steps: 1, ensembleSize: 1, noise: { kind: "zeros" } }) });
    }).element;
  }

  #noise(row: RowSettings): HTMLElement {
    const kinds: [string, string][] = [["gaussian", "Gaussian"], ["pyramid", "pyramid"], ["zeros", "zeros"]];
    if (row.noise.kind === "file") kinds.push(["file", row.noise.path.split(/[\\/]/).pop() ?? row.noise.path]);
    kinds.push(["choose", "from a file…"]);
    const control = dropdown("Starting noise", kinds, row.noise.kind, (kind) => {
      if (kind !== "choose") return this.#change(row.rowId, { noise: noiseOf(kind, row.noise) });
      control.set(row.noise.kind);
      this.actions.chooseNoise(row.rowId);
    });
    return control.element;
  }

  #remove(row: RowSettings, settings: PanelSettings): HTMLElement {
    const remove = iconButton(`Remove ${row.label}`, "remove", () => {
      const now = this.#settings ?? settings;
      this.#rebuild({ ...now, rows: now.rows.filter(({ rowId }) => rowId !== row.rowId) });
    });
    remove.enable(settings.rows.length > 1);
    return remove.element;
  }
}

function noiseOf(kind: string, before: NoiseChoice): NoiseChoice {
  if (kind === "gaussian" || kind === "pyramid" || kind === "zeros") return { kind };
  return before;
}

function labelled(label: string, control: HTMLElement): HTMLElement {
  return el("span", "field", el("span", "field-label", label), control);
}
