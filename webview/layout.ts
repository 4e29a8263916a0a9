import { attributes, el, setChildren, setText } from "./dom";
import type { Painter } from "./gl/painter";
import type { RowView, Scene } from "./scene";
import { Tile, type TileActions } from "./tiles";

export interface LayoutActions extends TileActions {
  /** Undefined shows the result again. */
  showStep(rowId: string, step: number | undefined): void;
}

/** One row: its name, what it was run with, a slider over its steps, and its tiles. */
class Row {
  readonly element = el("section", "row");
  readonly #label = el("h2");
  readonly #summary = el("span", "row-summary");
  readonly #status = el("span", "row-status");
  readonly #slider = attributes(el("input"), { type: "range", min: "0", step: "1" });
  readonly #stepText = el("span", "scrub-text");
  readonly #scrub = el("label", "scrub", this.#slider, this.#stepText);
  readonly #tiles = el("div", "tiles");
  readonly tiles = new Map<string, Tile>();
  #view: RowView;

  constructor(view: RowView, private readonly actions: LayoutActions) {
    this.#view = view;
    this.element.append(el("header", "row-head", this.#label, this.#summary, this.#scrub, this.#status), this.#tiles);
    this.#slider.addEventListener("input", () => {
      const step = Number(this.#slider.value);
      actions.showStep(this.#view.rowId, step < this.#view.steps.length - 1 ? step : undefined);
    });
  }

  update(view: RowView, maximised: string | undefined): void {
    this.#view = view;
    attributes(this.element, { "aria-label": view.label, "data-row": view.rowId });
    setText(this.#label, view.label);
    setText(this.#summary, view.summary);
    setText(this.#status, view.status);
    attributes(this.#status, { title: view.details || undefined });
    this.#updateScrub(view);
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

  #updateScrub({ steps, shownStep, label }: RowView): void {
    // Kept in place while invisible, so that the header does not change its height.
    this.#scrub.classList.toggle("unused", steps.length < 2);
    const last = Math.max(1, steps.length - 1);
    attributes(this.#slider, { max: String(last), "aria-label": `Step of ${label}` });
    const at = shownStep ?? last;
    if (Number(this.#slider.value) !== at) this.#slider.value = String(at);
    const step = steps[at];
    const text = step ? `t = ${step.timestep}` : "";
    setText(this.#stepText, text);
    attributes(this.#slider, { "aria-valuetext": step ? `step ${step.step + 1} of ${step.steps}, ${text}` : undefined });
  }
}

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

  update(scene: Scene, maximised: string | undefined): void {
    const wanted = new Set(scene.rows.map(({ rowId }) => rowId));
    for (const rowId of this.#rows.keys()) if (!wanted.has(rowId)) this.#rows.delete(rowId);
    for (const view of scene.rows) {
      const row = this.#rows.get(view.rowId) ?? new Row(view, this.actions);
      this.#rows.set(view.rowId, row);
      row.update(view, maximised);
    }
    setChildren(this.element, scene.rows.map(({ rowId }) => this.#rows.get(rowId)?.element).filter((element) => element !== undefined));
    const exists = scene.rows.some(({ tiles }) => tiles.some(({ key }) => key === maximised));
    this.element.classList.toggle("has-maximised", exists);
    this.element.style.setProperty("--columns", String(scene.columns.length));
    this.element.style.setProperty("--aspect", String(scene.aspect ?? 1.5));
  }

  /** Draws what changed, and frees on the GPU what is no longer shown. */
  paint(painter: Painter): void {
    const { tiles } = this;
    for (const tile of tiles) tile.paint(painter);
    painter.keepOnly(tiles.flatMap(({ view }) => (view.picture ? [view.picture] : [])));
  }
}
