import { panelStateVersion, type ExportRequest, type PanelSettings, type PanelState, type ToWebview, type ViewState } from "../src/protocol/panel";
import { AbStage } from "./abStage";
import { AddRows } from "./addRows";
import { Asks } from "./asks";
import { Dock } from "./dock";
import { el, setText } from "./dom";
import { ExportMenu } from "./exportMenu";
import type { Painter } from "./gl/painter";
import type { Host } from "./host";
import { Layout } from "./layout";
import { Legend } from "./legendPanel";
import { Look } from "./look";
import { MapStore } from "./mapStore";
import { mapOf, labelOf, refOf } from "./maps";
import type { Page } from "./page";
import { ProbeLine } from "./probe";
import { RunForm } from "./runForm";
import { sceneOf, type Scene } from "./scene";
import { Session } from "./session";
import { nearestStep } from "./stops";
import { SpaceStage } from "./spaceStage";
import { isOutdated, withChangedRow } from "./state";
import { Notice, StatusLine } from "./statusLine";
import { Strip, type ImageStatus } from "./strip";
import { Toolbar } from "./toolbar";
import { wholeImage } from "./viewport";

/** Until the host has said what to show. */
const emptyState: PanelState = {
  version: panelStateVersion,
  images: [],
  current: 0,
  settings: { rows: [], seed: 0, processingResolution: 768 },
  view: { colormap: "Spectral", rangePercentiles: [2, 98], showStd: true },
};

/** Pause after which the state is saved, and after which an image that was stepped to is run. */
const settleMillis = 250;

/** The whole page: takes messages in, keeps the state, and brings everything else up to date once a frame. */
export class Panel {
  readonly element = el("div", "panel");
  readonly #asks = new Asks((message) => this.host.post(message));
  readonly #maps = new MapStore({
    ask: (ref) => this.#asks.ask("map", ref),
    arrived: () => this.#refresh(),
    failed: (error) => this.#page.complain(error),
  });
  readonly #session = new Session(this.#maps);
  readonly #look = new Look(() => this.#lookChanged());
  readonly #toolbar = new Toolbar({
    run: () => this.#run(),
    cancel: () => this.host.post({ type: "cancel" }),
    toggleForm: () => this.#toggleForm(),
    changeView: (change) => this.#changeView(change),
    resetView: () => this.#look.reset(),
    showExport: () => this.#exportMenu.open(this.#scene, this.#state.view),
  });
  readonly #form = new RunForm({
    change: (settings) => this.#changeSettings(settings),
    addAndRun: (settings, rowId) => this.#addAndRun(settings, rowId),
    chooseNoise: (rowId) => this.host.post({ type: "chooseNoise", rowId }),
  });
  readonly #addRows = new AddRows((settings, rowId) => this.#addAndRun(settings, rowId));
  readonly #strip = new Strip((image) => this.#show(image));
  readonly #status = new StatusLine();
  readonly #notice = new Notice(() => this.host.post({ type: "showLog" }), () => this.#run());
  readonly #layout = new Layout({
    look: this.#look,
    aspect: () => this.#scene.aspect,
    toggleMaximised: (key) => this.#toggleMaximised(key),
    showExport: (key) => this.#exportMenu.open(this.#scene, this.#state.view, key),
    showStep: (rowId, step, linked) => this.#showStep(rowId, step, linked),
    expectStep: (rowId, step) => this.#expectStep(rowId, step),
    toggleLink: () => this.#changeView({ linkSteps: !this.#state.view.linkSteps }),
  }, () => this.#refresh());
  readonly #legend = new Legend();
  readonly #probe = new ProbeLine();
  readonly #exportMenu = new ExportMenu((requests) => this.#export(requests));
  readonly #scroll = el("div", "scroll", this.#layout.element, this.#legend.element);
  readonly #empty = el("div", "empty");
  readonly #stages = [new AbStage(), new SpaceStage()];
  readonly #dock = new Dock();
  readonly #page: Page = this.#asPage();
  #state = emptyState;
  #scene: Scene = { columns: [], rows: [] };
  #initialised = false;
  #formOpen = false;
  #frame?: number;
  #saveTimer?: number;
  #runTimer?: number;
  #scrollTop = 0;

  constructor(private readonly host: Host, private readonly painter: Painter) {
    this.element.append(
      this.#toolbar.element, this.#exportMenu.element, this.#form.element, this.#notice.element,
      this.#strip.element, el("div", "headline", this.#status.element, this.#addRows.element), this.#empty, this.#scroll,
      ...this.#stages.map(({ element }) => element), this.#dock.element,
      el("div", "foot", this.#probe.element, this.#probe.live),
    );
    document.addEventListener("keydown", (event) => this.#key(event));
    // The theme changes by new classes on the body; pictures are drawn on its background.
    new MutationObserver(() => this.#refresh()).observe(document.body, { attributeFilter: ["class"] });
    this.#refresh();
  }

  receive(message: ToWebview): void {
    this.#session.receive(message);
    switch (message.type) {
      case "init":
        this.#state = message.state;
        this.#initialised = true;
        this.#look.viewpoint = message.state.view.viewpoint ?? wholeImage;
        // A window that is reloaded before anything was changed restores the panel from this.
        this.host.save(message.state);
        break;
      case "started":
        this.#notice.clear();
        break;
      case "failed":
        if (message.generation === this.#generation?.number) this.#notice.error(message.message, message.remedy);
        break;
      case "notice":
        this.#notice.error(message.message, message.remedy);
        break;
      case "exported":
        this.#notice.info(`Saved ${message.files.join(", ")}`);
        break;
      case "answer":
      case "refused":
        this.#asks.receive(message);
        break;
      case "noiseChosen":
        this.#changeSettings(withChangedRow(this.#state.settings, message.rowId, { noise: { kind: "file", path: message.path } }));
        break;
      default:
        break;
    }
    this.#refresh();
  }

  /** Draws every tile again, after a lost graphics context is back. */
  redraw(): void {
    for (const tile of this.#layout.tiles) tile.forgetPainted();
    this.#refresh();
  }

  /** What the parts see; always of now. */
  #asPage(): Page {
    const now = { state: () => this.#state, session: () => this.#session, generation: () => this.#generation, scene: () => this.#scene, painter: () => this.painter };
    return {
      get state() { return now.state(); },
      get session() { return now.session(); },
      get generation() { return now.generation(); },
      get scene() { return now.scene(); },
      look: this.#look,
      get painter() { return now.painter(); },
      mapOf: (ref) => mapOf(ref, this.#page, this.#maps),
      refOf: (ref) => refOf(ref, this.#page),
      labelOf: (ref) => labelOf(ref, this.#page),
      ask: (name, params) => this.#asks.ask(name, params),
      changeView: (change) => this.#changeView(change),
      changeSettings: (settings) => this.#changeSettings(settings),
      inform: (text) => this.#notice.info(text),
      complain: (error) => this.#notice.error(error instanceof Error ? error.message : String(error), ""),
      refresh: () => this.#refresh(),
    };
  }

  get #generation() {
    return this.#session.of(this.#state.current);
  }

  #refresh(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#update();
    });
  }

  #update(): void {
    const { current, settings, view } = this.#state;
    const generation = this.#generation;
    const name = this.#session.images[current]?.name ?? "";
    this.#scene = sceneOf(this.#page, this.#session.thumbnails.get(current));
    const tiles = this.#scene.rows.flatMap((row) => row.tiles);
    this.#toolbar.update(view, {
      running: this.#session.running !== undefined,
      ranBefore: generation !== undefined,
      changed: generation !== undefined && isOutdated(settings, generation.settings),
      formOpen: this.#formOpen,
      exportable: tiles.some(({ exportable }) => exportable !== undefined),
      hasImages: this.#session.images.length > 0,
    });
    this.#form.update(settings, this.#session.models, this.#formOpen);
    this.#addRows.update(settings, this.#session.models);
    this.#strip.update(this.#session.images, current, this.#session.thumbnails, (image) => this.#imageStatus(image));
    this.#status.update(name, generation);
    this.#layout.update(this.#scene, view);
    this.#scroll.classList.toggle("has-maximised", this.#layout.element.classList.contains("has-maximised"));
    this.#legend.update(this.#scene, view);
    this.#updateEmpty();
    for (const part of [...this.#stages, this.#dock]) part.update(this.#page);
    this.#layout.paint(this.painter);
    this.#showProbe();
  }

  #updateEmpty(): void {
    const nothing = this.#scene.rows.length === 0 || this.#session.images.length === 0;
    this.#empty.hidden = !nothing;
    this.#scroll.hidden = nothing || this.#state.view.stage !== undefined;
    this.#status.element.hidden = nothing;
    this.#addRows.element.hidden = nothing || this.#formOpen;
    if (!nothing) return;
    const text = this.#initialised ? "Right-click an image in the Explorer and choose “Estimate Geometry”." : "";
    if (this.#empty.childElementCount === 0) this.#empty.append(el("h2", "", "Depth and normals of a photograph"), el("p"));
    const line = this.#empty.querySelector("p");
    if (line) setText(line, text);
    this.#empty.classList.toggle("starting", !this.#initialised);
  }

  #showProbe(): void {
    const values = this.#layout.tiles.flatMap((tile) => {
      const read = tile.showProbe();
      return read ? [`${tile.element.getAttribute("aria-label")?.split(".")[0] ?? ""}: ${read.text}`] : [];
    });
    this.#probe.update(this.#scene, this.#look.probe, values, this.#state.view.maximised !== undefined);
  }

  #imageStatus(image: number): ImageStatus {
    return this.#session.of(image)?.status ?? "none";
  }

  #lookChanged(): void {
    const { viewpoint } = this.#look;
    if (viewpoint !== (this.#state.view.viewpoint ?? wholeImage)) this.#setState({ view: { ...this.#state.view, viewpoint } });
    this.#refresh();
  }

  #setState(change: Partial<PanelState>): void {
    this.#state = { ...this.#state, ...change };
    window.clearTimeout(this.#saveTimer);
    this.#saveTimer = window.setTimeout(() => this.host.save(this.#state), settleMillis);
    this.#refresh();
  }

  #changeView(change: Partial<ViewState>): void {
    this.#setState({ view: { ...this.#state.view, ...change } });
  }

  #changeSettings(settings: PanelSettings): void {
    this.#setState({ settings });
  }

  #run(): void {
    const { current, settings } = this.#state;
    this.#notice.clear();
    this.host.post({ type: "run", image: current, settings });
  }

  /** Runs the new row alone when the others show results of these very settings. */
  #addAndRun(settings: PanelSettings, rowId: string): void {
    const generation = this.#generation;
    const upToDate = generation?.status === "finished" && !isOutdated(this.#state.settings, generation.settings);
    this.#setState({ settings });
    this.host.post({ type: "run", image: this.#state.current, settings, only: upToDate ? [rowId] : undefined });
  }

  /** Steps to another image; one that has no results is run once the stepping has come to rest. */
  #show(image: number): void {
    if (image === this.#state.current) return;
    this.#notice.clear();
    this.#look.probe = undefined;
    this.#look.viewpoint = wholeImage;
    this.#setState({ current: image, view: { ...this.#state.view, viewpoint: undefined, shownSteps: undefined } });
    window.clearTimeout(this.#runTimer);
    const known = this.#session.of(image);
    if (known?.failure) this.#notice.error(known.failure.message, known.failure.remedy);
    if (known === undefined) this.#runTimer = window.setTimeout(() => this.#run(), settleMillis);
  }

  /** Shows a step of a row; when linked, of every row the step at the nearest noise level. */
  #showStep(rowId: string, step: number | undefined, linked: boolean): void {
    const chosen: Record<string, number> = { ...this.#state.view.shownSteps };
    const choose = (row: string, at: number | undefined): void => {
      if (at === undefined) delete chosen[row];
      else chosen[row] = at;
    };
    const timelines = this.#scene.rows.map(({ timeline }) => timeline);
    const from = timelines.find((timeline) => timeline.rowId === rowId);
    choose(rowId, step);
    if (from && (linked || this.#state.view.linkSteps)) {
      for (const to of timelines) if (to !== from && to.count > 1) choose(to.rowId, step === undefined ? undefined : nearestStep(from, step, to));
    }
    this.#changeView({ shownSteps: chosen });
  }

  /** Asks for the maps of a step before it is shown. */
  #expectStep(rowId: string, step: number): void {
    for (const { task } of this.#scene.rows.find((row) => row.rowId === rowId)?.tiles ?? []) {
      if (task) this.#page.mapOf({ kind: "step", rowId, task, step });
    }
  }

  #toggleForm(): void {
    this.#formOpen = !this.#formOpen;
    this.#refresh();
  }

  #toggleMaximised(key: string): void {
    const maximised = this.#state.view.maximised === key ? undefined : key;
    if (this.#state.view.maximised === undefined) this.#scrollTop = this.#scroll.scrollTop;
    this.#changeView({ maximised });
    requestAnimationFrame(() => {
      if (maximised === undefined) this.#scroll.scrollTop = this.#scrollTop;
    });
  }

  #export(requests: readonly ExportRequest[]): void {
    const [request, ...more] = requests;
    if (request) this.host.post({ type: "export", request, more: more.length > 0 ? more : undefined });
  }

  /** In maximised view: the next or previous tile in place of this one, to compare by flipping. */
  #flip(by: number): void {
    const keys = this.#scene.rows.flatMap(({ tiles }) => tiles).filter(({ nothing }) => nothing === undefined).map(({ key }) => key);
    const at = keys.indexOf(this.#state.view.maximised ?? "");
    if (at < 0) return;
    this.#changeView({ maximised: keys[(at + by + keys.length) % keys.length] });
    requestAnimationFrame(() => this.#layout.tiles.find(({ view }) => view.key === this.#state.view.maximised)?.element.focus());
  }

  #key(event: KeyboardEvent): void {
    if (event.defaultPrevented) return;
    const typing = event.composedPath()[0] instanceof HTMLInputElement;
    if (event.key === "Escape") {
      if (this.#state.view.maximised !== undefined) this.#toggleMaximised(this.#state.view.maximised);
      else if (this.#look.probe) this.#look.release();
      else return;
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      if (this.#session.images.length < 2) return;
      this.#strip.step(event.key === "PageUp" ? -1 : 1);
    } else if ((event.key === "[" || event.key === "]") && !typing) this.#flip(event.key === "[" ? -1 : 1);
    else return;
    event.preventDefault();
  }
}
