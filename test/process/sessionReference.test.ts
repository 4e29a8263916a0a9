import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor";
import { convertComponent, type ConvertOptions } from "../../src/graph/convert";
import { createNetwork } from "../../src/inference/session";
import { openSafetensors, readInt64, readTensor, type SafetensorsFile } from "../../src/io/safetensors";
import type { BigIntTensor } from "../../src/pipeline/networks";

const reference = join(__dirname, "..", "reference");

/** Case names listed in `cases.json`. */
function caseNames(folder: string): string[] {
  const { cases } = JSON.parse(readFileSync(join(reference, folder, "cases.json"), "utf8")) as { cases: { name: string }[] };
  return cases.map(({ name }) => name);
}

async function runComponent(dir: string, inputs: Record<string, Tensor | BigIntTensor>, output: string, options?: ConvertOptions): Promise<Tensor> {
  const network = await createNetwork(await convertComponent(dir, options), { device: "cpu", threads: 1 });
  try {
    return (await network.run(inputs))[output];
  } finally {
    await network.release();
  }
}

/** Root mean square of the difference over that of the expected values, and the largest difference. */
function distance(actual: Tensor, expected: Tensor): { rmsRel: number; maxAbs: number } {
  assert.deepEqual(actual.dims, expected.dims);
  let [squares, norm, maxAbs] = [0, 0, 0];
  expected.data.forEach((value, i) => {
    const difference = actual.data[i] - value;
    assert.ok(Number.isFinite(difference));
    squares += difference ** 2;
    norm += value ** 2;
    maxAbs = Math.max(maxAbs, Math.abs(difference));
  });
  return { rmsRel: Math.sqrt(squares / norm), maxAbs };
}

/** The reference's tolerance for network outputs. */
function assertClose(actual: Tensor, expected: Tensor): void {
  const { rmsRel, maxAbs } = distance(actual, expected);
  assert.ok(rmsRel < 2e-5, `rms_rel ${rmsRel}`);
  assert.ok(maxAbs < 2e-4, `max_abs ${maxAbs}`);
}

async function unetInputs(io: SafetensorsFile, name: string) {
  return {
    sample: await readTensor(io, `${name}.sample`),
    timestep: await readInt64(io, `${name}.timestep`),
    encoder_hidden_states: await readTensor(io, `${name}.encoder_hidden_states`),
  };
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
});
