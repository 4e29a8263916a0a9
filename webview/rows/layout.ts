import type { ViewState } from "../../src/protocol/panel";
import { attributes, el, setChildren, setText } from "../dom";
import type { Painter } from "../gl/painter";
import type { RowView, Scene } from "./scene";
import { stopsOf } from "./stops";
import { Tile, type TileActions } from "./tiles";
import { Timeline, type TimelineActions } from "./timeline";

export type LayoutActions = TileActions & TimelineActions;

/** One row: its name, what it was run with, its steps, and its tiles. */
class Row {
  readonly element = el("section", "row");
  readonly #label = el("h2");
  readonly #summary = el("span", "row-summary");
  readonly #status = el("span", "row-status");
  readonly #kinds = el("span", "row-kinds");
  readonly #cached = attributes(el("span", "badge", "cached"), { title: "Read from the cache of runs" });
  readonly #timeline: Timeline;
  readonly #tiles = el("div", "tiles");
  readonly tiles = new Map<string, Tile>();
  #view: RowView;

  constructor(view: RowView, private readonly actions: LayoutActions) {
    this.#view = view;
    this.#timeline = new Timeline(view.timeline, actions);
    this.element.append(el("header", "row-head", this.#label, this.#summary, this.#kinds, this.#cached, this.#status), this.#timeline.element, this.#tiles);
  }

  /** The row is dropped. */
  stop(): void {
    this.#timeline.stop();
  }

  update(view: RowView, { maximised, linked, linkable }: RowLook): void {
    this.#view = view;
    attributes(this.element, { "aria-label": view.label, "data-row": view.rowId });
    setText(this.#label, view.label);
    setText(this.#summary, view.summary);
    this.#showKinds(view.kinds);
    this.#cached.hidden = !view.cached;
    setText(this.#status, view.status);
    attributes(this.#status, { title: view.details || undefined });
    this.#timeline.update(view.timeline, linked, linkable);
    const kept = new Set(view.tiles.map(({ key }) => key));
    for (const key of this.tiles.keys()) if (!kept.has(key)) this.tiles.delete(key);
    for (const tileView of view.tiles) {
      const tile = this.tiles.get(tileView.key);
      if (tile) tile.update(tileView, tileView.key === maximised);
      else this.tiles.set(tileView.key, new Tile(tileView, () => this.#view.label, this.actions));
    }
    setChildren(this.#tiles, view.tiles.map(({ key }) => this.tiles.get(key)?.element).filter((element) => element !== undefined));
    this.element.classList.toggle("has-maximised", maximised !== undefined && kept.has(maximised));
  }

  #showKinds(kinds: RowView["kinds"]): void {
    while (this.#kinds.childElementCount > kinds.length) this.#kinds.lastElementChild?.remove();
    kinds.forEach(({ text, title }, i) => {
      const kind = this.#kinds.children[i] ?? this.#kinds.appendChild(el("span", "row-kind"));
      setText(kind, text);
      attributes(kind, { title });
    });
  }
}

interface RowLook {
  readonly maximised?: string;
  readonly linked: boolean;
  /** Whether there is another row with steps. */
  readonly linkable: boolean;
}

/** More rows than this have smaller tiles. */
const manyRows = 5;

/** The rows of tiles, kept in step with the scene. */
export class Layout {
  readonly element = el("main", "rows");
  readonly #rows = new Map<string, Row>();

  constructor(private readonly actions: LayoutActions, private readonly onResize: () => void) {
    // Cut, Copy and Paste make no sense on a picture.
    this.element.dataset.vscodeContext = JSON.stringify({ preventDefaultContextMenuItems: true });
    // Tiles follow the room they are given; one observer on the whole is enough.
    new ResizeObserver(() => this.onResize()).observe(this.element);
  }

  get tiles(): Tile[] {
    return [...this.#rows.values()].flatMap(({ tiles }) => [...tiles.values()]);
  }

  update(scene: Scene, { maximised, linkSteps = false }: ViewState): void {
    const wanted = new Set(scene.rows.map(({ rowId }) => rowId));
    for (const [rowId, row] of this.#rows) {
      if (wanted.has(rowId)) continue;
      row.stop();
      this.#rows.delete(rowId);
    }
    const linkable = scene.rows.filter(({ timeline }) => stopsOf(timeline) > 1).length > 1;
    for (const view of scene.rows) {
      const row = this.#rows.get(view.rowId) ?? new Row(view, this.actions);
      this.#rows.set(view.rowId, row);
      row.update(view, { maximised, linked: linkSteps, linkable });
    }
    setChildren(this.element, scene.rows.map(({ rowId }) => this.#rows.get(rowId)?.element).filter((element) => element !== undefined));
    const exists = scene.rows.some(({ tiles }) => tiles.some(({ key }) => key === maximised));
    this.element.classList.toggle("has-maximised", exists);
    this.element.classList.toggle("many", scene.rows.length > manyRows);
    this.element.style.setProperty("--columns", String(scene.columns.length));
    this.element.style.setProperty("--aspect", String(scene.aspect ?? 1.5));
  }

  /** Draws what changed, and frees on the GPU what is no longer shown. */
  paint(painter: Painter): void {
    const { tiles } = this;
    for (const tile of tiles) tile.paint(painter);
    painter.keepOnly(tiles.flatMap(({ view }) => view.picture ?? []));
  }
}
