import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { addFolder, removeModel } from "../../src/catalogue/changes";
import { hubCacheFolder, listHubCache } from "../../src/catalogue/hfCache";
import { findModel, licenceOf, listModels, resolveModel } from "../../src/catalogue/library";
import { pullModel, type PullOffer } from "../../src/catalogue/pull";
import { startHub, type HubServer } from "../hubServer";

const reference = "test/reference/marigold";
const older = "1".repeat(40);
const newer = "2".repeat(40);
const patience = { attempts: 2, firstWaitMillis: 1, longestWaitMillis: 10, stallMillis: 2000 };

describe("the library of models", () => {
  let home: string;
  let environment: Record<string, string>;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "plumbline-library-"));
    environment = { HOME: home, PLUMBLINE_HOME: join(home, "plumbline"), HF_HUB_CACHE: join(home, "cache") };
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const places = () => ({ modelsDir: "models", environment });
  async function snapshot(repository: string, commit: string): Promise<string> {
    const dir = join(home, "cache", `models--${repository.replace("/", "--")}`, "snapshots", commit);
    await cp(reference, dir, { recursive: true });
    return dir;
  }
  const stateOf = async (id: string): Promise<string | undefined> => (await listModels(places())).find((model) => model.id === id)?.state;

  it("finds the Hugging Face cache where its programs put it", () => {
    assert.equal(hubCacheFolder({ HF_HUB_CACHE: "/a", HF_HOME: "/b" }), "/a");
    assert.equal(hubCacheFolder({ HF_HOME: "~/b", HOME: "/home/x" }), "/home/x/b/hub");
    assert.equal(hubCacheFolder({ XDG_CACHE_HOME: "/c" }), "/c/huggingface/hub");
    assert.equal(hubCacheFolder({ HOME: "/home/x" }), "/home/x/.cache/huggingface/hub");
  });

  it("takes the snapshot that main was at, and another one where that one is not there in full", async () => {
    const [first, second] = [await snapshot("prs-eth/marigold-depth-v1-1", older), await snapshot("prs-eth/marigold-depth-v1-1", newer)];
    await utimes(second, 2e9, 2e9);
    assert.deepEqual((await listHubCache(environment["HF_HUB_CACHE"])).map(({ commit, lacks }) => [commit, lacks]), [[newer, []]]);
    const refs = join(home, "cache", "models--prs-eth--marigold-depth-v1-1", "refs");
    await mkdir(refs);
    await writeFile(join(refs, "main"), older);
    assert.equal((await listHubCache(environment["HF_HUB_CACHE"]))[0].commit, older);
    await symlink(join(home, "nowhere"), join(first, "unet", "more.safetensors"));
    assert.equal((await listHubCache(environment["HF_HUB_CACHE"]))[0].commit, newer);
  });

  it("offers no snapshot of which a shard is missing", async () => {
    const dir = await snapshot("prs-eth/marigold-depth-v1-1", newer);
    assert.equal(await stateOf("prs-eth/marigold-depth-v1-1"), "cached");
    await writeFile(join(dir, "unet", "diffusion_pytorch_model.safetensors.index.json"), JSON.stringify({ weight_map: { a: "diffusion_pytorch_model.safetensors", b: "diffusion_pytorch_model-2.safetensors" } }));
    assert.equal(await stateOf("prs-eth/marigold-depth-v1-1"), "incomplete");
    await assert.rejects(resolveModel("models", "marigold-depth-v1-1", environment), { code: "not-found", message: /model-2\.safetensors/, remedy: /models pull/ });
  });

  it("resolves what is in the cache by its repository or the end of it, and says how to get what is not here", async () => {
    const dir = await snapshot("someone/own-depth", newer);
    for (const name of ["someone/own-depth", "Someone/Own-Depth", "own-depth", dir]) {
      const model = await resolveModel("models", name, environment);
      assert.equal(model.dir, dir);
    }
    assert.equal((await resolveModel("models", "own-depth", environment)).id, "someone/own-depth");
    await snapshot("another/own-depth", newer);
    await assert.rejects(resolveModel("models", "own-depth", environment), { code: "bad-argument", message: /another\/own-depth, someone\/own-depth|someone\/own-depth, another\/own-depth/ });
    await assert.rejects(resolveModel("models", "marigold-e2e-ft-depth", environment), { code: "not-found", remedy: "Download it: plumbline models pull GonzaloMG/marigold-e2e-ft-depth" });
    await assert.rejects(resolveModel("models", "not-a-model", environment), { code: "not-found", message: /"not-a-model"/ });
    assert.equal((await resolveModel("models", "plumbline-depth", environment)).id, "plumbline-depth");
  });

  it("leaves other repositories of the cache, and files in it, alone", async () => {
    await mkdir(join(home, "cache", "models--meta--language", "snapshots", newer), { recursive: true });
    await mkdir(join(home, "cache", "datasets--x--y", "snapshots", newer), { recursive: true });
    await writeFile(join(home, "cache", "version.txt"), "1");
    const models = await listModels(places());
    assert.deepEqual(models.filter(({ state }) => state !== "shipped" && state !== "available"), []);
    assert.equal(new Set(models.map(({ id }) => id)).size, models.length);
  });

  it("keeps what its user said of a folder whose files do not tell, and lists the settings' folders", async () => {
    const copy = join(home, "mine");
    await cp(reference, copy, { recursive: true });
    const { tasks } = await resolveModel("models", copy, environment);
    assert.deepEqual(tasks, ["depth", "normals"]);
    await addFolder({ environment }, copy, { task: "normals" });
    assert.deepEqual((await resolveModel("models", copy, environment)).tasks, ["normals"]);
    const listed = (await listModels({ ...places(), folders: [copy, reference] })).filter(({ state }) => state === "folder");
    assert.deepEqual(listed.map(({ id, semantics }) => [id, semantics.length]), [[copy, 1], [resolve(reference), 2]]);
    await assert.rejects(addFolder({ environment }, "models/plumbline-depth", { task: "normals" }), { code: "bad-argument" });
    await assert.rejects(removeModel({ ...places(), folders: [reference] }, reference), { code: "bad-argument", remedy: /plumbline\.models/ });
    assert.deepEqual(await removeModel(places(), copy), { did: "forgot", path: copy });
  });

  it("shows a path that is in no list, and knows which licences are non-commercial", async () => {
    assert.equal((await findModel(places(), reference)).state, "folder");
    for (const name of ["cc-by-nc-4.0", "CC-BY-NC-SA-4.0", "Non-Commercial", "noncommercial"]) assert.equal(licenceOf(name).nonCommercial, true, name);
    for (const name of ["apache-2.0", "mit", "openrail++", "launch-nc3"]) assert.equal(licenceOf(name).nonCommercial, undefined, name);
  });

  describe("brings", () => {
    let hub: HubServer;
    beforeEach(async () => {
      const read = (path: string): Promise<Buffer> => readFile(join(reference, path));
      const names = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json", "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/tokenizer_config.json"];
      const files = Object.fromEntries(await Promise.all(names.map(async (path) => [path, await read(path)] as const)));
      hub = await startHub({
        "someone/new-normals": { commit: newer, files: { ...files, "README.md": Buffer.from("x"), "unet/optimizer.bin": Buffer.alloc(5000) }, licence: "cc-by-nc-4.0", branches: ["v2"] },
        "someone/language-model": { commit: newer, files: { "config.json": Buffer.from("{}"), "model.safetensors": Buffer.alloc(10) } },
        "Xenova/dpt-hybrid-midas": { commit: newer, files: { "config.json": Buffer.from("{}"), "preprocessor_config.json": Buffer.from("{}"), "onnx/model.onnx": Buffer.alloc(10) } },
      });
      environment["HF_ENDPOINT"] = hub.endpoint;
    });
    afterEach(() => hub.close());

    it("any repository with a known layout, and refuses others before anything is read", async () => {
      const offers: PullOffer[] = [];
      const accept = async (offer: PullOffer): Promise<boolean> => offers.push(offer) > 0;
      const model = await pullModel(places(), "someone/new-normals", { accept, patience });
      assert.deepEqual([model.state, model.semantics, model.licence], ["installed", [{ task: "normals", frame: "LUB" }], { name: "cc-by-nc-4.0", nonCommercial: true }]);
      assert.deepEqual([offers[0].files.length, offers[0].licence.nonCommercial], [10, true]);
      await assert.rejects(pullModel(places(), "someone/language-model", { accept, patience }), { code: "unsupported", message: /layout of diffusers/ });
      await assert.rejects(pullModel(places(), "new-name", { accept, patience }), { code: "not-found" });
      assert.equal(offers.length, 1);
    });

    it("the revision that is asked for, and never two of one repository", async () => {
      const accept = async (): Promise<boolean> => true;
      await pullModel(places(), "someone/new-normals", { accept, patience, revision: "v2" });
      for (const revision of ["v2", newer.slice(0, 7), undefined]) assert.equal((await pullModel(places(), "new-normals", { accept, patience, revision })).revision, newer);
      await assert.rejects(pullModel(places(), "new-normals", { accept, patience, revision: "main" }), { code: "bad-argument", message: /"main"/, remedy: /remove/ });
    });

    it("only files that the catalogue knows, where it knows them", async () => {
      const catalogue = JSON.parse(await readFile("models/catalogue.json", "utf8")) as { models: unknown[]; downloads: { repository: string; files?: object }[] };
      const entry = catalogue.downloads.find(({ repository }) => repository === "Xenova/dpt-hybrid-midas");
      assert.ok(entry);
      entry.files = { "onnx/model.onnx": { bytes: 10, sha256: "0".repeat(64) } };
      await writeFile(join(home, "catalogue.json"), JSON.stringify({ ...catalogue, models: [] }));
      Object.assign(hub.repositories, { "Xenova/dpt-hybrid-midas": { ...hub.repositories["Xenova/dpt-hybrid-midas"], branches: ["2221f404096c54082821f2a213c65c7d32e5542f"] } });
      await assert.rejects(pullModel({ modelsDir: home, environment }, "dpt-hybrid-midas", { accept: async () => true, patience }), { code: "download-failed", message: /onnx\/model\.onnx of Xenova/, remedy: /HF_ENDPOINT/ });
    });
  });
});
