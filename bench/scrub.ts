import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Frame } from "playwright-core";
import sharp from "sharp";
import type { RowSettings } from "../src/protocol/panel";
import { topOf, writeStepRuns } from "./stepRuns";
import { residentMegabytes, threadTimes, workBetween } from "./threadTimes";

// Scrubbing over 50 steps x 4 runs of depth, 768 x 576, in a real VS Code: `npm run bench:scrub`; see README.md. The runs are
// written into the cache of runs beforehand, so that 200 steps of networks need not be waited for; everything else is as for a user.
// AGAINST=DIR measures another, built checkout in turn with this one.

const root = join(__dirname, "..");
const steps = Number(process.env.STEPS ?? 50);
const size = { width: 768, height: 576 };
const runs = [["leading", 1], ["leading", 2], ["trailing", 1], ["trailing", 2]] as const;

/** Steps far from each other and from where the page expects the next one: none has been asked for before it is wanted. */
const jumps: readonly number[] = [3, 30, 12, 39, 21, 48, 6, 26, 15, 36];
const walk: readonly number[] = Array.from({ length: 24 }, (_, i) => i + 1);

interface Pass {
  readonly name: string;
  readonly rows: readonly number[];
  readonly to: readonly number[];
  /** Milliseconds between one step's picture and the next one's choice. */
  readonly pause: number;
}

const passes: readonly Pass[] = [
  { name: "one after another", rows: [0, 1], to: walk, pause: 60 },
  { name: "far, for the first time", rows: [2, 3], to: jumps, pause: 400 },
  { name: "held by the page", rows: [2, 3], to: [...jumps, ...jumps], pause: 60 },
];

/** Milliseconds from the choice of a step: to the frame in which it is on show, if only as its thumbnail, and to the one with its own map. */
interface Times {
  readonly answered: number;
  readonly painted: number;
}

/**
 * Sets the scrubber of a row to each of `to` in turn. A step counts as painted at the end of the frame in which its own
 * map is on the tile's canvas; the upper end of the colour bar tells it from its thumbnail.
 */
async function scrub(frame: Frame, row: number, { to, pause }: Pass): Promise<readonly Times[]> {
  return frame.evaluate(async ([rowId, all, millis]) => {
    const slider = document.querySelector<HTMLInputElement>(`.row[data-row="${rowId}"] .timeline-slider`);
    const tile = document.querySelector(`.tile[data-key="${rowId}:depth"]`);
    const badge = tile?.querySelector(".badge");
    const highest = tile?.querySelector(".color-bar .number:last-child");
    if (!slider || !badge || !highest) throw new Error("There is no timeline.");
    const times: { answered: number; painted: number }[] = [];
    for (const [at, top] of all) {
      await new Promise((done) => setTimeout(done, millis));
      const start = performance.now();
      slider.value = String(at);
      slider.dispatchEvent(new Event("input"));
      let answered = NaN;
      for (;;) {
        await new Promise(requestAnimationFrame);
        if (!badge.textContent?.includes(`· ${at + 1}/`)) continue;
        const isItsOwn = highest.textContent === top;
        // After the frame: a task of its own runs when it has been handed over for painting.
        await new Promise<void>((done) => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => done();
          port2.postMessage(undefined);
        });
        if (Number.isNaN(answered)) answered = performance.now() - start;
        if (isItsOwn) break;
        if (performance.now() - start > 10_000) throw new Error(`Step ${at} is not shown: ${badge.textContent}, ${highest.textContent}, not ${top}.`);
      }
      times.push({ answered, painted: performance.now() - start });
    }
    return times;
  }, [`run-${row}`, to.map((step) => [step, String(Number(topOf(step).toPrecision(3)))] as const), pause] as const);
}

/** Milliseconds of its own time that the page's thread has worked: other programs do not count. */
async function threadClock(frame: Frame): Promise<() => Promise<number>> {
  // A frame that shares the process of the one around it has no session of its own.
  const context = frame.page().context();
  const open = (of: Frame): ReturnType<typeof context.newCDPSession> => context.newCDPSession(of).catch((error: unknown) => {
    const parent = of.parentFrame();
    if (!parent) throw error;
    return parent.parentFrame() ? open(parent) : context.newCDPSession(frame.page());
  });
  const session = await open(frame);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => 1000 * ((await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN);
}

interface Result {
  readonly answered: number[];
  readonly painted: number[];
  /** Of the page's thread. */
  work: number;
  readonly threads: Map<string, number>;
}

const rounded = (value: number): number => Number(value.toFixed(1));

function rowOf(build: string, pass: string, { answered, painted, work }: Result): Record<string, string | number> {
  const at = (times: readonly number[], share: number): number => {
    const sorted = [...times].sort((a, b) => a - b);
    return rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN);
  };
  return { build, pass, count: painted.length, "answered, median ms": at(answered, 0.5), "own map, median ms": at(painted, 0.5), "p95 ms": at(painted, 0.95), "max ms": at(painted, 1), "work of the page, ms a step": rounded(work / painted.length) };
}

/** A session of four runs whose steps are in the cache, open in a VS Code with the extension of a checkout. */
async function openRuns(checkout: string, scratch: string) {
  const { openSession, openWorkbench } = await import("../test/vscode/ui/workbench");
  const [pictures, home] = [join(scratch, "pictures"), join(scratch, "home")];
  for (const folder of [pictures, home]) mkdirSync(folder, { recursive: true });
  const image = join(pictures, "room.jpg");
  await sharp(join(root, "media/samples/room.jpg")).resize(size.width, size.height, { fit: "cover" }).jpeg().toFile(image);
  const models = { depth: "plumbline-depth" };
  const rows = runs.map(([spacing, seed], i): RowSettings => ({ rowId: `run-${i}`, label: `${spacing}, seed ${seed}`, models, steps, spacing, ensembleSize: 1, noise: { kind: "gaussian" }, seed }));
  const state = { version: 1, current: 0, settings: { rows, seed: 1, processingResolution: size.width }, view: { colormap: "Spectral", rangePercentiles: [2, 98], showStd: false } };
  writeFileSync(join(pictures, "room.plumbline.json"), JSON.stringify({ format: "plumbline-session", version: 1, images: [{ path: "room.jpg", absolute: image }], state }));
  await writeStepRuns(join(home, "user/User/globalStorage/plumbline.plumbline/runs"), checkout, image, size, rows);
  const workbench = await openWorkbench({ folder: pictures, home, checkout });
  const frame = await openSession(workbench.page, "room.plumbline.json");
  await frame.locator(".status-text", { hasText: "Finished" }).waitFor();
  if ((await frame.locator(".row-head .badge:not([hidden])", { hasText: "cached" }).count()) !== runs.length) throw new Error("Not all runs came from the cache.");
  await frame.waitForTimeout(2000);
  return { workbench, frame };
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-bench-"));
  const builds = [["this", root], ...(process.env.AGAINST ? [["against", resolve(process.env.AGAINST)]] : [])] as const;
  const load = loadavg()[0].toFixed(1);
  const results = new Map<string, Result>();
  try {
    for (const [build, checkout] of builds) {
      const { workbench, frame } = await openRuns(checkout, join(scratch, build));
      try {
        const child = residentMegabytes("inference.js");
        const clock = await threadClock(frame);
        for (const pass of passes) {
          const result: Result = { answered: [], painted: [], work: 0, threads: new Map<string, number>() };
          results.set(`${build}/${pass.name}`, result);
          for (const row of pass.rows) {
            const [before, threads] = [await clock(), threadTimes()];
            const times = await scrub(frame, row, pass);
            result.work += (await clock()) - before;
            for (const [thread, millis] of workBetween(threads, threadTimes())) result.threads.set(thread, (result.threads.get(thread) ?? 0) + millis);
            result.answered.push(...times.map(({ answered }) => answered));
            result.painted.push(...times.map(({ painted }) => painted));
          }
        }
        console.log(`${build}: child before and after scrubbing: ${child.toFixed(0)} and ${residentMegabytes("inference.js").toFixed(0)} MB resident.`);
      } finally {
        await workbench.close();
      }
    }
    console.table([...results].map(([key, result]) => rowOf(key.split("/")[0], key.split("/")[1], result)));
    for (const [key, { threads, painted }] of results) {
      console.log(`${key}, ms a step by thread: ${[...threads].sort((a, b) => b[1] - a[1]).slice(0, 9).map(([thread, millis]) => `${thread} ${rounded(millis / painted.length)}`).join(", ")}`);
    }
    console.log(`Load of the machine before: ${load}, after: ${loadavg()[0].toFixed(1)}.`);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
