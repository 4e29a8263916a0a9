import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Tensor } from "../../src/core/tensor";
import { convertComponent } from "../../src/graph/convert";
import { openSafetensors, readInt64, readTensor, writeSafetensors, type SafetensorsFile, type WritableTensor } from "../../src/io/safetensors";
import { assertClose, caseNames, distance, reference, releaseNetworks, runComponent, runOnce } from "./networkReference";

after(releaseNetworks);

async function unetInputs(io: SafetensorsFile, name: string) {
  return {
    sample: await readTensor(io, `${name}.sample`),
    timestep: await readInt64(io, `${name}.timestep`),
    encoder_hidden_states: await readTensor(io, `${name}.encoder_hidden_states`),
  };
}

/** A copy of a component whose weights are rewritten by `write`. */
async function withRewrittenWeights(folder: string, write: (dir: string, weights: SafetensorsFile) => Promise<void>, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "plumbline-weights-"));
  try {
    await cp(join(reference, folder, "config.json"), join(dir, "config.json"));
    await write(dir, await openSafetensors(join(reference, folder, "diffusion_pytorch_model.safetensors")));
    await use(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function readAll(file: SafetensorsFile, dtype?: "F16" | "BF16"): Promise<Record<string, WritableTensor>> {
  const entries = [...file.tensors.keys()].map(async (name) => [name, { ...(await readTensor(file, name)), dtype }] as const);
  return Object.fromEntries(await Promise.all(entries));
}

describe("networks on the CPU against PyTorch", function () {
  this.timeout(30_000);

  for (const folder of ["unet-sd2", "unet-sd1", "unet-lowvar"]) {
    for (const name of caseNames(folder)) {
      it(`${folder} ${name}`, async () => {
        const io = await openSafetensors(join(reference, folder, "io.safetensors"));
        const inputs = await unetInputs(io, name);
        assertClose(await runComponent(join(reference, folder), inputs, "out_sample"), await readTensor(io, `${name}.output`));
      });

      it(`${folder} ${name}, prompt and timestep constant`, async () => {
        const io = await openSafetensors(join(reference, folder, "io.safetensors"));
        const { sample, timestep, encoder_hidden_states: states } = await unetInputs(io, name);
        const [N, S, C] = states.dims;
        const expected = await readTensor(io, `${name}.output`);
        // A constant serves all latents of a batch: one run for each latent of the case.
        for (let n = 0; n < N; n++) {
          const row = <T extends Tensor>({ dims, data }: T): Tensor => ({ dims: [1, ...dims.slice(1)], data: data.slice((n * data.length) / N, ((n + 1) * data.length) / N) });
          const options = { timestep: Number(timestep.data[n % timestep.data.length]), encoderHiddenStates: { dims: [1, S, C], data: row(states).data } };
          assertClose(await runComponent(join(reference, folder), { sample: row(sample) }, "out_sample", options), row(expected));
        }
      });
    }
  }

  for (const name of caseNames("unet-sd2")) {
    it(`unet-sd2 ${name}, weights in float16`, async () => {
      const io = await openSafetensors(join(reference, "unet-sd2", "io.safetensors"));
      const copy = async (dir: string) => cp(join(reference, "unet-sd2", "diffusion_pytorch_model.fp16.safetensors"), join(dir, "diffusion_pytorch_model.fp16.safetensors"));
      await withRewrittenWeights("unet-sd2", copy, async (dir) => {
        const inputs = await unetInputs(io, name);
        assertClose(await runOnce(dir, inputs, "out_sample"), await readTensor(io, `${name}.output_fp16_weights`));
      });
    });
  }

  it("unet-lowvar gives the same from bfloat16 as from float32 weights rounded to it", async () => {
    const io = await openSafetensors(join(reference, "unet-lowvar", "io.safetensors"));
    const inputs = await unetInputs(io, "case01");
    const outputs: Tensor[] = [];
    await withRewrittenWeights("unet-lowvar", async (dir, weights) => writeSafetensors(join(dir, "diffusion_pytorch_model.safetensors"), await readAll(weights, "BF16")), async (dir) => {
      outputs.push(await runOnce(dir, inputs, "out_sample"));
      const rounded = await readAll(await openSafetensors(join(dir, "diffusion_pytorch_model.safetensors")));
      await writeSafetensors(join(dir, "diffusion_pytorch_model.safetensors"), rounded);
      outputs.push(await runOnce(dir, inputs, "out_sample"));
    });
    assert.deepEqual(outputs[0], outputs[1]);
    const { rmsRel } = distance(outputs[0], await readTensor(io, "case01.output"));
    assert.ok(rmsRel > 1e-4, "the weights were not rounded at all");
  });

  it("unet-lowvar gives the same from shards, and from links into another folder", async () => {
    const io = await openSafetensors(join(reference, "unet-lowvar", "io.safetensors"));
    const inputs = await unetInputs(io, "case01");
    const shard = async (dir: string, weights: SafetensorsFile) => {
      const tensors = Object.entries(await readAll(weights));
      const names = ["blobs/one.safetensors", "blobs/two.safetensors"];
      await mkdir(join(dir, "blobs"));
      await writeSafetensors(join(dir, names[0]), Object.fromEntries(tensors.filter((_, i) => i % 3 === 0)));
      await writeSafetensors(join(dir, names[1]), Object.fromEntries(tensors.filter((_, i) => i % 3 !== 0)));
      for (const name of names) await symlink(name, join(dir, basename(name)));
      const map = Object.fromEntries(tensors.map(([name], i) => [name, basename(names[i % 3 === 0 ? 0 : 1])]));
      await writeFile(join(dir, "diffusion_pytorch_model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
    };
    await withRewrittenWeights("unet-lowvar", shard, async (dir) => {
      assertClose(await runOnce(dir, inputs, "out_sample"), await readTensor(io, "case01.output"));
      const { files } = await convertComponent(dir);
      assert.deepEqual(files.map((file) => basename(file)).sort(), ["config.json", "diffusion_pytorch_model.safetensors.index.json", "one.safetensors", "two.safetensors"]);
    });
  });

  it("unet-sd2 with its timestep constant equals the general network for every kind of timestep", async () => {
    const io = await openSafetensors(join(reference, "unet-sd2", "io.safetensors"));
    const { sample, encoder_hidden_states } = await unetInputs(io, "case00");
    for (const timestep of [0, 1, 499, 999]) {
      const general = await runComponent(join(reference, "unet-sd2"), { sample, encoder_hidden_states, timestep: { dims: [1], data: Float32Array.of(timestep) } }, "out_sample");
      assertClose(await runOnce(join(reference, "unet-sd2"), { sample, encoder_hidden_states }, "out_sample", { timestep }), general);
    }
  });

  for (const folder of ["f8", "f8-old-keys", "f4", "f4-lowvar"]) {
    const cases = folder === "f8-old-keys" ? "vae/f8" : `vae/${folder}`;
    for (const name of caseNames(cases)) {
      it(`vae/${folder} ${name}`, async () => {
        const io = await openSafetensors(join(reference, cases, "io.safetensors"));
        const part = name.startsWith("encode") ? "encoder" : "decoder";
        const [input, output] = part === "encoder" ? ["image", "moments"] : ["latent", "image"];
        const inputs = { [input]: await readTensor(io, `${name}.${input}`) };
        assertClose(await runComponent(join(reference, "vae", folder), inputs, output, { part }), await readTensor(io, `${name}.${output}`));
      });
    }
  }

  for (const folder of ["clip-text/sd2-gelu", "clip-text/sd1-quick-gelu"]) {
    for (const name of caseNames(folder)) {
      it(`${folder} ${name}`, async () => {
        const io = await openSafetensors(join(reference, folder, "io.safetensors"));
        const inputs = { input_ids: await readInt64(io, `${name}.input_ids`) };
        const { maxAbs } = distance(await runComponent(join(reference, folder), inputs, "last_hidden_state"), await readTensor(io, `${name}.last_hidden_state`));
        assert.ok(maxAbs < 2e-5, `max_abs ${maxAbs}`);
      });
    }
  }

  it("clip-text from a .bin file of PyTorch gives the same as from .safetensors", async () => {
    const folder = join(reference, "clip-text", "sd1-quick-gelu");
    const io = await openSafetensors(join(folder, "io.safetensors"));
    const [name] = caseNames("clip-text/sd1-quick-gelu");
    const inputs = { input_ids: await readInt64(io, `${name}.input_ids`) };
    const pickled = join(reference, "..", "fixtures", "torch", "clip");
    assert.deepEqual(await runOnce(pickled, inputs, "last_hidden_state"), await runComponent(folder, inputs, "last_hidden_state"));
    const { files } = await convertComponent(pickled);
    assert.deepEqual(files.map((file) => basename(file)), ["config.json", "pytorch_model.bin"]);
  });
});
