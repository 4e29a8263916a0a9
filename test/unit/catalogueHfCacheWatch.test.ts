import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watchHubCache } from "../../src/catalogue/hfCacheWatch";
import { waitFor } from "../waiting";

describe("watching the Hugging Face cache", () => {
  let home: string;
  let cache: string;
  let changes: number;
  let stop: () => void;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "plumbline-watch-"));
    cache = join(home, "huggingface", "hub");
    changes = 0;
  });
  afterEach(async () => {
    stop();
    await rm(home, { recursive: true, force: true });
  });

  const start = async (): Promise<void> => {
    stop = watchHubCache(cache, () => changes++);
    await settled();
  };
  /** Resolves when nothing was told for a while. */
  async function settled(): Promise<void> {
    for (let [before, quiet] = [changes, 0]; quiet < 6; quiet++) {
      await sleep(25);
      if (changes !== before) [before, quiet] = [changes, 0];
    }
  }
  async function tells(what: string, act: () => Promise<unknown>): Promise<void> {
    await settled();
    const before = changes;
    await act();
    await waitFor(`word of ${what}`, () => changes !== before, { seconds: 10, everyMs: 5 });
  }
  async function isSilent(what: string, act: () => Promise<unknown>): Promise<void> {
    await settled();
    const before = changes;
    await act();
    await settled();
    assert.equal(changes, before, what);
  }

  /** As Hugging Face's programs do: the branch, then file by file into blobs, and a link to each when it is whole. */
  async function downloads(repository: string): Promise<void> {
    const folder = join(cache, `models--${repository.replace("/", "--")}`);
    const snapshot = join(folder, "snapshots", "1".repeat(40));
    await tells("a repository", () => mkdir(join(folder, "refs"), { recursive: true }));
    await writeFile(join(folder, "refs", "main"), "1".repeat(40));
    await mkdir(join(folder, "blobs"));
    await tells("a snapshot", () => mkdir(join(snapshot, "unet"), { recursive: true }));
    const blob = join(folder, "blobs", "abc");
    await isSilent("a file on its way", async () => {
      await writeFile(`${blob}.incomplete`, "x");
      for (let i = 0; i < 50; i++) await appendFile(`${blob}.incomplete`, "x");
      await rename(`${blob}.incomplete`, blob);
    });
    await tells("a whole file", () => symlink(blob, join(snapshot, "unet", "config.json")));
  }

  it("tells of a download into a cache that is not there yet, link by link and not byte by byte", async () => {
    await start();
    await isSilent("something else in the folder above", () => writeFile(join(home, "notes.txt"), ""));
    await tells("the cache", () => mkdir(cache, { recursive: true }));
    await downloads("someone/depth");
  });

  it("goes on after repositories, and the whole cache, were deleted and came back", async () => {
    await mkdir(cache, { recursive: true });
    await start();
    await downloads("someone/depth");
    await tells("a repository that went", () => rm(join(cache, "models--someone--depth"), { recursive: true }));
    await downloads("someone/depth");
    await rm(join(home, "huggingface"), { recursive: true });
    await settled();
    await tells("a new cache", () => mkdir(cache, { recursive: true }));
    await downloads("someone/depth");
  });

  it("goes on wherever it was when the folder above went too", async () => {
    // What is deleted between a look and a watch is found by chance: of 300 caches, a watch that misses it loses a few.
    const caches = Array.from({ length: 300 }, (_, i) => join(home, String(i), "huggingface", "hub"));
    const told = caches.map(() => 0);
    const stops = caches.map((each, i) => watchHubCache(each, () => told[i]++));
    stop = () => stops.forEach((each) => each());
    for (let i = 0; i < caches.length; i += 30) {
      await Promise.all(caches.slice(i, i + 30).map(async (each) => {
        await mkdir(each, { recursive: true });
        await sleep(30);
        await rm(dirname(each), { recursive: true });
      }));
    }
    await sleep(200);
    const before = [...told];
    await Promise.all(caches.map((each) => mkdir(each, { recursive: true })));
    await waitFor("word of every cache", () => told.every((count, i) => count > before[i]), { seconds: 10, state: () => `none of ${told.filter((count, i) => count === before[i]).length}` });
  });

  it("says nothing of data sets and locks, nor after it was stopped", async () => {
    await mkdir(join(cache, "models--a--b", "snapshots"), { recursive: true });
    await start();
    await isSilent("a data set", () => mkdir(join(cache, "datasets--a--b", "snapshots"), { recursive: true }));
    await isSilent("a lock", () => mkdir(join(cache, ".locks")));
    stop();
    await isSilent("stopped", () => mkdir(join(cache, "models--a--b", "snapshots", "2")));
  });
});
