import assert from "node:assert/strict";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor";
import { convertComponent } from "../../src/graph/convert";
import { openSafetensors, readTensor, type SafetensorsFile } from "../../src/io/safetensors";
import { assertClose, distance, reference, releaseNetworks, runComponent } from "./networkReference";

// The networks that other families than Marigold need, against PyTorch.

after(releaseNetworks);

const open = (...path: string[]): Promise<SafetensorsFile> => openSafetensors(join(reference, ...path));
const rows = ({ dims, data }: Tensor, first: number, end: number): Tensor => {
  const size = data.length / dims[0];
  return { dims: [end - first, ...dims.slice(1)], data: data.slice(first * size, end * size) };
};
const concat = (...tensors: Tensor[]): Tensor => ({
  dims: [tensors.reduce((sum, { dims }) => sum + dims[0], 0), ...tensors[0].dims.slice(1)],
  data: Float32Array.from(tensors.flatMap(({ data }) => [...data])),
});
const scalar = (value: number): Tensor => ({ dims: [1], data: Float32Array.of(value) });

describe("CLIPVisionModelWithProjection", () => {
  for (const folder of ["clip-vision/gelu", "clip-vision/quick-gelu"]) {
    it(folder, async () => {
      const io = await open(folder, "io.safetensors");
      const actual = await runComponent(join(reference, folder), { pixel_values: await readTensor(io, "pixel_values") }, "image_embeds");
      const { maxAbs } = distance(actual, await readTensor(io, "image_embeds"));
      assert.ok(maxAbs < 2e-5, `max_abs ${maxAbs}`);
    });
  }

  it("of GeoWizard", async () => {
    const io = await open("geowizard", "io.safetensors");
    const actual = await runComponent(join(reference, "geowizard", "image_encoder"), { pixel_values: await readTensor(io, "clip_pixel_values") }, "image_embeds");
    const { maxAbs } = distance(actual, await readTensor(io, "image_embeds"));
    assert.ok(maxAbs < 2e-5, `max_abs ${maxAbs}`);
  });
});

describe("UNet2DConditionModel of GeoWizard", function () {
  this.timeout(30_000);
  const dir = join(reference, "geowizard", "unet");
  const jointTasks = 2;

  async function inputsOf(io: SafetensorsFile, run: string) {
    return {
      sample: await readTensor(io, `${run}.unet_input_step0`),
      encoder_hidden_states: await readTensor(io, "encoder_hidden_states"),
      class_labels: await readTensor(io, `${run}.class_embedding`),
    };
  }
  async function firstOutput(io: SafetensorsFile, run: string): Promise<Tensor> {
    const { dims, data } = rows(await readTensor(io, `${run}.model_output`), 0, 1);
    return { dims: dims.slice(1), data };
  }

  for (const run of ["trailing-1-zeros-indoor", "trailing-1-zeros-outdoor", "trailing-1-zeros-object", "trailing-4-gaussian-indoor"]) {
    it(run, async () => {
      const io = await open("geowizard", "io.safetensors");
      const inputs = await inputsOf(io, run);
      const expected = await firstOutput(io, run);
      assertClose(await runComponent(dir, { ...inputs, timestep: scalar(999) }, "out_sample", { jointTasks }), expected);
      assertClose(await runComponent(dir, inputs, "out_sample", { jointTasks, timestep: 999 }), expected);
    });
  }

  it("trailing-4-gaussian-indoor at its later steps", async () => {
    const io = await open("geowizard", "io.safetensors");
    const run = "trailing-4-gaussian-indoor";
    const { sample, ...inputs } = await inputsOf(io, run);
    const outputs = await readTensor(io, `${run}.model_output`);
    const states = await readTensor(io, `${run}.prev_sample`);
    // The sample is the latent of the image, the same for both tasks, then the state of each.
    const [, , h, w] = sample.dims;
    const half = 4 * h * w;
    for (const [step, timestep] of [749, 499, 249].entries()) {
      const state = rows(states, step, step + 1).data;
      const data = Float32Array.from([0, 1].flatMap((task) => [...sample.data.slice(0, half), ...state.slice(task * half, (task + 1) * half)]));
      const actual = await runComponent(dir, { ...inputs, sample: { dims: sample.dims, data }, timestep: scalar(timestep) }, "out_sample", { jointTasks });
      assertClose(actual, { dims: [2, 4, h, w], data: rows(outputs, step + 1, step + 2).data });
    }
  });

  it("with the constant embedding of an image", async () => {
    const io = await open("geowizard", "io.safetensors");
    const { encoder_hidden_states, ...inputs } = await inputsOf(io, "trailing-1-zeros-indoor");
    const options = { jointTasks, timestep: 999, encoderHiddenStates: rows(encoder_hidden_states, 0, 1) } as const;
    assertClose(await runComponent(dir, inputs, "out_sample", options), await firstOutput(io, "trailing-1-zeros-indoor"));
  });

  it("keeps the images of a batch apart", async () => {
    const io = await open("geowizard", "io.safetensors");
    const runs = ["trailing-4-gaussian-indoor", "trailing-1-zeros-outdoor"];
    const [a, b] = await Promise.all(runs.map((run) => inputsOf(io, run)));
    const both = {
      sample: concat(a.sample, b.sample),
      encoder_hidden_states: concat(a.encoder_hidden_states, b.encoder_hidden_states),
      class_labels: concat(a.class_labels, b.class_labels),
    };
    const expected = concat(...(await Promise.all(runs.map((run) => firstOutput(io, run)))));
    assertClose(await runComponent(dir, both, "out_sample", { jointTasks, timestep: 999 }), expected);
  });

  it("differs without joint attention by what the reference tells", async () => {
    const io = await open("geowizard", "io.safetensors");
    const run = "trailing-1-zeros-indoor";
    const { rmsRel } = distance(await runComponent(dir, { ...(await inputsOf(io, run)), timestep: scalar(999) }, "out_sample"), await firstOutput(io, run));
    // without_joint_attention_vs_joint of cases.json
    assert.ok(Math.abs(rmsRel - 0.01588555) < 1e-5, `rms_rel ${rmsRel}`);
  });

  it("is made from its config and its weights", async () => {
    const { files } = await convertComponent(dir, { jointTasks });
    assert.deepEqual(files, [join(dir, "config.json"), join(dir, "diffusion_pytorch_model.safetensors")]);
  });
});
