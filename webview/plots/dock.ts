import type { Task } from "../../src/core/semantics";
import type { DockTab } from "../../src/protocol/panel";
import { ChangePlot } from "./changePlot";
import { button, dropdown, iconButton } from "../controls";
import { attributes, el, setChildren, setText } from "../dom";
import { NoisePlot } from "./noisePlot";
import type { Page, Part } from "../page";
import type { PlotTab } from "./plotTab";
import { ProbePlot } from "./probePlot";
import { ProfilePlot } from "./profilePlot";
import { ChartLegend, Slots } from "./runMarks";
import { tasksOf } from "../rows/scene";
import { runIdOf } from "../session";
import "./dock.css";

const titles: Readonly<Record<DockTab, string>> = { noise: "Noise", change: "Change", probes: "Probes", profile: "Profile" };
const tabNames = Object.keys(titles) as DockTab[];

/** Heights in pixels; the style sheet has the usual one, and keeps the dock below a part of the panel. */
const heights = { least: 140, most: 640, keyStep: 20 };

/** Plots under the tiles, a tab each. Nothing of it runs while it is closed. */
export class Dock implements Part {
  readonly element = attributes(el("section", "dock"), { "aria-label": "Plots" });
  readonly #plots: Readonly<Record<DockTab, PlotTab>> = { noise: new NoisePlot(), change: new ChangePlot(), probes: new ProbePlot(), profile: new ProfilePlot() };
  readonly #tabs = new Map(tabNames.map((name) => [name, this.#tab(name)]));
  readonly #legend = new ChartLegend();
  readonly #controls = el("div", "dock-controls");
  readonly #body = attributes(el("div", "dock-body"), { role: "tabpanel", id: "dock-body" });
  readonly #hint = el("p", "dock-hint");
  readonly #taskChoice = dropdown("Task of the plots", [["depth", "Depth"], ["normals", "Normals"]], "depth", (task) => {
    this.#task = task as Task;
    this.#page?.refresh();
  });
  readonly #grip = attributes(el("div", "dock-grip"), { role: "separator", tabindex: "0", "aria-orientation": "horizontal", "aria-label": "Height of the plots", "aria-valuemin": String(heights.least), "aria-valuemax": String(heights.most) });
  readonly #slots = new Slots();
  #task: Task = "depth";
  #page?: Page;
  #open?: DockTab;

  constructor() {
    const list = attributes(el("div", "dock-tabs", ...this.#tabs.values()), { role: "tablist", "aria-label": "Plots" });
    list.addEventListener("keydown", (event) => this.#tabKey(event));
    const csv = button("CSV", () => void this.#save(), { icon: "export" }).element;
    const close = iconButton("Close the plots", "remove", () => this.#page?.changeView({ dock: undefined })).element;
    attributes(csv, { title: "Save what is plotted as CSV" });
    const end = el("div", "dock-end", this.#controls, csv, close);
    this.element.append(this.#grip, el("div", "dock-bar", list, this.#legend.element, end), this.#body);
    this.#listenToGrip();
    this.element.hidden = true;
  }

  update(page: Page): void {
    const { dock } = page.state.view;
    this.element.hidden = dock === undefined;
    for (const name of tabNames) if (name !== dock) this.#plots[name].answers?.dropUnwanted();
    if (dock === undefined) this.#open = undefined;
    if (dock === undefined) return;
    this.#page = page;
    const plot = this.#plots[dock];
    const tasks = (["depth", "normals"] as const).filter((task) => page.state.settings.rows.some((row) => tasksOf(row).includes(task)));
    const task = tasks.includes(this.#task) ? this.#task : (tasks[0] ?? "depth");
    if (dock !== this.#open) this.#show(dock, plot);
    this.#taskChoice.element.hidden = !plot.perTask || tasks.length < 2;
    this.#taskChoice.set(task);
    const hint = plot.update(page, { slots: this.#slots, task });
    plot.answers?.dropUnwanted();
    setText(this.#hint, hint ?? "");
    this.#hint.hidden = hint === undefined;
    plot.element.hidden = hint !== undefined;
    attributes(this.#grip, { "aria-valuenow": String(this.element.offsetHeight) });
    this.#legend.update(hint === undefined ? plot.legend().map(({ slot, label }) => ({ slot, label })) : [], hint === undefined ? plot.sorts : undefined);
  }

  #show(dock: DockTab, plot: PlotTab): void {
    this.#open = dock;
    plot.answers?.forgetFailures();
    for (const [name, tab] of this.#tabs) attributes(tab, { "aria-selected": String(name === dock), tabindex: name === dock ? "0" : "-1" });
    attributes(this.#body, { "aria-labelledby": `dock-tab-${dock}` });
    setChildren(this.#body, [this.#hint, plot.element]);
    setChildren(this.#controls, [this.#taskChoice.element, ...plot.controls]);
  }

  #tab(name: DockTab): HTMLElement {
    const tab = attributes(el("button", "dock-tab", titles[name]), { type: "button", role: "tab", id: `dock-tab-${name}`, "aria-controls": "dock-body" });
    tab.addEventListener("click", () => this.#page?.changeView({ dock: name }));
    return tab;
  }

  #tabKey(event: KeyboardEvent): void {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || this.#open === undefined) return;
    event.preventDefault();
    const next = tabNames[(tabNames.indexOf(this.#open) + by + tabNames.length) % tabNames.length];
    this.#page?.changeView({ dock: next });
    this.#tabs.get(next)?.focus();
  }

  #setHeight(height: number): void {
    const within = Math.round(Math.min(heights.most, Math.max(heights.least, height)));
    this.element.style.setProperty("--dock-height", `${within}px`);
  }

  #listenToGrip(): void {
    const grip = this.#grip;
    let grabbed: { readonly y: number; readonly height: number } | undefined;
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      grabbed = { y: event.clientY, height: this.element.offsetHeight };
    });
    grip.addEventListener("pointermove", (event) => grabbed && this.#setHeight(grabbed.height + grabbed.y - event.clientY));
    for (const end of ["pointerup", "pointercancel"] as const) grip.addEventListener(end, () => (grabbed = undefined));
    grip.addEventListener("dblclick", () => this.element.style.removeProperty("--dock-height"));
    grip.addEventListener("keydown", (event) => {
      const by = { ArrowUp: heights.keyStep, ArrowDown: -heights.keyStep }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.#setHeight(this.element.offsetHeight + by);
    });
  }

  async #save(): Promise<void> {
    const page = this.#page;
    if (!page || this.#open === undefined) return;
    try {
      const image = page.session.images[page.state.current]?.name.replace(/\.[^.]*$/, "") ?? "image";
      const files = [{ name: `${image}-${this.#open}.csv`, content: this.#plots[this.#open].csv() }];
      const saved = await page.ask("saveFiles", { files, provenance: { plot: this.#open, runs: provenanceOf(page) } });
      if (saved.files.length > 0) page.inform(`Saved ${saved.files.join(", ")}`);
    } catch (error) {
      page.complain(error);
    }
  }
}

/** Of every visible run that has a result, with the name of its row. */
function provenanceOf({ scene, generation }: Page): readonly unknown[] {
  return scene.rows.flatMap(({ rowId, label }) => (["depth", "normals"] as const).flatMap((task) => {
    const result = generation?.runs.get(runIdOf(rowId, task))?.result;
    return result ? [{ row: label, provenance: result.provenance }] : [];
  }));
}
