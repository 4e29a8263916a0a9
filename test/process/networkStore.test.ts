import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFile, cp, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileHashes } from "../../src/inference/fileHash";
import { NetworkStore, type NetworkRequest } from "../../src/inference/networkStore";

const reference = join(__dirname, "..", "reference");
const vaeSource = { kind: "component", dir: join(reference, "vae", "f8") } as const;
const vae = (part: "encoder" | "decoder"): NetworkRequest => ({ source: vaeSource, options: { part }, device: "cpu" });
const unet = (timestep: number): NetworkRequest => ({ source: { kind: "component", dir: join(reference, "unet-lowvar") }, options: { timestep }, device: "cpu" });

describe("network store", () => {
  let weightBytes: number;
  before(async () => {
    weightBytes = (await stat(join(reference, "vae", "f8", "diffusion_pytorch_model.safetensors"))).size;
  });

  it("gives the same network for the same weights and options, another for other constants", async () => {
    const store = new NetworkStore();
    const first = await store.load(unet(999));
    store.beginRequest();
    assert.equal((await store.load(unet(999))).network, first.network);
    assert.notEqual((await store.load(unet(1))).network, first.network);
    assert.ok(first.files.some((file) => file.endsWith(join("unet-lowvar", "config.json"))));
    await store.clear();
    assert.notEqual((await store.load(unet(999))).network, first.network);
    await store.clear();
  });

  it("loads again what was changed on disk", async () => {
    const dir = await mkdtemp(join(tmpdir(), "plumbline-"));
    const store = new NetworkStore();
    try {
      await cp(vaeSource.dir, dir, { recursive: true });
      const request = { ...vae("encoder"), source: { kind: "component", dir } } as const;
      const first = await store.load(request);
      await utimes(join(dir, "diffusion_pytorch_model.safetensors"), 1, 1);
      const second = await store.load(request);
      assert.notEqual(second.network, first.network);
      assert.equal((await store.load(request)).network, second.network);
    } finally {
      await store.clear();
      await rm(dir, { recursive: true });
    }
  });

  it("frees what was used longest ago when the weights exceed the budget, but nothing of the current request", async () => {
    const store = new NetworkStore(weightBytes * 1.5);
    const encoder = await store.load(vae("encoder"));
    const decoder = await store.load(vae("decoder"));
    assert.equal((await store.load(vae("encoder"))).network, encoder.network, "both belong to one request");
    store.beginRequest();
    assert.equal((await store.load(vae("encoder"))).network, encoder.network);
    await store.load(unet(999));
    assert.equal((await store.load(vae("encoder"))).network, encoder.network, "used in this request");
    assert.notEqual((await store.load(vae("decoder"))).network, decoder.network, "used longest ago");
    await store.clear();
  });
});

describe("file hashes", () => {
  it("are SHA-256, and are taken again when the file changes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "plumbline-"));
    try {
      const path = join(folder, "weights");
      const hashes = new FileHashes();
      await writeFile(path, "one");
      assert.equal(await hashes.of(path), createHash("sha256").update("one").digest("hex"));
      await appendFile(path, "two");
      assert.equal(await hashes.of(path), createHash("sha256").update("onetwo").digest("hex"));
      await writeFile(path, "twoone");
      await utimes(path, 1, 1);
      assert.equal(await hashes.of(path), createHash("sha256").update("twoone").digest("hex"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
