import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumblineError } from "../../src/core/errors";
import { fingerprintOf, parseSpec, readSpec, specSchema } from "../../src/evaluation/spec";

const least = { format: "plumbline-spotcheck", version: 1, runs: [{ name: "a", depth: "plumbline-e2e-depth" }] };

function refusal(value: unknown): PlumblineError {
  try {
    parseSpec(value, "x.json");
  } catch (error) {
    assert.ok(error instanceof PlumblineError);
    assert.notEqual(error.remedy, "");
    return error;
  }
  return assert.fail("accepted");
}

describe("the file of a spot check", () => {
  it("needs a model, and fills in the rest", () => {
    const spec = parseSpec(least, "x.json");
    assert.deepEqual(spec.sampling, { kind: "all" });
    assert.deepEqual(spec.runs[0], { name: "a", depth: "plumbline-e2e-depth", steps: 1, spacing: "trailing", ensembleSize: 1, seed: 2024 });
    assert.equal(spec.folder, ".");
    assert.equal(spec.truth, undefined);
  });

  it("names every field that is wrong", () => {
    const { message, code } = refusal({ ...least, runs: [{ name: "a", depth: "d", steps: 0 }], sampling: { kind: "random", count: 1.5 } });
    assert.equal(code, "bad-argument");
    assert.match(message, /2 wrong fields/);
    assert.match(message, /runs\.0\.steps/);
    assert.match(message, /sampling\.count/);
    assert.match(refusal({ ...least, smapling: {} }).message, /smapling/);
    assert.match(refusal([]).message, /x\.json/);
    assert.match(refusal({ ...least, runs: [{ name: "a" }] }).message, /a depth or normals model for the run "a"/);
    assert.match(refusal({ ...least, runs: [least.runs[0], least.runs[0]] }).message, /two names/);
    assert.match(refusal({ ...least, truth: { preset: "nyu" } }).message, /truth/);
  });

  it("of a newer version says that Plumbline is too old", () => {
    const { code, message } = refusal({ ...least, version: 2, somethingNew: 1 });
    assert.deepEqual([code, /version 2/.test(message)], ["protocol-mismatch", true]);
  });

  it("is read relative to its own folder, and refused when it is no JSON", async () => {
    const folder = await mkdtemp(join(tmpdir(), "plumbline-spec-"));
    try {
      await writeFile(join(folder, "a.json"), JSON.stringify({ ...least, folder: "images" }));
      assert.equal((await readSpec(join(folder, "a.json"))).folder, join(folder, "images"));
      await writeFile(join(folder, "b.json"), "{");
      await assert.rejects(readSpec(join(folder, "b.json")), /Expected JSON/);
      await assert.rejects(readSpec(join(folder, "c.json")), (error: unknown) => error instanceof PlumblineError && error.code === "not-found");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("has a fingerprint of what changes numbers", () => {
    const print = (change: object): string => fingerprintOf(parseSpec({ ...least, ...change }, "x.json"));
    assert.equal(print({ sampling: { kind: "first", count: 3 } }), print({}));
    assert.equal(print({ runs: [{ steps: 1, depth: "plumbline-e2e-depth", name: "a" }] }), print({}), "the order of fields is none");
    assert.notEqual(print({ runs: [{ ...least.runs[0], steps: 2 }] }), print({}));
    assert.notEqual(print({ truth: { preset: "nyuv2" } }), print({}));
    const spec = parseSpec(least, "x.json");
    assert.notEqual(fingerprintOf(spec, ["a"]), fingerprintOf(spec, ["b"]), "other weights under the same name");
  });

  it("has a JSON schema that names its fields", () => {
    const { properties } = specSchema() as { properties: Record<string, unknown> };
    assert.deepEqual(Object.keys(properties).sort(), ["$schema", "folder", "format", "images", "runs", "sampling", "truth", "version"]);
  });
});
