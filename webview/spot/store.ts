import { columnsOf, robustScores, type Column } from "../../src/evaluation/columns";
import type { SpotItem, SpotItemMark } from "../../src/protocol/spotCheck";

export type Mark = SpotItemMark["mark"];

/** What is shown of all images; every condition must hold. */
export interface Filter {
  readonly text: string;
  readonly status: "all" | "done" | "failed" | "odd" | "pending";
  readonly mark: "all" | Mark;
  /** Stored numbers by column id, both ends included. */
  readonly ranges: ReadonlyMap<string, readonly [number, number]>;
  /** Only those far from the others in the metric. */
  readonly outliers: boolean;
  /** Only so many, the worst in the metric. */
  readonly worst?: number;
}

/** By which column, and its far end first. */
export interface Order {
  /** A column's id; images are in the order of their paths without. */
  readonly metric?: string;
  readonly isReversed: boolean;
}

export const noFilter: Filter = { text: "", status: "all", mark: "all", ranges: new Map(), outliers: false };

/** Robust z-score from which an image is an outlier (Iglewicz and Hoaglin, 1993). */
export const outlierScore = 3.5;

/** All that is known of the images of a spot check. */
export class SpotStore {
  readonly #items = new Map<string, SpotItem>();
  readonly #marks = new Map<string, SpotItemMark>();
  #runNames: readonly string[] = [];
  #columns: readonly Column[] = [];
  #present = new Set<string>();
  /** The first path with each content. */
  readonly #firstOf = new Map<string, string>();

  clear(runNames: readonly string[]): void {
    this.#items.clear();
    this.#marks.clear();
    this.#firstOf.clear();
    this.#present = new Set();
    this.#columns = [];
    this.#runNames = runNames;
  }

  add(items: readonly SpotItem[]): void {
    const known = this.#present.size;
    for (const item of items) {
      this.#items.set(item.id, item);
      for (const id of Object.keys(item.values)) this.#present.add(id);
      if (item.sha256 === undefined) continue;
      const first = this.#firstOf.get(item.sha256);
      if (first === undefined || item.id < first) this.#firstOf.set(item.sha256, item.id);
    }
    if (items.length > 0) this.#present.add("millis");
    if (this.#present.size > known) this.#columns = columnsOf(this.#runNames).filter(({ id }) => this.#present.has(id));
  }

  /** Images that are still to come; what is known of them stays. */
  expect(ids: readonly string[]): void {
    for (const id of ids) if (!this.#items.has(id)) this.#items.set(id, { id, status: "pending", values: {}, oddities: [], millis: NaN, picture: "" });
  }

  mark(mark: SpotItemMark): void {
    if (mark.mark === "none" && mark.note === "") this.#marks.delete(mark.id);
    else this.#marks.set(mark.id, mark);
  }

  markOf(id: string): SpotItemMark | undefined {
    return this.#marks.get(id);
  }

  item(id: string | undefined): SpotItem | undefined {
    return id === undefined ? undefined : this.#items.get(id);
  }

  get size(): number {
    return this.#items.size;
  }

  /** How many were examined, and how many of these failed. */
  get counts(): { readonly examined: number; readonly failed: number } {
    let [examined, failed] = [0, 0];
    for (const { status } of this.#items.values()) {
      if (status !== "pending") examined++;
      if (status === "failed") failed++;
    }
    return { examined, failed };
  }

  /** Columns that at least one image has. */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  column(id: string | undefined): Column | undefined {
    return this.#columns.find((column) => column.id === id);
  }

  /** Finite values of a column, in no order. */
  valuesOf(id: string): number[] {
    return [...this.#items.values()].map((item) => valueOf(item, id)).filter(Number.isFinite);
  }

  /** Robust z-score of an image in a column; NaN where it has no value. */
  scoresOf(id: string): ReadonlyMap<string, number> {
    const items = [...this.#items.values()];
    const scores = robustScores(items.map((item) => valueOf(item, id)));
    return new Map(items.map((item, i) => [item.id, scores[i]]));
  }

  /** The first image, by path, with the same content. */
  originalOf({ id, sha256 }: SpotItem): string | undefined {
    const first = sha256 === undefined ? id : this.#firstOf.get(sha256);
    return first === id ? undefined : first;
  }

  /** Something is to be said of the image itself, or it is there twice. */
  isOdd(item: SpotItem): boolean {
    return item.oddities.length > 0 || this.originalOf(item) !== undefined;
  }

  /** What is to be shown, in order; images without a value come last. */
  select(filter: Filter, { metric, isReversed }: Order): SpotItem[] {
    const column = this.column(metric);
    const text = filter.text.trim().toLowerCase();
    const scores = filter.outliers && column ? this.scoresOf(column.id) : undefined;
    let found = [...this.#items.values()].filter((item) => this.#passes(item, filter, text, scores));
    const sign = column?.worse === "lower" ? 1 : -1;
    if (column) found.sort((a, b) => byValue(valueOf(a, column.id), valueOf(b, column.id), sign) || byId(a, b));
    else found.sort(byId);
    if (filter.worst !== undefined && column) found = found.filter((item) => Number.isFinite(valueOf(item, column.id))).slice(0, filter.worst);
    if (isReversed && column) found.sort((a, b) => byValue(valueOf(a, column.id), valueOf(b, column.id), -sign) || byId(a, b));
    else if (isReversed) found.reverse();
    return found;
  }

  #passes(item: SpotItem, { status, mark, ranges }: Filter, text: string, scores: ReadonlyMap<string, number> | undefined): boolean {
    if (status === "odd" ? !this.isOdd(item) : status !== "all" && item.status !== status) return false;
    const own = this.#marks.get(item.id);
    if (mark !== "all" && (own?.mark ?? "none") !== mark) return false;
    for (const [id, [low, high]] of ranges) {
      const value = valueOf(item, id);
      if (!(value >= low && value <= high)) return false;
    }
    if (scores && !(Math.abs(scores.get(item.id) ?? 0) > outlierScore)) return false;
    return text === "" || [item.id, item.reason ?? "", own?.note ?? "", ...item.oddities].some((part) => part.toLowerCase().includes(text));
  }
}

/** NaN where there is none. */
export function valueOf(item: SpotItem, id: string): number {
  return id === "millis" ? item.millis : (item.values[id] ?? NaN);
}

/** "12.3 %", or a dash. */
export function valueText(value: number, { shownFactor, decimals, unit }: Column): string {
  return Number.isFinite(value) ? `${(value * shownFactor).toFixed(decimals)}${unit ? ` ${unit}` : ""}` : "–";
}

function byValue(a: number, b: number, sign: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return sign * (a - b);
}

function byId(a: SpotItem, b: SpotItem): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
