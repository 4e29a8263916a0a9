import type { ShownRef, ViewState } from "../../src/protocol/panel";
import { askableRef } from "../maps";
import type { MapStore } from "../mapStore";
import type { Page } from "../page";
import { withStep } from "../viewChanges";
import { stepRef } from "./stops";

/** Which steps are on show, and which come next; maps are asked for before they are drawn. */
export class StepChoice {
  constructor(private readonly page: Page, private readonly maps: MapStore) {}

  /** Shows a step of a row, the result when undefined; `linked` takes the other rows along even where they are not linked. */
  show(rowId: string, step: number | undefined, linked: boolean): void {
    // The questions are on their way while the page is brought up to date.
    if (step !== undefined) for (const ref of this.#refs(rowId, step)) this.page.storedOf(ref);
    this.page.changeView(this.#chosen(this.page.state.view, rowId, step, linked));
  }

  /** Lets the maps of steps come that may be shown next. */
  expect(rowId: string, steps: readonly number[], linked: boolean): void {
    const unchosen = { ...this.page.state.view, shownSteps: {} };
    const refs = steps.flatMap((step) => Object.entries(this.#chosen(unchosen, rowId, step, linked).shownSteps ?? {}).flatMap(([row, at]) => this.#refs(row, at)));
    this.maps.expect(refs.flatMap((ref) => askableRef(ref, this.page) ?? []));
  }

  #chosen(view: ViewState, rowId: string, step: number | undefined, linked: boolean): Partial<ViewState> {
    return withStep(view, this.page.scene.rows.map(({ timeline }) => timeline), rowId, step, linked || view.linkSteps === true);
  }

  /** The maps of a step that a row's tiles show. */
  #refs(rowId: string, step: number): readonly ShownRef[] {
    const tiles = this.page.scene.rows.find((row) => row.rowId === rowId)?.tiles ?? [];
    return tiles.flatMap(({ task, column }): ShownRef[] => (task && column === task ? [stepRef(rowId, task, step)] : []));
  }
}
