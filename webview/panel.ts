import { panelStateVersion, type ExportRequest, type PanelSettings, type PanelState, type ToWebview, type ViewState } from "../src/protocol/panel";
import { AbStage } from "./ab/abStage";
import { AddRows, type AddAndRun } from "./bars/addRows";
import { EmptyPage } from "./bars/emptyPage";
import { Asks } from "./asks";
import { Dock } from "./plots/dock";
import { el } from "./dom";
import { ExportMenu } from "./bars/exportMenu";
import { figureOf } from "./bars/exportPictures";
import type { FigureFile } from "./bars/figureParts";
import type { Painter } from "./gl/painter";
import type { Host } from "./host";
import { listenToKeys } from "./keys";
import { Layout } from "./rows/layout";
import { Legend } from "./rows/legendPanel";
import { withLetter, type Letters } from "./rows/letters";
import { livePage } from "./livePage";
import { Look } from "./rows/look";
import { MapStore } from "./mapStore";
import { marksOf } from "./rows/marks";
import { PresetMenu } from "./bars/presetMenu";
import { ProbeLine } from "./rows/probe";
import { RunForm } from "./bars/runForm";
import { Runs } from "./rows/runs";
import { sceneOf, type Scene } from "./rows/scene";
import { Session } from "./session";
import { SpaceStage } from "./space/spaceStage";
import { isOutdated, withChangedRow } from "./state";
import { Notice, StatusLine } from "./bars/statusLine";
import { StepChoice } from "./rows/stepChoice";
import { Strip, type ImageStatus } from "./rows/strip";
import type { Tile } from "./rows/tiles";
import { Toolbar } from "./bars/toolbar";
import { comparisonOf, spaceOf, withoutRows, withPinned } from "./viewChanges";
import { wholeImage } from "./rows/viewport";

/** Until the host has said what to show. */
const emptyState: PanelState = {
  version: panelStateVersion,
  images: [],
  current: 0,
  settings: { rows: [], seed: 0, processingResolution: 768 },
  view: { colormap: "Spectral", rangePercentiles: [2, 98], showStd: true },
};

/** Pause after which the state is saved. */
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
  readonly #notice = new Notice(() => this.host.post({ type: "showLog" }), () => this.#runs.run());
  readonly #page = livePage({
    state: () => this.#state,
    scene: () => this.#scene,
    painter: () => this.painter,
    session: this.#session,
    look: this.#look,
    asks: this.#asks,
    maps: this.#maps,
    notice: this.#notice,
    changeView: (change) => this.#changeView(change),
    showStep: (rowId, step) => this.#steps.show(rowId, step, false),
    changeSettings: (settings) => this.#changeSettings(settings),
    refresh: () => this.#refresh(),
  });
  readonly #steps = new StepChoice(this.#page, this.#maps);
  readonly #runs = new Runs(this.#page, {
    post: (message) => this.host.post(message),
    set: (change) => this.#setState(change),
    clearNotice: () => this.#notice.clear(),
    failed: (message, remedy) => this.#notice.error(message, remedy),
  });
  readonly #toolbar = new Toolbar({
    run: () => this.#runs.run(),
    cancel: () => this.host.post({ type: "cancel" }),
    toggleForm: () => this.#toggleForm(),
    changeView: (change) => this.#changeView(change),
    resetView: () => this.#look.reset(),
    showExport: () => this.#exportMenu.open(),
    showPresets: () => this.#presets.toggle(this.#state.settings, this.#session.models),
    compare: () => this.#changeView({ stage: this.#state.view.stage?.kind === "ab" ? undefined : comparisonOf(this.#letters, this.#scene) }),
    drawLine: () => this.#look.drawLines(!this.#look.drawsLine),
    saveSession: () => void this.#saveSession(),
  });
  readonly #addAndRun: AddAndRun = (settings, rowIds, view) => this.#runs.addAndRun(settings, rowIds, view);
  readonly #form = new RunForm({
    change: (settings) => this.#changeSettings(settings),
    addAndRun: this.#addAndRun,
    chooseNoise: (rowId) => this.host.post({ type: "chooseNoise", rowId }),
  });
  readonly #presets = new PresetMenu(this.#addAndRun);
  readonly #addRows = new AddRows(this.#addAndRun);
  readonly #strip = new Strip((image) => this.#runs.show(image));
  readonly #status = new StatusLine();
  readonly #marks = marksOf(this.#page);
  readonly #layout = new Layout({
    look: this.#look,
    marks: this.#marks,
    aspect: () => this.#scene.aspect,
    toggleMaximised: (key) => this.#toggleMaximised(key),
    showExport: (key) => this.#exportMenu.open(key),
    showSpace: (tile) => this.#changeView({ stage: spaceOf(tile) }),
    showStep: (rowId, step, linked) => this.#steps.show(rowId, step, linked),
    expectSteps: (rowId, steps, linked) => this.#steps.expect(rowId, steps, linked),
    toggleLink: () => this.#changeView({ linkSteps: !this.#state.view.linkSteps }),
  }, () => this.#refresh());
  readonly #legend = new Legend();
  readonly #probe = new ProbeLine();
  readonly #exportMenu = new ExportMenu(this.#page, { maps: (requests) => this.#export(requests), figure: () => this.#figure() });
  readonly #scroll = el("div", "scroll", this.#layout.element, this.#legend.element);
  readonly #empty = new EmptyPage();
  readonly #stages = [new AbStage(), new SpaceStage()];
  readonly #dock = new Dock();
  #state = emptyState;
  #scene: Scene = { columns: [], rows: [] };
  #letters: Letters = {};
  #initialised = false;
  #formOpen = false;
  #frame?: number;
  #saveTimer?: number;
  #scrollTop = 0;

  constructor(private readonly host: Host, private readonly painter: Painter) {
    this.element.append(
      this.#toolbar.element, this.#presets.element, this.#exportMenu.element, this.#form.element, this.#notice.element,
      this.#strip.element, el("div", "headline", this.#status.element, this.#addRows.element), this.#empty.element, this.#scroll,
      ...this.#stages.map(({ element }) => element), this.#dock.element,
      el("div", "foot", this.#probe.element, this.#probe.live),
    );
    listenToKeys({
      tiles: () => this.#layout.tiles,
      leave: () => this.#leave(),
      stepImage: (by) => this.#session.images.length > 1 && (this.#strip.step(by), true),
      flip: (by) => this.#flip(by),
      pin: ({ view: { ref } }) => ref && this.#changeView(withPinned(this.#state.view, ref)),
      letter: (name, tile) => this.#letter(name, tile),
      mark: () => this.#look.probe && this.#marks.addProbe(this.#look.probe),
    });
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
    this.#scene = sceneOf(this.#page, this.#session.thumbnails.get(current), this.#letters);
    const tiles = this.#scene.rows.flatMap((row) => row.tiles);
    this.#toolbar.update(view, {
      running: this.#session.running !== undefined,
      ranBefore: generation !== undefined,
      changed: generation !== undefined && isOutdated(settings, generation.settings),
      formOpen: this.#formOpen,
      exportable: tiles.some(({ exportable }) => exportable !== undefined),
      hasImages: this.#session.images.length > 0,
      drawsLine: this.#look.drawsLine,
      comparable: comparisonOf(this.#letters, this.#scene) !== undefined,
    });
    this.#toolbar.variation.update(view, tiles, view.pinned && this.#page.labelOf(view.pinned));
    this.#form.update(settings, this.#session.models, this.#formOpen);
    this.#addRows.update(settings, this.#session.models);
    this.#strip.update(this.#session.images, current, this.#session.thumbnails, (image) => this.#imageStatus(image));
    this.#status.update(name, generation);
    this.#layout.update(this.#scene, view);
    this.#scroll.classList.toggle("has-maximised", this.#layout.element.classList.contains("has-maximised"));
    this.#legend.update(this.#scene, view);
    const nothing = this.#scene.rows.length === 0 || this.#session.images.length === 0;
    this.#empty.update(nothing, this.#initialised);
    this.#scroll.hidden = nothing || view.stage !== undefined;
    this.#status.element.hidden = nothing;
    this.#addRows.element.hidden = nothing || this.#formOpen;
    for (const part of [...this.#stages, this.#dock]) part.update(this.#page);
    this.#layout.paint(this.painter);
    this.#showProbe();
  }

  #showProbe(): void {
    const values = this.#layout.tiles.flatMap((tile) => {
      const read = tile.showProbe();
      return read ? [`${tile.element.getAttribute("aria-label")?.split(".")[0] ?? ""}: ${read.text}`] : [];
    });
    this.#probe.update(this.#scene, this.#look.probe, values, this.#state.view);
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
    this.#setState({ settings, view: withoutRows(this.#state.view, settings.rows) });
  }

  /** Puts a letter on a tile; with both, the comparison opens. */
  #letter(name: "a" | "b", { view: { ref } }: Tile): void {
    if (!ref) return;
    this.#letters = withLetter(this.#letters, name, ref);
    const both = this.#letters.a && this.#letters.b;
    this.#changeView(both ? { stage: comparisonOf(this.#letters, this.#scene) } : {});
  }

  async #saveSession(): Promise<void> {
    try {
      const { file } = await this.#page.ask("saveSession", { state: this.#state });
      if (file !== undefined) this.#notice.info(`Saved ${file}`);
    } catch (error) {
      this.#page.complain(error);
    }
  }

  /** Leaves the innermost of what is open. */
  #leave(): boolean {
    const { stage, maximised } = this.#state.view;
    if (this.#look.drawsLine) this.#look.drawLines(false);
    else if (stage) this.#changeView({ stage: undefined });
    else if (maximised !== undefined) this.#toggleMaximised(maximised);
    else if (this.#look.probe) this.#look.release();
    else return false;
    return true;
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

  /** Of the stage when one is open, else of the tiles. */
  #figure(): FigureFile {
    if (!this.#state.view.stage) return figureOf(this.#page);
    const figure = this.#stages.map((stage) => stage.figure()).find((shown) => shown !== undefined);
    if (!figure) throw new Error("There is nothing to draw yet: wait until what the stage shows is here.");
    return figure;
  }

  /** In maximised view: the next or previous tile in place of this one, to compare by flipping. */
  #flip(by: number): void {
    const keys = this.#scene.rows.flatMap(({ tiles }) => tiles).filter(({ nothing }) => nothing === undefined).map(({ key }) => key);
    const at = keys.indexOf(this.#state.view.maximised ?? "");
    if (at < 0) return;
    this.#changeView({ maximised: keys[(at + by + keys.length) % keys.length] });
    requestAnimationFrame(() => this.#layout.tiles.find(({ view }) => view.key === this.#state.view.maximised)?.element.focus());
  }
}
