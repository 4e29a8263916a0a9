import { Answers, type Answer } from "../answers";
import type { FloatMap } from "../../src/core/image";
import type { MapRef, SpreadKind } from "../../src/protocol/inference";
import type { Page } from "../page";

/** More than any panel shows; the oldest goes. */
const kept = 64;

const byPage = new WeakMap<Page, Answers<FloatMap>>();

/** The spread over maps of one task, pixel by pixel, which the engine computes from its cache; asked for when it is not here yet. */
export function spreadOf(page: Page, refs: readonly MapRef[], kind: SpreadKind): Answer<FloatMap> {
  return answersOf(page).get(page, JSON.stringify([kind, refs]), async (signal) => (await page.ask("spread", { refs, kind }, signal)).map);
}

/** Ends what is on its way and was not asked for since the last call. */
export function dropUnwantedSpreads(page: Page): void {
  answersOf(page).dropUnwanted();
}

function answersOf(page: Page): Answers<FloatMap> {
  const known = byPage.get(page) ?? new Answers<FloatMap>(kept);
  byPage.set(page, known);
  return known;
}
