import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumblineError, type ErrorCode } from "../../src/core/errors";
import { readInt64, readTensor, type SafetensorsFile } from "../../src/io/safetensors";
import { openTorchFile } from "../../src/io/torchFile";

const fixtures = join(__dirname, "../fixtures/torch");
const open = (name: string): Promise<SafetensorsFile> => openTorchFile(join(fixtures, name));

let dir: string;
before(async () => (dir = await mkdtemp(join(tmpdir(), "plumbline-torch-"))));
after(() => rm(dir, { recursive: true }));

/** Numbers that count up, as the generator wrote them. */
const counting = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
const values = async (file: SafetensorsFile, name: string): Promise<number[]> => [...(await readTensor(file, name)).data];

async function assertRefused(path: string, code: ErrorCode, said: RegExp): Promise<void> {
  await assert.rejects(openTorchFile(path), (error) => {
    assert.ok(error instanceof PlumblineError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, said);
    assert.ok(error.message.includes(path), error.message);
    assert.match(error.remedy, code === "unsupported" ? /safe_serialization=True/ : /download it again/);
    return true;
  });
}

describe("checkpoints of torch.save", () => {
  it("give the tensors of a module where they lie in the file", async () => {
    const file = await open("module.bin");
    const path = join(fixtures, "module.bin");
    assert.equal(file.path, path);
    assert.deepEqual(file.dataPaths, [path]);
    assert.deepEqual([...file.tensors.keys()], ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]);
    assert.deepEqual((await readTensor(file, "conv.weight")).dims, [3, 2, 1, 1]);
    assert.deepEqual(await values(file, "conv.weight"), counting(0, 6));
    assert.deepEqual(await values(file, "norm.running_var"), counting(500, 3));
    assert.deepEqual(await readInt64(file, "norm.num_batches_tracked"), { dims: [], data: BigInt64Array.of(600n) });
    const bytes = await readFile(path);
    for (const { path: at, offset, byteLength } of file.tensors.values()) {
      assert.equal(at, path);
      assert.equal(offset % 64, 0);
      assert.ok(offset + byteLength <= bytes.length);
    }
  });

  it("may hold every number format that networks are stored in", async () => {
    const file = await open("dtypes.pt");
    for (const dtype of ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8"]) {
      const entry = file.tensors.get(dtype.toLowerCase());
      assert.deepEqual([entry?.dtype, entry?.dims], [dtype, [2, 3]]);
      assert.deepEqual(await values(file, dtype.toLowerCase()), counting(1, 6), dtype);
    }
    assert.deepEqual(await values(file, "bool"), [1, 0]);
    assert.deepEqual(await readTensor(file, "scalar"), { dims: [], data: Float32Array.of(7) });
    assert.deepEqual(file.tensors.get("empty")?.dims, [0, 4]);
  });

  for (const name of ["checkpoint.ckpt", "protocol4.ckpt"]) {
    it(`may nest their weights and hold plain values beside them (${name})`, async () => {
      const file = await open(name);
      assert.deepEqual([...file.tensors.keys()], ["input_blocks.0.0.weight", "tied.a", "tied.b", "empty_text_embedding", "optimizer.0.mean"]);
      assert.deepEqual(await values(file, "input_blocks.0.0.weight"), counting(10, 4));
      assert.deepEqual(await values(file, "empty_text_embedding"), counting(50, 6));
      assert.deepEqual(file.tensors.get("tied.a"), file.tensors.get("tied.b"));
      assert.deepEqual(file.metadata, {
        noising_step: "400", "ldm_hparams.model_channels": "320", "ldm_hparams.channel_mult": "[1,2,4,4]", "ldm_hparams.use_fp16": "false",
        "ldm_hparams.dropout": "0.5", "ldm_hparams.context_dim": "null", note: "a note", huge: String(2n ** 70n), "optimizer.0.step": "3",
      });
    });
  }

  it("may hold the parameters of a module", async () => {
    for (const [name, tensor] of [["parameter.pt", "a"], ["parameterWithState.pt", "weight"]]) {
      const file = await open(name);
      assert.deepEqual([...file.tensors.keys()], [tensor]);
      assert.deepEqual(await values(file, tensor), counting(0, 4));
    }
  });

  it("may hold objects of any class beside their weights, which are left out", async () => {
    const file = await open("training.ckpt");
    assert.deepEqual([...file.tensors.keys()], ["weight", "frozen"]);
    assert.deepEqual(await values(file, "weight"), counting(0, 6));
    assert.deepEqual(await values(file, "frozen"), counting(10, 2));
    assert.deepEqual(file.metadata, { epoch: "7", "counts.seen": "[1,2]" });
    assert.deepEqual([...(await open("object.pt")).tensors.keys()], ["a"]);
  });

  it("run nothing", async () => {
    assert.match((await readFile(join(fixtures, "system.pt"))).toString("latin1"), /cposix\nsystem\n.*touch plumbline-was-here/s);
    const file = await open("system.pt");
    assert.deepEqual([[...file.tensors.keys()], file.metadata], [["a"], {}]);
    assert.ok(!existsSync("plumbline-was-here") && !existsSync(join(fixtures, "plumbline-was-here")));
  });

  it("may hold parts of one storage side by side", async () => {
    const file = await open("parts.pt");
    assert.deepEqual(await values(file, "first"), counting(0, 6));
    assert.deepEqual(await values(file, "second"), counting(6, 18));
  });

  it("may use the structures of zip files over 4 GB", async () => {
    const file = await open("zip64.bin");
    assert.deepEqual(await values(file, "conv.weight"), counting(0, 6));
    assert.deepEqual(await values(file, "norm.running_var"), counting(500, 3));
  });

  it("may be split into shards", async () => {
    const file = await open("sharded.bin.index.json");
    assert.deepEqual(file.dataPaths, [1, 2].map((i) => join(fixtures, `sharded-0000${i}-of-00002.bin`)));
    assert.deepEqual(await values(file, "a.weight"), counting(0, 4));
    assert.deepEqual(await values(file, "b.weight"), counting(4, 4));
    const outside = join(dir, "outside.bin.index.json");
    await writeFile(outside, JSON.stringify({ weight_map: { a: "../sharded-00001-of-00002.bin" } }));
    await assertRefused(outside, "bad-model", /names of \.bin files of its own folder/);
  });
});

describe("checkpoints that are refused", () => {
  const refusals: readonly (readonly [name: string, code: ErrorCode, said: RegExp])[] = [
    ["sparse.pt", "unsupported", /"sparse", a tensor made by torch\._utils\._rebuild_sparse_tensor/],
    ["network.pt", "unsupported", /no tensors but in objects of torch\.nn\.modules\.linear\.Linear/],
    ["bare.pt", "unsupported", /no dictionary of tensors/],
    ["before16.bin", "unsupported", /before 1\.6/],
    ["transposed.pt", "unsupported", /"transposed", a tensor that is not contiguous/],
    ["expanded.pt", "unsupported", /"expanded", a tensor that is not contiguous/],
    ["overlapping.pt", "unsupported", /tensors that overlap/],
    ["deflated.bin", "unsupported", /compressed data/],
    ["far.pt", "bad-model", /24 elements/],
    ["cyclic.pt", "bad-model", /contain themselves/],
    ["doubled.pt", "bad-model", /contain themselves/],
  ];
  for (const [name, code, said] of refusals) it(`${name}: ${code}`, () => assertRefused(join(fixtures, name), code, said));

  it("that are not there, are empty, or something else", async () => {
    await assert.rejects(open("missing.bin"), { code: "not-found" });
    await assert.rejects(openTorchFile(fixtures), { code: "not-found" });
    for (const [name, content] of [["empty.bin", ""], ["text.bin", "version https://git-lfs.github.com/spec/v1\n"], ["zip.bin", "PK\x03\x04"]] as const) {
      await writeFile(join(dir, name), content);
      await assertRefused(join(dir, name), "bad-model", /zip file/);
    }
  });

  it("wherever they were cut off", async () => {
    const bytes = await readFile(join(fixtures, "parts.pt"));
    const path = join(dir, "cut.pt");
    for (let length = 0; length < bytes.length; length += 7) {
      await writeFile(path, bytes.subarray(0, length));
      await assertRefused(path, "bad-model", /Expected/);
    }
  });
});

describe("damaged checkpoints", () => {
  for (const name of ["parts.pt", "training.ckpt"]) it(`give tensors within the file or a clear error, whichever byte of ${name} is wrong`, async function () {
    this.timeout(60_000);
    const bytes = await readFile(join(fixtures, name));
    const path = join(dir, "flipped.pt");
    let opened = 0;
    for (let i = 0; i < bytes.length; i += Math.ceil(bytes.length / 500)) {
      const damaged = Buffer.from(bytes);
      damaged[i] ^= 1 << (i % 8);
      if (i % 9 === 0) damaged[i] = 0xff;
      await writeFile(path, damaged);
      try {
        const file = await openTorchFile(path);
        for (const { offset, byteLength } of file.tensors.values()) assert.ok(offset >= 0 && offset + byteLength <= bytes.length, `byte ${i}`);
        opened++;
      } catch (error) {
        assert.ok(error instanceof PlumblineError && ["bad-model", "unsupported"].includes(error.code), `byte ${i}: ${String(error)}`);
        assert.ok(error.message.length < 600);
      }
    }
    assert.ok(opened > 0 && opened < bytes.length);
  });
});
