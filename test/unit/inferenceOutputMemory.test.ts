import assert from "node:assert/strict";
import type { Tensor } from "../../src/core/tensor";
import { withMemory } from "../../src/inference/outputMemory";
import type { Network } from "../../src/pipeline/networks";

/** Puts out `length` floats, the first of which is the sum of what it was given; counts its runs. */
function counting(length: number): Network & { runs: number; released: boolean } {
  const network = {
    runs: 0,
    released: false,
    run: async (inputs: Parameters<Network["run"]>[0]) => {
      network.runs++;
      const data = new Float32Array(length);
      for (const tensor of Object.values(inputs)) for (const value of tensor.data) data[0] += Number(value);
      return { out: { dims: [length], data } };
    },
    release: async () => void (network.released = true),
  };
  return network;
}
const tensor = (...values: number[]): Tensor => ({ dims: [values.length], data: Float32Array.from(values) });

describe("the memory of a network's outputs", () => {
  it("does not run the network again on inputs that it has seen, also when it is wrapped anew", async () => {
    const network = counting(1);
    const first = await withMemory(network).run({ sample: tensor(1, 2), timestep: tensor(9) });
    const again = await withMemory(network).run({ sample: tensor(1, 2), timestep: tensor(9) });
    assert.equal(again, first);
    assert.equal(network.runs, 1);
    assert.equal(first.out.data[0], 12);
  });

  it("runs it for other values, names and shapes, and for part of a larger buffer", async () => {
    const network = counting(1);
    const memory = withMemory(network);
    const large = Float32Array.of(7, 1, 2, 7);
    await memory.run({ sample: tensor(1, 2) });
    assert.equal((await memory.run({ sample: tensor(2, 1) })).out.data[0], 3);
    await memory.run({ other: tensor(1, 2) });
    await memory.run({ sample: { dims: [2, 1], data: Float32Array.of(1, 2) } });
    assert.equal(network.runs, 4);
    assert.equal((await memory.run({ sample: { dims: [2], data: large.subarray(1, 3) } })).out.data[0], 3);
    assert.equal(network.runs, 4, "the same numbers, wherever they lie");
  });

  it("keeps networks apart, and releases the one that it wraps", async () => {
    const [a, b] = [counting(1), counting(1)];
    await withMemory(a).run({ sample: tensor(1) });
    await withMemory(b).run({ sample: tensor(1) });
    assert.deepEqual([a.runs, b.runs], [1, 1]);
    await withMemory(a).release();
    assert.deepEqual([a.released, b.released], [true, false]);
  });

  it("forgets what was used longest ago when the outputs exceed 128 MB", async () => {
    const network = counting(15e6); // 60 MB
    const memory = withMemory(network);
    for (const value of [1, 2, 1, 3]) await memory.run({ sample: tensor(value) });
    assert.equal(network.runs, 3);
    await memory.run({ sample: tensor(1) });
    assert.equal(network.runs, 3, "1 was used after 2");
    await memory.run({ sample: tensor(2) });
    assert.equal(network.runs, 4);
  });

  it("remembers nothing of a run that failed", async () => {
    let fails = true;
    const network: Network = { run: async () => (fails ? Promise.reject(new Error("out of memory")) : { out: tensor(1) }), release: async () => undefined };
    await assert.rejects(withMemory(network).run({ sample: tensor(1) }), /out of memory/);
    fails = false;
    assert.equal((await withMemory(network).run({ sample: tensor(1) })).out.data[0], 1);
  });
});
