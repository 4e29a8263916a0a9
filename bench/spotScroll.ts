import { initOf, itemOf, SpotStage } from "../test/webview/spotStage";

// How smoothly the grid of a spot check scrolls through 10,000 images: the longest frame in a trace that the browser records.
//   PLUMBLINE_BROWSER=/usr/bin/chromium node --import=tsx bench/spotScroll.ts
// A frame is a task of the page's main thread; of each, the trace holds the time by the clock and the time on a processor. Writes a line of JSON on stdout.

const images = 10_000;
const frames = 400;
/** Pixels a frame: about three rows, as a fast wheel. */
const pixels = 500;

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

async function main(): Promise<void> {
  const stage = await SpotStage.open();
  try {
    const items = Array.from({ length: images }, (_, i) => itemOf(i));
    await stage.send(initOf());
    for (let i = 0; i < images; i += 500) await stage.page.evaluate((data) => void window.dispatchEvent(new MessageEvent("message", { data })), { type: "items", items: items.slice(i, i + 500) });
    await stage.settle();
    const session = await stage.page.context().newCDPSession(stage.page);
    const events: TraceEvent[] = [];
    session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
    const complete = new Promise<void>((done) => session.once("Tracing.tracingComplete", () => done()));
    await session.send("Tracing.start", { traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "__metadata"] }, transferMode: "ReportEvents" });
    // As text: what the loader of this file adds to functions is not there in the page.
    const drawn = await stage.page.evaluate<number>(`new Promise((done) => {
      const grid = document.querySelector(".grid");
      let count = 0;
      requestAnimationFrame(function step() {
        grid.scrollTop += ${pixels};
        if (++count < ${frames}) requestAnimationFrame(step);
        else done(grid.scrollTop);
      });
    })`);
    await session.send("Tracing.end");
    await complete;
    // The page is the process whose main thread drew.
    const mains = events.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
    const tasks = mains.map(({ pid, tid }) => events.filter((event) => event.pid === pid && event.tid === tid && /RunTask/.test(event.name) && event.dur !== undefined)).sort((a, b) => b.length - a.length)[0];
    const longest = (read: (task: TraceEvent) => number): number => Number((tasks.reduce((most, task) => Math.max(most, read(task)), 0) / 1000).toFixed(1));
    process.stdout.write(`${JSON.stringify({ images, frames, scrolledTo: drawn, tasks: tasks.length, longestClockMillis: longest(({ dur = 0 }) => dur), longestProcessorMillis: longest(({ tdur = 0 }) => tdur), over50: tasks.filter(({ dur = 0 }) => dur > 50_000).length })}\n`);
  } finally {
    await stage.close();
  }
}

void main();
