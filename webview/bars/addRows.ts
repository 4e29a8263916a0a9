import type { ModelChoice, PanelSettings, ViewState } from "../../src/protocol/panel";
import { button } from "../controls";
import { attributes, el } from "../dom";
import { hasRow, rowKinds, withRow, type RowKind } from "../state";

/** Takes over settings with rows that are new and a change of view that goes with them, and runs these rows at once. */
export type AddAndRun = (settings: PanelSettings, rowIds: readonly string[], view?: Partial<ViewState>) => void;

/** One button for each kind of row for which there is a model. */
export function addRowButtons(kinds: readonly RowKind[], settings: PanelSettings, models: readonly ModelChoice[], current: () => PanelSettings, addAndRun: AddAndRun): readonly HTMLElement[] {
  return kinds
    .filter((kind) => withRow(settings, kind, models))
    .map((kind) => {
      const add = (): void => {
        const added = withRow(current(), kind, models);
        if (added) addAndRun(added.settings, [added.rowId]);
      };
      return attributes(button(rowKinds[kind].add, add, { icon: "add" }).element, { "data-add": kind, title: "Adds this row and runs it" });
    });
}

/** The comparisons that are not shown yet, each one click away. */
export class AddRows {
  readonly element = attributes(el("div", "add-rows"), { role: "group", "aria-label": "Compare with" });
  #settings?: PanelSettings;
  #models?: readonly ModelChoice[];

  constructor(private readonly addAndRun: AddAndRun) {}

  update(settings: PanelSettings, models: readonly ModelChoice[]): void {
    if (settings === this.#settings && models === this.#models) return;
    this.#settings = settings;
    this.#models = models;
    const absent = (Object.keys(rowKinds) as RowKind[]).filter((kind) => !hasRow(settings, kind, models));
    const buttons = addRowButtons(absent, settings, models, () => this.#settings ?? settings, this.addAndRun);
    this.element.replaceChildren(...(buttons.length > 0 ? [el("span", "add-rows-label", "Compare with"), ...buttons] : []));
  }
}
