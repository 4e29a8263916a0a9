import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import sharp from "sharp";
import { version } from "../package.json";
import { runKeyOf } from "../src/cache/runKey";
import { writeRun } from "../src/cache/runWriter";
import { thumbnailOf } from "../src/cache/thumbnail";
import { halfFromMap } from "../src/core/half";
import { stepPlans } from "../src/core/schedulers/noiseLevels";
import type { RunSettings } from "../src/core/settings";
import { FileHashes } from "../src/inference/fileHash";
import { describeRun } from "../src/inference/modelLoader";
import { engineVersions } from "../src/inference/session";
import type { RowSettings } from "../src/protocol/panel";

// Scrubbing over 50 steps x 4 runs of depth, 768 x 576, in a real VS Code: `node scripts/test.mjs` prints what it needs; see
// README.md. The runs are written into the cache of runs beforehand, by the same writer and under the same keys as the
// inference process would use, so that 200 steps of networks need not be waited for; everything else is as for a user.

const root = join(__dirname, "..");
const steps = Number(process.env.STEPS ?? 50);
const [width, height] = [768, 576];
const runs = [["leading", 1], ["leading", 2], ["trailing", 1], ["trailing", 2]] as const;

/** A number of the steps in an order without neighbours, so that none is foreseen. */
const jumps = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => (7 + 19 * i) % (steps - 1));

interface Times {
  readonly painted: number;
  readonly answered: boolean;
}

/**
 * Sets the scrubber of a row to each of `to` in turn. A step counts as painted at the end of the frame in which its own
 * map is on the tile's canvas; the upper end of the colour bar tells it from its thumbnail.
 */
async function scrub(frame: Frame, row: number, to: readonly number[]): Promise<readonly Times[]> {
  return frame.evaluate(async ([rowId, all]) => {
    const slider = document.querySelector<HTMLInputElement>(`.row[data-row="${rowId}"] .timeline-slider`);
    const tile = document.querySelector(`.tile[data-key="${rowId}:depth"]`);
    const badge = tile?.querySelector(".badge");
    const highest = tile?.querySelector(".color-bar .number:last-child");
    if (!slider || !badge || !highest) throw new Error("There is no timeline.");
    const times: { painted: number; answered: boolean }[] = [];
    for (const [at, top] of all) {
      await new Promise(requestAnimationFrame);
      let answered = false;
      const listening = new AbortController();
      // Nothing else is under way: what the host posts now is the map.
      window.addEventListener("message", () => (answered = true), { signal: listening.signal });
      const start = performance.now();
      slider.value = String(at);
      slider.dispatchEvent(new Event("input"));
      while (!badge.textContent?.includes(`· ${at + 1}/`) || highest.textContent !== top) {
        if (performance.now() - start > 10_000) throw new Error(`Step ${at} is not shown: ${badge.textContent}, ${highest.textContent}, not ${top}.`);
        await new Promise(requestAnimationFrame);
      }
      // After the frame: a task of its own runs when it has been handed over for painting.
      await new Promise<void>((done) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done();
        port2.postMessage(undefined);
      });
      times.push({ painted: performance.now() - start, answered });
      listening.abort();
    }
    return times;
  }, [`run-${row}`, to.map((step) => [step, String(Number(topOf(step).toPrecision(3)))] as const)] as const);
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

/** Resident megabytes of this bench's own inference process. */
function childMegabytes(): number {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,rss=,args="], { encoding: "utf8", maxBuffer: 1 << 26 }).trim().split("\n");
  const processes = lines.map((line) => line.trim().split(/\s+/, 4)).map(([pid, parent, kilobytes], i) => ({ pid: Number(pid), parent: Number(parent), kilobytes: Number(kilobytes), args: lines[i] }));
  const mine = new Set([process.pid]);
  for (let size = 0; size < mine.size; ) {
    size = mine.size;
    for (const { pid, parent } of processes) if (mine.has(parent)) mine.add(pid);
  }
  return processes.filter(({ pid, args }) => mine.has(pid) && args.includes("inference.js")).reduce((sum, { kilobytes }) => sum + kilobytes / 1024, 0);
}

function row(name: string, times: readonly number[]): Record<string, string | number> {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1));
  return { what: name, count: times.length, "median ms": at(0.5), "p95 ms": at(0.95), "max ms": at(1) };
}

/** The greatest value of a step, exact in binary16. */
const topOf = (step: number): number => 1 + step / 64;

/** A ramp with waves; below, every other pixel has the step's greatest value, which no thumbnail has: it takes means. */
function depthOf(step: number, run: number): Float32Array {
  return Float32Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    if (y > 0.9 * height && (x + y) % 2 === 0) return topOf(step);
    return y / height / 2 + 0.2 + 0.05 * Math.sin(x / 20 + run);
  });
}

/** Writes what the inference process would have written for the rows. */
async function fillCache(cacheDir: string, imagePath: string, rows: readonly RowSettings[]): Promise<void> {
  const hashes = new FileHashes();
  const imageSha256 = await hashes.of(imagePath);
  const versions = { plumbline: version, program: await hashes.of(join(root, "dist/inference.js")), onnxruntime: engineVersions().onnxruntime };
  const modelDir = join(root, "models/plumbline-depth");
  for (const [run, { rowId, spacing, seed = 0 }] of rows.entries()) {
    const settings: RunSettings = { steps, spacing, ensembleSize: 1, noise: { kind: "gaussian" }, seed, processingResolution: width };
    const { description, semantics, schedule, fileHashes } = await describeRun({ runId: rowId, modelDir, task: "depth", settings }, hashes, new AbortController().signal);
    const identity = { imageSha256, modelFiles: fileHashes, semantics, endToEnd: description.endToEnd, task: "depth", settings, device: "cpu", versions } as const;
    const plans = stepPlans(schedule, "gaussian");
    const writer = writeRun(cacheDir, { runKey: runKeyOf(identity), semantics, members: 1, steps: plans });
    for (let step = 0; step < steps; step++) {
      const map = { width, height, channels: 1, data: depthOf(step, run) } as const;
      await writer.step(halfFromMap(map), thumbnailOf(map));
      if (step === steps - 1) await writer.member(halfFromMap(map));
    }
    const last = { width, height, channels: 1, data: depthOf(steps - 1, run) } as const;
    await writer.finish({ map: last, stdOverSteps: last }, {
      tool: { name: "plumbline", version }, image: { path: imagePath, width, height, sha256: imageSha256 }, model: { id: description.id, dir: modelDir, files: fileHashes },
      task: "depth", semantics, settings, processingSize: { width, height }, timesteps: plans.map(({ timestep }) => timestep), device: "cpu",
      timingsMillis: { load: 0, encode: 0, denoise: 0, decode: 0, combine: 0, total: 0 }, versions: { plumbline: version, ...engineVersions() }, finishedAt: new Date().toISOString(),
    });
  }
}

async function main(): Promise<void> {
  const { openSession, openWorkbench } = await import("../test/vscode/ui/workbench");
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-bench-"));
  const [pictures, home] = [join(scratch, "pictures"), join(scratch, "home")];
  for (const folder of [pictures, home]) mkdirSync(folder);
  await sharp(join(root, "media/samples/room.jpg")).resize(width, height, { fit: "cover" }).jpeg().toFile(join(pictures, "room.jpg"));
  const models = { depth: "plumbline-depth" };
  const rows = runs.map(([spacing, seed], i): RowSettings => ({ rowId: `run-${i}`, label: `${spacing}, seed ${seed}`, models, steps, spacing, ensembleSize: 1, noise: { kind: "gaussian" }, seed }));
  const state = { version: 1, current: 0, settings: { rows, seed: 1, processingResolution: width }, view: { colormap: "Spectral", rangePercentiles: [2, 98], showStd: false } };
  writeFileSync(join(pictures, "room.plumbline.json"), JSON.stringify({ format: "plumbline-session", version: 1, images: [{ path: "room.jpg", absolute: join(pictures, "room.jpg") }], state }));
  await fillCache(join(home, "user/User/globalStorage/plumbline.plumbline/runs"), join(pictures, "room.jpg"), rows);
  const load = loadavg()[0].toFixed(1);
  const workbench = await openWorkbench({ folder: pictures, home });
  try {
    const frame = await openSession(workbench.page, "room.plumbline.json");
    await frame.locator(".status-text", { hasText: "Finished" }).waitFor();
    if ((await frame.locator(".row-head .badge:not([hidden])", { hasText: "cached" }).count()) !== runs.length) throw new Error("Not all runs came from the cache.");
    const child = childMegabytes();
    const clock = await threadClock(frame);
    const passes = [{ name: "fetched from the cache", to: jumps(24), painted: [] as number[], work: 0 }, { name: "held by the page", to: jumps(24).slice(-12), painted: [] as number[], work: 0 }];
    for (let run = 0; run < runs.length; run++) {
      for (const [i, pass] of passes.entries()) {
        const before = await clock();
        const times = await scrub(frame, run, pass.to);
        pass.work += (await clock()) - before;
        const expected = times.filter(({ answered }) => answered === (i === 0));
        if (expected.length < 0.8 * times.length) throw new Error(`Only ${expected.length} of ${times.length} steps were ${pass.name}.`);
        pass.painted.push(...expected.map(({ painted }) => painted));
      }
    }
    console.table(passes.map(({ name, painted, work }) => ({ ...row(name, painted), "work of the page, ms a step": Number((work / painted.length).toFixed(1)) })));
    console.log(`Child before and after scrubbing: ${child.toFixed(0)} and ${childMegabytes().toFixed(0)} MB resident. Load of the machine before: ${load}, after: ${loadavg()[0].toFixed(1)}.`);
  } finally {
    await workbench.close();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
