import { readFileSync } from "node:fs";

/** How often the event loop is looked at, in milliseconds. */
const tickMillis = 5;

/** The longest turn of the event loop, in milliseconds. */
export interface LongestTurn {
  /** Time for which the main thread computed: what keeps the editor waiting on any machine. */
  readonly computed: number;
  /** The same with the time for which it slept, but without that in which it was ready and had no processor. */
  readonly held: number;
}

/** What Linux says about the main thread so far, in milliseconds (schedstat holds nanoseconds). */
interface ThreadTimes {
  readonly computed: number;
  readonly waited: number;
}

/**
 * Watches the event loop of this process until the returned function is called. On a busy machine a turn takes long
 * because other processes have the processors, or because V8's own helper threads wait for one; neither is the doing
 * of what runs here, so the two kinds of time are told apart where the system knows them (Linux).
 */
export function watchEventLoop(): () => LongestTurn {
  let last = performance.now();
  let times = threadTimes();
  let computed = 0;
  let held = 0;
  const tick = (): void => {
    const now = performance.now();
    const next = threadTimes();
    const turn = now - last - tickMillis;
    held = Math.max(held, turn - (next ? next.waited - (times?.waited ?? 0) : 0));
    computed = Math.max(computed, next ? next.computed - (times?.computed ?? 0) : turn);
    last = now;
    times = next;
  };
  const timer = setInterval(tick, tickMillis);
  return () => {
    clearInterval(timer);
    tick();
    return { computed, held };
  };
}

function threadTimes(): ThreadTimes | undefined {
  if (process.platform !== "linux") return undefined;
  const [computed, waited] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ").map(Number);
  return { computed: computed / 1e6, waited: waited / 1e6 };
}
