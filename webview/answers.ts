import type { Page } from "./page";

/** What has come of a question: nothing yet, an answer, or why there is none. */
export interface Answer<T> {
  readonly value?: T;
  readonly failure?: string;
}

type Ask<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Answers of the engine by what was asked. Each is asked for once, one after another in the order in which they were wanted, and what
 * nobody wants any more is ended; what failed is asked for again with the next run. The oldest answers are dropped.
 */
export class Answers<T> {
  readonly #known = new Map<string, Answer<T> & { readonly generation?: number }>();
  readonly #wanted = new Set<string>();
  #queue: readonly { readonly page: Page; readonly key: string; readonly ask: Ask<T> }[] = [];
  #underWay?: { readonly key: string; readonly controller: AbortController };

  constructor(private readonly most = 128) {}

  /** The answer as far as it is here; the page is brought up to date when it has come. */
  get(page: Page, key: string, ask: Ask<T>): Answer<T> {
    this.#wanted.add(key);
    const known = this.#known.get(key);
    if (known && this.has(page, key)) return known;
    const pending: Answer<T> = {};
    this.#keep(key, pending);
    this.#queue = [...this.#queue, { page, key, ask }];
    this.#askNext();
    return pending;
  }

  /** Whether it is here or on its way; what failed in a run before this one counts as neither. */
  has(page: Page, key: string): boolean {
    const known = this.#known.get(key);
    return known !== undefined && (known.failure === undefined || known.generation === page.generation?.number);
  }

  /** Ends what is on its way and was not got since the last call. */
  dropUnwanted(): void {
    for (const { key } of this.#queue) if (!this.#wanted.has(key)) this.#known.delete(key);
    this.#queue = this.#queue.filter(({ key }) => this.#wanted.has(key));
    if (this.#underWay && !this.#wanted.has(this.#underWay.key)) {
      this.#underWay.controller.abort();
      this.#known.delete(this.#underWay.key);
      this.#underWay = undefined;
      this.#askNext();
    }
    this.#wanted.clear();
  }

  /** Lets what failed be asked again. */
  forgetFailures(): void {
    for (const [key, { failure }] of this.#known) if (failure !== undefined) this.#known.delete(key);
  }

  #askNext(): void {
    const [next, ...rest] = this.#queue;
    if (this.#underWay || !next) return;
    const { page, key, ask } = next;
    const controller = new AbortController();
    this.#queue = rest;
    this.#underWay = { key, controller };
    const settle = (answer: Answer<T> & { readonly generation?: number }): void => {
      if (controller.signal.aborted) return;
      if (this.#known.has(key)) this.#keep(key, answer);
      this.#underWay = undefined;
      page.refresh();
      this.#askNext();
    };
    ask(controller.signal).then(
      (value) => settle({ value }),
      (error: unknown) => settle({ failure: error instanceof Error ? error.message : String(error), generation: page.generation?.number }),
    );
  }

  #keep(key: string, answer: Answer<T> & { readonly generation?: number }): void {
    this.#known.set(key, answer);
    for (const old of [...this.#known.keys()].slice(0, -this.most)) this.#known.delete(old);
  }
}
