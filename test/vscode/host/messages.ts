import assert from "node:assert/strict";
import * as vscode from "vscode";

/** What VS Code was asked to show, and what is answered. */
export interface Shown {
  readonly kind: string;
  readonly text: string;
  readonly detail?: string;
  readonly isModal: boolean;
  readonly items: readonly string[];
}

/** Takes the place of VS Code's messages until `restore`. */
export class Messages {
  readonly shown: Shown[] = [];
  answer: (shown: Shown) => string | undefined = () => undefined;
  readonly #originals = new Map<string, { readonly of: object; readonly value: unknown }>();

  constructor() {
    for (const kind of ["showInformationMessage", "showWarningMessage", "showErrorMessage"]) {
      this.replace(kind, (text: string, ...rest: readonly (vscode.MessageOptions | string)[]) => {
        const options = typeof rest[0] === "object" ? rest[0] : undefined;
        const shown = { kind, text, detail: options?.detail, isModal: options?.modal ?? false, items: rest.filter((item) => typeof item === "string") };
        this.shown.push(shown);
        const answer = this.answer(shown);
        assert.ok(answer === undefined || shown.items.includes(answer), `"${text}" does not offer "${answer}".`);
        return Promise.resolve(answer);
      });
    }
  }

  replace(name: string, stand: unknown, of: object = vscode.window): void {
    if (!this.#originals.has(name)) this.#originals.set(name, { of, value: Reflect.get(of, name) });
    assert.ok(Reflect.defineProperty(of, name, { value: stand, configurable: true, writable: true }));
  }

  get modals(): readonly Shown[] {
    return this.shown.filter(({ isModal }) => isModal);
  }

  restore(): void {
    for (const [name, { of, value }] of this.#originals) Reflect.defineProperty(of, name, { value, configurable: true, writable: true });
  }
}
