import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PlumblineError } from "../../src/core/errors";
import { convertComponent } from "../../src/graph/convert";
import { availableDevices, createNetwork, engineVersions } from "../../src/inference/session";
import { openSafetensors, readTensor } from "../../src/io/safetensors";
import type { ChildResult, ChildTask } from "./sessionChild";

const reference = join(__dirname, "..", "reference");
/** A Vulkan driver that computes on the CPU (Debian's chromium); without it the machine's own GPU is used. */
const softwareVulkan = "/usr/lib/chromium/vk_swiftshader_icd.json";

function runChild(task: ChildTask): ChildResult {
  const environment = existsSync(softwareVulkan) ? { ...process.env, VK_ICD_FILENAMES: softwareVulkan } : process.env;
  const output = execFileSync(process.execPath, ["--import", "tsx", join(__dirname, "sessionChild.ts"), JSON.stringify(task)], { env: environment, encoding: "utf8", maxBuffer: 2 ** 28 });
  return JSON.parse(output) as ChildResult;
}

describe("networks on WebGPU", function () {
  this.timeout(300_000); // compiling shaders for a software GPU takes most of it

  // GPUs may fuse and reorder float32 sums: the reference's own tolerance still holds. The networks with small
  // activations are here because the epsilon of each normalisation matters in them, which other networks hide.
  const cases = [
    { dir: "unet-lowvar", name: "case01", inputs: ["sample", "timestep", "encoder_hidden_states"], output: "out_sample", expected: "output" },
    { dir: "vae/f4-lowvar", part: "decoder", name: "decode00", inputs: ["latent"], output: "image", expected: "image" },
  ] as const;
  for (const { dir, name, inputs, output, expected, ...rest } of cases) {
    it(`${dir} ${name} is that of PyTorch within float32 rounding`, async () => {
      const io = join(reference, dir, "io.safetensors");
      const sources = Object.fromEntries(inputs.map((input) => [input, [io, `${name}.${input}`] as const]));
      const { dims, data } = runChild({ dir: join(reference, dir), device: "webgpu", output, inputs: sources, ...rest });
      const wanted = await readTensor(await openSafetensors(io), `${name}.${expected}`);
      assert.deepEqual(dims, wanted.dims);
      let [squares, norm] = [0, 0];
      wanted.data.forEach((value, i) => {
        squares += (data[i] - value) ** 2;
        norm += value ** 2;
      });
      assert.ok(Math.sqrt(squares / norm) < 2e-5, `rms_rel ${Math.sqrt(squares / norm)}`);
    });
  }
});

describe("networks on the CPU", function () {
  this.timeout(120_000);

  it("never hold the scores of all positions against all", () => {
    const [h, w] = [96, 128];
    const inputs = { sample: { dims: [1, 8, h, w] }, timestep: { dims: [1] }, encoder_hidden_states: { dims: [1, 2, 40] } };
    const task = { dir: join(reference, "unet-sd2"), device: "cpu", output: "out_sample", inputs } as const;
    const small = runChild({ ...task, inputs: { ...inputs, sample: { dims: [1, 8, 8, 8] } } });
    const large = runChild(task);
    assert.deepEqual(large.dims, [1, 4, h, w]);
    const scores = 4 * (h * w) ** 2; // bytes of one head's scores at the finest level
    assert.ok(large.peakBytes - small.peakBytes < scores / 4, `${large.peakBytes - small.peakBytes} bytes more, one score matrix has ${scores}`);
  });

  it("refuse inputs that do not fit, by name", async () => {
    const network = await createNetwork(await convertComponent(join(reference, "unet-lowvar")), { device: "cpu", threads: 1 });
    const sample = { dims: [1, 8, 4, 4], data: new Float32Array(128) };
    const states = { dims: [1, 2, 20], data: new Float32Array(40) };
    const timestep = { dims: [1], data: BigInt64Array.of(5n) };
    const rejects = (inputs: Parameters<typeof network.run>[0], message: RegExp) => assert.rejects(network.run(inputs), (error: unknown) => error instanceof PlumblineError && error.code === "bad-tensor" && message.test(error.message));
    await rejects({ sample, timestep }, /a tensor for input "encoder_hidden_states"/);
    await rejects({ sample: { ...sample, dims: [1, 4, 8, 4] }, timestep, encoder_hidden_states: states }, /shape \[N, 8, h, w\] for input "sample" .* \[1, 4, 8, 4\]/);
    await rejects({ sample, timestep, encoder_hidden_states: states, noise: sample }, /noise/);
    assert.deepEqual((await network.run({ sample, timestep, encoder_hidden_states: states })).out_sample.dims, [1, 4, 4, 4]);
    await network.release();
  });

  it("are there on every machine; a device that is not there is refused with the way out", async () => {
    assert.equal(availableDevices().at(-1), "cpu");
    assert.match(engineVersions().onnxruntime, /^\d+\.\d+\.\d+/);
    const missing = process.platform === "win32" ? "coreml" : "dml";
    const graph = await convertComponent(join(reference, "vae/f4"), { part: "decoder" });
    await assert.rejects(createNetwork(graph, { device: missing }), (error: unknown) => error instanceof PlumblineError && error.code === "engine-failed" && error.message.includes(missing) && /cpu/.test(error.remedy));
  });

  it("fail with a clear error when the weights have gone since the graph was built", async () => {
    const graph = await convertComponent(join(reference, "vae/f4"), { part: "decoder" });
    await assert.rejects(createNetwork({ ...graph, weightsDir: join(reference, "metrics") }, { device: "cpu" }), (error: unknown) => error instanceof PlumblineError && error.code === "engine-failed");
  });
});
