import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor";
import { componentFiles, convertComponent } from "../../src/graph/convert";
import { openSafetensors, readTensor, writeSafetensors, type SafetensorsFile, type WritableTensor } from "../../src/io/safetensors";
import { assertClose, caseNames, distance, reference, releaseNetworks, runComponent, runOnce } from "./networkReference";

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

describe("UNetModel of DepthFM", function () {
  this.timeout(30_000);
  const dir = join(reference, "depthfm");
  const weights = join(dir, "unet_ldm_layout.safetensors");

  const depthfmConfig = () => JSON.parse(readFileSync(join(dir, "config.json"), "utf8")) as { readonly ldm_hparams: Readonly<Record<string, unknown>> };

  /** Every step of a run: the network's input and time, and the velocity that it should give. */
  async function stepsOf(io: SafetensorsFile, run: string) {
    const velocities = await readTensor(io, `${run}.velocities`);
    const states = await readTensor(io, `${run}.states`);
    const image = await readTensor(io, "image_latent");
    const start = await readTensor(io, run.endsWith("noised") ? "noised_start_step400" : "image_latent");
    const steps = velocities.dims[0];
    return Array.from({ length: steps }, (_, k) => {
      const state = k === 0 ? start.data : rows(states, k - 1, k).data;
      const sample = { dims: [1, 8, ...image.dims.slice(2)], data: Float32Array.from([...state, ...image.data]) };
      return { sample, timestep: scalar(k / steps), expected: { dims: image.dims, data: rows(velocities, k, k + 1).data } };
    });
  }

  for (const run of caseNames("depthfm")) {
    it(run, async () => {
      const io = await open("depthfm", "io.safetensors");
      const prompt = await readTensor(io, "empty_text_embedding");
      for (const { sample, timestep, expected } of await stepsOf(io, run)) {
        assertClose(await runComponent(dir, { sample, timestep, encoder_hidden_states: prompt }, "out_sample"), expected);
        assertClose(await runComponent(dir, { sample, timestep }, "out_sample", { encoderHiddenStates: prompt }), expected);
      }
    });
  }

  it("without the scores being reduced, as with xformers: another velocity by about a tenth", async () => {
    const io = await open("depthfm", "io.safetensors");
    const [{ sample, timestep, expected }] = await stepsOf(io, "euler-1-noised");
    const config = { ...depthfmConfig(), rescale_attention: false };
    const actual = await runOnce(dir, { sample, timestep }, "out_sample", { config, encoderHiddenStates: await readTensor(io, "empty_text_embedding") });
    const { rmsRel } = distance(actual, expected);
    assert.ok(rmsRel > 0.05 && rmsRel < 0.3, `rms_rel ${rmsRel}`);
  });

  it("from weights alone, whose config is given or stands in the file itself", async () => {
    const io = await open("depthfm", "io.safetensors");
    const [{ sample, timestep, expected }] = await stepsOf(io, "euler-1-noised");
    const inputs = { sample, timestep, encoder_hidden_states: await readTensor(io, "empty_text_embedding") };
    const config = depthfmConfig();
    const folder = await mkdtemp(join(tmpdir(), "plumbline-depthfm-"));
    try {
      await copyFile(weights, join(folder, "mine.safetensors"));
      const options = { config, weightsFile: "mine.safetensors" };
      assertClose(await runOnce(folder, inputs, "out_sample", options), expected);
      assert.deepEqual(await componentFiles(folder, options), [join(folder, "mine.safetensors")]);

      const tensors: Record<string, WritableTensor> = { empty_text_embedding: inputs.encoder_hidden_states };
      const file = await openSafetensors(weights);
      for (const name of file.tensors.keys()) tensors[name] = await readTensor(file, name);
      const hparams = Object.entries(config.ldm_hparams).map(([name, value]): [string, string] => [`ldm_hparams.${name}`, JSON.stringify(value)]);
      await writeSafetensors(join(folder, "depthfm-v1.safetensors"), tensors, Object.fromEntries(hparams));
      assertClose(await runOnce(folder, inputs, "out_sample"), expected);
      assert.deepEqual(await componentFiles(folder), [join(folder, "depthfm-v1.safetensors")]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("AutoencoderTiny", () => {
  const dir = join(reference, "taesd");
  for (const name of caseNames("taesd")) {
    it(name, async () => {
      const io = await open("taesd", "io.safetensors");
      const [part, input, output] = name.startsWith("encode") ? (["encoder", "image", "latent"] as const) : (["decoder", "latent", "image"] as const);
      const actual = await runComponent(dir, { [input]: await readTensor(io, `${name}.${input}`) }, output, { part });
      assertClose(actual, await readTensor(io, `${name}.${output}`));
    });
  }
});

/** The graph for a GPU avoids some operators; here it runs on the CPU, which shows that it is the same network. */
describe("graphs for WebGPU", function () {
  this.timeout(30_000);
  const device = "webgpu";

  it("of GeoWizard", async () => {
    const io = await open("geowizard", "io.safetensors");
    const run = "trailing-1-zeros-outdoor";
    const inputs = { pixel_values: await readTensor(io, "clip_pixel_values") };
    assertClose(await runOnce(join(reference, "geowizard", "image_encoder"), inputs, "image_embeds", { device }), await readTensor(io, "image_embeds"));
    const sample = await readTensor(io, `${run}.unet_input_step0`);
    const conditioning = { encoder_hidden_states: await readTensor(io, "encoder_hidden_states"), class_labels: await readTensor(io, `${run}.class_embedding`) };
    const expected = await readTensor(io, `${run}.model_output`);
    const actual = await runOnce(join(reference, "geowizard", "unet"), { sample, ...conditioning, timestep: scalar(999) }, "out_sample", { device, jointTasks: 2 });
    assertClose(actual, { dims: expected.dims.slice(1), data: expected.data });
  });

  it("of DepthFM", async () => {
    const io = await open("depthfm", "io.safetensors");
    const [start, image, velocities] = await Promise.all(["noised_start_step400", "image_latent", "euler-1-noised.velocities"].map((name) => readTensor(io, name)));
    const sample = { dims: [1, 8, ...image.dims.slice(2)], data: Float32Array.from([...start.data, ...image.data]) };
    const inputs = { sample, timestep: scalar(0), encoder_hidden_states: await readTensor(io, "empty_text_embedding") };
    assertClose(await runOnce(join(reference, "depthfm"), inputs, "out_sample", { device }), { dims: image.dims, data: velocities.data });
  });
});
