import type { Page } from "../page";

/** What has come of a question: nothing yet, an answer, or why there is none. */
export interface Answer<T> {
  readonly value?: T;
  readonly failure?: string;
}

/** Answers of the host by what was asked. Each is asked for once; the oldest are dropped. */
export class Answers<T> {
  readonly #known = new Map<string, Answer<T>>();

  constructor(private readonly most = 128) {}

  /** The answer as far as it is here; the page is brought up to date when it has come. */
  get(page: Page, key: string, ask: () => Promise<T>): Answer<T> {
    const known = this.#known.get(key);
    if (known) return known;
    const pending: Answer<T> = {};
    this.#known.set(key, pending);
    for (const old of [...this.#known.keys()].slice(0, -this.most)) this.#known.delete(old);
    const settle = (answer: Answer<T>): void => {
      if (this.#known.get(key) === pending) this.#known.set(key, answer);
      page.refresh();
    };
    ask().then((value) => settle({ value }), (error: unknown) => settle({ failure: error instanceof Error ? error.message : String(error) }));
    return pending;
  }

  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** Lets what failed be asked again. */
  forgetFailures(): void {
    for (const [key, { failure }] of this.#known) if (failure !== undefined) this.#known.delete(key);
  }
}
