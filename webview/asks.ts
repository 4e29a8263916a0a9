import type { Ask, FromWebview, QuestionName, Questions, ToWebview } from "../src/protocol/panel";

/** Questions to the host that wait for an answer. */
export class Asks {
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #last = 0;

  constructor(private readonly post: (message: FromWebview) => void) {}

  /** Rejects when the host refuses, and at once when `signal` says that nobody waits any more; the message ends with the remedy. */
  ask<Name extends QuestionName>(name: Name, params: Questions[Name]["params"], signal?: AbortSignal): Promise<Questions[Name]["result"]> {
    const id = ++this.#last;
    return new Promise<Questions[Name]["result"]>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve, reject });
      signal?.addEventListener("abort", () => {
        if (!this.#pending.delete(id)) return;
        this.post({ type: "dismiss", id });
        reject(new Error("Nobody waits for the answer any more."));
      }, { once: true });
      this.post({ type: "ask", id, name, params } as Ask);
    });
  }

  receive(message: Extract<ToWebview, { type: "answer" | "refused" }>): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.type === "answer") pending?.resolve(message.result);
    else pending?.reject(new Error(`${message.message} ${message.remedy}`.trim()));
  }
}
