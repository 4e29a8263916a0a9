import type { Task } from "../../src/core/semantics";
import type { AbMode, ShownRef } from "../../src/protocol/panel";
import type { FigureFile } from "../bars/figureParts";
import { abFigure } from "./abFigure";
import { AbHandle } from "./abHandle";
import { AbPicker, inTask } from "./abPicker";
import { absenceOf, differencePicture, differenceText, fitLine, formulaOf, kindLine, picturesOf, shownDifference, sizeLine, summaryOf, type AbPictures, type AbView } from "./abPictures";
import { button, dropdown, iconButton } from "../controls";
import { kindsOf } from "../rows/difference";
import { attributes, el, setChildren, setText } from "../dom";
import type { Picture, Range } from "../gl/painter";
import { HistogramPlot } from "./histogramPlot";
import { shownRun } from "../maps";
import { exactText, valuesAt } from "../rows/measures";
import { marksOf } from "../rows/marks";
import type { Page, StagePart } from "../page";
import { blank, type TileView } from "../rows/scene";
import { Tile } from "../rows/tiles";
import { spanOf } from "../rows/viewport";
import "./abStage.css";

/** Between two flips: slow enough for sensitive eyes (less than three a second), quick enough to see what jumps. */
const flipMillis = 500;
/** Pairs of pictures whose textures stay on the graphics device, so that going back to one sends nothing. */
const keptPictures = 12;

/** Two maps laid over each other, wiped or in turns, beside their difference. */
export class AbStage implements StagePart {
  readonly element = attributes(el("section", "ab-stage"), { "aria-label": "A and B compared" });
  readonly #back = button("Back to tiles", () => this.#page?.changeView({ stage: undefined }), { icon: "previous" });
  readonly #task = dropdown("Task compared", [["depth", "Depth"], ["normals", "Normals"]], "depth", (task) => this.#changeTask(task as Task));
  readonly #pickers = { a: this.#picker("a"), b: this.#picker("b") };
  readonly #swap = iconButton("Swap A and B", "swap", () => this.#stage && this.#change({ a: this.#stage.b, b: this.#stage.a }));
  readonly #mode = dropdown("A over B", [["wipe", "Wipe"], ["flicker", "Flicker"]], "wipe", (mode) => this.#changeMode(mode as AbMode));
  readonly #pause = button("Pause", () => this.#togglePlaying());
  readonly #flipButton = button("Flip", () => this.#flip());
  readonly #difference = dropdown("Difference", kindsOf("depth").map((kind) => [kind, differenceText[kind].title] as const), "signed", (kind) => this.#changeDifference(kind));
  readonly #handle = new AbHandle((split) => this.#change({ split }));
  readonly #names = { a: el("div", "ab-name ab-name-a"), b: el("div", "ab-name ab-name-b") };
  readonly #fit = el("p", "ab-fit");
  readonly #summary = el("dl", "ab-summary");
  readonly #note = el("p", "ab-note");
  readonly #histogram = new HistogramPlot((values) => this.#hoverBin(values));
  readonly #tiles = el("div", "ab-tiles");
  readonly #foot = el("div", "ab-foot", el("div", "ab-numbers", this.#fit, this.#summary, this.#note), this.#histogram.element);
  #overTile?: Tile;
  #differenceTile?: Tile;
  #page?: Page;
  #pictures?: { readonly inputs: readonly unknown[]; readonly pictures: AbPictures };
  #wipe?: Extract<Picture, { kind: "wipe" }>;
  #recent: readonly Picture[] = [];
  #marked?: Range;
  #showsB = false;
  #playing = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  #timer?: number;

  constructor() {
    const over = el("span", "ab-group", this.#mode.element, this.#pause.element, this.#flipButton.element);
    this.element.append(
      attributes(el("div", "ab-bar", this.#back.element, this.#task.element, el("span", "ab-sides", this.#pickers.a.element, this.#swap.element, this.#pickers.b.element), over, this.#difference.element), { role: "toolbar", "aria-label": "Comparison" }),
      this.#tiles, this.#foot,
    );
    this.element.hidden = true;
    document.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    new ResizeObserver(() => this.#page?.refresh()).observe(this.#tiles);
  }

  update(page: Page): void {
    const wasHidden = this.element.hidden;
    this.#page = page;
    const stage = this.#stage;
    this.element.hidden = stage === undefined;
    this.#runTimer(stage?.mode === "flicker" && this.#playing);
    if (!stage) {
      if (!wasHidden) this.#leave(page);
      return;
    }
    const [a, b] = [page.mapOf(stage.a), page.mapOf(stage.b)];
    const pictures = a && b && this.#memoised([a.map, b.map, page.state.view.colormap, ...page.state.view.rangePercentiles, page.state.view.normalsFrame, a.label, b.label], () => picturesOf(a, b, page.state.view));
    this.#updateControls(page, stage);
    this.#show(page, stage, pictures);
    for (const tile of [this.#overTile, this.#differenceTile]) {
      tile?.paint(page.painter);
      tile?.showProbe();
    }
    page.painter.keepOnly(this.#recent, this);
  }

  figure(): FigureFile | undefined {
    const [page, stage, pictures] = [this.#page, this.#stage, this.#pictures?.pictures];
    return page && stage && pictures && page.mapOf(stage.a)?.map === pictures.a.map && page.mapOf(stage.b)?.map === pictures.b.map ? abFigure(page, stage, pictures) : undefined;
  }

  get #stage(): AbView | undefined {
    const stage = this.#page?.state.view.stage;
    return stage?.kind === "ab" ? stage : undefined;
  }

  #change(change: Partial<AbView>): void {
    if (this.#stage) this.#page?.changeView({ stage: { ...this.#stage, ...change } });
  }

  #picker(side: "a" | "b"): AbPicker {
    return new AbPicker(side === "a" ? "A" : "B", { pick: (ref) => this.#change({ [side]: ref }), chooseTruth: () => void this.#chooseTruth(side) });
  }

  async #chooseTruth(side: "a" | "b"): Promise<void> {
    const page = this.#page;
    const task = this.#stage?.b.task;
    if (!page || !task) return;
    try {
      const { path } = await page.ask("chooseTruth", { task });
      if (path === undefined) return;
      const truth = { kind: "file", path, task } as const;
      page.changeView({ truth });
      this.#change({ [side]: truth });
    } catch (error) {
      page.complain(error);
    }
  }

  #changeTask(task: Task): void {
    const [page, stage] = [this.#page, this.#stage];
    if (!page || !stage) return;
    const anyRow = page.state.settings.rows.find(({ models }) => models[task] !== undefined);
    const fallback: ShownRef | undefined = anyRow && { kind: "result", rowId: anyRow.rowId, task };
    const [a, b] = [inTask(stage.a, task, page) ?? fallback, inTask(stage.b, task, page) ?? fallback];
    if (a && b) this.#change({ a, b });
    else this.#task.set(stage.b.task);
  }

  #changeMode(mode: AbMode): void {
    this.#change({ mode, difference: this.#stage && shownDifference(this.#stage) });
    // Space is for the pictures now, not for the dropdown that had the focus.
    if (mode === "flicker") requestAnimationFrame(() => this.#overTile?.element.focus());
  }

  /** The picture goes on as it is beside another difference. */
  #changeDifference(kind: string): void {
    const mode = this.#stage?.mode === "flicker" ? "flicker" : "wipe";
    this.#change({ mode, difference: kind as AbView["difference"] });
  }

  #updateControls(page: Page, stage: AbView): void {
    this.#pickers.a.update(page, stage.a);
    this.#pickers.b.update(page, stage.b);
    this.#task.set(stage.b.task);
    const flickers = stage.mode === "flicker";
    this.#mode.set(flickers ? "flicker" : "wipe");
    this.#pause.element.hidden = !flickers;
    this.#flipButton.element.hidden = !flickers || this.#playing;
    this.#pause.set(this.#playing ? "Pause" : "Play", this.#playing ? "stop" : "run");
    this.#difference.element.hidden = stage.b.task === "normals";
    if (stage.b.task === "depth") this.#difference.set(shownDifference(stage));
  }

  #show(page: Page, stage: AbView, pictures: AbPictures | undefined): void {
    const missing = [stage.a, stage.b].flatMap((ref, i) => (page.mapOf(ref) ? [] : [`${"AB"[i]}: ${absenceOf(ref, page)}`])).join("\n");
    this.#showTile("over", this.#overView(page, stage, pictures, missing));
    this.#showTile("difference", this.#differenceView(page, stage, pictures, missing));
    const flickers = stage.mode === "flicker";
    this.#handle.element.hidden = !pictures || flickers;
    for (const side of ["a", "b"] as const) {
      setText(this.#names[side], `${side.toUpperCase()} ${page.labelOf(stage[side])}`);
      this.#names[side].hidden = !pictures || (flickers && (side === "b") !== this.#showsB);
    }
    const area = this.#overTile?.area;
    if (area && page.scene.aspect) this.#handle.place(stage.split, spanOf(page.look.viewpoint, page.scene.aspect, area.clientWidth, area.clientHeight), area.clientWidth);
  }

  #overView(page: Page, stage: AbView, pictures: AbPictures | undefined, waiting: string): TileView {
    const [a, b] = [page.labelOf(stage.a), page.labelOf(stage.b)];
    const flickers = stage.mode === "flicker";
    const title = !flickers ? `${a} | ${b}` : this.#showsB ? b : a;
    const base = { ...blankTile("ab:over", stage.b.task, title), badge: flickers ? (this.#showsB ? "B" : "A") : "A | B", waiting };
    if (!pictures) return base;
    const kind = kindLine(pictures.a.semantics, pictures.b.semantics, page.state.view, pictures.comparison !== undefined);
    const picture = flickers ? (this.#showsB ? pictures.right : pictures.left) : this.#wiped(pictures, stage.split);
    this.#remember(pictures.left, pictures.right);
    // From the run before, as in the tiles: dimmed.
    const stale = [stage.a, stage.b].some((ref) => ref.kind !== "file" && shownRun(ref.rowId, ref.task, page.generation).stale);
    return { ...base, stale, kind, kindInFull: kind, picture, map: pictures.b.map, read: (u, v) => bothValues(pictures, u, v) };
  }

  #differenceView(page: Page, stage: AbView, pictures: AbPictures | undefined, waiting: string): TileView {
    const kind = shownDifference(stage);
    const { title, unit } = differenceText[kind];
    const base = { ...blankTile("ab:difference", stage.b.task, title), waiting: waiting && "The difference needs both" };
    this.#foot.hidden = pictures?.comparison === undefined;
    if (!pictures?.comparison) return pictures ? { ...base, nothing: pictures.refusal } : base;
    const difference = pictures.comparison.difference(kind);
    const picture = differencePicture(difference, page.state.view.rangePercentiles, this.#marked);
    setText(this.#fit, fitLine(pictures.comparison));
    const numbers = summaryOf(difference);
    this.#showNumbers(numbers);
    setText(this.#note, sizeLine(pictures));
    const text = `${formulaOf(difference)}, ${unit}`;
    this.#histogram.update(difference.map, picture.range, text);
    this.#remember(picture);
    return { ...base, badge: `${numbers[0][0]} ${numbers[0][1]}`, kind: text, kindInFull: `${title}: ${text}`, picture, map: difference.map };
  }

  #showNumbers(numbers: readonly (readonly [name: string, value: string])[]): void {
    const cells = numbers.map((_, i) => this.#summary.children[i] ?? el("div", "ab-number", el("dt"), el("dd")));
    setChildren(this.#summary, cells);
    cells.forEach((cell, i) => numbers[i].forEach((text, part) => setText(cell.children[part], text)));
  }

  #showTile(which: "over" | "difference", view: TileView): void {
    const known = which === "over" ? this.#overTile : this.#differenceTile;
    if (known) return known.update(view, false);
    const page = this.#page;
    if (!page) return;
    const nothing = (): void => undefined;
    const tile = new Tile(view, () => "A and B compared", { look: page.look, marks: marksOf(page), aspect: () => this.#page?.scene.aspect, toggleMaximised: nothing, showExport: nothing });
    this.#tiles.append(tile.element);
    if (which === "over") {
      this.#overTile = tile;
      tile.area.append(this.#names.a, this.#names.b, this.#handle.element);
    } else this.#differenceTile = tile;
  }

  /** The same pictures for the same inputs: a tile draws again only for another object. */
  #memoised(inputs: readonly unknown[], make: () => AbPictures): AbPictures {
    const known = this.#pictures;
    if (known && inputs.every((input, i) => input === known.inputs[i])) return known.pictures;
    const pictures = make();
    this.#pictures = { inputs, pictures };
    return pictures;
  }

  #wiped({ left, right }: AbPictures, split: number): Picture {
    const known = this.#wipe;
    if (known?.left === left && known.right === right && known.split === split) return known;
    return (this.#wipe = { kind: "wipe", left, right, split });
  }

  #remember(...pictures: readonly Picture[]): void {
    const source = (picture: Picture): unknown => ("map" in picture ? picture.map : picture);
    const others = this.#recent.filter((old) => !pictures.some((picture) => source(picture) === source(old)));
    this.#recent = [...others, ...pictures].slice(-keptPictures);
  }

  #leave(page: Page): void {
    this.#pictures = this.#wipe = this.#marked = undefined;
    this.#recent = [];
    page.painter.keepOnly([], this);
  }

  #hoverBin(values: readonly [number, number] | undefined): void {
    // The lower end counts as well; rounding must not leave it out.
    this.#marked = values && [values[0] - 1e-6 * (values[1] - values[0]), values[1]];
    this.#page?.refresh();
  }

  #runTimer(runs: boolean): void {
    if (runs && this.#timer === undefined) this.#timer = window.setInterval(() => this.#flip(), flipMillis);
    if (runs || this.#timer === undefined) return;
    window.clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #flip(): void {
    this.#showsB = !this.#showsB;
    this.#page?.refresh();
  }

  #togglePlaying(): void {
    this.#playing = !this.#playing;
    this.#page?.refresh();
  }

  /** Space pauses the flicker, or flips by hand where motion is not wanted; before the tile takes it for the crosshair. */
  #key(event: KeyboardEvent): void {
    const target = event.composedPath()[0];
    const onControl = target instanceof HTMLElement && target.matches("input, button, [role=button], [role=option], [role=combobox], vscode-button, vscode-dropdown");
    if (this.#stage?.mode !== "flicker" || event.key !== " " || onControl || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) this.#flip();
    else this.#togglePlaying();
  }
}

function blankTile(key: string, task: Task, title: string): TileView {
  return { ...blank({ rowId: "ab" } as Parameters<typeof blank>[0], task, title), key, task };
}

/** Both maps' own values at an image point. */
function bothValues({ a, b, left, right }: AbPictures, u: number, v: number): { values: number[]; text: string } | undefined {
  const sides = [[a, left], [b, right]] as const;
  const [first, second] = sides.map(([{ map }, picture]) => {
    const values = valuesAt(map, u, v);
    return values && picture.kind === "normals" ? [values[0] * picture.signX, ...values.slice(1)] : values;
  });
  if (!first || !second) return undefined;
  const text = (values: readonly number[]): string => values.map(exactText).join("  ");
  return { values: [...first, ...second], text: `A ${text(first)}\nB ${text(second)}` };
}
