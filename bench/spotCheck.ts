import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
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
/** Images of a turn: both take turns, so that a machine that becomes slower or faster speaks for neither. */
const turn = Math.max(50, Math.min(500, Math.floor(count / 10)));
/** Without a result for so long, nothing is under way any more. */
const stillMillis = 1000;

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

interface Memory {
  readonly images: number;
  readonly hostMB: number;
  readonly childMB: number;
}

/** Work on some images: by the clock, and on all processors. */
interface Effort {
  readonly images: number;
  readonly millis: number;
  readonly cpuMillis: number;
}

/** The engine alone, which takes the images in their order. */
class Bare {
  readonly #engine = startEngine({ childPath: join(repository, "dist", "inference.js") });
  readonly #queue: Iterator<string, undefined>;

  constructor(paths: readonly string[]) {
    this.#queue = paths.values();
  }

  async run(images: number): Promise<Effort> {
    const { pid } = await this.#engine.info();
    const cpu = async (): Promise<number> => (await cpuMillisOf(process.pid)) + (await cpuMillisOf(pid));
    const [before, start] = [await cpu(), performance.now()];
    let left = images;
    const work = async (): Promise<void> => {
      while (left-- > 0) {
        const { value: imagePath } = this.#queue.next();
        if (imagePath === undefined) return;
        await this.#engine.predict({ imagePath, runs: [{ runId: "a", modelDir: model, task: "depth", settings }], device: "cpu", stepMaps: false, recordSteps: false, stdOverSteps: false, mapSize: "processing" });
      }
    };
    await Promise.all(Array.from({ length: inFlight }, work));
    return { images, millis: performance.now() - start, cpuMillis: (await cpu()) - before };
  }

  dispose(): Promise<void> {
    return this.#engine.dispose();
  }
}

/** The command, paused between its turns. */
class SpotCheck {
  readonly #child: ChildProcess;
  #records = 0;
  #lastAt = 0;
  #isEnded = false;

  constructor(config: string, out: string) {
    this.#child = spawn(process.execPath, [join(repository, "dist", "cli.js"), "spot-check", "--config", config, "--out", out, "--device", "cpu", "--json-progress"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.once("close", () => (this.#isEnded = true));
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (!line.startsWith('{"type":"record"')) return;
      this.#records++;
      this.#lastAt = performance.now();
    });
  }

  get records(): number {
    return this.#records;
  }

  /** Goes on for at least so many images, and ends with those that are under way then. */
  async run(images: number): Promise<Effort> {
    const [before, cpuBefore, start] = [this.#records, await this.#cpu(), performance.now()];
    this.#child.stdin?.write("resume\n");
    while (!this.#isEnded && this.#records < Math.min(count, before + images)) await pause(2);
    const isLast = this.#records >= count;
    if (!isLast) this.#child.stdin?.write("pause\n");
    while (!isLast && performance.now() - this.#lastAt < stillMillis) await pause(20);
    return { images: this.#records - before, millis: this.#lastAt - start, cpuMillis: (await this.#cpu()) - cpuBefore };
  }

  async memory(): Promise<Memory> {
    const host = this.#child.pid as number;
    return { images: this.#records, hostMB: Math.round((await residentBytes(host)) / 1e6), childMB: Math.round((await residentBytes(await childOf(host))) / 1e6) };
  }

  async #cpu(): Promise<number> {
    const host = this.#child.pid as number;
    return (await cpuMillisOf(host)) + (await childOf(host).then(cpuMillisOf).catch(() => 0));
  }

  async end(): Promise<void> {
    while (!this.#isEnded) await pause(20);
  }
}

/** Of several turns together. */
function sum(efforts: readonly Effort[]): { readonly perSecond: number; readonly cpuMillis: number } {
  const total = (read: (effort: Effort) => number): number => efforts.reduce((all, effort) => all + read(effort), 0);
  const images = total((effort) => effort.images);
  return { perSecond: Number(((1000 * images) / total(({ millis }) => millis)).toFixed(2)), cpuMillis: Number((total(({ cpuMillis }) => cpuMillis) / images).toFixed(1)) };
}

async function main(): Promise<void> {
  const dir = values.keep === undefined ? await mkdtemp(join(tmpdir(), "plumbline-bench-")) : resolve(values.keep);
  const paths = await writeImages(join(dir, "images"));
  const config = join(dir, "plumbline.spotcheck.json");
  const { steps, spacing, ensembleSize, seed, processingResolution } = settings;
  await writeFile(config, JSON.stringify({ format: "plumbline-spotcheck", version: 1, folder: "images", runs: [{ name: "e2e", depth: "plumbline-e2e-depth", steps, spacing, ensembleSize, seed, processingResolution }] }));
  const bare = new Bare(paths);
  const spotCheck = new SpotCheck(config, join(dir, "out"));
  try {
    // Models are loaded before anything counts.
    const [warm] = [await spotCheck.run(inFlight), await bare.run(inFlight)];
    const efforts: { readonly spot: Effort; readonly bare: Effort }[] = [];
    const memory: Memory[] = [];
    const marks = [0.1, 0.3, 0.6, 0.95].map((part) => Math.floor(part * count));
    while (spotCheck.records < count) {
      const spot = await spotCheck.run(turn);
      efforts.push({ spot, bare: await bare.run(Math.min(spot.images, count - warm.images)) });
      if (spotCheck.records < count && spotCheck.records >= marks[0]) {
        memory.push(await spotCheck.memory());
        while (marks.length > 0 && spotCheck.records >= marks[0]) marks.shift();
      }
    }
    await spotCheck.end();
    const [checked, alone] = [sum(efforts.map(({ spot }) => spot)), sum(efforts.map((effort) => effort.bare))];
    process.stdout.write(`${JSON.stringify({ images: count, bare: alone, spotCheck: checked, ratio: Number((checked.perSecond / alone.perSecond).toFixed(3)), memory })}\n`);
  } finally {
    await bare.dispose();
    if (values.keep === undefined) await rm(dir, { recursive: true, force: true });
  }
}

void main();
