import type { HalfMap } from "../src/core/half";
import type { FloatMap } from "../src/core/image";
import type { Semantics } from "../src/core/semantics";
import type { MapRef } from "../src/protocol/inference";
import type { PanelSettings, PanelState, QuestionName, Questions, ShownRef, ViewState } from "../src/protocol/panel";
import type { Painter } from "./gl/painter";
import type { Look } from "./rows/look";
import type { Scene } from "./rows/scene";
import type { Generation, Session } from "./session";

/** A map with what its numbers mean. */
export interface ShownMap {
  readonly map: FloatMap;
  readonly semantics: Semantics;
  /** "Multi-step, step 3 of 10", "truth.npy". */
  readonly label: string;
}

/** What every part of the page sees and can do; the panel implements it. */
export interface Page {
  readonly state: PanelState;
  readonly session: Session;
  /** Of the current image. */
  readonly generation?: Generation;
  readonly scene: Scene;
  readonly look: Look;
  readonly painter: Painter;
  /** The map, once it is here; otherwise it is asked for, and the page is brought up to date when it has come. */
  mapOf(ref: ShownRef): ShownMap | undefined;
  /** The same as it came, for drawing: halves need not be decoded. */
  storedOf(ref: ShownRef): HalfMap | FloatMap | undefined;
  /** How the engine names it; undefined while the run has no key. */
  refOf(ref: ShownRef): MapRef | undefined;
  labelOf(ref: ShownRef): string;
  /** Rejects with the host's message when it is refused; aborting `signal` ends the work for the answer. */
  ask<Name extends QuestionName>(name: Name, params: Questions[Name]["params"], signal?: AbortSignal): Promise<Questions[Name]["result"]>;
  changeView(change: Partial<ViewState>): void;
  /** Shows a step of a row, and where rows are linked what belongs to it of the others; undefined shows the result. */
  showStep(rowId: string, step: number | undefined): void;
  changeSettings(settings: PanelSettings): void;
  /** A line above the tiles. */
  inform(text: string): void;
  complain(error: unknown): void;
  /** Brings everything up to date in the next frame. */
  refresh(): void;
}

/** A part of the page that is brought up to date once a frame; hidden parts hide their own element. */
export interface Part {
  readonly element: HTMLElement;
  update(page: Page): void;
}

/** A part that takes the place of the tiles. */
export interface StagePart extends Part {
  /** What it shows as a figure for a paper; undefined while it is not on show, or has nothing to show yet. */
  figure(): Questions["saveFigure"]["params"] | undefined;
}
