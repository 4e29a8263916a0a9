import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as pause } from "node:timers/promises";
import { PlumblineError } from "../../src/core/errors";
import { normalsMetrics } from "../../src/core/metrics";
import { AnglePool, anglesText } from "../../src/evaluation/anglePool";
import { readJournal } from "../../src/evaluation/journal";
import { marksOf, recordsOf, runSpotCheck, type SpotEntry, type SpotOutcome, type SpotProgress, type SpotRecord, type SpotRunOptions } from "../../src/evaluation/spotRun";

const samples = Array.from({ length: 20 }, (_, i) => ({ id: `a/${String(i).padStart(2, "0")}.jpg`, path: `/data/a/${i}.jpg` }));
const outcome = (id: string): SpotOutcome => ({ judgement: { values: { absRel: Number(id.slice(2, 4)) / 100 }, oddities: [], errorsDegrees: {} }, sha256: id });

describe("running a spot check", () => {
  let folder: string;
  let examined: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "plumbline-spot-"));
    examined = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const run = (change: Partial<SpotRunOptions> = {}): Promise<SpotProgress> =>
    runSpotCheck({
      samples,
      fingerprint: "f",
      journalPath: join(folder, "journal.jsonl"),
      examine: async ({ id }) => {
        examined.push(id);
        await pause(1);
        return outcome(id);
      },
      inFlight: 3,
      retryFailed: false,
      signal: new AbortController().signal,
      gate: () => undefined,
      onRecord: () => undefined,
      ...change,
    });

  /** What the journal holds, in the order of the ids. */
  async function recorded(): Promise<readonly SpotRecord[]> {
    const records = recordsOf((await readJournal<SpotEntry>(join(folder, "journal.jsonl"))).entries);
    return [...records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  it("examines every image once, three at a time, and never again", async () => {
    let [now, most] = [0, 0];
    const progress = await run({
      examine: async ({ id }) => {
        most = Math.max(most, ++now);
        await pause(2);
        now--;
        examined.push(id);
        return outcome(id);
      },
    });
    assert.equal(most, 3);
    assert.deepEqual(progress, { done: 20, failed: 0, total: 20 });
    assert.deepEqual((await recorded()).map(({ id, values }) => [id, values.absRel]), samples.map(({ id }) => [id, Number(id.slice(2, 4)) / 100]));
    examined = [];
    assert.deepEqual(await run(), { done: 20, failed: 0, total: 20 });
    assert.deepEqual(examined, []);
  });

  it("records why an image failed, goes on, and tries again when asked to", async () => {
    const examine = async ({ id }: { id: string }): Promise<SpotOutcome> => {
      examined.push(id);
      if (id === "a/03.jpg") throw new PlumblineError("bad-image", "Expected an image but received none.", "Get it again.");
      return outcome(id);
    };
    const told: string[] = [];
    const progress = await run({ examine, onRecord: (record, { done, failed, total }) => told.push(`${record.status} ${done} ${failed} ${total}`) });
    assert.deepEqual(progress, { done: 20, failed: 1, total: 20 });
    const failed = (await recorded()).filter(({ status }) => status === "failed");
    assert.deepEqual(failed.map(({ id, reason, remedy }) => [id, reason, remedy]), [["a/03.jpg", "Expected an image but received none.", "Get it again."]]);
    assert.match(told.at(-1) ?? "", /20 1 20$/);
    examined = [];
    assert.equal((await run({ examine })).failed, 1);
    assert.deepEqual(examined, [], "a failure is a result");
    assert.deepEqual(await run({ retryFailed: true }), { done: 20, failed: 0, total: 20 });
    assert.ok((await recorded()).every(({ status }) => status === "done"));
    assert.deepEqual(examined, ["a/03.jpg"]);
  });

  it("holds nothing of an image once it is on the disk", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const found: WeakRef<object>[] = [];
    let held = NaN;
    await run({
      examine: async ({ id }) => {
        const result = outcome(id);
        found.push(new WeakRef(result.judgement.values));
        await pause(1);
        if (id !== "a/19.jpg") return result;
        collect();
        held = found.filter((reference) => reference.deref() !== undefined).length;
        return result;
      },
    });
    assert.ok(held >= 1 && held <= 6, `the values of ${held} of 20 images are held`);
  });

  it("stops when cancelled, keeps what is done, and continues", async () => {
    const controller = new AbortController();
    await assert.rejects(run({ signal: controller.signal, onRecord: (_record, { done }) => done === 7 && controller.abort() }), (error: unknown) => error instanceof PlumblineError && error.code === "cancelled");
    const before = (await recorded()).length;
    assert.ok(before >= 7 && before <= 9, String(before));
    examined = [];
    assert.equal((await run()).done, 20);
    assert.equal(examined.length, 20 - before);
  });

  it("begins nothing while it is paused", async () => {
    let resume: () => void = () => undefined;
    const paused = new Promise<void>((done) => (resume = done));
    let gate: Promise<void> | undefined;
    const running = run({ gate: () => gate, onRecord: (_record, { done }) => void (done === 5 && (gate = paused)) });
    await pause(150);
    const atPause = examined.length;
    assert.ok(atPause >= 5 && atPause <= 8, String(atPause));
    await pause(100);
    assert.equal(examined.length, atPause);
    gate = undefined;
    resume();
    assert.equal((await running).done, 20);
  });

  it("does not blame the images that were under way when the engine died", async () => {
    let died = false;
    const { failed } = await run({
      examine: async ({ id }) => {
        await pause(1);
        if (!died && id === "a/02.jpg") died = true;
        if (died && ["a/00.jpg", "a/01.jpg", "a/02.jpg"].includes(id) && examined.filter((other) => other === id).length === 0) {
          examined.push(id);
          throw new PlumblineError("engine-died", "The engine died.");
        }
        return outcome(id);
      },
    });
    assert.equal(failed, 0);
  });

  it("ends when the engine dies with every image, and when something is wrong with the program", async () => {
    await assert.rejects(run({ examine: async () => Promise.reject(new PlumblineError("engine-died", "The engine died.")) }), /engine died/);
    await assert.rejects(run({ journalPath: join(folder, "other.jsonl"), examine: async () => Promise.reject(new TypeError("a bug")) }), /a bug/);
  });

  it("refuses a journal of other settings, and leaves it alone", async () => {
    await run();
    const before = await readFile(join(folder, "journal.jsonl"));
    await assert.rejects(run({ fingerprint: "g" }), /journal of these runs/);
    assert.deepEqual(await readFile(join(folder, "journal.jsonl")), before);
  });

  it("keeps the last mark of an image", async () => {
    await run();
    const mark = (id: string, word: string, note = ""): string => `${JSON.stringify({ type: "mark", id, mark: word, note })}\n`;
    await appendFile(join(folder, "journal.jsonl"), mark("a/01.jpg", "bad") + mark("a/02.jpg", "good") + mark("a/01.jpg", "unsure", "glass") + mark("a/02.jpg", "none"));
    const marks = marksOf((await readJournal<SpotEntry>(join(folder, "journal.jsonl"))).entries);
    assert.deepEqual([...marks.values()].map(({ id, mark: word, note }) => [id, word, note]), [["a/01.jpg", "unsure", "glass"]]);
    assert.equal((await run()).done, 20);
  });
});

describe("angles pooled over images", () => {
  it("are those of all pixels together", () => {
    const images = [3, 1000, 40_000].map((count, k) => Float32Array.from({ length: count }, (_, i) => Math.abs(60 * Math.sin(i * 1.7 + k)) * ((i % 7) / 6)));
    const pool = new AnglePool();
    for (const errors of images) pool.add(anglesText(errors));
    const expected = normalsMetrics(Float32Array.from(images.flatMap((errors) => [...errors])));
    const actual = pool.metrics();
    for (const key of ["mean", "rmse"] as const) assert.ok(Math.abs(actual[key] - expected[key]) < 1e-9, key);
    assert.ok(Math.abs(actual.median - expected.median) < 0.006, `${actual.median} instead of ${expected.median}`);
    for (const [limit, part] of Object.entries(expected.below)) assert.ok(Math.abs(actual.below[limit as "5"] - part) < 1e-9, limit);
  });

  it("are nothing without a pixel", () => {
    const pool = new AnglePool();
    pool.add(anglesText(new Float32Array(0)));
    assert.ok(Number.isNaN(pool.metrics().mean) && Number.isNaN(pool.metrics().median));
  });
});
