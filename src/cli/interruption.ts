import { PlumblineError, throwIfCancelled } from "../core/errors";

/** Gives `use` a signal that Ctrl+C aborts. What it throws then is `cancelled`. */
export async function interruptible<T>(use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    return await use(interrupted.signal);
  } catch (error) {
    if (!(error instanceof PlumblineError)) throwIfCancelled(interrupted.signal);
    throw error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
