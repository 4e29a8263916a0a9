import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { startEngine } from "../src/inference/client";

// How fast a spot check is beside the bare engine on the same images, and whether its memory stays flat.
//   node --import tsx bench/spotCheck.ts --images 10000
//   node --import tsx bench/spotCheck.ts --kills 200      kills at random moments instead; the CSV must come out the same
// Images are 96 x 72, the model is the shipped E2E depth model at 64 pixels. Writes a line of JSON on stdout.

const { values } = parseArgs({ options: { images: { type: "string", default: "1000" }, kills: { type: "string" }, keep: { type: "string" } } });
const repository = resolve(__dirname, "..");
const count = Number(values.images);
const model = join(repository, "models", "plumbline-e2e-depth");
const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 2024, processingResolution: 64 } as const;
/** As many as the spot check has under way. */
const inFlight = 8;

/** Images of a seed, a hundred a folder; those that are there already stay. */
async function writeImages(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (let n = 0; n < count; n++) {
    const path = join(folder, String(Math.floor(n / 100)).padStart(3, "0"), `${String(n).padStart(5, "0")}.jpg`);
    paths.push(path);
    if (await stat(path).catch(() => undefined)) continue;
    await mkdir(join(path, ".."), { recursive: true });
    const rgb = Uint8Array.from({ length: 96 * 72 * 3 }, (_, i) => 128 + 100 * Math.sin((i % 288) / (9 + (n % 31)) + (i / 288) * (0.01 + (n % 17) / 90)));
    await sharp(rgb, { raw: { width: 96, height: 72, channels: 3 } }).jpeg().toFile(path);
  }
  return paths;
}

/** Images a second of the engine alone, from the first result to the last. */
async function bareRate(paths: readonly string[]): Promise<number> {
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
  await Promise.all(Array.from({ length: inFlight }, work));
  await engine.dispose();
  return (1000 * (paths.length - 1)) / (last - first);
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
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

/** Images a second of the command, from the first record to the last, and its memory on the way. */
async function spotRate(config: string, out: string): Promise<{ rate: number; memory: readonly Memory[] }> {
  const child = startSpotCheck(config, out);
  const marks = new Set([100, 1000, 3000, 10_000, count].filter((mark) => mark <= count));
  const memory: Memory[] = [];
  let [images, first, last] = [0, 0, 0];
  const ended = new Promise((done) => child.once("close", done));
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (!line.startsWith('{"type":"record"')) continue;
    images++;
    last = performance.now();
    first ||= last;
    const pid = child.pid as number;
    if (marks.has(images)) memory.push({ images, hostMB: Math.round((await residentBytes(pid)) / 1e6), childMB: Math.round((await residentBytes(await childOf(pid))) / 1e6) });
  }
  await ended;
  return { rate: (1000 * (images - 1)) / (last - first), memory };
}

/** The CSV without the column of times. */
async function timeless(out: string): Promise<string> {
  const lines = (await readFile(join(out, "samples.csv"), "utf8")).split("\r\n");
  const column = lines[0].split(",").indexOf("millis_ms");
  return lines.map((line) => line.split(",").filter((_, i) => i !== column).join(",")).join("\r\n");
}

/** Kills a spot check at random moments until it has been killed so often; every run that gets to its end must have the same CSV. */
async function killRuns(config: string, dir: string, kills: number): Promise<object> {
  await spotRate(config, join(dir, "undisturbed"));
  const expected = await timeless(join(dir, "undisturbed"));
  let [killed, finished] = [0, 0];
  while (killed < kills) {
    const out = join(dir, `killed-${finished}`);
    const child = startSpotCheck(config, out);
    child.stdout?.resume();
    const timer = setTimeout(() => child.kill("SIGKILL"), Math.random() * 3000);
    const code = await new Promise<number | null>((done) => child.once("close", done));
    clearTimeout(timer);
    if (code === null) killed++;
    const ids = (await readFile(join(out, "journal.jsonl"), "utf8").catch(() => "")).split("\n").slice(0, -1).map((line) => JSON.parse(line) as { type: string; id?: string }).flatMap(({ type, id }) => (type === "record" ? [id] : []));
    if (new Set(ids).size < ids.length) throw new Error(`An image was looked at twice in ${out}`);
    if (code !== 0) continue;
    if ((await timeless(out)) !== expected) throw new Error(`${out} differs from the undisturbed run`);
    finished++;
  }
  return { kills: killed, runsThatEnded: finished, equal: true };
}

async function main(): Promise<void> {
  const dir = values.keep === undefined ? await mkdtemp(join(tmpdir(), "plumbline-bench-")) : resolve(values.keep);
  try {
    const paths = await writeImages(join(dir, "images"));
    const config = join(dir, "plumbline.spotcheck.json");
    const { steps, spacing, ensembleSize, seed, processingResolution } = settings;
    await writeFile(config, JSON.stringify({ format: "plumbline-spotcheck", version: 1, folder: "images", runs: [{ name: "e2e", depth: "plumbline-e2e-depth", steps, spacing, ensembleSize, seed, processingResolution }] }));
    if (values.kills !== undefined) return void process.stdout.write(`${JSON.stringify(await killRuns(config, dir, Number(values.kills)))}\n`);
    // Before and after, so that a machine that becomes slower does not speak for or against either.
    const before = await bareRate(paths);
    const { rate, memory } = await spotRate(config, join(dir, "out"));
    const after = await bareRate(paths);
    const bare = (before + after) / 2;
    process.stdout.write(`${JSON.stringify({ images: count, barePerSecond: [before, after].map((value) => Number(value.toFixed(2))), spotCheckPerSecond: Number(rate.toFixed(2)), ratio: Number((rate / bare).toFixed(3)), memory })}\n`);
  } finally {
    if (values.keep === undefined) await rm(dir, { recursive: true, force: true });
  }
}

void main();
