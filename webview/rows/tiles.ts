import { ColorBar } from "./colorBar";
import { iconButton, progressRing } from "../controls";
import { attributes, el, setText } from "../dom";
import { attachGestures, steerByKey } from "./gestures";
import type { Painter, Picture } from "../gl/painter";
import { axisKey } from "./legend";
import type { Look } from "./look";
import { Marks, type MarkActions } from "./marks";
import { readOut, type ReadOut } from "./probe";
import type { TileView } from "./scene";
import { spanOf } from "./viewport";

/** What a tile can ask the panel for. */
export interface TileActions {
  readonly look: Look;
  aspect(): number | undefined;
  toggleMaximised(key: string): void;
  showExport(key: string): void;
  /** Opens the view in space of a depth. */
  showSpace?(view: TileView): void;
  /** Probes and the line; without them the tile has none. */
  readonly marks?: MarkActions;
}

/** One picture with its title, badge and caption. Owns its elements; the painter owns what is on the GPU. */
export class Tile {
  readonly element = el("figure", "tile");
  readonly #title = el("span", "tile-title");
  readonly #badge = el("span", "badge");
  readonly #letters = el("span", "tile-letters");
  readonly #area = el("div", "tile-area");
  readonly #canvas = el("canvas");
  readonly #preview = attributes(el("img", "preview"), { alt: "" });
  readonly #overlay = el("div", "overlay");
  readonly #overlayText = el("span");
  readonly #steps = el("div", "tile-steps");
  readonly #crossX = el("div", "cross cross-x");
  readonly #crossY = el("div", "cross cross-y");
  readonly #chip = el("output", "chip");
  readonly #bar = new ColorBar();
  readonly #scale = el("div", "tile-scale");
  readonly #kind = el("div", "tile-kind");
  readonly #maximise;
  readonly #export;
  readonly #space;
  readonly #marks?: Marks;
  #painted: readonly unknown[] = [];

  constructor(public view: TileView, private readonly rowLabel: () => string, private readonly actions: TileActions) {
    this.#maximise = iconButton("Maximise", "maximise", () => actions.toggleMaximised(this.view.key));
    this.#export = iconButton("Export", "export", () => actions.showExport(this.view.key));
    this.#space = iconButton("Show in 3D", "cube", () => actions.showSpace?.(this.view));
    this.#marks = actions.marks && new Marks(actions.marks);
    const head = el("header", "tile-head", this.#title, this.#letters, this.#badge, el("span", "tile-actions", this.#space.element, this.#export.element, this.#maximise.element));
    head.addEventListener("dblclick", () => actions.toggleMaximised(this.view.key));
    // The text beside it says the same without interrupting.
    this.#overlay.append(attributes(progressRing(), { "aria-hidden": "true" }), this.#overlayText);
    this.#area.append(this.#preview, this.#canvas, this.#crossX, this.#crossY, this.#steps, this.#overlay, ...(this.#marks ? [this.#marks.element] : []), this.#chip);
    this.element.append(head, this.#area, el("figcaption", "", this.#scale, this.#kind));
    attributes(this.element, { tabindex: "0", role: "group", "data-key": view.key, "data-column": view.column });
    attributes(this.#canvas, { role: "img" });
    attachGestures(this.#area, actions.look, () => (this.view.nothing === undefined ? actions.aspect() : undefined), actions.marks);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.update(view, false);
  }

  get area(): HTMLElement {
    return this.#area;
  }

  /** Brings title, badge, caption and overlay up to date; the picture itself is drawn by `paint`. */
  update(view: TileView, maximised: boolean): void {
    this.view = view;
    const name = `${view.title}, ${this.rowLabel()}`;
    setText(this.#title, view.title);
    setText(this.#badge, view.badge);
    setText(this.#kind, view.kind);
    attributes(this.#kind, { title: view.kindInFull });
    attributes(this.#title, { title: view.kindInFull || view.title });
    attributes(this.element, { "aria-label": `${name}. ${view.badge}. ${view.kindInFull}`, "data-state": stateOf(view) });
    attributes(this.#canvas, { "aria-label": name });
    this.element.classList.toggle("maximised", maximised);
    this.element.classList.toggle("pinned", view.pinned === true);
    setText(this.#letters, [view.pinned ? "reference" : "", ...(view.letters ?? [])].filter(Boolean).join(" · "));
    this.#space.element.hidden = view.task !== "depth" || view.ref === undefined || !this.actions.showSpace;
    this.#maximise.set(maximised ? "Restore (Esc)" : "Maximise (Enter)", maximised ? "restore" : "maximise");
    this.#export.element.hidden = view.exportable === undefined;
    this.#overlay.hidden = view.picture !== undefined;
    setText(this.#overlayText, view.nothing ?? view.waiting);
    this.#steps.hidden = view.stepFraction === undefined;
    if (view.stepFraction !== undefined) this.#steps.style.width = `${100 * view.stepFraction}%`;
    this.#preview.hidden = view.picture !== undefined || view.preview === undefined;
    if (!this.#preview.hidden && view.preview) attributes(this.#preview, { src: view.preview });
    this.#updateScale(view.picture);
  }

  /** Draws the picture unless nothing changed since it was drawn last. */
  paint(painter: Painter): void {
    const { picture } = this.view;
    const aspect = this.actions.aspect();
    const { width, height } = this.#size();
    if (!picture || !aspect || width === 0 || height === 0) {
      this.#painted = [];
      this.#canvas.hidden = true;
      return;
    }
    const span = spanOf(this.actions.look.viewpoint, aspect, width, height);
    const wanted: readonly unknown[] = [width, height, span.u0, span.v0, span.du, span.dv, ...(Object.values(picture) as unknown[]).flat()];
    if (wanted.length === this.#painted.length && wanted.every((part, i) => part === this.#painted[i])) return;
    this.#canvas.hidden = false;
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#painted = painter.paint(this.#canvas, picture, span) ? wanted : [];
  }

  /** Draws again at the next `paint` even when nothing seems changed. */
  forgetPainted(): void {
    this.#painted = [];
  }

  /** Moves crosshair, read-out chip and the mark on the colour bar; returns what the chip says. */
  showProbe(): ReadOut | undefined {
    const { probe, viewpoint } = this.actions.look;
    const aspect = this.actions.aspect();
    const value = probe && this.view.picture ? readOut(this.view, probe) : undefined;
    this.#showMarks(aspect);
    const shown = probe !== undefined && value !== undefined && aspect !== undefined;
    this.#crossX.hidden = this.#crossY.hidden = this.#chip.hidden = !shown;
    this.#bar.mark(shown && value.values.length === 1 ? value.values[0] : undefined);
    if (!shown) return undefined;
    const { clientWidth, clientHeight } = this.#area;
    const span = spanOf(viewpoint, aspect, clientWidth, clientHeight);
    const x = (probe.u - span.u0) / span.du;
    const y = (probe.v - span.v0) / span.dv;
    this.#crossX.style.transform = `translateX(${x}px)`;
    this.#crossY.style.transform = `translateY(${y}px)`;
    this.#chip.classList.toggle("at-top", y > clientHeight * 0.7);
    setText(this.#chip, value.text);
    return value;
  }

  #showMarks(aspect: number | undefined): void {
    const { marks } = this.actions;
    if (!this.#marks || !marks) return;
    this.element.classList.toggle("draws-line", marks.drawsLine);
    const wanted = this.view.picture !== undefined && aspect !== undefined && (marks.probes.length > 0 || marks.line !== undefined);
    // The size is asked for only when needed, since it makes the browser lay the page out; a hidden tile has none.
    const { clientWidth, clientHeight } = wanted ? this.#area : { clientWidth: 0, clientHeight: 0 };
    this.#marks.element.hidden = clientWidth === 0;
    if (wanted && clientWidth > 0) this.#marks.update(spanOf(this.actions.look.viewpoint, aspect, clientWidth, clientHeight));
  }

  #size(): { width: number; height: number } {
    const ratio = window.devicePixelRatio;
    return { width: Math.round(this.#area.clientWidth * ratio), height: Math.round(this.#area.clientHeight * ratio) };
  }

  #updateScale(whole: Picture | undefined): void {
    const picture = whole?.kind === "wipe" ? whole.right : whole;
    if (picture?.kind === "scalar") {
      this.#bar.set(picture.lut, picture.range);
      if (this.#bar.element.parentElement !== this.#scale) this.#scale.replaceChildren(this.#bar.element);
    } else if (picture?.kind === "normals") {
      if (!this.#scale.querySelector(".axis-key")) this.#scale.replaceChildren(axisKey());
    } else this.#scale.replaceChildren();
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.element) return;
    const map = this.view.map ?? (this.view.picture?.kind === "photo" ? this.view.picture.image : undefined);
    const pixel: readonly [number, number] = map ? [1 / map.width, 1 / map.height] : [0.01, 0.01];
    if (event.key === "Enter") this.actions.toggleMaximised(this.view.key);
    else if (!steerByKey(event, this.actions.look, this.#area, this.actions.aspect(), pixel)) return;
    event.preventDefault();
  }
}

function stateOf(view: TileView): string {
  if (view.nothing !== undefined) return "nothing";
  if (!view.picture) return view.busy ? "busy" : "idle";
  return view.stale ? "stale" : view.busy ? "streaming" : "ready";
}
