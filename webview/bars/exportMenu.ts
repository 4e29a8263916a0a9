import type { ExportRequest, ViewState } from "../../src/protocol/panel";
import { button, checkbox } from "../controls";
import { attributes, closeOnLeave, el } from "../dom";
import { animatedRuns, animationOf } from "./exportPictures";
import type { FigureFile } from "./figureParts";
import type { Page } from "../page";
import type { TileView } from "../rows/scene";

const formats = [
  ["png", "PNG, coloured as shown"],
  ["png16", "PNG, 16 bits"],
  ["npy", "NumPy .npy, exact floats"],
] as const;

type Format = (typeof formats)[number][0];

export interface ExportActions {
  maps(requests: readonly ExportRequest[]): void;
  /** Of what is shown. Throws when it cannot be drawn yet. */
  figure(): FigureFile;
}

/** Asks what to write: maps in some formats, a figure of what is shown, steps as an animation. The host writes a provenance .json beside each. */
export class ExportMenu {
  readonly element = attributes(el("div", "export-menu"), { role: "dialog", "aria-label": "Export" });
  readonly #chosenFormats = new Set<Format>(["png", "npy"]);
  #opener?: Element | null;

  constructor(private readonly page: Page, private readonly actions: ExportActions) {
    this.element.hidden = true;
    closeOnLeave(this.element, () => this.close());
  }

  /** Opens with one map chosen, or all of them. */
  open(onlyKey?: string): void {
    const { scene, state: { view } } = this.page;
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
      this.actions.maps([...chosen].flatMap(({ rowId, tile }) => requestOf(rowId, tile, view, [...this.#chosenFormats])));
      this.close();
    }, { appearance: "primary" });
    const update = (): void => go.enable(chosen.size > 0 && this.#chosenFormats.size > 0);
    update();
    this.element.replaceChildren(
      el("h3", "", "Maps"), ...mapBoxes,
      el("h3", "", "Formats"), ...formatBoxes,
      ...this.#pictures(onlyKey),
      el("p", "hint", "Model, settings, seed and timesteps are written beside each file as .json."),
      el("div", "export-actions", button("Close", () => this.close()).element, go.element),
    );
    this.element.hidden = false;
    mapBoxes.concat(formatBoxes)[0]?.focus();
  }

  /** Buttons for a figure of all that is shown, and for the runs whose steps are there. */
  #pictures(onlyKey: string | undefined): Node[] {
    const figure = button("Figure of what is shown (SVG + PNG)…", () => this.#save(async () => this.page.ask("saveFigure", this.actions.figure()))).element;
    const runs = animatedRuns(this.page).filter(({ rowId, task }) => onlyKey === undefined || onlyKey === `${rowId}:${task}`);
    const animations = runs.map((run) => {
      const { element } = button(`${run.label}: steps of ${run.task} (WebP)…`, () => this.#save(async () => this.page.ask("saveAnimation", await animationOf(run, this.page))));
      return attributes(element, { "data-animation": `${run.rowId}:${run.task}` });
    });
    return [el("h3", "", "Pictures"), attributes(figure, { "data-figure": "" }), ...animations];
  }

  #save(write: () => Promise<{ readonly files: readonly string[] }>): void {
    this.close();
    write().then(
      ({ files }) => this.page.inform(files.length > 0 ? `Wrote ${files.join(", ")}` : "Nothing was written."),
      (error: unknown) => this.page.complain(error),
    );
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
