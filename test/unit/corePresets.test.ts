import assert from "node:assert/strict";
import { presets, rowsOfPreset, type Preset, type PresetId, type PresetModel } from "../../src/core/presets";

const models: readonly PresetModel[] = [
  { id: "d", task: "depth", endToEnd: false },
  { id: "de", task: "depth", endToEnd: true },
  { id: "n", task: "normals", endToEnd: false },
  { id: "ne", task: "normals", endToEnd: true },
  { id: "d2", task: "depth", endToEnd: false },
];
const nowhere = { seed: 7, rows: [] };
const preset = (id: PresetId): Preset => {
  const found = presets.find((candidate) => candidate.id === id);
  assert.ok(found);
  return found;
};

describe("rows of a preset", () => {
  it("are the flaw of the paper beside its two remedies", () => {
    const rows = rowsOfPreset(preset("flaw"), models, nowhere);
    assert.deepEqual(rows.map(({ steps, spacing, noise }) => [steps, spacing, noise.kind]), [[1, "leading", "gaussian"], [1, "trailing", "gaussian"], [1, "trailing", "zeros"]]);
    assert.deepEqual(rows.map((row) => row.models), [{ depth: "d", normals: "n" }, { depth: "d", normals: "n" }, { depth: "de", normals: "ne" }]);
    assert.ok(rows.every((row) => row.seed === undefined), "the seed stays the panel's");
  });

  it("have ids that are unique, also beside rows of the same preset", () => {
    const first = rowsOfPreset(preset("fig5"), models, nowhere);
    const second = rowsOfPreset(preset("fig5"), models, { seed: 7, rows: first });
    assert.equal(new Set([...first, ...second].map(({ rowId }) => rowId)).size, 20);
  });

  it("use the models of the rows that are there, of the same sort", () => {
    const rows = rowsOfPreset(preset("flaw"), models, { seed: 7, rows: [{ rowId: "a", models: { depth: "d2" } }] });
    assert.deepEqual(rows.map((row) => row.models), [{ depth: "d2" }, { depth: "d2" }, { depth: "de", normals: "ne" }]);
  });

  it("leave out a run for which there is no model, and a task without one", () => {
    assert.deepEqual(rowsOfPreset(preset("flaw"), models.slice(0, 1), nowhere).map((row) => row.models), [{ depth: "d" }, { depth: "d" }]);
    assert.deepEqual(rowsOfPreset(preset("flaw"), [], nowhere), []);
  });

  it("count seeds from the panel's, within 32 bits", () => {
    const seeds = (seed: number) => rowsOfPreset(preset("seeds"), models, { seed, rows: [] }).map((row) => row.seed);
    assert.deepEqual(seeds(7), [undefined, 8, 9, 10, 11]);
    assert.deepEqual(seeds(0xffffffff), [undefined, 0, 1, 2, 3]);
  });
});
