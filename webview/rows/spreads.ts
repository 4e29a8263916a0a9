import type { FloatMap } from "../../src/core/image";
import type { MapRef, SpreadKind } from "../../src/protocol/inference";
import type { Page } from "../page";

/** A spread that was asked for: its map, why there is none, or neither while it is waited for. */
export interface Spread {
  readonly map?: FloatMap;
  readonly failure?: string;
}

/** More than any panel shows; the oldest goes. */
const kept = 64;

/** Spreads over maps, which the engine computes from its cache; each is asked for once. */
class Spreads {
  readonly #known = new Map<string, Spread & { readonly generation?: number }>();

  constructor(private readonly page: Page) {}

  of(refs: readonly MapRef[], kind: SpreadKind): Spread {
    const key = JSON.stringify([kind, refs]);
    const generation = this.page.generation?.number;
    const known = this.#known.get(key);
    // What failed may succeed after another run.
    if (known && (known.failure === undefined || known.generation === generation)) return known;
    this.#keep(key, { generation });
    this.page.ask("spread", { refs, kind }).then(
      ({ map }) => this.#keep(key, { map }),
      (error: unknown) => this.#keep(key, { failure: error instanceof Error ? error.message : String(error), generation }),
    ).finally(() => this.page.refresh()).catch(() => undefined);
    return {};
  }

  #keep(key: string, spread: Spread & { readonly generation?: number }): void {
    this.#known.set(key, spread);
    for (const old of [...this.#known.keys()].slice(0, -kept)) this.#known.delete(old);
  }
}

const byPage = new WeakMap<Page, Spreads>();

/** The spread over maps of one task, pixel by pixel; asked for when it is not here yet. */
export function spreadOf(page: Page, refs: readonly MapRef[], kind: SpreadKind): Spread {
  const spreads = byPage.get(page) ?? new Spreads(page);
  byPage.set(page, spreads);
  return spreads.of(refs, kind);
}
