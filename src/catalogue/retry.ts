import { setTimeout as sleep } from "node:timers/promises";
import { PlumblineError } from "../core/errors";
import { PassingFailure } from "./hubErrors";

/** How patient a download is. */
export interface Patience {
  /** Failures in a row, with nothing gained between them, after which it gives up. */
  readonly attempts: number;
  /** Wait after the first failure; doubles with each. */
  readonly firstWaitMillis: number;
  /** The longest wait that a server may ask for. */
  readonly longestWaitMillis: number;
  /** A connection over which nothing comes for this long has failed. */
  readonly stallMillis: number;
}

export const usualPatience: Patience = { attempts: 6, firstWaitMillis: 1000, longestWaitMillis: 120_000, stallMillis: 30_000 };

/** Told before each wait. */
export type OnRetry = (reason: string, waitMillis: number) => void;

/**
 * Runs `attempt` until it succeeds or has failed too often in a row; `hasGained` says whether the last one got further, which begins
 * the count anew. Rejects with what a permanent failure says, with `cancelled`, or with what the last passing failure was.
 */
export async function persist<T>(attempt: () => Promise<T>, patience: Patience, signal: AbortSignal | undefined, onRetry?: OnRetry, hasGained: () => boolean = () => false): Promise<T> {
  for (let failures = 1; ; failures++) {
    requireUncancelled(signal);
    try {
      return await attempt();
    } catch (error) {
      requireUncancelled(signal);
      if (!(error instanceof PassingFailure)) throw error;
      if (hasGained()) failures = 1;
      const wait = error.waitMillis ?? patience.firstWaitMillis * 2 ** (failures - 1);
      if (failures >= patience.attempts || wait > patience.longestWaitMillis) throw explain(error, failures);
      onRetry?.(error.message, wait);
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Throws `cancelled` when the signal has been aborted. */
export function requireUncancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new PlumblineError("cancelled", "The download was cancelled.", "Start it again and it goes on where it stopped.");
}

function explain({ explained, waitMillis }: PassingFailure, failures: number): PlumblineError {
  const asked = waitMillis === undefined ? "" : ` It asks to wait ${Math.ceil(waitMillis / 1000)} s.`;
  const tries = failures > 1 ? ` (${failures} times in a row)` : "";
  return new PlumblineError(explained.code, explained.message.replace(/\.$/, `${tries}.`) + asked, explained.remedy, { cause: explained });
}
