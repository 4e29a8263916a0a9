import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { claim } from "../../src/io/lock";
import { Html, html } from "../../src/evaluation/html";
import { ProgressClock } from "../../src/evaluation/progressClock";
import { findSamples, shardOf } from "../../src/evaluation/samples";
import { presetOf } from "../../src/evaluation/truthSource";

describe("finding the images of a folder", () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "plumbline-samples-"))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function put(...paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), "");
    }
  }
  const find = async (change: Partial<Parameters<typeof findSamples>[0]> = {}, truth?: string, except?: string): Promise<string[]> =>
    (await findSamples({ folder, images: "**/*.{png,jpg}", sampling: { kind: "all" }, ...change }, truth === undefined ? undefined : presetOf(truth), except && join(folder, except))).map(({ id, problem }) => id + (problem ? " !" : ""));

  it("sorts them, and leaves out other files, hidden ones, and its own results", async () => {
    await put("b/2.png", "b/10.PNG", "a.jpg", ".hidden.png", ".git/x.png", "notes.txt", "out/pictures/00/x.png");
    assert.deepEqual(await find({}, undefined, "out"), ["a.jpg", "b/10.PNG", "b/2.png"]);
  });

  it("follows links, into no circle", async () => {
    await put("a/1.png", "elsewhere.png");
    await symlink(join(folder, "a"), join(folder, "b"));
    await symlink(join(folder), join(folder, "a", "up"));
    await symlink(join(folder, "elsewhere.png"), join(folder, "a", "link.png"));
    assert.deepEqual(await find(), ["a/1.png", "a/link.png", "a/up/ !", "b/1.png", "b/link.png", "b/up/ !", "elsewhere.png"]);
  });

  it("takes a set's images only, and samples among them", async () => {
    await put("s/rgb_1.png", "s/depth_1.png", "s/rgb_2.png", "s/rgb_3.png");
    assert.deepEqual(await find({}, "nyuv2"), ["s/rgb_1.png", "s/rgb_2.png", "s/rgb_3.png"]);
    assert.deepEqual(await find({ sampling: { kind: "every", nth: 2 } }, "nyuv2"), ["s/rgb_1.png", "s/rgb_3.png"]);
    await writeFile(join(folder, "list.txt"), "s/rgb_3.png\r\n\ns/rgb_1.png\n");
    assert.deepEqual(await find({ sampling: { kind: "list", file: join(folder, "list.txt") } }), ["s/rgb_1.png", "s/rgb_3.png"]);
  });

  it("says what it expected where there is nothing", async () => {
    await put("a.txt", "b.png");
    await assert.rejects(find({ images: "*.tif" }), /images \(\*\.tif\).*none/);
    await assert.rejects(find({}, "nyuv2"), /images of NYUv2 .*1 images that are none/);
    await assert.rejects(find({ folder: join(folder, "missing") }), (error: unknown) => error instanceof Error && "code" in error && error.code === "not-found");
  });

  it("gives every image to one shard", () => {
    const all = Array.from({ length: 11 }, (_, i) => i);
    const shards = [1, 2, 3].map((index) => shardOf(all, { index, count: 3 }));
    assert.deepEqual(shards.flat().sort((a, b) => a - b), all);
    assert.deepEqual(shards.map((shard) => shard.length), [4, 4, 3]);
    assert.throws(() => shardOf(all, { index: 0, count: 3 }), /shard/);
  });
});

describe("the claim of a folder", () => {
  it("holds while its process lives, ends with it, and is taken over from the dead", async () => {
    const folder = await mkdtemp(join(tmpdir(), "plumbline-lock-"));
    try {
      const path = join(folder, "lock");
      const release = await claim(path);
      await assert.rejects(claim(path), new RegExp(`process ${process.pid} on`));
      await release();
      // One died while it claimed, another one does so now.
      await writeFile(`${path}.dead`, JSON.stringify({ pid: 2 ** 22 + 1, host: (await import("node:os")).hostname(), token: "x", started: "1" }));
      await writeFile(`${path}.now`, "");
      await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 1, host: (await import("node:os")).hostname(), token: "x", started: "1" }));
      const second = await claim(path);
      await assert.rejects(claim(path), /holds/);
      assert.deepEqual((await readdir(folder)).sort(), ["lock", "lock.now"]);
      await second();
      await writeFile(path, JSON.stringify({ pid: process.pid, host: (await import("node:os")).hostname(), token: "x", started: "another process's" }));
      await (await claim(path))();
      await writeFile(path, JSON.stringify({ pid: 1, host: "another machine", token: "x", started: "1" }));
      await assert.rejects(claim(path), /another machine/);
      await writeFile(path, "half a cl");
      // Of several at once one gets it.
      const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claim(path)));
      assert.equal(claims.filter(({ status }) => status === "fulfilled").length, 1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("parts of a report", () => {
  it("escape what is put into HTML", () => {
    assert.equal(html`<p title="${`"><script>'&`}">${new Html("<b>")}${[html`${1}`, html`${"<"}`]}${undefined}</p>`.text, '<p title="&#34;&#62;&#60;script&#62;&#39;&#38;"><b>1&#60;</p>');
  });

  it("tell the rate of the last images, and not the time of a pause", () => {
    let now = 0;
    const clock = new ProgressClock(() => now);
    assert.deepEqual(clock.rate(10), {});
    for (now of [1000, 1500, 2000]) clock.tick();
    clock.pause();
    now = 100_000;
    clock.resume();
    now = 100_500;
    clock.tick();
    assert.deepEqual(clock.rate(10), { imagesPerSecond: 1.6, remainingMillis: 6250 });
    for (let i = 0; i < 60; i++) {
      now += 100;
      clock.tick();
    }
    assert.deepEqual(clock.rate(5), { imagesPerSecond: 10, remainingMillis: 500 });
  });
});
