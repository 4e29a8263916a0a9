import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { encoderInput } from "../../src/core/latent";
import type { Tensor } from "../../src/core/tensor";
import type { ConvertOptions } from "../../src/graph/convert";
import { openOnnx } from "../../src/io/onnxFile";
import { componentAdapter } from "../../src/inference/onnxNetwork";
import { createNetwork } from "../../src/inference/session";
import type { BigIntTensor } from "../../src/pipeline/networks";
import { encode } from "../../src/pipeline/encode";
import { temporaryFolder } from "../unit/feedForwardGraphs";
import { writeOptimumFolder } from "./optimumFolder";
import { assertLatent, referenceDir, useReference } from "./pipelineReference";

describe("components exported by Optimum, on the CPU", function () {
  this.timeout(60_000);
  let dir: string;
  const { stored, imageOf } = useReference("marigold");
  before(async () => {
    dir = await temporaryFolder();
    await writeOptimumFolder(referenceDir("marigold"), join(dir, "newer"), { timestep: "int64" });
    await writeOptimumFolder(referenceDir("marigold"), join(dir, "older"), { timestep: "scalar", latentSample: true });
  });
  after(() => rm(dir, { recursive: true }));

  async function open(component: string, options: ConvertOptions) {
    const path = join(dir, component, "model.onnx");
    const adapt = componentAdapter(await openOnnx(path), options);
    return adapt(await createNetwork({ path }, { device: "cpu", threads: 1 }));
  }

  for (const version of ["newer", "older"]) {
    it(`encodes and decodes as the reference: ${version} names`, async () => {
      const encoder = await open(`${version}/vae_encoder`, { part: "encoder" });
      assertLatent(await encode(encoder, encoderInput(imageOf("image")), 0.18215), stored("rgb_latent"), version);
      await encoder.release();
    });

    it(`takes the timestep and the prompt as constants too: ${version} type of timestep`, async () => {
      const prompt = stored("empty_text_embed");
      const inputs: Record<string, Tensor | BigIntTensor> = { sample: { dims: [1, 8, 6, 9], data: Float32Array.from({ length: 8 * 54 }, (_, i) => Math.sin(i)) } };
      const open1 = await open(`${version}/unet`, {});
      const asInputs = await open1.run({ ...inputs, timestep: { dims: [1], data: Float32Array.of(999) }, encoder_hidden_states: prompt });
      await open1.release();
      const fixed = await open(`${version}/unet`, { timestep: 999, encoderHiddenStates: prompt });
      const asConstants = await fixed.run(inputs);
      await fixed.release();
      assert.deepEqual(asConstants.out_sample.dims, [1, 4, 6, 9]);
      assert.deepEqual(asConstants.out_sample.data, asInputs.out_sample.data);
    });
  }

  it("names an input or output that an export lacks", async () => {
    await assert.rejects(open("newer/unet", { part: "decoder" }), { code: "bad-model", message: /"latent_sample".*sample float32.*timestep int64/ });
    await assert.rejects(open("newer/vae_decoder", { part: "encoder" }), { code: "bad-model" });
  });
});
