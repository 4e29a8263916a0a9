import type { DepthScaling } from "../../src/core/camera";
import type { FloatMap } from "../../src/core/image";
import { convertFrame } from "../../src/core/normals";
import { fitProjection } from "../../src/core/projectionFit";
import type { ShownRef } from "../../src/protocol/panel";
import type { FigureFile } from "../bars/figureParts";
import { attributes, el, setText } from "../dom";
import type { Page, ShownMap, StagePart } from "../page";
import { runIdOf } from "../session";
import { coloursOf, gridOf, surfaceOf, type ColourSource, type Grid, type SpaceSettings } from "./cloud";
import { ConsistencyCheck, sampledTo } from "./consistency";
import { SpaceControls, type DepthSource } from "./controls";
import { loadSpaceView } from "./loader";
import { cloudFile } from "./cloudFile";
import { spaceFigure } from "./spaceFigure";
import type { SpaceView, Surface } from "./view";
import "./spaceStage.css";

/** The depth as points or a mesh in space, and whether its normals are the predicted ones. */
export class SpaceStage implements StagePart {
  readonly element = attributes(el("section", "space-stage"), { "aria-label": "Depth in space" });
  readonly #room = attributes(el("div", "space-room"), { tabindex: "0", role: "application", "aria-label": "Depth in space. Arrows turn, plus and minus zoom, 0 is the photograph's view." });
  readonly #message = attributes(el("p", "space-message"), { role: "status" });
  readonly #count = el("p", "space-count number");
  readonly #controls = new SpaceControls({
    change: (change) => this.#change(change),
    look: (viewpoint) => this.#view?.look(viewpoint),
    fit: () => this.#fit(),
    save: () => void this.#save(),
    close: () => this.#page?.changeView({ stage: undefined }),
  });
  readonly #check = new ConsistencyCheck(() => this.#page?.refresh());
  #page?: Page;
  #view?: SpaceView;
  #loading = false;
  #problem = "";
  #shown: readonly unknown[] = [];
  #theme = "";
  #grid?: Grid;
  #colours?: { readonly key: readonly unknown[]; readonly colours: Uint8Array };

  constructor() {
    this.#room.append(this.#message, this.#count, el("p", "space-keys", "Drag turns · right drag moves · wheel zooms · 0 is the photograph's view"));
    this.element.append(this.#controls.head, el("div", "space-body", this.#room, el("aside", "space-side", this.#controls.element, this.#check.element)));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.hidden = true;
  }

  update(page: Page): void {
    this.#page = page;
    const settings = this.#settings;
    this.element.hidden = settings === undefined;
    if (!settings) return this.#close();
    const depth = page.mapOf(settings.of);
    const usable = depth?.semantics.task === "depth" ? depth : undefined;
    const normals = this.#predictedNormals(settings.of);
    const scaling = usable && scalingOf(usable, settings);
    this.#controls.update(settings, depthSources(page), scaling?.depthKind, { fit: usable !== undefined && normals !== undefined, save: usable !== undefined });
    if (usable && scaling) {
      this.#showSurface(usable, settings, scaling, normals);
      this.#check.update({ prediction: usable.map, scaling, fovDegrees: settings.fovDegrees, normals }, page.painter);
    }
    this.#open();
    // What is still on the screen is of another map.
    this.element.classList.toggle("waiting", usable === undefined);
    const waiting = this.#view === undefined ? "Loading" : usable === undefined ? `${page.labelOf(settings.of)}: no depth yet` : "";
    setText(this.#message, this.#problem || waiting);
    this.#message.hidden = this.#message.textContent === "";
  }

  figure(): FigureFile | undefined {
    const [page, settings] = [this.#page, this.#settings];
    const depth = settings && page?.mapOf(settings.of);
    const image = this.#view?.picture();
    if (!page || !depth || !this.#view || !image) return undefined;
    const source = this.#colourSource(settings, this.#predictedNormals(settings.of));
    return spaceFigure(page, { depth, settings, scaling: scalingOf(depth, settings), source, image, eye: this.#view.eye, count: this.#count.textContent ?? "" });
  }

  get #settings(): SpaceSettings | undefined {
    const stage = this.#page?.state.view.stage;
    return stage?.kind === "space" ? stage : undefined;
  }

  /** Makes the view when the stage is first shown; what it lacks is told where it would be. */
  #open(): void {
    if (this.#view || this.#loading || this.#problem) return;
    this.#loading = true;
    loadSpaceView()
      .then((View) => {
        if (!this.#settings) return;
        const canvas = attributes(el("canvas"), { "aria-hidden": "true" });
        this.#room.prepend(canvas);
        try {
          this.#view = new View(canvas, (lost) => this.#contextChanged(lost), (viewpoint) => this.#controls.mark(viewpoint));
        } catch (error) {
          canvas.remove();
          throw new Error("The view in space needs WebGL2, which is not available. Turn on hardware acceleration (or software WebGL) and open it again.", { cause: error });
        }
        this.#shown = [];
      })
      .catch((error: unknown) => (this.#problem = error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.#loading = false;
        this.#page?.refresh();
      });
  }

  #close(): void {
    this.#view?.canvas.remove();
    this.#view?.dispose();
    this.#view = this.#grid = this.#colours = undefined;
    this.#problem = "";
    this.#shown = [];
    this.#check.forget();
  }

  #contextChanged(lost: boolean): void {
    this.#problem = lost ? "The graphics context was lost; the view comes back when the device gives it another." : "";
    this.#page?.refresh();
  }

  #showSurface({ map }: ShownMap, settings: SpaceSettings, scaling: DepthScaling, normals: FloatMap | undefined): void {
    const view = this.#view;
    if (!view) return;
    const source = this.#colourSource(settings, normals);
    const wanted = [map, settings.shape, settings.fovDegrees, scaling.scale, scaling.shift, scaling.depthKind, source && sourceData(source)];
    if (this.#theme !== document.body.className) {
      this.#theme = document.body.className;
      view.draw();
    }
    if (wanted.every((part, i) => part === this.#shown[i]) && this.#shown.length > 0) return;
    this.#shown = wanted;
    if (this.#grid?.fullSize !== map) this.#grid = gridOf(map, view.maxPoints);
    const surface = this.#surface(this.#grid, settings, scaling, source);
    view.show(surface);
    this.#describe(map, surface, settings, source);
  }

  #surface(grid: Grid, settings: SpaceSettings, scaling: DepthScaling, source: ColourSource | undefined): Surface {
    const key = [grid, source && sourceData(source)];
    if (!this.#colours || !key.every((part, i) => part === this.#colours?.key[i])) this.#colours = { key, colours: coloursOf(grid, source) };
    return surfaceOf(grid, this.#colours.colours, settings, scaling);
  }

  /** How much of the map is shown: drawn points, those left out for their number, and those without a place. */
  #describe(map: FloatMap, { shape, index, positions }: Surface, settings: SpaceSettings, source: ColourSource | undefined): void {
    const number = (value: number): string => value.toLocaleString("en");
    const every = this.#grid && this.#grid.stride > 1 ? `, every ${this.#grid.stride}${this.#grid.stride === 2 ? "nd" : this.#grid.stride === 3 ? "rd" : "th"} pixel` : "";
    const drawn = shape === "points" ? `${number(index.length)} of ${number(map.data.length)} points${every}` : `${number(index.length / 3)} triangles on ${number(positions.length / 3)} of ${number(map.data.length)} pixels${every}, cut where depth jumps`;
    const missing = shape === "points" && index.length < positions.length / 3 ? ` · ${number(positions.length / 3 - index.length)} have no place (z is not above 0)` : "";
    const colour = source?.kind === settings.colour ? "" : ` · no ${settings.colour === "std" ? "standard deviation" : settings.colour} here${source ? ": coloured by the photograph" : ""}`;
    setText(this.#count, `${drawn}${missing}${colour}`);
    attributes(this.#room, { "data-shown": String(index.length) });
  }

  /** What was asked for where it is there, else the photograph. */
  #colourSource({ colour, of }: SpaceSettings, normals: FloatMap | undefined): ColourSource | undefined {
    const generation = this.#page?.generation;
    if (colour === "normals" && normals) return { kind: "normals", map: normals };
    const result = of.kind === "file" ? undefined : generation?.runs.get(runIdOf(of.rowId, "depth"))?.result;
    const std = result?.stdOverSteps ?? result?.stdOverMembers;
    if (colour === "std" && std) return { kind: "std", map: std };
    return generation?.photo && { kind: "rgb", image: generation.photo };
  }

  /** Of the same run and step in RUB, else of the first run that has normals. */
  #predictedNormals(of: ShownRef): FloatMap | undefined {
    const page = this.#page;
    if (!page) return undefined;
    const rows = page.generation?.settings.rows.filter(({ models }) => models.normals !== undefined) ?? [];
    const own = of.kind === "file" ? undefined : rows.find(({ rowId }) => rowId === of.rowId);
    const ref: ShownRef | undefined = own && of.kind === "step" ? { ...of, task: "normals" } : (own ?? rows[0]) && { kind: "result", rowId: (own ?? rows[0]).rowId, task: "normals" };
    const shown = ref && page.mapOf(ref);
    return shown?.semantics.task === "normals" ? inRub(shown) : undefined;
  }

  #change(change: Partial<SpaceSettings>): void {
    const settings = this.#settings;
    if (settings) this.#page?.changeView({ stage: { ...settings, ...change } });
  }

  #fit(): void {
    const settings = this.#settings;
    const depth = settings && this.#page?.mapOf(settings.of);
    const normals = settings && this.#predictedNormals(settings.of);
    if (!depth || !normals) return;
    const grid: Grid = { prediction: depth.map, stride: 1, fullSize: depth.map };
    const found = fitProjection(depth.map, sampledTo(normals, grid), scalingOf(depth, settings));
    if (!found) return this.#page?.complain(new Error("Too few pixels have both depth and normals to fit to."));
    const rounded = (value: number): number => Number(value.toPrecision(4));
    this.#change({ fovDegrees: rounded(found.fovDegrees), scale: rounded(found.scale), shift: rounded(found.shift) });
  }

  async #save(): Promise<void> {
    const page = this.#page;
    const settings = this.#settings;
    const depth = settings && page?.mapOf(settings.of);
    if (!page || !depth) return;
    try {
      const normals = this.#predictedNormals(settings.of);
      const saved = cloudFile(page, depth, settings, scalingOf(depth, settings), this.#colourSource(settings, normals), normals);
      const { files } = await page.ask("saveFiles", saved);
      if (files.length > 0) page.inform(`Saved ${files.join(", ")}`);
    } catch (error) {
      page.complain(error);
    }
  }

  #key(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#page?.changeView({ stage: undefined });
    else if (event.target !== this.#room || !steer(this.#view, event.key)) return;
    event.preventDefault();
  }
}

const inRubCache = new WeakMap<FloatMap, FloatMap>();

function inRub({ map, semantics }: ShownMap): FloatMap {
  if (semantics.task !== "normals" || semantics.frame === "RUB") return map;
  const known = inRubCache.get(map) ?? convertFrame(map, semantics.frame, "RUB");
  inRubCache.set(map, known);
  return known;
}

function scalingOf({ semantics }: ShownMap, { scale, shift }: SpaceSettings): DepthScaling {
  const depthKind = semantics.task === "depth" ? semantics.depthKind : "affine-depth";
  return depthKind === "metric-depth" ? { depthKind, scale: 1, shift: 0 } : { depthKind, scale, shift };
}

function sourceData(source: ColourSource): unknown {
  return source.kind === "rgb" ? source.image : source.map;
}

/** Every run of the current image that has depth, and its ground truth. */
function depthSources(page: Page): readonly DepthSource[] {
  const rows = page.generation?.settings.rows.filter(({ models }) => models.depth !== undefined) ?? [];
  const sources = rows.map(({ rowId, steps }): DepthSource => {
    const ref: ShownRef = { kind: "result", rowId, task: "depth" };
    return { value: `row:${rowId}`, label: page.labelOf(ref), ref, steps };
  });
  const { truth } = page.state.view;
  return truth?.task === "depth" ? [...sources, { value: "file", label: page.labelOf(truth), ref: truth, steps: 1 }] : sources;
}

function steer(view: SpaceView | undefined, key: string): boolean {
  const turn = Math.PI / 36;
  const moves: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => view?.orbit(-turn, 0),
    ArrowRight: () => view?.orbit(turn, 0),
    ArrowUp: () => view?.orbit(0, turn),
    ArrowDown: () => view?.orbit(0, -turn),
    "+": () => view?.zoom(1.15),
    "=": () => view?.zoom(1.15),
    "-": () => view?.zoom(1 / 1.15),
    "0": () => view?.look("front"),
  };
  moves[key]?.();
  return key in moves;
}
