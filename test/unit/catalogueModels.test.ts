import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readCatalogue, resolveModel } from "../../src/catalogue/catalogue";
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
    const shipped = await readCatalogue("models");
    assert.deepEqual(shipped.map(({ task, endToEnd }) => `${task} ${endToEnd}`).sort(), ["depth false", "depth true", "normals false", "normals true"]);
    for (const { id, dir, task, endToEnd, defaults } of shipped) {
      const model = await describeModel(dir);
      assert.deepEqual([model.id, model.tasks, model.endToEnd, model.assumptions], [id, [task], endToEnd, []]);
      assert.deepEqual([model.defaults.steps, model.defaults.noise], [defaults.steps, defaults.noise], id);
    }
    const vaes = new Set(await Promise.all(shipped.map(async ({ dir }) => JSON.stringify((await describeModel(dir)).vae))));
    assert.equal(vaes.size, 1, "the shipped models share one VAE");
  });

  it("agrees with its JSON schema on what an entry must have", async () => {
    const schema = JSON.parse(await readFile("models/catalogue.schema.json", "utf8")) as { properties: { models: { items: { required: string[] } } } };
    assert.deepEqual(schema.properties.models.items.required.sort(), Object.keys(entry).sort());
    for (const key of Object.keys(entry)) {
      await write({ ...entry, [key]: undefined });
      await assert.rejects(readCatalogue(modelsDir), { code: "bad-model" }, `an entry without ${key}`);
    }
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
