import { attributes, el, icon, setText } from "../dom";
import { button, type Button } from "../controls";
import type { SpotItem } from "../../src/protocol/spotCheck";
import { hasPicture, pictureNames, type PictureKind } from "./grid";
import { valueOf, valueText, type Mark, type SpotStore } from "./store";

const marks: readonly (readonly [Exclude<Mark, "none">, string])[] = [["good", "Good (g)"], ["bad", "Bad (b)"], ["unsure", "Unsure (u)"]];

export interface DetailActions {
  open(id: string): void;
  mark(id: string, mark: Mark, note: string): void;
}

/** Everything about the selected image, in words. */
export class Details {
  readonly element = attributes(el("section", "details"), { "aria-label": "Selected image" });
  readonly #empty = el("p", "hint", "Select an image to see what was measured of it. Arrow keys move, Enter opens it, g, b and u mark it, n writes a note.");
  readonly #content = el("div", "details-content");
  readonly #picture = attributes(el("img", "details-picture"), { alt: "" });
  readonly #name = el("h2", "details-name");
  readonly #reasons = el("ul", "details-reasons");
  readonly #table = el("dl", "details-values");
  readonly #buttons = new Map<Mark, Button>();
  readonly #note = attributes(el("textarea", "details-note"), { "aria-label": "Note", placeholder: "Note (n)", rows: "2" });
  #shown?: SpotItem;
  #drawn: readonly unknown[] = [];

  constructor(private readonly store: SpotStore, private readonly actions: DetailActions) {
    const row = attributes(el("div", "details-marks"), { role: "group", "aria-label": "Mark" });
    for (const [mark, label] of marks) {
      const control = button(label, () => this.mark(mark));
      this.#buttons.set(mark, control);
      row.append(control.element);
    }
    const open = button("Open in Panel", () => this.#shown && this.actions.open(this.#shown.id), { appearance: "primary" });
    this.#note.addEventListener("change", () => this.#saveNote());
    this.#content.append(this.#picture, this.#name, open.element, row, this.#note, this.#reasons, this.#table);
    this.element.append(this.#empty, this.#content);
  }

  update(id: string | undefined, kind: PictureKind, results: string, version: number): void {
    const item = this.store.item(id);
    if (item?.id !== this.#shown?.id) this.#saveNote();
    const isOther = item?.id !== this.#shown?.id;
    this.#shown = item;
    this.#empty.hidden = item !== undefined;
    this.#content.hidden = item === undefined;
    if (!item) return;
    const mark = this.store.markOf(item.id);
    for (const [name, control] of this.#buttons) attributes(control.element, { "aria-pressed": String(mark?.mark === name) });
    if (isOther || document.activeElement !== this.#note) this.#note.value = mark?.note ?? "";
    const inputs = [item, kind, version];
    if (inputs.every((input, i) => input === this.#drawn[i])) return;
    this.#drawn = inputs;
    this.#draw(item, kind, results);
  }

  /** The same mark again takes it back. */
  mark(mark: Mark): void {
    if (!this.#shown) return;
    const { id } = this.#shown;
    const known = this.store.markOf(id);
    this.actions.mark(id, known?.mark === mark ? "none" : mark, this.#note.value.trim());
  }

  focusNote(): void {
    if (this.#shown) this.#note.focus();
  }

  #saveNote(): void {
    if (!this.#shown) return;
    const { id } = this.#shown;
    const known = this.store.markOf(id);
    const note = this.#note.value.trim();
    if (note !== (known?.note ?? "")) this.actions.mark(id, known?.mark ?? "none", note);
  }

  #draw(item: SpotItem, kind: PictureKind, results: string): void {
    setText(this.#name, item.id);
    this.#picture.hidden = !hasPicture(item, kind);
    if (!this.#picture.hidden) attributes(this.#picture, { src: `${results}${item.picture}${kind}.webp`, alt: `${pictureNames[kind]} of ${item.id}` });
    const original = this.store.originalOf(item);
    const reasons = [...(item.status === "failed" ? [[item.reason ?? "Failed.", item.remedy ?? ""].join(" ").trim()] : []), ...item.oddities, ...(item.status === "pending" ? ["Not examined yet."] : []), ...(original === undefined ? [] : [`Same content as ${original}.`])];
    this.#reasons.replaceChildren(...reasons.map((reason) => el("li", "", icon("warning"), el("span", "", reason))));
    this.#table.replaceChildren(...this.store.columns.flatMap((column) => {
      const value = valueOf(item, column.id);
      if (!Number.isFinite(value)) return [];
      return [el("dt", "", column.title), el("dd", "number", valueText(value, column)), el("dd", "hint details-meaning", column.meaning)];
    }));
  }
}
