import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { picturePath } from "../../src/evaluation/pictures";
import { repository } from "./cliProcess";
import { picture, put } from "./spotFolders";

// Kills spot checks at moments of a seed until that has happened so often, and looks at every result.
//   npm run test:kills -- --kills 200 --seed 1

export interface KillCounts {
  readonly kills: number;
  /** Kills after which at least one image was done and one was not. */
  readonly within: number;
  /** Runs that got to their end after their kills. */
  readonly ended: number;
}

const images = 16;

/** The CSV without the one column that a clock decides. */
export async function timeless(out: string): Promise<string> {
  const lines = (await readFile(join(out, "samples.csv"), "utf8")).split("\r\n");
  const column = lines[0].split(",").indexOf("millis_ms");
  assert.ok(column > 0);
  return lines.map((line) => line.split(",").filter((_, i) => i !== column).join(",")).join("\r\n");
}

/** Images by their lines in the journal, in its order. */
export async function recordedIds(out: string): Promise<string[]> {
  // What follows the last line break was being written.
  const lines = (await readFile(join(out, "journal.jsonl"), "utf8")).split("\n").slice(0, -1).filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as { type: string; id: string }).filter(({ type }) => type === "record").map(({ id }) => id);
}

/** Throws where an image is lost, looked at twice, or comes out differently than in an undisturbed run; `tell` is told how far it is. */
export async function killSpotChecks(kills: number, seed: number, tell: (text: string) => void = () => undefined): Promise<KillCounts> {
  const dir = await mkdtemp(join(tmpdir(), "plumbline-kills-"));
  try {
    const config = await makeFolder(dir);
    const started = performance.now();
    const undisturbed = join(dir, "undisturbed");
    assert.equal((await attempt(config, undisturbed)).code, 0);
    const wholeMillis = performance.now() - started;
    const expected = await timeless(undisturbed);
    const random = generator(seed);
    let [killed, within, ended] = [0, 0, 0];
    while (killed < kills) {
      const out = join(dir, `killed-${ended}`);
      const known = new Set<string>();
      for (;;) {
        // Half of them at any time, half right after an image was told.
        const moment = random() < 0.5 ? { afterImages: 0, millis: random() * 1.2 * wholeMillis } : { afterImages: 1 + Math.floor(random() * 4), millis: random() * 40 };
        const { code, told } = await attempt(config, out, moment);
        const ids = await recordedIds(out).catch((): string[] => []);
        assert.equal(new Set(ids).size, ids.length, `an image of ${out} was looked at twice`);
        for (const id of [...told, ...known]) assert.ok(ids.includes(id), `${id} of ${out} was lost`);
        for (const id of told) assert.ok(!known.has(id), `${id} of ${out} was told twice`);
        for (const id of ids) known.add(id);
        await requirePictures(out, ids);
        if (code === 0) break;
        assert.equal(code, null, `the spot check into ${out} ended with ${code}`);
        killed++;
        if (ids.length > 0 && ids.length < images) within++;
      }
      assert.equal(await timeless(out), expected, `${out} differs from the undisturbed run`);
      const left = await readdir(out, { recursive: true });
      assert.deepEqual(left.filter((name) => name.startsWith("lock") || /pictures.*\.tmp$/.test(name)), [], "nothing that was not finished stays");
      ended++;
      tell(`${killed} kills, ${ended} runs ended`);
      await rm(out, { recursive: true });
    }
    return { kills: killed, within, ended };
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function makeFolder(dir: string): Promise<string> {
  for (let i = 0; i < images - 1; i++) await put(join(dir, "images", i % 3 === 0 ? "a" : "b", `${i}.jpg`), picture(64, 48, i).jpeg());
  await put(join(dir, "images", "b", "broken.jpg"), "no image");
  const config = join(dir, "plumbline.spotcheck.json");
  await writeFile(config, JSON.stringify({ format: "plumbline-spotcheck", version: 1, folder: "images", runs: [{ name: "e2e", depth: "plumbline-e2e-depth", steps: 1, processingResolution: 64 }] }));
  return config;
}

interface Moment {
  /** So many images told, and so much later. */
  readonly afterImages: number;
  readonly millis: number;
}

/** One start of the command, killed at the moment where it has not ended before; what it told of, and its exit code. */
async function attempt(config: string, out: string, moment?: Moment): Promise<{ readonly code: number | null; readonly told: readonly string[] }> {
  const child = spawn(process.execPath, [join(repository, "dist", "cli.js"), "spot-check", "--device", "cpu", "--config", config, "--out", out, "--json-progress"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done));
  const told: string[] = [];
  const kill = (): void => void (moment && pause(moment.millis).then(() => child.kill("SIGKILL")));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { type, id } = JSON.parse(line) as { type: string; id: string };
    if (type !== "record") return;
    told.push(id);
    if (told.length === moment?.afterImages) kill();
  });
  if (moment?.afterImages === 0) kill();
  return { code: await ended, told };
}

/** Pictures of an image are there, whole, before its line is. */
async function requirePictures(out: string, ids: readonly string[]): Promise<void> {
  for (const id of ids.filter((name) => !name.endsWith("broken.jpg"))) {
    for (const kind of ["rgb", "depth"] as const) assert.equal((await sharp(join(out, picturePath(id, kind))).stats()).channels.length, 3, `${kind} of ${id}`);
  }
}

/** 0 to 1, of a sequence of its own, so that a failure can be had again. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { kills: { type: "string", default: "200" }, seed: { type: "string", default: "1" } } });
  console.log(JSON.stringify(await killSpotChecks(Number(values.kills), Number(values.seed), (text) => process.stderr.write(`${text}\n`))));
}

if (process.argv[1] === __filename) void main();
