import { readFileSync } from "node:fs";

/** How often the event loop is looked at, in milliseconds. */
const tickMillis = 5;

/**
 * Watches the event loop of this process until the returned function is called, which returns the longest time for which
 * it was kept from turning, in milliseconds. Where the system tells (Linux), time that the thread spent ready to run but
 * waiting for a processor is left out: other processes cause it, not what runs here.
 */
export function watchEventLoop(): () => number {
  let last = performance.now();
  let waited = waitedMillis();
  let longest = 0;
  const tick = (): void => {
    const now = performance.now();
    const waitedNow = waitedMillis();
    longest = Math.max(longest, now - last - tickMillis - (waitedNow - waited));
    last = now;
    waited = waitedNow;
  };
  const timer = setInterval(tick, tickMillis);
  return () => {
    clearInterval(timer);
    tick();
    return longest;
  };
}

/** Time that the main thread has waited for a processor: the second number of schedstat, in nanoseconds. */
function waitedMillis(): number {
  if (process.platform !== "linux") return 0;
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
}
