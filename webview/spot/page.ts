import type { FromSpotPage, SpotRunState, ToSpotPage } from "../../src/protocol/spotCheck";
import { button, iconButton } from "../controls";
import { attributes, el, setText } from "../dom";
import { Details } from "./details";
import { Grid, pictureKinds, type PictureKind } from "./grid";
import { MetricPlot, type MetricData, type Range } from "./metricPlot";
import { SpecForm } from "./specForm";
import { noFilter, SpotStore, valueOf, type Filter, type Mark, type Order } from "./store";
import { LookBar, RunBar } from "./toolbar";

/** Milliseconds between two sortings while images come in. */
const streamMillis = 250;

/** The page of a spot check: settings, progress, the grid, and what is known of the selected image. */
export class SpotPage {
  readonly element = el("main", "spot");
  readonly #store = new SpotStore();
  readonly #notice = attributes(el("div", "notice"), { role: "alert" });
  readonly #noticeText = el("span");
  readonly #unsaved = attributes(el("div", "notice unsaved"), { role: "status" });
  readonly #ranges = attributes(el("div", "ranges"), { role: "group", "aria-label": "Ranges chosen" });
  readonly #hint = el("p", "hint grid-hint");
  readonly #form = new SpecForm(() => this.#changeSpec());
  readonly #runBar: RunBar;
  readonly #lookBar: LookBar;
  readonly #grid: Grid;
  readonly #plot: MetricPlot;
  readonly #details: Details;
  #results = "";
  #run: SpotRunState = { phase: "idle" };
  #kind: PictureKind = "rgb";
  #filter: Filter = noFilter;
  #order: Order = { isReversed: false };
  #selected?: string;
  #isSettingsShown = false;
  /** Counts changes of the items: what is drawn from all of them is drawn again. */
  #version = 0;
  #plotted?: { readonly version: number; readonly id: string; readonly values: readonly number[] };
  #timer?: number;

  constructor(private readonly post: (message: FromSpotPage) => void, private readonly keep: (folder: string) => void) {
    this.#runBar = new RunBar({
      run: (retryFailed) => this.#start(retryFailed),
      pause: () => post({ type: "pause" }),
      resume: () => post({ type: "resume" }),
      cancel: () => post({ type: "cancel" }),
      report: () => post({ type: "report" }),
      toggleSettings: () => this.#toggleSettings(!this.#isSettingsShown),
    });
    this.#lookBar = new LookBar({
      kind: (kind) => this.#show(kind),
      filter: (change) => this.#changeFilter(change),
      order: (change) => {
        this.#order = { ...this.#order, ...change };
        this.#refresh();
      },
    });
    const open = (id: string): void => post({ type: "open", id });
    this.#grid = new Grid({ select: (id) => this.#select(id), open });
    this.#plot = new MetricPlot((range) => this.#brush(range));
    this.#details = new Details(this.#store, { open, mark: (id, mark, note) => this.#mark(id, mark, note) });
    const save = button("Save", () => this.#form.spec && post({ type: "save", spec: this.#form.spec }));
    this.#unsaved.append(el("span", "", "The settings have changed. Run saves them as plumbline.spotcheck.json in the folder."), save.element);
    this.#unsaved.hidden = this.#notice.hidden = this.#form.element.hidden = true;
    this.#notice.append(this.#noticeText, button("Show Log", () => post({ type: "showLog" })).element, iconButton("Dismiss", "remove", () => (this.#notice.hidden = true)).element);
    const side = el("aside", "side", this.#plot.element, this.#ranges, this.#details.element);
    this.element.append(this.#runBar.element, this.#form.element, this.#unsaved, this.#notice, this.#lookBar.element, el("div", "spot-body", el("div", "grid-place", this.#hint, this.#grid.element), side));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  receive(message: ToSpotPage): void {
    switch (message.type) {
      case "init":
        this.keep(message.folder);
        this.#results = message.results;
        this.#store.clear(message.runNames);
        this.#form.set(message);
        this.#unsaved.hidden = true;
        this.#notice.hidden = true;
        if (!message.isSaved) this.#toggleSettings(true);
        this.#version++;
        return this.#refresh();
      case "items":
        this.#store.add(message.items);
        this.#version++;
        // The first pictures come at once, later ones together: sorting thousands takes its time.
        if (this.#store.size <= message.items.length) return this.#refresh();
        this.#timer ??= window.setTimeout(() => this.#refresh(), streamMillis);
        return;
      case "pending":
        this.#store.expect(message.ids);
        this.#timer ??= window.setTimeout(() => this.#refresh(), streamMillis);
        return;
      case "marks":
        for (const mark of message.marks) this.#store.mark(mark);
        return this.#refresh();
      case "run":
        if (message.state.phase !== "idle" && this.#run.phase === "idle") this.#toggleSettings(false);
        this.#run = message.state;
        return this.#updateRun();
      case "notice":
        setText(this.#noticeText, message.message);
        this.#notice.hidden = false;
    }
  }

  #start(retryFailed: boolean): void {
    if (this.#form.spec) this.post({ type: "run", spec: this.#form.spec, retryFailed });
  }

  #changeSpec(): void {
    this.#unsaved.hidden = false;
  }

  #toggleSettings(isShown: boolean): void {
    this.#isSettingsShown = isShown;
    this.#form.element.hidden = !isShown;
    this.#updateRun();
  }

  #updateRun(): void {
    this.#runBar.update(this.#run, { ...this.#store.counts, size: this.#store.size, isSettingsShown: this.#isSettingsShown });
  }

  #show(kind: PictureKind): void {
    this.#kind = kind;
    this.#refresh();
  }

  #changeFilter(change: Partial<Filter>): void {
    this.#filter = { ...this.#filter, ...change };
    this.#refresh();
  }

  #brush(range: Range | undefined, id = this.#order.metric): void {
    if (id === undefined) return;
    const ranges = new Map(this.#filter.ranges);
    if (range) ranges.set(id, range);
    else ranges.delete(id);
    this.#changeFilter({ ranges });
  }

  #select(id: string): void {
    this.#selected = id;
    this.#refresh();
  }

  #mark(id: string, mark: Mark, note: string): void {
    this.#store.mark({ id, mark, note });
    this.post({ type: "mark", id, mark, note });
    this.#refresh();
  }

  #refresh(): void {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    const items = this.#store.select(this.#filter, this.#order);
    const metric = this.#store.column(this.#order.metric);
    this.#grid.update(items, { kind: this.#kind, metric, results: this.#results, markOf: (id) => this.#store.markOf(id)?.mark, isOdd: (item) => this.#store.isOdd(item) }, this.#selected);
    this.#lookBar.update(this.#kind, this.#store.columns, this.#order, this.#filter, items.length, this.#store.size);
    this.#plot.update(this.#metricData());
    this.#details.update(this.#selected, this.#kind, this.#results, this.#version);
    this.#hint.hidden = items.length > 0;
    setText(this.#hint, this.#store.size > 0 ? "No image is like this: loosen a filter." : "Choose what to look at, then Run. Results appear here as they come, and are kept when you close this.");
    this.#drawRanges();
    this.#updateRun();
  }

  #metricData(): MetricData | undefined {
    const column = this.#store.column(this.#order.metric);
    if (!column) return undefined;
    if (this.#plotted?.version !== this.#version || this.#plotted.id !== column.id) this.#plotted = { version: this.#version, id: column.id, values: this.#store.valuesOf(column.id) };
    const item = this.#store.item(this.#selected);
    const value = item ? valueOf(item, column.id) : NaN;
    return { column, values: this.#plotted.values, range: this.#filter.ranges.get(column.id), ...(Number.isFinite(value) && { selected: value }) };
  }

  /** A button for each range, which takes it away. */
  #drawRanges(): void {
    const wanted = [...this.#filter.ranges.keys()];
    const shown = [...this.#ranges.children].map((child) => child.getAttribute("data-id"));
    if (wanted.length === shown.length && wanted.every((id, i) => id === shown[i])) return;
    this.#ranges.replaceChildren(...wanted.map((id) => attributes(button(`All of ${this.#store.column(id)?.title ?? id}`, () => this.#brush(undefined, id), { icon: "remove" }).element, { "data-id": id })));
  }

  #key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
    const kind = pictureKinds[Number(event.key) - 1];
    const mark = ({ g: "good", b: "bad", u: "unsure" } as const)[event.key];
    if (kind) this.#show(kind);
    else if (mark) this.#details.mark(mark);
    else if (event.key === "n") this.#details.focusNote();
    else return;
    event.preventDefault();
  }
}

/** Letters are text in a field, and choose an option in a list. */
function isTyping(event: KeyboardEvent): boolean {
  return event.composedPath().some((element) => element instanceof Element && ["VSCODE-DROPDOWN", "VSCODE-TEXT-FIELD", "INPUT", "TEXTAREA"].includes(element.tagName));
}
