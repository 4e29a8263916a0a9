import type { PanelSettings, PanelState, ViewState } from "../src/protocol/panel";
import type { Asks } from "./asks";
import type { Painter } from "./gl/painter";
import type { Look } from "./rows/look";
import type { MapStore } from "./mapStore";
import { labelOf, mapOf, refOf, storedOf } from "./maps";
import type { Page } from "./page";
import type { Scene } from "./rows/scene";
import type { Session } from "./session";
import type { Notice } from "./bars/statusLine";

/** Where the page's parts are, and what can be done to them. */
export interface PageSource {
  state(): PanelState;
  scene(): Scene;
  painter(): Painter;
  readonly session: Session;
  readonly look: Look;
  readonly asks: Asks;
  readonly maps: MapStore;
  readonly notice: Notice;
  readonly changeView: (change: Partial<ViewState>) => void;
  readonly showStep: (rowId: string, step: number | undefined) => void;
  readonly changeSettings: (settings: PanelSettings) => void;
  readonly refresh: () => void;
}

/** The page as its parts see it: always as it is now. */
export function livePage({ session, look, asks, maps, notice, ...now }: PageSource): Page {
  const page: Page = {
    get state() { return now.state(); },
    get scene() { return now.scene(); },
    get painter() { return now.painter(); },
    get generation() { return session.of(now.state().current); },
    session,
    look,
    mapOf: (ref) => mapOf(ref, page, maps),
    storedOf: (ref) => storedOf(ref, page, maps),
    refOf: (ref) => refOf(ref, page),
    labelOf: (ref) => labelOf(ref, page),
    ask: (name, params, signal) => asks.ask(name, params, signal),
    changeView: now.changeView,
    showStep: now.showStep,
    changeSettings: now.changeSettings,
    inform: (text) => notice.info(text),
    complain: (error) => notice.error(error instanceof Error ? error.message : String(error), ""),
    refresh: now.refresh,
  };
  return page;
}
