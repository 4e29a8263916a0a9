import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { appendLine, Journal, journalParts, readJournal } from "../../src/evaluation/journal";

interface Entry {
  readonly n: number;
  readonly text?: string;
}

describe("a journal", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "plumbline-journal-"));
    path = join(folder, "journal.jsonl");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is empty where there is none, and keeps what was appended in order", async () => {
    assert.deepEqual(await readJournal(path), { entries: [], damagedLines: 0 });
    const { journal } = await Journal.open<Entry>(path);
    await Promise.all([1, 2, 3].map((n) => journal.append({ n, text: "line\nbreak ü" })));
    await journal.append({ n: 4 });
    await journal.close();
    assert.deepEqual((await readJournal<Entry>(path)).entries.map(({ n }) => n), [1, 2, 3, 4]);
    const again = await Journal.open<Entry>(path);
    assert.deepEqual(again.content.entries[0], { n: 1, text: "line\nbreak ü" });
    await again.journal.append({ n: 5 });
    await again.journal.close();
    assert.equal((await readJournal(path)).entries.length, 5);
  });

  it("cut off at any byte holds exactly the lines that were whole, and goes on after them", async () => {
    const lines = [{ n: 1, text: "äöü" }, { n: 22 }, { n: 333 }].map((entry) => `${JSON.stringify(entry)}\n`);
    const whole = Buffer.from(lines.join(""));
    for (let length = 0; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const complete = whole.subarray(0, length).toString("latin1").split("\n").length - 1;
      assert.equal((await readJournal(path)).entries.length, complete);
      const { journal, content } = await Journal.open<Entry>(path);
      assert.equal(content.entries.length, complete);
      await journal.append({ n: 9 });
      await journal.close();
      const { entries, damagedLines } = await readJournal<Entry>(path);
      assert.deepEqual([entries.length, entries.at(-1), damagedLines], [complete + 1, { n: 9 }, 0]);
    }
  });

  it("counts lines that are damaged and keeps the others", async () => {
    await writeFile(path, '{"n":1}\n{"n":\0\0\0\n7\n{"n":3}\n');
    const { entries, damagedLines } = await readJournal<Entry>(path);
    assert.deepEqual([entries, damagedLines], [[{ n: 1 }, { n: 3 }], 2]);
  });

  it("holds everything that append resolved for when the process is killed", async () => {
    const script = `
      import { Journal } from ${JSON.stringify(join(import.meta.dirname, "../../src/evaluation/journal.ts"))};
      const { journal } = await Journal.open(process.argv[2]);
      for (let n = 0; ; n++) { await journal.append({ n, text: "x".repeat(n % 5000) }); process.stdout.write(n + "\\n"); }`;
    const file = join(folder, "writer.mts");
    await writeFile(file, script);
    for (let round = 0; round < 3; round++) {
      await rm(path, { force: true });
      const writer = spawn(process.execPath, ["--import=tsx", file, path], { stdio: ["ignore", "pipe", "inherit"], cwd: join(import.meta.dirname, "../..") });
      let told = "";
      writer.stdout.on("data", (data: Buffer) => (told += data.toString()));
      while (told === "") await pause(20);
      await pause(30 + 40 * round);
      writer.kill("SIGKILL");
      await new Promise((done) => writer.on("close", done));
      const last = Number(told.split("\n").at(-2));
      const { entries, damagedLines } = await readJournal<Entry>(path);
      assert.ok(entries.length >= last + 1, `${entries.length} entries, told of ${last + 1}`);
      assert.equal(damagedLines, 0);
      entries.forEach(({ n, text }, i) => assert.deepEqual([n, text?.length], [i, i % 5000]));
    }
  });

  it("takes lines of several processes, and one after a line that was cut off", async () => {
    const script = `
      import { appendLine } from ${JSON.stringify(join(import.meta.dirname, "../../src/evaluation/journal.ts"))};
      for (let n = 0; n < 40; n++) await appendLine(process.argv[2], { n, text: process.argv[3].repeat(n * 40) });`;
    const file = join(folder, "marker.mts");
    await writeFile(file, script);
    await writeFile(path, '{"n":0}\n{"n":1,"te');
    const codes = ["a", "b", "c"].map((text) => {
      const marker = spawn(process.execPath, ["--import=tsx", file, path, text], { stdio: "inherit", cwd: join(import.meta.dirname, "../..") });
      return new Promise((done) => marker.on("close", done));
    });
    assert.deepEqual(await Promise.all(codes), [0, 0, 0]);
    const { entries, damagedLines } = await readJournal<Entry>(path);
    assert.deepEqual([entries.length, damagedLines], [1 + 3 * 40, 1], "only the line that was cut off is lost");
    for (const text of ["a", "b", "c"]) assert.deepEqual(entries.filter((entry) => entry.text?.startsWith(text)).map(({ n }) => n), Array.from({ length: 39 }, (_, n) => n + 1));
    await assert.rejects(appendLine(join(folder, "no/such/folder.jsonl"), {}), /Could not write/);
  });

  it("is read a part at a time, and every other thing gets its turn meanwhile", async () => {
    const line = (n: number): string => `${JSON.stringify({ n, text: "ü".repeat(n % 700) })}\n`;
    await writeFile(path, Array.from({ length: 4000 }, (_, n) => line(n)).join(""));
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const sizes: number[] = [];
    const entries: Entry[] = [];
    for await (const part of journalParts<Entry>(path)) {
      sizes.push(part.entries.length);
      entries.push(...part.entries);
    }
    clearInterval(timer);
    assert.deepEqual(entries.map(({ n }) => n), Array.from({ length: 4000 }, (_, n) => n), "no line is lost or cut where two parts meet");
    assert.ok(sizes.length >= 8 && Math.max(...sizes) < 1500, sizes.join());
    assert.ok(turns >= 3, `${turns} turns`);
  });

  it("tells when it cannot be written", async () => {
    await assert.rejects(Journal.open(join(folder, "no/such/folder.jsonl")), /Could not write/);
    await appendFile(path, "");
    assert.equal((await readFile(path)).length, 0);
  });
});
