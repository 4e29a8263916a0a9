import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { defaultSpec, Marks, readFolderSpec, readItems, resultsOf, saveFolderSpec, specName } from "../../src/extension/spotCheckFolder";
import { SpotCheckRun } from "../../src/extension/spotCheckRun";
import type { SpotRecord } from "../../src/evaluation/spotRun";
import type { SpotRunState } from "../../src/protocol/spotCheck";

const root = resolve(__dirname, "../..");
const cli = join(root, "dist/cli.js");

describe("a spot check that the editor runs", function () {
  this.timeout(240_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "plumbline-spot-view-"));
    for (const name of ["bowl.jpg", "room.jpg"]) cpSync(join(root, "media/samples", name), join(folder, name));
    writeFileSync(join(folder, "broken.png"), "");
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("tells every image and how far it is, and leaves results that open again", async () => {
    assert.equal((await readFolderSpec(folder)).isSaved, false);
    const runs = defaultSpec().runs.map((run) => ({ ...run, processingResolution: 64 }));
    const spec = await saveFolderSpec(folder, { ...defaultSpec(), runs });
    assert.deepEqual(await readFolderSpec(folder), { spec, isSaved: true });

    const out = resultsOf(folder, spec);
    const run = new SpotCheckRun(cli, ["spot-check", "--config", join(folder, specName), "--out", out, "--json-progress"], () => undefined);
    const records: SpotRecord[] = [];
    const states: SpotRunState[] = [];
    run.listen({ record: (record) => records.push(record), state: (state) => states.push(state) });
    assert.equal(await run.ended, "done");
    assert.deepEqual(records.map(({ id, status }) => `${id} ${status}`).sort(), ["bowl.jpg done", "broken.png failed", "room.jpg done"]);
    assert.deepEqual(states.at(-1)?.phase, "idle");
    const { done, failed, total } = states.at(-1)?.progress ?? {};
    assert.deepEqual([done, failed, total], [3, 1, 3]);

    const { items } = await readItems(out);
    assert.deepEqual(items.map(({ id, status }) => [id, status]), [["bowl.jpg", "done"], ["broken.png", "failed"], ["room.jpg", "done"]]);
    for (const kind of ["rgb", "depth", "normals"]) assert.ok(existsSync(join(out, `${items[0].picture}${kind}.webp`)), kind);
  });

  it("keeps marks that the report tells", async () => {
    const out = resultsOf(folder, (await readFolderSpec(folder)).spec);
    const marks = new Marks();
    await Promise.all([marks.add(out, { id: "bowl.jpg", mark: "good", note: "" }), marks.add(out, { id: "bowl.jpg", mark: "bad", note: "the rim" }), marks.add(out, { id: "room.jpg", mark: "unsure", note: "" }), marks.add(out, { id: "room.jpg", mark: "none", note: "" })]);
    assert.deepEqual((await readItems(out)).marks.map(({ id, mark, note }) => [id, mark, note]), [["bowl.jpg", "bad", "the rim"]]);
    assert.equal(await new SpotCheckRun(cli, ["report", out], () => undefined).ended, "done");
    const [header, first] = readFileSync(join(out, "samples.csv"), "utf8").split(/\r?\n/).map((line) => line.split(","));
    assert.deepEqual([first[header.indexOf("filename")], first[header.indexOf("mark")], first[header.indexOf("note")]], ["bowl.jpg", "bad", "the rim"]);
  });

  it("finds results of other settings elsewhere, and leaves a damaged file alone", async () => {
    const { spec } = await readFolderSpec(folder);
    const more = { ...spec, runs: spec.runs.map((run) => ({ ...run, steps: 2 })) };
    assert.notEqual(resultsOf(folder, more), resultsOf(folder, spec));
    assert.equal(resultsOf(folder, { ...spec, sampling: { kind: "first", count: 2 } }), resultsOf(folder, spec), "a larger sample goes on");
    writeFileSync(join(folder, specName), "{ damaged");
    await assert.rejects(saveFolderSpec(folder, spec), { code: "bad-argument" });
    assert.equal(readFileSync(join(folder, specName), "utf8"), "{ damaged");
  });

  it("says why it could not run, and ends as cancelled where it was", async () => {
    const missing = new SpotCheckRun(cli, ["spot-check", join(folder, "nowhere"), "--out", join(folder, "out"), "--json-progress"], () => undefined);
    await assert.rejects(missing.ended, /nowhere/);
    const cancelled = new SpotCheckRun(cli, ["spot-check", join(root, "media/samples"), "--out", join(folder, "out"), "--json-progress"], () => undefined);
    cancelled.listen({ record: () => undefined, state: ({ phase }) => phase === "running" && cancelled.cancel() });
    assert.equal(await cancelled.ended, "cancelled");
  });
});
