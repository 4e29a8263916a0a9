import type { Column } from "../../src/evaluation/columns";
import type { SpotItem } from "../../src/protocol/spotCheck";
import { attributes, el, setText } from "../dom";
import { valueOf, valueText, type Mark } from "./store";

export const pictureKinds = ["rgb", "depth", "normals", "error", "std"] as const;
export type PictureKind = (typeof pictureKinds)[number];
export const pictureNames: Readonly<Record<PictureKind, string>> = { rgb: "RGB", depth: "Depth", normals: "Normals", error: "Error", std: "Std" };

/** What every cell shows beside its image. */
export interface GridLook {
  readonly kind: PictureKind;
  readonly metric?: Column;
  /** Address of the results. */
  readonly results: string;
  readonly markOf: (id: string) => Mark | undefined;
  readonly isOdd: (item: SpotItem) => boolean;
}

export interface GridActions {
  select(id: string): void;
  open(id: string): void;
}

/** The least width of a cell with its gap, and its height, in pixels; spot.css has the same. */
const cellWidth = 168;
const cellHeight = 182;
/** Rows that are kept ready above and below. */
const spareRows = 2;

/** Pictures of any number of images; only those near the visible part are in the document. */
export class Grid {
  readonly element = attributes(el("div", "grid"), { tabindex: "0", role: "listbox", "aria-label": "Images" });
  readonly #field = attributes(el("div", "grid-field"), { role: "presentation" });
  readonly #cells = new Map<number, Cell>();
  readonly #free: Cell[] = [];
  #items: readonly SpotItem[] = [];
  #look: GridLook = { kind: "rgb", results: "", markOf: () => undefined, isOdd: () => false };
  #selected?: string;
  #columns = 1;
  /** Of a cell with its gap: what is left of a row is shared. */
  #width = cellWidth;
  #isDue = false;

  constructor(private readonly actions: GridActions) {
    this.element.append(this.#field);
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.#key(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.element.addEventListener("click", (event) => this.#at(event, (id) => this.actions.select(id)));
    this.element.addEventListener("dblclick", (event) => this.#at(event, (id) => this.actions.open(id)));
    new ResizeObserver(() => this.#schedule()).observe(this.element);
  }

  update(items: readonly SpotItem[], look: GridLook, selected: string | undefined): void {
    this.#items = items;
    this.#look = look;
    this.#selected = selected;
    this.#schedule();
  }

  /** Moves the image into view. */
  reveal(id: string): void {
    const index = this.#items.findIndex((item) => item.id === id);
    if (index < 0) return;
    const top = Math.floor(index / this.#columns) * cellHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + cellHeight > scrollTop + clientHeight) this.element.scrollTop = top + cellHeight - clientHeight;
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { clientWidth, clientHeight, scrollTop } = this.element;
    const inner = clientWidth - 12;
    this.#columns = Math.max(1, Math.floor(inner / cellWidth));
    this.#width = Math.max(cellWidth, Math.floor(inner / this.#columns));
    this.#field.style.setProperty("--cell-width", `${this.#width - 8}px`);
    const rows = Math.ceil(this.#items.length / this.#columns);
    this.#field.style.height = `${rows * cellHeight}px`;
    const first = Math.max(0, Math.floor(scrollTop / cellHeight) - spareRows) * this.#columns;
    const end = Math.min(this.#items.length, (Math.ceil((scrollTop + clientHeight) / cellHeight) + spareRows) * this.#columns);
    for (const [index, cell] of this.#cells) {
      if (index >= first && index < end) continue;
      this.#cells.delete(index);
      this.#free.push(cell);
    }
    for (let i = first; i < end; i++) this.#show(i);
    for (const cell of this.#free.splice(0)) cell.element.remove();
    const active = [...this.#cells].find(([index]) => this.#items[index].id === this.#selected)?.[1];
    attributes(this.element, { "aria-activedescendant": active?.element.id });
  }

  #show(index: number): void {
    let cell = this.#cells.get(index);
    if (!cell) {
      cell = this.#free.pop() ?? new Cell();
      this.#cells.set(index, cell);
      if (!cell.element.isConnected) this.#field.append(cell.element);
    }
    cell.place(index, this.#items.length, (index % this.#columns) * this.#width, Math.floor(index / this.#columns) * cellHeight);
    cell.show(this.#items[index], this.#look, this.#items[index].id === this.#selected);
  }

  #at(event: MouseEvent, use: (id: string) => void): void {
    const element = event.target instanceof Element ? event.target.closest(".cell") : null;
    const found = [...this.#cells].find(([, cell]) => cell.element === element);
    if (found) use(this.#items[found[0]].id);
  }

  #key(key: string): boolean {
    if (this.#items.length === 0) return false;
    const at = this.#items.findIndex(({ id }) => id === this.#selected);
    if (key === "Enter" && at >= 0) {
      this.actions.open(this.#items[at].id);
      return true;
    }
    const page = Math.max(1, Math.floor(this.element.clientHeight / cellHeight)) * this.#columns;
    const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const step = steps[key];
    if (step === undefined) return false;
    const to = at < 0 ? 0 : Math.min(this.#items.length - 1, Math.max(0, at + step));
    const { id } = this.#items[to];
    this.actions.select(id);
    this.reveal(id);
    return true;
  }
}

/** One image of the grid; used again for another when it has left the view. */
class Cell {
  readonly element = attributes(el("div", "cell"), { role: "option" });
  readonly #picture = attributes(el("img", "cell-picture"), { alt: "", draggable: "false", decoding: "async" });
  readonly #none = el("div", "cell-none");
  readonly #mark = el("span", "cell-mark");
  readonly #value = el("span", "number");
  readonly #name = el("div", "cell-name");
  #source = "";

  constructor() {
    this.element.append(this.#picture, this.#none, this.#mark, el("div", "cell-line", this.#value), this.#name);
    this.#picture.addEventListener("load", () => (this.#picture.style.visibility = "visible"));
    this.#picture.addEventListener("error", () => this.#blank("no picture"));
  }

  place(index: number, count: number, x: number, y: number): void {
    this.element.id = `cell-${index}`;
    attributes(this.element, { "aria-posinset": String(index + 1), "aria-setsize": String(count) });
    this.element.style.transform = `translate(${x}px, ${y}px)`;
  }

  show(item: SpotItem, { kind, metric, results, markOf, isOdd }: GridLook, isSelected: boolean): void {
    const mark = markOf(item.id);
    const value = metric && item.status === "done" ? valueText(valueOf(item, metric.id), metric) : "";
    this.#draw(item, kind, results);
    setText(this.#name, item.id.slice(item.id.lastIndexOf("/") + 1));
    setText(this.#value, value);
    setText(this.#mark, mark && mark !== "none" ? mark : "");
    this.#mark.hidden = !mark || mark === "none";
    attributes(this.element, {
      title: item.id,
      "aria-selected": String(isSelected),
      "aria-label": [item.id, item.status === "failed" ? "failed" : item.status === "pending" ? "waiting" : value, mark && mark !== "none" ? `marked ${mark}` : "", ...item.oddities].filter(Boolean).join(", "),
      "data-mark": mark,
      "data-status": item.status,
      "data-odd": isOdd(item) ? "true" : undefined,
    });
  }

  #draw(item: SpotItem, kind: PictureKind, results: string): void {
    const source = hasPicture(item, kind) ? `${results}${item.picture}${kind}.webp` : `none:${item.status}:${kind}`;
    if (source === this.#source) return;
    this.#source = source;
    if (source.startsWith("none:")) return this.#blank(item.status === "failed" ? "failed" : item.status === "pending" ? "waiting" : `no ${pictureNames[kind]}`);
    this.#none.hidden = true;
    this.#picture.hidden = false;
    // Until it is there, the picture of the image before would still be seen.
    this.#picture.style.visibility = "hidden";
    this.#picture.src = source;
  }

  #blank(text: string): void {
    setText(this.#none, text);
    this.#none.hidden = false;
    this.#picture.hidden = true;
    this.#picture.removeAttribute("src");
  }
}

/** Whether the run can have written this picture: it leaves out what it has no map of. */
export function hasPicture({ status, values }: SpotItem, kind: PictureKind): boolean {
  if (status !== "done") return false;
  const needs: Readonly<Record<PictureKind, readonly string[]>> = { rgb: [], depth: ["depthExtent", "depthMissing"], normals: ["normalsExtent", "normalsMissing"], error: ["validPixels"], std: ["depthUncertainty", "normalsUncertainty"] };
  return needs[kind].length === 0 || needs[kind].some((id) => id in values);
}
