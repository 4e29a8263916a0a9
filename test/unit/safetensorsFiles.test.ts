import assert from "node:assert/strict";
import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumblineError } from "../../src/core/errors";
import { openSafetensors, readInt64, readTensor, writeSafetensors } from "../../src/io/safetensors";

let dir: string;
before(async () => (dir = await mkdtemp(join(tmpdir(), "plumbline-safetensors-"))));
after(() => rm(dir, { recursive: true }));

/** A file from header text and data; the length is the header's own unless given. */
async function writeRaw(name: string, header: string | Buffer, data = Buffer.alloc(0), headerLength?: bigint): Promise<string> {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerLength ?? BigInt(Buffer.byteLength(header)));
  const path = join(dir, name);
  await writeFile(path, Buffer.concat([length, Buffer.from(header), data]));
  return path;
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({ dtype, shape, data_offsets: [begin, end] });

describe("safetensors files", () => {
  it("come back as they were written", async () => {
    const path = join(dir, "round.safetensors");
    const floats = Float32Array.of(1, -2.5, 0, 3e38, 1e-40, Infinity);
    await writeSafetensors(path, { b: { dims: [2, 3], data: floats }, a: { dims: [], data: BigInt64Array.of(-(2n ** 62n)) }, empty: { dims: [0, 4], data: new Float32Array(0) }, bytes: { dims: [3], data: Uint8Array.of(0, 128, 255) } }, { made: "here" });
    const file = await openSafetensors(path);
    assert.deepEqual(file.metadata, { made: "here" });
    assert.deepEqual([...file.tensors.keys()], ["b", "a", "empty", "bytes"]);
    assert.deepEqual(await readTensor(file, "b"), { dims: [2, 3], data: floats });
    assert.deepEqual(await readInt64(file, "a"), { dims: [], data: BigInt64Array.of(-(2n ** 62n)) });
    assert.equal((await readTensor(file, "empty")).data.length, 0);
    assert.deepEqual([...(await readTensor(file, "bytes")).data], [0, 128, 255]);
    assert.deepEqual((await readdir(dir)).filter((name) => name.endsWith(".tmp")), []);
  });

  it("round float16 and bfloat16 to nearest, ties to even, as IEEE 754 says", async () => {
    const path = join(dir, "half.safetensors");
    // value, float16, bfloat16: limits, ties (1 + 2^-11, 1 + 3 * 2^-11; 1 + 2^-8, 1 + 3 * 2^-8), subnormals, overflow.
    const cases: [number, number, number][] = [
      [1, 1, 1], [-2.5, -2.5, -2.5], [65504, 65504, 65536], [65519, 65504, 65536], [65520, Infinity, 65536], [1 + 2 ** -11, 1, 1], [1 + 3 * 2 ** -11, 1 + 2 ** -9, 1],
      [1 + 2 ** -8, 1 + 2 ** -8, 1], [1 + 3 * 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -6], [2 ** -24, 2 ** -24, 2 ** -24], [2 ** -25, 0, 2 ** -25], [1.5 * 2 ** -25, 2 ** -24, 1.5 * 2 ** -25],
      [2 ** -14 - 2 ** -26, 2 ** -14, 2 ** -14], [-Infinity, -Infinity, -Infinity], [NaN, NaN, NaN],
    ];
    const data = Float32Array.from(cases, ([value]) => value);
    await writeSafetensors(path, { half: { dims: [data.length], data, dtype: "F16" }, brain: { dims: [data.length], data, dtype: "BF16" } });
    const file = await openSafetensors(path);
    assert.deepEqual([...(await readTensor(file, "half")).data], cases.map(([, half]) => half));
    assert.deepEqual([...(await readTensor(file, "brain")).data], cases.map(([, , brain]) => brain));
  });

  it("may be larger than 4 GB", async () => {
    const gigabyte = 2 ** 30;
    const header = JSON.stringify({ a: entry("F32", [gigabyte], 0, 4 * gigabyte), b: entry("F32", [2], 4 * gigabyte, 4 * gigabyte + 8) });
    const path = await writeRaw("large.safetensors", header);
    const handle = await open(path, "r+");
    await handle.truncate(8 + header.length + 4 * gigabyte); // a hole: nothing is stored
    await handle.write(Buffer.from(Float32Array.of(7, 8).buffer), 0, 8, 8 + header.length + 4 * gigabyte);
    await handle.close();
    assert.deepEqual([...(await readTensor(await openSafetensors(path), "b")).data], [7, 8]);
    await rm(path);
  });

  const eight = Buffer.alloc(8);
  const one = (changes: object) => JSON.stringify({ w: { ...entry("F32", [2], 0, 8), ...changes } });
  const damages: [string, () => Promise<string>, RegExp][] = [
    ["an empty file", async () => { const path = join(dir, "x.safetensors"); await writeFile(path, ""); return path; }, /at least 10 bytes .* received 0 bytes/],
    ["a header longer than the file", () => writeRaw("x.safetensors", one({}), eight, 5000n), /header within the file's \d+ bytes .* header length of 5000/],
    ["an absurd header length", () => writeRaw("x.safetensors", one({}), eight, 2n ** 63n), /at most 100000000 bytes .* 9223372036854775808/],
    ["a header cut short", () => writeRaw("x.safetensors", one({}), eight, 20n), /JSON/],
    ["a header that is not UTF-8", () => writeRaw("x.safetensors", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), /UTF-8/],
    ["a header that is a list", () => writeRaw("x.safetensors", "[1, 2]"), /JSON object .* \[1,2\]/],
    ["a truncated file", () => writeRaw("x.safetensors", one({}), eight.subarray(1)), /tensor "w" .*truncated/],
    ["bytes after the last tensor", () => writeRaw("x.safetensors", one({}), Buffer.alloc(9)), /end of its last tensor/],
    ["overlapping tensors", () => writeRaw("x.safetensors", JSON.stringify({ a: entry("F32", [2], 0, 8), w: entry("F32", [2], 4, 12) }), Buffer.alloc(12)), /data at 8 for tensor "w" .* 4, which overlaps/],
    ["a gap between tensors", () => writeRaw("x.safetensors", JSON.stringify({ a: entry("F32", [1], 0, 4), w: entry("F32", [1], 8, 12) }), Buffer.alloc(12)), /data at 4 for tensor "w" .* 8, which leaves a gap/],
    ["a size that does not fit shape and dtype", () => writeRaw("x.safetensors", one({ shape: [3] }), eight), /12 bytes for F32 \[3\] for tensor "w" .* 8 bytes/],
    ["an unknown dtype", () => writeRaw("x.safetensors", one({ dtype: "F31" }), eight), /a dtype of F64, F32.* for tensor "w" .* "F31"/],
    ["a negative dimension", () => writeRaw("x.safetensors", one({ shape: [-2] }), eight), /whole numbers for tensor "w" .* \[-2\]/],
    ["a shape beyond counting", () => writeRaw("x.safetensors", one({ shape: [2 ** 40, 2 ** 40] }), eight), /whole numbers for tensor "w"/],
    ["offsets in reverse", () => writeRaw("x.safetensors", one({ data_offsets: [8, 0] }), eight), /begin <= end for tensor "w" .* \[8,0\]/],
    ["a missing field", () => writeRaw("x.safetensors", JSON.stringify({ w: { dtype: "F32", shape: [2] } }), eight), /data_offsets .* for tensor "w" .* nothing/],
    ["an unknown field", () => writeRaw("x.safetensors", one({ stride: 1 }), eight), /only dtype, shape and data_offsets for tensor "w" .* "stride"/],
    ["a key that occurs twice", () => writeRaw("x.safetensors", `{"w":${JSON.stringify(entry("F32", [2], 0, 8))},"\\u0077":${JSON.stringify(entry("F32", [2], 0, 8))}}`, eight), /one entry "w" .* two/],
    ["metadata that is not text", () => writeRaw("x.safetensors", JSON.stringify({ __metadata__: { a: 1 } })), /a string for "a" in __metadata__/],
  ];
  for (const [what, make, message] of damages) {
    it(`are refused with ${what}`, async () => {
      const path = await make();
      await assert.rejects(openSafetensors(path), (error: unknown) => error instanceof PlumblineError && error.code === "bad-model" && error.message.includes(path) && message.test(error.message));
    });
  }

  it("that are not there, or lack the tensor, or hold another type, are named", async () => {
    await assert.rejects(openSafetensors(join(dir, "none.safetensors")), (error: unknown) => error instanceof PlumblineError && error.code === "not-found" && error.message.includes("none.safetensors"));
    const file = await openSafetensors(await writeRaw("x.safetensors", one({}), eight));
    await assert.rejects(readTensor(file, "v"), /a tensor "v" for .*x\.safetensors/);
    await assert.rejects(readInt64(file, "w"), /dtype I64 for tensor "w" .* "F32"/);
  });

  it("that became shorter after they were opened are refused", async () => {
    const path = await writeRaw("x.safetensors", one({}), eight);
    const file = await openSafetensors(path);
    await writeFile(path, "");
    await assert.rejects(readTensor(file, "w"), /8 bytes at .* for tensor "w" .*truncated/);
  });
});

describe("sharded safetensors", () => {
  const index = async (weightMap: unknown) => {
    const path = join(dir, "model.safetensors.index.json");
    await writeFile(path, JSON.stringify({ metadata: { total_size: 8 }, weight_map: weightMap }));
    return path;
  };
  before(async () => {
    await writeSafetensors(join(dir, "m-1.safetensors"), { a: { dims: [1], data: Float32Array.of(1) } });
    await writeSafetensors(join(dir, "m-2.safetensors"), { b: { dims: [1], data: Float32Array.of(2) } });
  });

  it("are read as one", async () => {
    const file = await openSafetensors(await index({ b: "m-2.safetensors", a: "m-1.safetensors" }));
    assert.deepEqual([(await readTensor(file, "a")).data[0], (await readTensor(file, "b")).data[0]], [1, 2]);
    assert.deepEqual(file.dataPaths, [join(dir, "m-1.safetensors"), join(dir, "m-2.safetensors")]);
  });

  const damages: [string, unknown, RegExp][] = [
    ["no map", undefined, /object "weight_map" .* nothing/],
    ["a tensor that its shard lacks", { a: "m-1.safetensors", b: "m-1.safetensors" }, /tensor "b" in m-1\.safetensors/],
    ["a shard's tensor that the index lacks", { a: "m-1.safetensors" , c: "m-2.safetensors" }, /tensor "c" in m-2/],
    ["a shard in another folder", { a: "../m-1.safetensors" }, /its own folder .* "\.\.\/m-1\.safetensors"/],
    ["a shard that is not there", { a: "m-3.safetensors" }, /m-3\.safetensors/],
    ["a shard that is a number", { a: 3 }, /its own folder/],
  ];
  for (const [what, map, message] of damages) {
    it(`are refused with ${what}`, async () => {
      await assert.rejects(index(map).then(openSafetensors), (error: unknown) => error instanceof PlumblineError && message.test(error.message));
    });
  }

  it("are refused where a shard holds a tensor that the index does not know", async () => {
    await writeSafetensors(join(dir, "m-4.safetensors"), { a: { dims: [1], data: Float32Array.of(1) }, extra: { dims: [1], data: Float32Array.of(1) } });
    await assert.rejects(index({ a: "m-4.safetensors" }).then(openSafetensors), /"extra" of .*m-4\.safetensors in "weight_map"/);
  });
});
