import { wholeImage } from "../rows/viewport";
import { lutOf } from "../rows/colormaps";
import { button } from "../controls";
import { el, icon, setText } from "../dom";
import type { Painter } from "../gl/painter";
import { HistogramPlot } from "../ab/histogramPlot";
import { Look } from "../rows/look";
import { exactText, rangeOf, valuesAt } from "../rows/measures";
import type { TileView } from "../rows/scene";
import { Tile } from "../rows/tiles";
import type { FloatFile } from "../../src/protocol/inference";
import type { FromViewer, ToViewer } from "../../src/protocol/viewer";
import { Bar } from "./bar";
import type { ViewerState } from "./host";
import { guessReading, interpreted, isNormals, kindText, kindTitle, type Interpreted, type Reading } from "./kinds";
import { summaryOf } from "./summary";

export interface ViewerHost {
  post(message: FromViewer): void;
  save(state: ViewerState): void;
}

interface Shown extends Interpreted {
  readonly of: FloatFile;
  readonly reading: Reading;
}

/** The page: what one file of floats holds, as what the user takes it for. */
export class Viewer {
  readonly element = el("div", "panel viewer");
  readonly #look = new Look(() => this.redraw());
  readonly #bar: Bar;
  readonly #name = el("span", "summary-name");
  readonly #summary = el("span");
  readonly #failure = el("div", "empty");
  readonly #message = el("p");
  readonly #scroll = el("div", "scroll has-maximised");
  readonly #tile: Tile;
  readonly #histogram = new HistogramPlot((values) => this.#hoverBin(values));
  readonly #probeLine = el("div", "probe-line");
  #state: ViewerState;
  #colormap = "";
  #fileName = "";
  #file?: FloatFile;
  #guess?: ReturnType<typeof guessReading>;
  #shown?: Shown;
  #failed = false;
  #hovered?: readonly [number, number];
  #frame?: number;

  constructor(private readonly painter: Painter, saved: ViewerState | undefined, private readonly host: ViewerHost) {
    this.#state = saved ?? { rangePercentiles: [2, 98] };
    this.#bar = new Bar({
      read: (change) => this.#choose(change),
      look: (change) => this.#change(change),
      chooseEntry: (entry) => this.#chooseEntry(entry),
      resetView: () => this.#look.reset(),
    });
    const blank: TileView = { key: "file", column: "depth", title: "", badge: "", kind: "", kindInFull: "", signX: 1, waiting: "Reading the file", busy: true, stale: false };
    this.#tile = new Tile(blank, () => this.#fileName, { look: this.#look, aspect: () => this.#aspect, toggleMaximised: () => undefined, showExport: () => undefined });
    const again = button("Read Again", () => host.post({ type: "again" }), { icon: "reset" });
    const showLog = button("Show Log", () => host.post({ type: "showLog" }));
    this.#failure.append(icon("warning"), el("h2", "", "The file cannot be read"), this.#message, el("div", "group", again.element, showLog.element));
    this.#failure.setAttribute("role", "alert");
    this.#scroll.append(el("main", "rows has-maximised", el("section", "row has-maximised", el("div", "tiles", this.#tile.element))));
    this.element.append(this.#bar.element, el("div", "summary", this.#name, this.#summary), this.#failure, this.#scroll, this.#histogram.element, el("footer", "foot", this.#probeLine));
    new ResizeObserver(() => this.redraw()).observe(this.#scroll);
    this.redraw();
  }

  receive(message: ToViewer): void {
    switch (message.type) {
      case "init":
        this.#fileName = message.name;
        this.#colormap = message.colormap;
        break;
      case "reading":
        break;
      case "floats":
        this.#failed = false;
        this.#file = message.file;
        this.#guess = guessReading(message.file.image, this.#fileName);
        break;
      case "failed":
        this.#failed = true;
        setText(this.#message, [message.message, message.remedy].filter(Boolean).join(" "));
    }
    this.redraw();
  }

  /** Brings everything up to date in the next frame. */
  redraw(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#update();
    });
  }

  /** The graphics device was lost and is back. */
  repaint(): void {
    this.#tile.forgetPainted();
    this.redraw();
  }

  get #aspect(): number | undefined {
    return this.#file && this.#file.image.width / this.#file.image.height;
  }

  /** What the user chose, where it fits what is there now; else the guess. */
  get #reading(): { readonly reading: Reading; readonly why?: string } | undefined {
    const chosen = this.#state.reading;
    const channels = this.#file?.image.channels ?? 0;
    const fits = chosen !== undefined && (isNormals(chosen.kind) ? channels >= 3 : chosen.channel < channels);
    return fits ? { reading: chosen } : this.#guess;
  }

  #choose(change: Partial<Reading>): void {
    const now = this.#reading?.reading;
    if (now) this.#change({ reading: { ...now, ...change } });
  }

  /** What was chosen for one array says nothing of another. */
  #chooseEntry(entry: string): void {
    this.#change({ entry, reading: undefined });
    this.host.post({ type: "entry", entry });
  }

  #change(change: Partial<ViewerState>): void {
    this.#state = { ...this.#state, ...change };
    this.host.save(this.#state);
    this.redraw();
  }

  #hoverBin(values: readonly [number, number] | undefined): void {
    this.#hovered = values;
    this.redraw();
  }

  /** The map as it is read now; made anew only for another file or reading. */
  #shownMap(file: FloatFile, reading: Reading): Shown {
    if (this.#shown?.of !== file || this.#shown.reading !== reading) this.#shown = { ...interpreted(file.image, reading), of: file, reading };
    return this.#shown;
  }

  #update(): void {
    const file = this.#file;
    const found = this.#reading;
    setText(this.#name, this.#fileName);
    this.#failure.hidden = !this.#failed;
    const isShown = file !== undefined && found !== undefined && !this.#failed;
    this.#scroll.hidden = this.#failed;
    this.#bar.element.hidden = file === undefined || (this.#failed && file.entries.length < 2);
    this.#histogram.element.hidden = !isShown || isNormals(found.reading.kind);
    if (!file || !found) return;
    const { rangePercentiles, frame, colormap = this.#colormap } = this.#state;
    this.#bar.update({ ...found, channels: file.image.channels, entries: file.entries, entry: this.#state.entry ?? file.entry, colormap, rangePercentiles, frame });
    if (!isShown) return setText(this.#summary, "");
    const { reading } = found;
    const shown = this.#shownMap(file, reading);
    setText(this.#summary, summaryOf(file.image, shown, reading.kind === "metric" ? " m" : ""));
    const view = this.#view(shown, colormap);
    this.#tile.update(view, true);
    this.#tile.paint(this.painter);
    this.painter.keepOnly(view.picture ? [view.picture] : []);
    if (view.picture?.kind === "scalar") this.#histogram.update(shown.map, rangeOf(shown.map, rangePercentiles), reading.kind === "metric" ? "metres" : kindTitle[reading.kind].toLowerCase());
    this.#showProbe(shown);
  }

  #view(shown: Shown, colormap: string): TileView {
    const { reading, map } = shown;
    const own = isNormals(reading.kind) ? reading.kind : undefined;
    const frame = own && (this.#state.frame ?? own);
    const signX = frame === own ? 1 : -1;
    const mirrored = signX === -1 && own ? `, from ${own} in the file` : "";
    const kind = `${kindText[frame ?? reading.kind]}${mirrored}`;
    const base: TileView = { ...this.#tile.view, busy: false, waiting: "", title: kindTitle[reading.kind], column: own ? "normals" : "depth", kind, kindInFull: kind, map, signX, frame, badge: shown.of.entry ?? "", read: (u, v) => readOut(shown, signX, u, v) };
    if (own) return { ...base, picture: { kind: "normals", map, signX } };
    return { ...base, picture: { kind: "scalar", map, lut: lutOf(colormap), range: rangeOf(map, this.#state.rangePercentiles), marked: this.#hovered } };
  }

  #showProbe({ map }: Shown): void {
    this.#tile.showProbe();
    const { probe, viewpoint } = this.#look;
    const zoomed = viewpoint !== wholeImage ? " · double click shows it whole" : "";
    setText(this.#probeLine, probe ? `x ${Math.floor(probe.u * map.width)}  y ${Math.floor(probe.v * map.height)}${probe.pinned ? "  pinned" : ""}` : `Wheel zooms, drag moves, click holds the crosshair${zoomed}`);
  }
}

/** The exact value under the crosshair, and what is stored where that is another number. */
function readOut({ of: { image }, map, reading, codes }: Shown, signX: 1 | -1, u: number, v: number): { readonly values: readonly number[]; readonly text: string } | undefined {
  const values = valuesAt(map, u, v);
  if (!values) return undefined;
  const at = (Math.floor(v * image.height) * image.width + Math.floor(u * image.width)) * image.channels;
  const normals = isNormals(reading.kind);
  const stored = [...image.data.subarray(at, at + image.channels)].slice(normals ? 0 : reading.channel, normals ? 3 : reading.channel + 1);
  const storedText = `(stored ${stored.map((value) => (Number.isNaN(value) ? "NaN" : exactText(value))).join("  ")})`;
  if (values.some(Number.isNaN)) return { values, text: `no value ${storedText}` };
  const shown = normals ? [values[0] * signX, values[1], values[2]] : values;
  const unit = reading.kind === "metric" ? " m" : "";
  const isScaled = codes !== undefined || (reading.kind === "metric" && reading.perMetre !== 1);
  return { values: shown, text: `${shown.map(exactText).join("  ")}${unit}${isScaled ? ` ${storedText}` : ""}` };
}
