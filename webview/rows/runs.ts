import type { FromWebview, PanelSettings, PanelState, ViewState } from "../../src/protocol/panel";
import type { Page } from "../page";
import { isOutdated } from "../state";
import { withoutRows } from "../viewChanges";
import { wholeImage } from "./viewport";

/** Pause after which an image that was stepped to is run. */
const settleMillis = 250;

export interface RunsPlace {
  post(message: FromWebview): void;
  set(change: Partial<PanelState>): void;
  clearNotice(): void;
  failed(message: string, remedy: string): void;
}

/** What starts runs: by hand, with rows that were added, or by stepping to an image that has no results. */
export class Runs {
  #timer?: number;

  constructor(private readonly page: Page, private readonly place: RunsPlace) {}

  run(): void {
    const { current, settings } = this.page.state;
    this.place.clearNotice();
    this.place.post({ type: "run", image: current, settings });
  }

  /** Runs the new rows alone when the others show results of these very settings. */
  addAndRun(settings: PanelSettings, rowIds: readonly string[], view: Partial<ViewState> = {}): void {
    const { state, generation } = this.page;
    const others = { ...settings, rows: settings.rows.filter(({ rowId }) => !rowIds.includes(rowId)) };
    const upToDate = generation?.status === "finished" && others.rows.length > 0 && !isOutdated(others, generation.settings);
    this.place.clearNotice();
    this.place.set({ settings, view: { ...withoutRows(state.view, settings.rows), ...view } });
    this.place.post({ type: "run", image: state.current, settings, only: upToDate ? rowIds : undefined });
  }

  /** Steps to another image; one that has no results is run once the stepping has come to rest. */
  show(image: number): void {
    const { state, session, look } = this.page;
    if (image === state.current) return;
    this.place.clearNotice();
    look.probe = undefined;
    look.viewpoint = wholeImage;
    this.place.set({ current: image, view: { ...state.view, viewpoint: undefined, shownSteps: undefined } });
    window.clearTimeout(this.#timer);
    const known = session.of(image);
    if (known?.failure) this.place.failed(known.failure.message, known.failure.remedy);
    if (known === undefined) this.#timer = window.setTimeout(() => this.run(), settleMillis);
  }
}
