import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, open, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileHashes } from "../../src/inference/fileHash";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("hashes of files", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-hashes-"));
  });
  after(() => rm(dir, { recursive: true }));

  /** Writes the first byte and leaves size and time of modification as they were. */
  async function changeUnseen(path: string): Promise<void> {
    const { mtime } = await stat(path);
    const file = await open(path, "r+");
    await file.write("x", 0);
    await file.close();
    await utimes(path, mtime, mtime);
  }

  it("follow the content", async () => {
    const path = join(dir, "small");
    const hashes = new FileHashes();
    for (const text of ["one", "three"]) {
      await writeFile(path, text);
      assert.equal(await hashes.of(path), sha256(Buffer.from(text)));
    }
    await assert.rejects(hashes.of(join(dir, "absent")), { code: "ENOENT" });
  });

  it("of large files outlive the process, until the file changes", async () => {
    const [large, small, store] = [join(dir, "large"), join(dir, "little"), join(dir, "hashes.json")];
    await writeFile(large, "");
    await truncate(large, 101e6);
    await utimes(large, 1000, 1000);
    await writeFile(small, "little");
    const first = new FileHashes();
    const zeros = await first.of(large);
    assert.equal(zeros, sha256(new Uint8Array(101e6)));
    await first.of(small);
    await first.remember(store);

    await changeUnseen(large);
    await changeUnseen(small);
    const second = new FileHashes();
    await second.recall(store);
    assert.equal(await second.of(large), zeros, "it was not read");
    assert.equal(await second.of(small), sha256(Buffer.from("xittle")), "small files are always read");
    await utimes(large, 2000, 2000);
    assert.notEqual(await second.of(large), zeros);
  });

  it("do without what was remembered where it is damaged, and write nothing without news", async () => {
    const [path, store] = [join(dir, "small"), join(dir, "damaged.json")];
    for (const text of ["", "{", "[]", JSON.stringify({ [path]: { size: 5, modifiedMillis: 1, sha256: "short" } })]) {
      await writeFile(store, text);
      const hashes = new FileHashes();
      await hashes.recall(store);
      assert.equal(await hashes.of(path), sha256(Buffer.from("three")));
    }
    const before = await readdir(dir);
    const hashes = new FileHashes();
    await hashes.of(path);
    await hashes.remember(join(dir, "none.json"));
    assert.deepEqual(await readdir(dir), before);
  });
});
