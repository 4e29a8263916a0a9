import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Tensor } from "../../src/core/tensor";
import { readNpy, writeNpy } from "../../src/io/npy";
import { openSafetensors, readInt64, readTensor, writeSafetensors, type SafetensorsFile } from "../../src/io/safetensors";
import { assertClose, plumbline, repository } from "./cliProcess";

const reference = join(repository, "test", "reference");
const checkpoint = join(reference, "marigold");
/** The tolerances of test/reference/README.md. */
const latentBounds = { rmsRel: 5e-5 };
const depthBounds = { maxAbs: 1e-4 };
const normalsBounds = { rmsRel: 1e-4 };

interface Case {
  readonly name: string;
  readonly modality: "depth" | "normals";
  readonly num_inference_steps: number;
  readonly timestep_spacing: string;
  readonly image: "image" | "image_odd";
  readonly timesteps: readonly number[];
}

describe("plumbline on the reference checkpoint", function () {
  this.timeout(120_000);
  let dir: string;
  let io: SafetensorsFile;
  let cases: readonly Case[];
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "plumbline-cli-"));
    io = await openSafetensors(join(checkpoint, "io.safetensors"));
    cases = (JSON.parse(await readFile(join(checkpoint, "cases.json"), "utf8")) as { runs: Case[] }).runs;
    for (const image of ["image", "image_odd"]) {
      const { dims, data } = await readTensor(io, image);
      const raw = { width: dims[1], height: dims[0], channels: 3 } as const;
      await sharp(Uint8Array.from(data), { raw }).png().toFile(join(dir, `${image}.png`));
    }
  });
  after(() => rm(dir, { recursive: true, force: true }));

  /** Writes the starting latent of a case and runs the case. */
  async function estimate(name: string, noiseFormat: "npy" | "safetensors"): Promise<{ out: string; run: Case; steps: SafetensorsFile }> {
    const run = cases.find((candidate) => candidate.name === name);
    assert.ok(run, `${name} is no case of the reference`);
    const noise = await readTensor(io, `${name}.init_noise`);
    const noiseFile = join(dir, `${name}.${noiseFormat}`);
    if (noiseFormat === "npy") await writeNpy(noiseFile, noise);
    else await writeSafetensors(noiseFile, { init_noise: noise, other: noise });
    const out = join(dir, name);
    const { code, stdout, stderr } = await plumbline([
      "estimate", join(dir, `${run.image}.png`), "--model", checkpoint, "--task", run.modality, "--steps", String(run.num_inference_steps), "--spacing", run.timestep_spacing,
      "--noise", noiseFile, "--resolution", "0", "--device", "cpu", "--save-steps", "--out", out,
    ]);
    assert.deepEqual([code, stdout], [0, ""], stderr);
    return { out, run, steps: await openSafetensors(join(out, "steps.safetensors")) };
  }

  for (const [name, format] of [
    ["depth-trailing-4", "safetensors"], ["depth-leading-4", "npy"], ["depth-trailing-1-zeros", "npy"], ["depth-trailing-10", "safetensors"], ["normals-trailing-4", "safetensors"],
    ["depth-trailing-1-zeros-odd", "npy"],
  ] as const) {
    it(`${name}: every tensor of every step, from the same starting latent (.${format})`, async () => {
      const { out, run, steps } = await estimate(name, format);
      const mapName = `${run.modality}_per_step`;
      const mapBounds = run.modality === "depth" ? depthBounds : normalsBounds;
      assert.deepEqual([...steps.tensors.keys()].sort(), ["init_noise", "model_output", "prev_sample", "pred_original_sample", "timesteps", mapName].sort());
      for (const tensor of ["init_noise", "model_output", "prev_sample", "pred_original_sample", mapName]) {
        assert.equal(steps.tensors.get(tensor)?.dtype, "F32");
        const bounds = tensor === "init_noise" ? { maxAbs: 0 } : tensor === mapName ? mapBounds : latentBounds;
        assertClose(await readTensor(steps, tensor), await readTensor(io, `${name}.${tensor}`), bounds, `${name}.${tensor}`);
      }
      const timesteps = await readInt64(steps, "timesteps");
      assert.deepEqual([timesteps.dims, [...timesteps.data].map(Number)], [[run.timesteps.length], run.timesteps]);

      // Where the image has the processing size, the written map is the reference's output.
      if (run.image === "image_odd") return;
      const written = await readNpy(join(out, `${run.modality}.npy`));
      const output = await readTensor(io, `${name}.output`);
      assertClose(run.modality === "depth" ? { dims: [1, 1, ...written.dims], data: written.data } : channelsFirst(written), output, mapBounds, `${run.modality}.npy`);
    });
  }

  it("writes the deviation over the steps, zero nowhere and in run.json the timesteps and hashes", async () => {
    const { out } = await estimate("depth-trailing-4", "npy");
    const std = await readNpy(join(out, "std.npy"));
    assert.deepEqual(std.dims, [48, 72]);
    assert.ok(std.data.every((value) => value > 0 && value < 1));
    const json = JSON.parse(await readFile(join(out, "run.json"), "utf8")) as { runs: { timesteps: number[]; device: string; model: { files: Record<string, string> }; semantics: object; settings: { seed: number } }[]; files: object; stepFiles: string[] };
    const [run] = json.runs;
    assert.deepEqual(run.timesteps, [999, 749, 499, 249]);
    assert.deepEqual([run.device, run.settings.seed, json.stepFiles], ["cpu", 2024, ["steps.safetensors"]]);
    assert.match(run.model.files["unet/diffusion_pytorch_model.safetensors"], /^[0-9a-f]{64}$/);
    assert.deepEqual(run.semantics, { task: "depth", depthKind: "affine-depth" });
    assert.deepEqual(Object.keys(json.files).sort(), ["depth.npy", "depth.png", "depth_16bit.png", "std.npy", "std.png"]);
  });

  /** Runs `component` on tensors of an io.safetensors, renamed. */
  async function component(folder: string, ioFile: string, inputs: Readonly<Record<string, string>>, ...options: string[]): Promise<SafetensorsFile> {
    const source = await openSafetensors(join(reference, ioFile));
    const tensors: Parameters<typeof writeSafetensors>[1] = Object.fromEntries(
      await Promise.all(Object.entries(inputs).map(async ([name, from]) => [name, await (source.tensors.get(from)?.dtype === "I64" ? readInt64(source, from) : readTensor(source, from))] as const)),
    );
    const inputsFile = join(dir, "in.safetensors");
    const outputsFile = join(dir, "out.safetensors");
    await rm(outputsFile, { force: true });
    await writeSafetensors(inputsFile, tensors);
    const { code, stdout, stderr } = await plumbline(["component", join(reference, folder), "--inputs", inputsFile, "--outputs", outputsFile, "--device", "cpu", "--json", ...options]);
    assert.equal(code, 0, stderr);
    const written = await openSafetensors(outputsFile);
    assert.deepEqual(JSON.parse(stdout), { outputs: Object.fromEntries([...written.tensors].map(([name, { dims }]) => [name, dims])) });
    return written;
  }

  const componentBounds = { rmsRel: 2e-5, maxAbs: 2e-4 };

  it("component: UNet with an int64 timestep", async () => {
    const outputs = await component("unet-sd2", "unet-sd2/io.safetensors", { sample: "case01.sample", timestep: "case01.timestep", encoder_hidden_states: "case01.encoder_hidden_states" });
    const expected = await openSafetensors(join(reference, "unet-sd2", "io.safetensors"));
    assertClose(await readTensor(outputs, "out_sample"), await readTensor(expected, "case01.output"), componentBounds, "out_sample");
  });

  it("component: both halves of a VAE", async () => {
    const expected = await openSafetensors(join(reference, "vae", "f8", "io.safetensors"));
    const moments = await component("vae/f8", "vae/f8/io.safetensors", { image: "encode02.image" }, "--part", "encoder");
    assertClose(await readTensor(moments, "moments"), await readTensor(expected, "encode02.moments"), componentBounds, "moments");
    const image = await component("vae/f8", "vae/f8/io.safetensors", { latent: "decode01.latent" }, "--part", "decoder");
    assertClose(await readTensor(image, "image"), await readTensor(expected, "decode01.image"), componentBounds, "image");
  });

  it("component: CLIP text from int64 ids", async () => {
    const folder = join("clip-text", "sd2-gelu");
    const source = await openSafetensors(join(reference, folder, "io.safetensors"));
    const ids = [...source.tensors.keys()].find((name) => name.endsWith("input_ids"));
    assert.ok(ids);
    const outputs = await component(folder, join(folder, "io.safetensors"), { input_ids: ids });
    assertClose(await readTensor(outputs, "last_hidden_state"), await readTensor(source, ids.replace("input_ids", "last_hidden_state")), { maxAbs: 2e-5 }, "last_hidden_state");
  });

  it("component: says which input is missing, and writes nothing", async () => {
    const source = await openSafetensors(join(reference, "unet-sd2", "io.safetensors"));
    const inputsFile = join(dir, "partial.safetensors");
    await writeSafetensors(inputsFile, { sample: await readTensor(source, "case00.sample") });
    const { code, stderr, stdout } = await plumbline(["component", join(reference, "unet-sd2"), "--inputs", inputsFile, "--outputs", join(dir, "never.safetensors"), "--device", "cpu"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /timestep|encoder_hidden_states/);
    await assert.rejects(openSafetensors(join(dir, "never.safetensors")));
  });
});

/** [H, W, 3] as [1, 3, H, W]. */
function channelsFirst({ dims: [height, width, channels], data }: Tensor): Tensor {
  const out = new Float32Array(data.length);
  for (let p = 0; p < height * width; p++) for (let c = 0; c < channels; c++) out[c * height * width + p] = data[p * channels + c];
  return { dims: [1, channels, height, width], data: out };
}
