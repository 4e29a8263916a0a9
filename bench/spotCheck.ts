import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { startEngine } from "../src/inference/client";

// How fast a spot check is beside the bare engine on the same images, and whether its memory stays flat.
//   npm run bench:spot -- --images 10000
// Images are JPEGs of 64 x 48, the model is the smallest that ships: E2E depth, at 64 pixels. Writes a line of JSON on stdout.

const { values } = parseArgs({ options: { images: { type: "string", default: "1000" }, keep: { type: "string" } } });
const repository = resolve(__dirname, "..");
const count = Number(values.images);
const model = join(repository, "models", "plumbline-e2e-depth");
const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 2024, processingResolution: 64 } as const;
/** As many as the spot check has under way. */
const inFlight = 8;

const [width, height] = [64, 48];

/** No two alike, a hundred a folder; those that are there already stay. */
async function writeImages(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const path = join(folder, String(Math.floor(n / 100)).padStart(3, "0"), `${String(n).padStart(5, "0")}.jpg`);
    paths.push(path);
    if (await stat(path).catch(() => undefined)) continue;
    await mkdir(join(path, ".."), { recursive: true });
    const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin((i % (3 * width)) / (9 + (n % 31)) + (i / (3 * width)) * (0.01 + (n % 17) / 90) + n));
    await sharp(rgb, { raw: { width, height, channels: 3 } }).jpeg().toFile(path);
  }
  return paths;
}

/** How fast images were finished: by the clock, from the first result to the last, and in seconds of all processors. */
interface Pace {
  readonly perSecond: number;
  readonly cpuMillis: number;
}

/** The engine alone. */
async function bare(paths: readonly string[]): Promise<Pace> {
  const engine = startEngine({ childPath: join(repository, "dist", "inference.js") });
  const queue = paths.values();
  let [first, last] = [0, 0];
  const work = async (): Promise<void> => {
    for (const imagePath of queue) {
      await engine.predict({ imagePath, runs: [{ runId: "a", modelDir: model, task: "depth", settings }], device: "cpu", stepMaps: false, recordSteps: false, stdOverSteps: false, mapSize: "processing" });
      last = performance.now();
      first ||= last;
    }
  };
  const { pid } = await engine.info();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: inFlight }, work));
  const { user, system } = process.cpuUsage(before);
  const cpuMillis = ((user + system) / 1000 + (await cpuMillisOf(pid))) / paths.length;
  await engine.dispose();
  return { perSecond: (1000 * (paths.length - 1)) / (last - first), cpuMillis };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

/** Of a process so far; the clock of /proc ticks a hundred times a second. */
async function cpuMillisOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return 10 * (user + system);
}

async function childOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ")[0]);
}

function startSpotCheck(config: string, out: string): ChildProcess {
  return spawn(process.execPath, [join(repository, "dist", "cli.js"), "spot-check", "--config", config, "--out", out, "--device", "cpu", "--json-progress"], { stdio: ["pipe", "pipe", "inherit"] });
}

interface Memory {
  readonly images: number;
  readonly hostMB: number;
  readonly childMB: number;
}

/** The command, and its memory on the way. */
async function spotChecked(config: string, out: string): Promise<Pace & { readonly memory: readonly Memory[] }> {
  const child = startSpotCheck(config, out);
  const marks = new Set([0.1, 0.3, 0.6, 1].map((part) => Math.floor(part * count)));
  const memory: Memory[] = [];
  let [images, first, last, cpu] = [0, 0, 0, 0];
  const ended = new Promise((done) => child.once("close", done));
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (!line.startsWith('{"type":"record"')) continue;
    images++;
    last = performance.now();
    first ||= last;
    if (!marks.has(images)) continue;
    const host = child.pid as number;
    const engine = await childOf(host);
    memory.push({ images, hostMB: Math.round((await residentBytes(host)) / 1e6), childMB: Math.round((await residentBytes(engine)) / 1e6) });
    cpu = (await cpuMillisOf(host)) + (await cpuMillisOf(engine));
  }
  await ended;
  return { perSecond: (1000 * (images - 1)) / (last - first), cpuMillis: cpu / images, memory };
}

async function main(): Promise<void> {
  const dir = values.keep === undefined ? await mkdtemp(join(tmpdir(), "plumbline-bench-")) : resolve(values.keep);
  try {
    const paths = await writeImages(join(dir, "images"));
    const config = join(dir, "plumbline.spotcheck.json");
    const { steps, spacing, ensembleSize, seed, processingResolution } = settings;
    await writeFile(config, JSON.stringify({ format: "plumbline-spotcheck", version: 1, folder: "images", runs: [{ name: "e2e", depth: "plumbline-e2e-depth", steps, spacing, ensembleSize, seed, processingResolution }] }));
    // Before and after, so that a machine that becomes slower does not speak for or against either.
    const before = await bare(paths);
    const { memory, ...checked } = await spotChecked(config, join(dir, "out"));
    const after = await bare(paths);
    // Of time, not of rates: both passes had the same images.
    const bareSeconds = (1 / before.perSecond + 1 / after.perSecond) / 2;
    const rounded = (pace: Pace): Pace => ({ perSecond: Number(pace.perSecond.toFixed(2)), cpuMillis: Number(pace.cpuMillis.toFixed(1)) });
    process.stdout.write(`${JSON.stringify({ images: count, bare: [before, after].map(rounded), spotCheck: rounded(checked), ratio: Number((bareSeconds * checked.perSecond).toFixed(3)), memory })}\n`);
  } finally {
    if (values.keep === undefined) await rm(dir, { recursive: true, force: true });
  }
}

void main();
