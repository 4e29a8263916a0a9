import type { ExportRequest, ViewState } from "../src/protocol/panel";
import { button, checkbox } from "./controls";
import { attributes, el } from "./dom";
import type { Scene, TileView } from "./scene";

const formats = [
  ["png", "PNG, coloured as shown"],
  ["png16", "PNG, 16 bits"],
  ["npy", "NumPy .npy, exact floats"],
] as const;

type Format = (typeof formats)[number][0];

/** Asks which maps to write in which formats. A provenance .json is written beside each by the host. */
export class ExportMenu {
  readonly element = attributes(el("div", "export-menu"), { role: "dialog", "aria-label": "Export" });
  readonly #chosenFormats = new Set<Format>(["png", "npy"]);
  #opener?: Element | null;

  constructor(private readonly send: (requests: readonly ExportRequest[]) => void) {
    this.element.hidden = true;
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.element.hidden && !event.composedPath().includes(this.element)) this.close();
    });
  }

  /** Opens with one map chosen, or all of them. */
  open(scene: Scene, view: ViewState, onlyKey?: string): void {
    this.#opener = document.activeElement;
    const entries = scene.rows.flatMap((row) => row.tiles.filter(({ exportable }) => exportable).map((tile) => ({ rowId: row.rowId, label: row.label, tile })));
    const chosen = new Set(entries.filter(({ tile }) => onlyKey === undefined || tile.key === onlyKey));
    const mapBoxes = entries.map((entry) => {
      const { element } = checkbox(`${entry.label}: ${entry.tile.title}`, chosen.has(entry), (on) => (on ? chosen.add(entry) : chosen.delete(entry), update()));
      return attributes(element, { "data-key": entry.tile.key });
    });
    const formatBoxes = formats.map(([format, text]) => {
      const set = this.#chosenFormats;
      const { element } = checkbox(text, set.has(format), (on) => (on ? set.add(format) : set.delete(format), update()));
      return attributes(element, { "data-format": format });
    });
    const go = button("Export…", () => {
      this.send([...chosen].flatMap(({ rowId, tile }) => requestOf(rowId, tile, view, [...this.#chosenFormats])));
      this.close();
    }, { appearance: "primary" });
    const update = (): void => go.enable(chosen.size > 0 && this.#chosenFormats.size > 0);
    update();
    this.element.replaceChildren(
      el("h3", "", "Maps"), ...mapBoxes,
      el("h3", "", "Formats"), ...formatBoxes,
      el("p", "hint", "Model, settings, seed and timesteps are written beside each file as .json."),
      el("div", "export-actions", button("Close", () => this.close()).element, go.element),
    );
    this.element.hidden = false;
    mapBoxes.concat(formatBoxes)[0]?.focus();
  }

  close(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    if (this.#opener instanceof HTMLElement) this.#opener.focus();
  }
}

function requestOf(rowId: string, { task, exportable, picture }: TileView, view: ViewState, chosen: readonly Format[]): ExportRequest[] {
  if (!task || !exportable || !picture || picture.kind === "photo") return [];
  const look = picture.kind === "scalar" ? { colormap: picture.lut.name, range: picture.range } : { colormap: view.colormap, range: [-1, 1] as const };
  return [{ ...exportable, rowId, task, formats: chosen, ...look, normalsFrame: task === "normals" ? view.normalsFrame : undefined }];
}
