import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { PlumblineError } from "../../src/core/errors";
import { npyBytes, parseNpy, readNpy, writeNpy } from "../../src/io/npy";

/** Files written by numpy itself (test/fixtures/npy/arrays.json names its version). */
interface Fixtures {
  readonly cases: readonly { readonly name: string; readonly dims: number[]; readonly values: number[]; readonly file: string }[];
  readonly refused: readonly { readonly name: string; readonly file: string }[];
}

const isBadTensor = (error: unknown): boolean => error instanceof PlumblineError && error.code === "bad-tensor" && /^Expected .* for .* but received /.test(error.message);

/** A version 1 file with this header text and data. */
function npyWith(header: string, data: Uint8Array): Uint8Array {
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header, "latin1"), data]);
}

describe("io/npy", () => {
  let fixtures: Fixtures;
  let dir: string;
  before(async () => {
    fixtures = JSON.parse(await readFile("test/fixtures/npy/arrays.json", "utf8")) as Fixtures;
    dir = await mkdtemp(join(tmpdir(), "plumbline-npy-"));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it("reads what numpy writes: floats and integers of every width, both byte orders, C and Fortran order, all versions", () => {
    assert.equal(fixtures.cases.length, 26);
    for (const { name, dims, values, file } of fixtures.cases) {
      const array = parseNpy(Buffer.from(file, "base64"), name);
      assert.deepEqual(array.dims, dims, name);
      assert.deepEqual([...array.data], values, name);
    }
  });

  it("writes byte for byte what numpy writes for float32", () => {
    const of = (name: string): Fixtures["cases"][number] => fixtures.cases.find((item) => item.name === name)!;
    for (const { dims, values, file } of [of("<f4"), of("<f4 one axis"), of("<f4 scalar"), of("<f4 empty")]) {
      assert.deepEqual(Buffer.from(npyBytes({ dims, data: Float32Array.from(values) })), Buffer.from(file, "base64"));
    }
  });

  it("refuses elements that are not numbers", () => {
    assert.equal(fixtures.refused.length, 4);
    for (const { name, file } of fixtures.refused) assert.throws(() => parseNpy(Buffer.from(file, "base64"), name), isBadTensor, name);
  });

  it("refuses headers that say something else or too much", () => {
    const data = new Uint8Array(8);
    const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    assert.deepEqual(parseNpy(npyWith(good, data), "good").dims, [2]);
    for (const bad of [
      "", "{}", "{'descr': '<f4', 'shape': (2,)}", good.replace("'<f4'", "'|f4'"), good.replace("'<f4'", "'<f3'"), good.replace("False", "0"),
      good.replace("(2,)", "(2)"), good.replace("(2,)", "(-2,)"), good.replace("(2,)", "(2.0,)"), good.replace("(2,)", "[2]"), good.replace("(2,)", "(99999999999, 99999999999)"),
      good.replace(", }", ", 'extra': 1}"), good.replace(", }", ", 'shape': (2,)}"), good.replace(", }", " } x"), good.replace("'descr'", "'desc'"),
    ]) {
      assert.throws(() => parseNpy(npyWith(bad, data), "bad"), isBadTensor, bad);
    }
  });

  it("refuses every truncation and any byte too many", () => {
    const whole = npyBytes({ dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    for (let length = 0; length < whole.length; length++) assert.throws(() => parseNpy(whole.subarray(0, length), "cut"), isBadTensor);
    assert.throws(() => parseNpy(Buffer.concat([whole, Buffer.alloc(1)]), "long"), isBadTensor);
  });

  it("gives back what it wrote, to the bit", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }), fc.infiniteStream(fc.float()), (dims, floats) => {
        const count = dims.reduce((product, dim) => product * dim, 1);
        const data = Float32Array.from(floats.take(count));
        const back = parseNpy(npyBytes({ dims, data }), "memory");
        assert.deepEqual(back.dims, dims);
        assert.deepEqual(Buffer.from(back.data.buffer), Buffer.from(data.buffer));
      }),
    );
  });

  it("survives damaged bytes: an error or an array, never a crash", () => {
    const whole = npyBytes({ dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        try {
          const { dims, data } = parseNpy(bytes, "mutant");
          assert.equal(data.length, dims.reduce((product, dim) => product * dim, 1));
        } catch (error) {
          assert.ok(isBadTensor(error), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("reads and writes files, leaving no temporary ones", async () => {
    const path = join(dir, "deep", "array.npy");
    await writeNpy(path, { dims: [1, 2], data: Float32Array.of(0.5, -3) });
    assert.deepEqual([...(await readNpy(path)).data], [0.5, -3]);
    assert.deepEqual(await readdir(join(dir, "deep")), ["array.npy"]);
    await assert.rejects(readNpy(join(dir, "absent.npy")), (error) => error instanceof PlumblineError && error.code === "not-found");
    await writeFile(join(dir, "file"), "");
    await assert.rejects(writeNpy(join(dir, "file", "array.npy"), { dims: [0], data: new Float32Array() }), (error) => error instanceof PlumblineError && error.code === "write-failed");
  });
});
