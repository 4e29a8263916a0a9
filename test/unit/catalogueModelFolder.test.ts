import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describeModel, readEmptyPromptIds, semanticsOf } from "../../src/catalogue/modelFolder";

const reference = join("test", "reference", "marigold");

describe("model folder", () => {
  let dir: string;
  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), "plumbline-")), "checkpoint");
    await cp(reference, dir, { recursive: true });
  });
  afterEach(() => rm(dirname(dir), { recursive: true }));

  /** Changes keys of a JSON file; undefined removes a key. */
  async function edit(file: string, changes: Record<string, unknown>): Promise<void> {
    const path = join(dir, file);
    const json = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    await writeFile(path, JSON.stringify({ ...json, ...changes }));
  }

  it("reads a complete Marigold checkpoint", async () => {
    const model = await describeModel(reference);
    assert.equal(model.id, "marigold");
    const vae = { kind: "component", dir: resolve(reference, "vae") };
    assert.equal(model.family, "marigold");
    assert.deepEqual(model.vae, { encoder: vae, decoder: vae, scalingFactor: 0.18215, latentChannels: 4, downsamplingFactor: 8 });
    assert.deepEqual(model.defaults, { steps: 10, spacing: "trailing", noise: "gaussian", processingResolution: 768 });
    assert.equal(model.scheduler.predictionType, "v_prediction");
    assert.equal(model.emptyPrompt.kind, "encoded");
    assert.equal(model.endToEnd, false);
  });

  it("takes the token ids of the empty prompt from the tokenizer, not from the text encoder's config", async () => {
    assert.deepEqual(await readEmptyPromptIds(join(reference, "tokenizer")), [532, 533]);
  });

  it("runs an unlabelled MarigoldPipeline for either task and says what it assumes", async () => {
    const model = await describeModel(reference);
    assert.deepEqual(model.tasks, ["depth", "normals"]);
    assert.equal(model.assumptions.length, 2);
    assert.deepEqual(semanticsOf(model, "depth"), { task: "depth", depthKind: "affine-depth" });
    assert.deepEqual(semanticsOf(model, "normals"), { task: "normals", frame: "LUB" });
  });

  it("gives the published normals class RUB, and E2E fine-tuned normals LUB and one step from zeros", async () => {
    await edit("model_index.json", { _class_name: "MarigoldNormalsPipeline", default_denoising_steps: 4, default_processing_resolution: 640 });
    const published = await describeModel(dir);
    assert.deepEqual([published.tasks, published.normalsFrame, published.defaults.steps, published.defaults.processingResolution], [["normals"], "RUB", 4, 640]);
    await edit("model_index.json", { _class_name: "MarigoldPipeline", _name_or_path: "GonzaloMG/marigold-e2e-ft-normals" });
    const tuned = await describeModel(dir);
    assert.deepEqual([tuned.tasks, tuned.normalsFrame, tuned.endToEnd], [["normals"], "LUB", true]);
    assert.deepEqual([tuned.defaults.steps, tuned.defaults.noise], [1, "zeros"]);
  });

  it("names a checkpoint in the Hugging Face cache after its repository, not after its revision", async () => {
    const snapshot = join(dirname(dir), "models--GonzaloMG--marigold-e2e-ft-normals", "snapshots", "0123456789abcdef");
    await cp(reference, snapshot, { recursive: true });
    const model = await describeModel(snapshot);
    assert.deepEqual([model.id, model.tasks, model.endToEnd, model.normalsFrame], ["GonzaloMG/marigold-e2e-ft-normals", ["normals"], true, "LUB"]);
  });

  it("takes a user's word where the files leave it open, and says whose it is", async () => {
    const model = await describeModel(reference, { task: "normals", normalsFrame: "RUB" });
    assert.deepEqual([model.tasks, semanticsOf(model, "normals")], [["normals"], { task: "normals", frame: "RUB" }]);
    assert.deepEqual(model.assumptions.map((text) => /stated by you: (RUB|normals)/.exec(text)?.[1]), ["normals", "RUB"]);
    const inverse = await describeModel(reference, { depthKind: "affine-disparity" });
    assert.deepEqual(semanticsOf(inverse, "depth"), { task: "depth", depthKind: "affine-disparity" });
    assert.match(inverse.assumptions.join(" "), /stated by you: .*larger = nearer/);
  });

  it("refuses a statement that the files or the family contradict", async () => {
    await edit("model_index.json", { _plumbline: { task: "normals", normals_frame: "RUB" } });
    assert.deepEqual((await describeModel(dir, { normalsFrame: "RUB" })).assumptions, [], "agreed: nothing is assumed");
    await assert.rejects(describeModel(dir, { normalsFrame: "LUB" }), { code: "bad-argument", message: /Expected RUB for the frame of the normals of checkpoint but received "LUB"/ });
    await assert.rejects(describeModel(dir, { depthKind: "affine-depth" }), { code: "bad-argument", message: /Expected normals for the task.* kind of depth/ });
    await assert.rejects(describeModel(dir, { task: "depth" }), { code: "bad-argument" });
    await assert.rejects(describeModel(reference, { depthKind: "metric-depth" }), { code: "bad-argument", message: /affine-depth or affine-disparity .*"metric-depth"/ });
    await assert.rejects(describeModel(reference, { task: "depth", normalsFrame: "RUB" }), { code: "bad-argument", message: /frame of normals/ });
    await assert.rejects(describeModel("test/reference/geowizard", { normalsFrame: "RUB" }), { code: "bad-argument", message: /Expected LUB/ });
  });

  it("refuses a task that the model was not trained for", async () => {
    await edit("model_index.json", { _class_name: "MarigoldDepthPipeline" });
    const model = await describeModel(dir);
    assert.throws(() => semanticsOf(model, "normals"), { code: "bad-argument", message: /depth for the task of model checkpoint .*"normals"/ });
  });

  it("finds components elsewhere and a stored prompt embedding", async () => {
    await cp(join(dir, "vae"), join(dir, "..", "shared-vae"), { recursive: true });
    await rm(join(dir, "vae"), { recursive: true });
    await rm(join(dir, "tokenizer"), { recursive: true });
    await writeFile(join(dir, "empty_prompt.safetensors"), "");
    await edit("model_index.json", { _plumbline: { task: "normals", e2e: true, normals_frame: "RUB", default_steps: 1, components: { vae: "../shared-vae" } } });
    const model = await describeModel(dir);
    assert.equal(model.family, "marigold");
    assert.deepEqual(model.vae.encoder, { kind: "component", dir: join(dir, "..", "shared-vae") });
    assert.deepEqual(model.emptyPrompt, { kind: "stored", path: join(dir, "empty_prompt.safetensors"), tensor: "empty_text_embed" });
    assert.deepEqual([model.tasks, model.normalsFrame, model.endToEnd, model.assumptions], [["normals"], "RUB", true, []]);
  });

  const broken: [string, () => Promise<unknown>, { code: string; message: RegExp }][] = [
    ["a folder that is not there", () => rm(dir, { recursive: true }).then(() => mkdir(dirname(dir), { recursive: true })), { code: "not-found", message: /model folder/ }],
    ["a missing index", () => rm(join(dir, "model_index.json")), { code: "not-found", message: /model_index\.json/ }],
    ["an index that is no JSON", () => writeFile(join(dir, "model_index.json"), "{"), { code: "bad-model", message: /JSON for .*model_index\.json/ }],
    ["another pipeline", () => edit("model_index.json", { _class_name: "StableVideoDiffusionPipeline" }), { code: "unsupported", message: /_class_name.*StableVideoDiffusionPipeline/ }],
    ["a missing component", () => rm(join(dir, "vae"), { recursive: true }), { code: "not-found", message: /vae/ }],
    ["missing weights", () => rm(join(dir, "unet", "diffusion_pytorch_model.safetensors")), { code: "not-found", message: /\.safetensors or \.bin in .*unet/ }],
    ["a .bin that holds no weights", () => rm(join(dir, "unet", "diffusion_pytorch_model.safetensors")).then(() => writeFile(join(dir, "unet", "optimizer.bin"), "")), { code: "not-found", message: /received none/ }],
    ["a UNet of a text-to-image model", () => edit("unet/config.json", { in_channels: 4 }), { code: "unsupported", message: /Expected 8 .*in_channels.*received 4/ }],
    ["a wrong component class", () => edit("vae/config.json", { _class_name: "VQModel" }), { code: "unsupported", message: /AutoencoderKL.*VQModel/ }],
    ["an unknown scheduler", () => edit("scheduler/scheduler_config.json", { _class_name: "HeunDiscreteScheduler" }), { code: "unsupported", message: /scheduler_config\.json.*HeunDiscreteScheduler/ }],
    ["no prompt", () => rm(join(dir, "tokenizer"), { recursive: true }), { code: "not-found", message: /empty_prompt/ }],
    ["a number that is text", () => edit("vae/config.json", { scaling_factor: "0.18215" }), { code: "bad-model", message: /a number for "scaling_factor"/ }],
  ];
  for (const [what, breakIt, expected] of broken) {
    it(`names the fault: ${what}`, async () => {
      await breakIt();
      await assert.rejects(describeModel(dir), expected);
    });
  }
});
