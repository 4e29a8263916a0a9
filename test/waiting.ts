import assert from "node:assert/strict";

/** How long and how often is looked, and what is said of the state when it was in vain. */
export interface Waiting {
  readonly seconds?: number;
  readonly everyMs?: number;
  readonly state?: () => string;
}

/** What `look` finds, as soon as that is neither undefined nor false. Fails when it is not in time. */
export async function waitFor<T>(what: string, look: () => T | Promise<T>, { seconds = 60, everyMs = 50, state }: Waiting = {}): Promise<Exclude<T, undefined | false>> {
  for (const deadline = Date.now() + 1000 * seconds; ; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    assert.ok(Date.now() < deadline, `Waited for ${what} in vain${state ? `: ${state()}` : "."}`);
    await new Promise((done) => setTimeout(done, everyMs));
  }
}
