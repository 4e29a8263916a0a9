import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { catalogueSchema, readCatalogue } from "../../src/catalogue/catalogue";
import { chooseFiles, recogniseLayout } from "../../src/catalogue/fileChoice";
import { resolveModel } from "../../src/catalogue/library";
import { modelsPage } from "../../src/cli/modelsPage";
import { describeModel } from "../../src/catalogue/modelFolder";

describe("catalogue", () => {
  let modelsDir: string;
  beforeEach(async () => {
    modelsDir = await mkdtemp(join(tmpdir(), "plumbline-"));
  });
  afterEach(() => rm(modelsDir, { recursive: true }));
  const entry = {
    id: "tiny", name: "Tiny", family: "marigold", task: "normals", dir: resolve("test/reference/marigold"), endToEnd: true,
    defaults: { steps: 3, spacing: "leading", noise: "zeros", processingResolution: 64 }, licence: "Apache-2.0",
  };
  const write = (...models: unknown[]): Promise<void> => writeFile(join(modelsDir, "catalogue.json"), JSON.stringify({ models }));

  it("describes the shipped models as their folders do", async () => {
    const { shipped } = await readCatalogue("models");
    assert.deepEqual(shipped.map(({ task, endToEnd }) => `${task} ${endToEnd}`).sort(), ["depth false", "depth true", "normals false", "normals true"]);
    for (const { id, dir, task, endToEnd, defaults } of shipped) {
      const model = await describeModel(dir);
      assert.deepEqual([model.id, model.tasks, model.endToEnd, model.assumptions], [id, [task], endToEnd, []]);
      assert.deepEqual([model.defaults.steps, model.defaults.noise], [defaults.steps, defaults.noise], id);
    }
    const vaes = new Set<string>();
    for (const { dir } of shipped) {
      const model = await describeModel(dir);
      assert.equal(model.family, "marigold");
      vaes.add(JSON.stringify(model.vae));
    }
    assert.equal(vaes.size, 1, "the shipped models share one VAE");
  });

  it("agrees with its JSON schema, and refuses an entry that lacks anything", async () => {
    assert.deepEqual(JSON.parse(await readFile("models/catalogue.schema.json", "utf8")), catalogueSchema(), "write catalogueSchema() to models/catalogue.schema.json");
    for (const key of Object.keys(entry)) {
      await write({ ...entry, [key]: undefined });
      await assert.rejects(readCatalogue(modelsDir), { code: "bad-model", message: new RegExp(key) }, `an entry without ${key}`);
    }
  });

  it("knows every checkpoint of the paper's authors and of those it builds on, with licence, frame and the paper's figures", async () => {
    const { downloads, layouts } = await readCatalogue("models");
    const find = (repository: string) => {
      const found = downloads.find((download) => download.repository === repository);
      assert.ok(found, repository);
      return found;
    };
    // Tables 1, 2 and 3 of the paper.
    assert.deepEqual(find("GonzaloMG/marigold-e2e-ft-depth").figures?.[0].values["NYUv2"], [5.2, 96.6]);
    assert.deepEqual(find("GonzaloMG/stable-diffusion-e2e-ft-normals").figures?.[0].values["Sintel"], [33.5, 22.3]);
    assert.deepEqual(find("GonzaloMG/geowizard-e2e-ft").figures?.[0].values["iBims-1"], [16.2, 69.4]);
    assert.deepEqual(find("prs-eth/marigold-depth-v1-0").figures?.map(({ steps, ensemble, values }) => [steps, ensemble, ...values["DIODE"]]), [[50, 10, 30.8, 77.3], [50, 1, 31, 77.2], [1, 1, 31.1, 76.8]]);
    for (const { repository, predicts, layout, licence, family, endToEnd, defaults } of downloads) {
      if (predicts.normals) assert.equal(predicts.normals, /^prs-eth\/|metric3d/.test(repository) ? "RUB" : "LUB", repository);
      assert.ok(layout in layouts && licence.url.startsWith("https://"), repository);
      assert.equal(licence.nonCommercial ?? false, /-NC-/.test(licence.name), repository);
      assert.equal(defaults?.noise === "zeros", endToEnd, repository);
      if (family === "feedforward") assert.equal(predicts.depth, repository.includes("metric3d") ? "affine-depth" : "affine-disparity", repository);
    }
  });

  it("writes docs/models.md, with every model of the catalogue and every system that the paper's tables name", async () => {
    const page = await modelsPage("models", "docs/models.json");
    assert.equal(await readFile("docs/models.md", "utf8"), page, "plumbline models list --markdown > docs/models.md");
    for (const { repository } of (await readCatalogue("models")).downloads) assert.ok(page.includes(`(https://huggingface.co/${repository})`), repository);
    const systems = ["Marigold, depth", "Marigold, normals", "Marigold LCM", "Marigold + DDIM fix", "Marigold + E2E FT", "Stable Diffusion + E2E FT", "GeoWizard", "GeoWizard + DDIM fix", "GeoWizard + E2E FT", "DepthFM", "MiDaS", "LeReS", "Omnidata v1", "Omnidata v2", "HDN", "DPT", "Depth Anything", "Depth Anything v2", "Metric3D", "Metric3D v2", "DSINE"];
    for (const system of systems) assert.ok(page.includes(`\n| ${system} |`), system);
    await writeFile(join(modelsDir, "systems.json"), JSON.stringify({ systems: [{ system: "X", nyuv2: {}, models: ["no/such"], how: "y", verified: "", notVerified: "" }] }));
    await assert.rejects(modelsPage("models", join(modelsDir, "systems.json")), { code: "bad-model", message: /"no\/such"/ });
  });

  it("tells the layouts of repositories apart, and takes fp16 before fp32 and .safetensors before .bin", async () => {
    const { layouts } = await readCatalogue("models");
    const list = (...paths: string[]) => paths.map((path) => ({ path, bytes: 1, hash: { kind: "sha256" as const, hex: "0" } }));
    const weights = (folder: string, stem: string) => ["safetensors", "fp16.safetensors", "bin", "fp16.bin"].map((ending) => `${folder}/${stem}.${ending}`);
    const common = ["README.md", "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", ...weights("unet", "diffusion_pytorch_model"), "vae/config.json", "vae/diffusion_pytorch_model.bin"];
    const marigold = list(...common, "text_encoder/config.json", "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json", "tokenizer/merges.txt");
    assert.equal(recogniseLayout(marigold, layouts), "marigold");
    assert.deepEqual(chooseFiles(marigold, layouts["marigold"], "o/n").map(({ path }) => path), [
      "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.bin",
      "text_encoder/config.json", "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json",
    ]);
    assert.equal(recogniseLayout(list(...common, "image_encoder/config.json", "image_encoder/model.safetensors", "feature_extractor/preprocessor_config.json"), layouts), "geowizard");
    const optimum = list("model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json", ...["unet", "vae_encoder", "vae_decoder", "text_encoder"].map((part) => `${part}/model.onnx`), "unet/model.onnx_data");
    assert.equal(recogniseLayout(optimum, layouts), "optimum");
    assert.equal(chooseFiles(optimum, layouts["optimum"], "o/n").length, 9);
    const onnx = list("config.json", "preprocessor_config.json", "onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_q4.onnx");
    assert.equal(recogniseLayout(onnx, layouts), "onnx");
    assert.deepEqual(chooseFiles(onnx, layouts["onnx"], "o/n").map(({ path }) => path), ["config.json", "preprocessor_config.json", "onnx/model.onnx"]);
    assert.equal(recogniseLayout(list("config.json", "diffusion_pytorch_model.safetensors"), layouts), "autoencoder-tiny");
    assert.equal(recogniseLayout(list("config.json", "pytorch_model.bin"), layouts), undefined);
  });

  it("resolves an id with the catalogue's defaults, and a folder with its own", async () => {
    await write({ ...entry, dir: "." }, entry);
    await assert.rejects(readCatalogue(modelsDir), { message: /"tiny" twice/ });
    await write(entry);
    const byId = await resolveModel(modelsDir, "tiny");
    assert.deepEqual([byId.id, byId.tasks, byId.endToEnd, byId.defaults], ["tiny", ["normals"], true, entry.defaults]);
    const other = await resolveModel(modelsDir, "models/plumbline-depth");
    assert.deepEqual([other.id, other.dir], ["plumbline-depth", resolve("models/plumbline-depth")]);
  });

  it("lists the ids when a name is neither id nor folder", async () => {
    await write(entry);
    await assert.rejects(resolveModel(modelsDir, "tinny"), { code: "not-found", message: /tiny.*"tinny"/ });
  });
});
