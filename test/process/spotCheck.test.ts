import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { picturePath } from "../../src/evaluation/pictures";
import { plumbline, repository, type Outcome } from "./cliProcess";
import { badInputs, picture, put } from "./spotFolders";
import { recordedIds, timeless } from "./spotKills";

const tiny = { steps: 1, processingResolution: 64 };
const header = { format: "plumbline-spotcheck", version: 1 };

/** Lines of a CSV of these tests as objects. */
function rowsOf(csv: string): Record<string, string>[] {
  const cells: string[][] = [[]];
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    cells[cells.length - 1].push(quoted !== undefined ? quoted.replaceAll('""', '"') : plain);
    if (end !== ",") cells.push([]);
  }
  const [heads, ...rows] = cells.slice(0, -1);
  return rows.map((row) => Object.fromEntries(heads.map((head, i) => [head, row[i]])));
}

describe("spot-checking a folder", function () {
  this.timeout(900_000);
  let dir: string;
  let photos: string;
  let config: string;
  /** The undisturbed run. */
  let whole: string;
  const run = (args: readonly string[], onStart?: Parameters<typeof plumbline>[1]): Promise<Outcome> => plumbline(["spot-check", "--device", "cpu", ...args], onStart);

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-spot-"));
    photos = join(dir, "photos");
    for (let i = 0; i < 12; i++) await put(join(photos, i % 3 === 0 ? "a" : "b", `${i}.png`), picture(64 + 4 * i, 64, i).png());
    await put(join(photos, "b", "broken.png"), "no image");
    await put(join(photos, "c", "again.png"), picture(64, 64, 0).png());
    config = join(dir, "plumbline.spotcheck.json");
    const runs = [{ name: "e2e", depth: "plumbline-e2e-depth", normals: "plumbline-e2e-normals", ...tiny }, { name: "two steps", depth: "plumbline-depth", ...tiny, steps: 2, ensembleSize: 2 }];
    await writeFile(config, JSON.stringify({ ...header, folder: "photos", runs }));
    whole = join(dir, "whole");
    const { code, stderr } = await run(["--config", config, "--out", whole]);
    assert.equal(code, 0, stderr);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("gives every image a row, with numbers that differ between images, and pictures", async () => {
    const rows = rowsOf(await readFile(join(whole, "samples.csv"), "utf8"));
    assert.equal(rows.length, 14);
    const done = rows.filter(({ status }) => status === "done");
    assert.equal(done.length, 13);
    for (const column of ["depthExtent", "normalsExtent_deg", "depthDisagreement", "consistency_deg", "two steps.depthUncertainty"]) {
      assert.ok(done.every((row) => Number(row[column]) > 0), column);
      assert.ok(new Set(done.map((row) => row[column])).size >= 10, column);
    }
    assert.deepEqual(rows.filter(({ duplicate_of: first }) => first !== "").map(({ filename, duplicate_of: first }) => [filename, first]), [["c/again.png", "a/0.png"]]);
    for (const kind of ["rgb", "depth", "normals", "std"] as const) assert.ok((await stat(join(whole, picturePath("a/0.png", kind)))).size > 100, kind);
    const report = await readFile(join(whole, "report.html"), "utf8");
    assert.match(report, /Worst by Depth disagreement/);
    assert.doesNotMatch(report, /<script|https?:\/\/(?!www\.w3\.org)/);
  });

  it("does nothing again, and refuses to mix results of other settings", async () => {
    const before = await readFile(join(whole, "journal.jsonl"), "utf8");
    assert.equal((await run(["--config", config, "--out", whole])).code, 0);
    assert.equal(await readFile(join(whole, "journal.jsonl"), "utf8"), before);
    const { code, stderr } = await run([photos, "--out", whole]);
    assert.equal(code, 2);
    assert.match(stderr, /those of others/);
    assert.equal(await readFile(join(whole, "journal.jsonl"), "utf8"), before);
  });

  it("merges shards to the same result as one run", async () => {
    const shards = [1, 2, 3].map((i) => join(dir, `shard-${i}`));
    for (const [i, out] of shards.entries()) assert.equal((await run(["--config", config, "--out", out, "--shard", `${i + 1}/3`])).code, 0);
    const merged = join(dir, "merged");
    const { code, stderr } = await plumbline(["merge", shards[2], shards[0], shards[1], "--out", merged]);
    assert.equal(code, 0, stderr);
    assert.equal(await timeless(merged), await timeless(whole));
    const summaries = await Promise.all([merged, whole].map(async (out) => JSON.parse(await readFile(join(out, "summary.json"), "utf8")) as { images: object; perImage: Record<string, { mean: number }> }));
    assert.deepEqual(summaries[0].images, summaries[1].images);
    assert.deepEqual(summaries[0].perImage.depthExtent, summaries[1].perImage.depthExtent);
    assert.ok((await stat(join(merged, picturePath("b/1.png", "depth")))).size > 100);
  });

  it("pauses, refuses a second process meanwhile, resumes, and is cancelled", async () => {
    const out = join(dir, "paused");
    // Slow enough that there is something left to pause on a fast machine.
    const slow = join(dir, "slow.json");
    await writeFile(slow, JSON.stringify({ ...header, folder: "photos", runs: [{ name: "slow", depth: "plumbline-depth", ...tiny, steps: 40 }] }));
    const child = spawn(process.execPath, [join(repository, "dist", "cli.js"), "spot-check", "--device", "cpu", "--config", slow, "--out", out, "--json-progress"], { stdio: ["pipe", "pipe", "pipe"] });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const types: string[] = [];
    const waiting: { readonly type: string; readonly done: () => void }[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { type } = JSON.parse(line) as { type: string };
      types.push(type);
      for (const waiter of waiting.splice(0)) {
        if (waiter.type === type) waiter.done();
        else waiting.push(waiter);
      }
    });
    after(() => child.kill("SIGKILL"));
    const until = (type: string): Promise<void> => new Promise((done) => waiting.push({ type, done }));
    await until("record");
    child.stdin.write("pause\n");
    await until("paused");
    const atPause = await settled(async () => (await recordedIds(out)).length);
    const second = await run(["--config", slow, "--out", out]);
    assert.equal(second.code, 2);
    assert.match(second.stderr, new RegExp(`process ${child.pid} on`));
    assert.equal((await recordedIds(out)).length, atPause, "nothing happens while it is paused");
    assert.ok(atPause < 14);
    child.stdin.write("resume\n");
    await until("record");
    child.stdin.write("cancel\n");
    assert.equal(await ended, 130);
    assert.equal(types.at(0), "begin");
    assert.equal(types.at(-1), "end");
    const { code, stderr } = await run(["--config", slow, "--out", out, "--json-progress"], (process) => {
      // The first line means that signals are listened to.
      process.stdout?.once("data", () => {
        process.kill("SIGUSR1");
        setTimeout(() => process.kill("SIGUSR2"), 500);
      });
    });
    assert.equal(code, 0, stderr);
    const ids = await recordedIds(out);
    assert.deepEqual([...new Set(ids)].length, 14);
    assert.equal(ids.length, 14, "none was looked at twice");
  });

  it("ends bad input of every kind as a row with its reason, and goes on", async function () {
    const folder = join(dir, "bad");
    const expected = await badInputs(folder);
    const file = join(dir, "bad.json");
    const truth = { image: "rgb/**/*.*", truth: "depth/**/*.npy", encoding: { kind: "depth", unitsPerMetre: 1 }, maxDepth: 100 };
    await writeFile(file, JSON.stringify({ ...header, folder: "bad", runs: [{ name: "e2e", depth: "plumbline-e2e-depth", ...tiny }], truth }));
    const out = join(folder, "results");
    const { code, stderr } = await unprivileged(["spot-check", "--device", "cpu", "--config", file, "--out", out]);
    assert.equal(code, 0, stderr);
    const rows = rowsOf(await readFile(join(out, "samples.csv"), "utf8"));
    assert.deepEqual(rows.map(({ filename }) => filename).sort(), [...expected.keys()].sort());
    for (const row of rows) {
      const { status, says } = expected.get(row.filename) ?? assert.fail(row.filename);
      assert.equal(row.status, status, `${row.filename}: ${row.reason}`);
      if (row.status === "failed") assert.ok(row.reason.length > 20, row.filename);
      // One pixel is fitted without an error.
      if (row.status === "done") assert.ok(row.filename === "rgb/one-pixel.png" ? row.abs_relative_difference === "0" : Number(row.abs_relative_difference) > 0, row.filename);
      if (says) assert.match(row.status === "failed" ? row.reason : row.oddities, says, `${row.filename}: ${row.reason} ${row.oddities}`);
    }
    assert.deepEqual(rows.filter(({ duplicate_of: first }) => first !== "").map(({ filename }) => filename), ["rgb/good.jpg", "rgb/wrong-ending.png"]);
    const report = await readFile(join(out, "report.html"), "utf8");
    assert.match(report, /AbsRel ↓/);
    assert.ok(report.includes("ümläut 名前 &#39;quote&#34; #1.jpg"), "names are escaped");
    const invalid = rows.find(({ filename }) => filename === "rgb/truth-nan.jpg");
    assert.equal(Number(invalid?.validPixels), 48 * 40 - Math.ceil((48 * 40) / 7));
    // What failed and was put right is looked at again when asked for.
    await put(join(folder, "rgb", "zero-bytes.png"), picture(48, 40, 3).png());
    assert.equal((await run(["--config", file, "--out", out, "--retry-failed"])).code, 0);
    assert.equal(rowsOf(await readFile(join(out, "samples.csv"), "utf8")).find(({ filename }) => filename === "rgb/zero-bytes.png")?.status, "done");
  });
});

/** Runs the command line without the superuser's right to read everything, so that a file without permission is one. */
async function unprivileged(args: readonly string[]): Promise<Outcome> {
  if (process.getuid?.() !== 0) return plumbline(args);
  const child = spawn("setpriv", ["--bounding-set=-dac_override,-dac_read_search", process.execPath, join(repository, "dist", "cli.js"), ...args], { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { code, stdout, stderr };
}

/** A number once it has stayed the same for three seconds. */
async function settled(read: () => Promise<number>): Promise<number> {
  for (let last = await read(); ; ) {
    await new Promise((done) => setTimeout(done, 3000));
    const now = await read();
    if (now === last) return now;
    last = now;
  }
}
