import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clearCache, makeRoom } from "../../src/cache/cacheSpace";
import { openCachedMap } from "../../src/cache/mapRows";
import { runKeyOf, type RunIdentity } from "../../src/cache/runKey";
import { lookUpRun, readCachedMap, readRunInfo } from "../../src/cache/runReader";
import { writeRun, type RunWriter } from "../../src/cache/runWriter";
import { thumbnailOf, thumbnailSize } from "../../src/cache/thumbnail";
import { halfFromMap, mapFromHalf } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { Provenance, StepPlan } from "../../src/protocol/inference";
import { folderBytes } from "../folderBytes";
import { assertClose } from "./coreReference";

const keyOf = (digit: string): string => digit.repeat(64);
const plan = (timestep: number): StepPlan => ({ timestep, alphaBar: 0.5, toldNoise: Math.SQRT1_2, inputNoise: 1 });
const mapOf = (value: number, channels: 1 | 3 = 1): FloatMap => ({ width: 6, height: 4, channels, data: Float32Array.from({ length: 24 * channels }, (_, i) => value + i / 64) });
const provenance: Provenance = {
  tool: { name: "plumbline", version: "1" }, image: { path: "a.png", width: 6, height: 4, sha256: "" }, model: { id: "m", dir: "d", files: {} }, task: "depth",
  semantics: { task: "depth", depthKind: "affine-depth" }, settings: { steps: 2, spacing: "trailing", ensembleSize: 2, noise: { kind: "gaussian" }, seed: 1, processingResolution: 6 },
  processingSize: { width: 6, height: 4 }, timesteps: [999, 499], device: "cpu", timingsMillis: { load: 1, encode: 1, denoise: 1, decode: 1, combine: 1, total: 5 }, versions: {}, finishedAt: "",
};

describe("the cache of runs", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-runs-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  function begin(runKey: string): RunWriter {
    return writeRun(dir, { runKey, semantics: provenance.semantics, members: 2, steps: [plan(999), plan(499)] });
  }
  /** Two steps, two members. */
  async function keep(runKey: string): Promise<void> {
    const writer = begin(runKey);
    for (const value of [1, 2]) await writer.step(halfFromMap(mapOf(value)), thumbnailOf(mapOf(value)));
    for (const value of [2, 3]) await writer.member(halfFromMap(mapOf(value)));
    await writer.finish({ map: mapOf(4), stdOverSteps: mapOf(5), stdOverMembers: mapOf(6) }, provenance);
  }

  it("gives back what was put in", async () => {
    await keep(keyOf("a"));
    const run = await lookUpRun(dir, keyOf("a"));
    assert.ok(run && !("damaged" in run));
    assert.deepEqual([run.map, run.stdOverSteps, run.stdOverMembers, run.thumbnails], [mapOf(4), mapOf(5), mapOf(6), [mapOf(1), mapOf(2)]]);
    assert.deepEqual(run.info.finished.provenance, provenance);
    assert.deepEqual(run.info.steps, [plan(999), plan(499)]);
    const runKey = keyOf("a");
    for (const step of [0, 1]) assert.deepEqual(mapFromHalf(await readCachedMap(dir, { kind: "step", runKey, step })), mapOf(1 + step));
    for (const member of [0, 1]) assert.deepEqual(mapFromHalf(await readCachedMap(dir, { kind: "member", runKey, member })), mapOf(2 + member));
    assert.deepEqual(await readCachedMap(dir, { kind: "result", runKey }), mapOf(4));
    assert.equal(await lookUpRun(dir, keyOf("b")), undefined);
    const rows = openCachedMap(dir, { kind: "step", runKey, step: 1 });
    assert.deepEqual(rows.read(1, 2), mapOf(2).data.slice(6, 18));
  });

  it("shows the steps of a run that is under way, not more", async () => {
    const runKey = keyOf("a");
    const writer = begin(runKey);
    await assert.rejects(readCachedMap(dir, { kind: "step", runKey, step: 0 }), { code: "not-found" });
    await writer.step(halfFromMap(mapOf(1)), thumbnailOf(mapOf(1)));
    assert.deepEqual(mapFromHalf(await readCachedMap(dir, { kind: "step", runKey, step: 0 })), mapOf(1));
    assert.equal((await readRunInfo(dir, runKey)).finished, undefined);
    assert.equal(await lookUpRun(dir, runKey), undefined, "it is not finished");
    await assert.rejects(readCachedMap(dir, { kind: "step", runKey, step: 1 }), { code: "not-found", remedy: "Run it again." });
    await assert.rejects(readCachedMap(dir, { kind: "result", runKey }), { code: "not-found" });
    const opened = openCachedMap(dir, { kind: "step", runKey, step: 0 });
    await writer.step(halfFromMap(mapOf(2)), thumbnailOf(mapOf(2)));
    await writer.member(halfFromMap(mapOf(2)));
    await writer.member(halfFromMap(mapOf(2)));
    await writer.finish({ map: mapOf(4) }, provenance);
    assert.deepEqual(opened.read(0, 4), mapOf(1).data, "a reader follows it to its name");
  });

  it("is read while runs are finished, at any moment of it", async () => {
    const keys = Array.from({ length: 100 }, (_, i) => (i + 1).toString(16).padStart(64, "0"));
    await Promise.all(
      keys.map(async (runKey) => {
        const writer = begin(runKey);
        await writer.step(halfFromMap(mapOf(1)), thumbnailOf(mapOf(1)));
        let isFinished = false;
        const finished = writer.finish({ map: mapOf(4) }, provenance).then(() => (isFinished = true));
        while (!isFinished) assert.deepEqual(mapFromHalf(await readCachedMap(dir, { kind: "step", runKey, step: 0 })), mapOf(1));
        await finished;
      }),
    );
  });

  it("leaves nothing of a run that is given up, or that another process had finished first", async () => {
    const writer = begin(keyOf("a"));
    await writer.step(halfFromMap(mapOf(1)), thumbnailOf(mapOf(1)));
    await writer.discard();
    assert.deepEqual(await readdir(dir), []);
    const late = begin(keyOf("b"));
    for (const value of [1, 2]) await late.step(halfFromMap(mapOf(value)), thumbnailOf(mapOf(value)));
    await late.member(halfFromMap(mapOf(2)));
    const other = join(dir, `${keyOf("b")}.1.part`);
    await mkdir(other);
    await keepAs(keyOf("c"), keyOf("b"));
    await late.finish({ map: mapOf(9) }, provenance);
    await late.discard();
    assert.deepEqual((await readdir(dir)).sort(), [keyOf("b"), `${keyOf("b")}.1.part`]);
    assert.deepEqual(await readCachedMap(dir, { kind: "result", runKey: keyOf("b") }), mapOf(4), "the first one stays");
  });
  /** A finished run under another key, as another process would leave it. */
  async function keepAs(from: string, runKey: string): Promise<void> {
    await keep(from);
    await rename(join(dir, from), join(dir, runKey));
  }

  const damages: [string, RegExp, (folder: string) => Promise<void>][] = [
    ["truncated steps", /steps\.f16 has 95 bytes instead of 96/, (folder) => truncate(join(folder, "steps.f16"), 95)],
    ["a longer file of members", /members\.f16 has 97/, (folder) => writeFile(join(folder, "members.f16"), new Uint8Array(97))],
    ["no thumbnails", /thumbnails\.f32/, (folder) => rm(join(folder, "thumbnails.f32"))],
    ["a garbled result", /result\.f32 does not hold/, (folder) => garble(join(folder, "result.f32"))],
    ["a garbled deviation", /stdOverSteps\.f32 does not hold/, (folder) => garble(join(folder, "stdOverSteps.f32"))],
    ["an empty run.json", /run\.json/, (folder) => truncate(join(folder, "run.json"), 0)],
    ["half of run.json", /run\.json/, (folder) => truncate(join(folder, "run.json"), 300)],
    ["no run.json", /run\.json/, (folder) => rm(join(folder, "run.json"))],
    ["a newer format", /format/, (folder) => editInfo(folder, { formatVersion: 99 })],
    ["a map without height", /format/, (folder) => editInfo(folder, { height: 0 })],
    ["another run's run.json", /another run/, (folder) => editInfo(folder, { runKey: keyOf("f") })],
    ["an unfinished run.json", /not finished/, (folder) => editInfo(folder, { finished: undefined })],
  ];
  for (const [what, reason, damage] of damages) {
    it(`removes a run with ${what}, and says why`, async () => {
      await keep(keyOf("a"));
      await damage(join(dir, keyOf("a")));
      const found = await lookUpRun(dir, keyOf("a"));
      assert.ok(found && "damaged" in found);
      assert.match(found.damaged, /was damaged, so that it was run again/);
      assert.match(found.damaged, reason);
      assert.deepEqual(await readdir(dir), []);
      assert.equal(await lookUpRun(dir, keyOf("a")), undefined);
    });
  }
  async function garble(path: string): Promise<void> {
    const bytes = await readFile(path);
    bytes[17] ^= 0x40;
    await writeFile(path, bytes);
  }
  async function editInfo(folder: string, changes: object): Promise<void> {
    const info = JSON.parse(await readFile(join(folder, "run.json"), "utf8")) as object;
    await writeFile(join(folder, "run.json"), JSON.stringify({ ...info, ...changes }));
  }

  it("removes the runs used longest ago when there are too many bytes, never those in use", async () => {
    for (const [i, digit] of ["a", "b", "c", "d"].entries()) {
      await keep(keyOf(digit));
      await utimes(join(dir, keyOf(digit), "run.json"), 1000 + i, 1000 + i);
    }
    const one = (await folderBytes(dir)) / 4;
    assert.ok(await lookUpRun(dir, keyOf("a")), "which makes it the last one used");
    await makeRoom(dir, 2.5 * one, new Set());
    assert.deepEqual((await readdir(dir)).sort(), [keyOf("a"), keyOf("d")]);
    await makeRoom(dir, 1, new Set([keyOf("d")]));
    assert.deepEqual(await readdir(dir), [keyOf("d")]);
    await makeRoom(dir, 1, new Set([keyOf("d")]));
    assert.ok(await lookUpRun(dir, keyOf("d")));
    assert.equal(await clearCache(dir), one, "says what it freed");
    assert.deepEqual(await readdir(dir), []);
  });

  it("removes what dead processes left, and nothing that a living one writes or that is not its own", async () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    const dead = [`${keyOf("a")}.${pid}.part`, `${keyOf("b")}.${pid}.gone`];
    for (const name of [...dead, `${keyOf("c")}.${process.ppid}.part`, "notes"]) await mkdir(join(dir, name));
    await writeFile(join(dir, "readme.txt"), "mine");
    await makeRoom(dir, 0, new Set());
    assert.deepEqual((await readdir(dir)).sort(), [`${keyOf("c")}.${process.ppid}.part`, "notes", "readme.txt"]);
    assert.equal(await clearCache(dir), 0);
    assert.deepEqual((await readdir(dir)).sort(), [`${keyOf("c")}.${process.ppid}.part`, "notes", "readme.txt"]);
    assert.equal((await stat(join(dir, "notes"))).isDirectory(), true);
  });

  it("does without a folder that is not there", async () => {
    const absent = join(dir, "absent");
    assert.equal(await clearCache(absent), 0);
    await makeRoom(absent, 0, new Set());
    assert.equal(await lookUpRun(absent, keyOf("a")), undefined);
    await assert.rejects(readRunInfo(absent, keyOf("a")), { code: "not-found", message: /the run in the cache/ });
  });

  it("takes only keys for names of runs", async () => {
    for (const runKey of ["", "..", "a".repeat(63), `${"a".repeat(62)}/.`, "A".repeat(64)]) {
      await assert.rejects(readCachedMap(dir, { kind: "result", runKey }), { code: "bad-argument" });
      await assert.rejects(lookUpRun(dir, runKey), { code: "bad-argument" });
    }
  });
});

describe("the key of a run", () => {
  const identity: RunIdentity = {
    imageSha256: "1", modelFiles: { "unet/a": "2", "vae/b": "3" }, semantics: { task: "depth", depthKind: "affine-depth" }, endToEnd: false, task: "depth",
    settings: provenance.settings, device: "cpu", versions: { plumbline: "1" },
  };
  const changed: readonly Partial<RunIdentity>[] = [
    { imageSha256: "2" }, { modelFiles: { "unet/a": "2", "vae/b": "4" } }, { modelFiles: { "unet/a": "2" } }, { semantics: { task: "depth", depthKind: "metric-depth" } }, { endToEnd: true }, { task: "normals" },
    { device: "cuda" }, { versions: { plumbline: "2" } },
    ...[{ steps: 3 }, { spacing: "leading" as const }, { ensembleSize: 1 }, { noise: { kind: "pyramid" as const } }, { seed: 2 }, { processingResolution: 7 }, { domain: "outdoor" as const }, { domain: "object" as const }, { decoder: "tiny" as const }].map((changes) => ({ settings: { ...identity.settings, ...changes } })),
  ];

  it("is another when anything differs that the numbers depend on", () => {
    const keys = [identity, ...changed.map((changes) => ({ ...identity, ...changes }))].map(runKeyOf);
    for (const key of keys) assert.match(key, /^[0-9a-f]{64}$/);
    assert.equal(new Set(keys).size, changed.length + 1);
  });

  it("is the same where a setting says what holds without it", () => {
    assert.equal(runKeyOf({ ...identity, settings: { ...identity.settings, domain: "indoor", decoder: "full" } }), runKeyOf(identity));
  });

  it("is the same whatever the order of fields, and for a noise file whatever its path", () => {
    const reversed = Object.fromEntries(Object.entries({ ...identity, modelFiles: { "vae/b": "3", "unet/a": "2" } }).reverse()) as unknown as RunIdentity;
    assert.equal(runKeyOf(reversed), runKeyOf(identity));
    const withFile = (path: string, noiseSha256: string): string => runKeyOf({ ...identity, settings: { ...identity.settings, noise: { kind: "file", path } }, noiseSha256 });
    assert.equal(withFile("a.npy", "5"), withFile("b.npy", "5"));
    assert.notEqual(withFile("a.npy", "5"), withFile("a.npy", "6"));
  });
});

describe("thumbnails of maps", () => {
  it("are the mean of the pixels they cover, at most 96 on the longest side", () => {
    assert.deepEqual(thumbnailSize({ width: 768, height: 576 }), { width: 96, height: 72 });
    assert.deepEqual(thumbnailSize({ width: 50, height: 96 }), { width: 50, height: 96 });
    assert.deepEqual(thumbnailSize({ width: 3000, height: 2 }), { width: 96, height: 1 });
    const wide: FloatMap = { width: 192, height: 2, channels: 1, data: Float32Array.from({ length: 384 }, (_, i) => i) };
    const { width, height, data } = thumbnailOf(wide);
    assert.deepEqual([width, height], [96, 1]);
    // Pixels 0, 1, 192 and 193; then two columns further each time.
    assertClose(data, Array.from({ length: 96 }, (_, x) => 96.5 + 2 * x), 1e-5);
    assert.equal(thumbnailOf(mapOf(1)).data.length, 24);
  });

  it("of normals have unit length", () => {
    const normals: FloatMap = { width: 192, height: 1, channels: 3, data: Float32Array.from({ length: 192 }, (_, x) => x).reduce((data, x) => (data.set(x % 2 ? [1, 0, 0] : [0, 0, 1], 3 * x), data), new Float32Array(576)) };
    assertClose(thumbnailOf(normals).data.slice(0, 3), [Math.SQRT1_2, 0, Math.SQRT1_2], 1e-6);
  });
});
