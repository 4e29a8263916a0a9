import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { PlumblineError } from "../../src/core/errors";
import { encodeAnimation, writeAnimation } from "../../src/io/animation";

const [width, height] = [7, 5];
const frameOf = (seed: number): Uint8Array => Uint8Array.from({ length: width * height * 3 }, (_, i) => (seed * 91 + i * 37) % 256);

describe("io/animation", () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-animation-")); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("writes every pixel of every frame, in order, with its time, running for ever, and the provenance beside it", async () => {
    const frames = [frameOf(1), frameOf(2), frameOf(3), frameOf(4)];
    const written = await writeAnimation(join(dir, "new"), "steps", { width, height, frames, frameMillis: 120 }, { seed: 7 });
    assert.deepEqual(written, ["steps.webp", "steps.json"]);
    assert.deepEqual((await readdir(join(dir, "new"))).sort(), [...written].sort());
    const file = join(dir, "new", "steps.webp");
    const { pages, delay, loop, pageHeight, format } = await sharp(file, { animated: true }).metadata();
    assert.deepEqual({ pages, delay, loop, pageHeight, format }, { pages: 4, delay: [120, 120, 120, 120], loop: 0, pageHeight: height, format: "webp" });
    const { data, info } = await sharp(file, { animated: true }).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height, info.channels], [width, 4 * height, 3]);
    assert.deepEqual([...data], frames.flatMap((frame) => [...frame]));
    assert.deepEqual(JSON.parse(await readFile(join(dir, "new", "steps.json"), "utf8")), { seed: 7 });
  });

  it("keeps frames that are the same: a step that changes nothing still takes its time", async () => {
    const same = frameOf(1);
    const bytes = await encodeAnimation({ width, height, frames: [same, same, frameOf(2)], frameMillis: 40 });
    const { pages, delay } = await sharp(bytes, { animated: true }).metadata();
    const total = (delay ?? []).reduce((sum, millis) => sum + millis, 0);
    assert.equal(total, 120, `${pages} frames of ${delay?.join()} ms`);
  });

  it("writes a single frame as a still picture", async () => {
    const bytes = await encodeAnimation({ width, height, frames: [frameOf(3)], frameMillis: 100 });
    assert.deepEqual([...(await sharp(bytes).removeAlpha().raw().toBuffer())], [...frameOf(3)]);
  });

  it("refuses no frames, and frames of another size", async () => {
    const code = (expected: RegExp) => (error: unknown) => error instanceof PlumblineError && error.code === "bad-argument" && expected.test(error.message);
    await assert.rejects(encodeAnimation({ width, height, frames: [], frameMillis: 1 }), code(/at least one/));
    await assert.rejects(encodeAnimation({ width, height, frames: [frameOf(1), new Uint8Array(3)], frameMillis: 1 }), code(/105 bytes .* received 3\./));
    assert.deepEqual(await readdir(dir), []);
  });
});
