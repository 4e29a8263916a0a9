import assert from "node:assert/strict";
import { colorIndex, colorize, colormapNames, colormapTable, placeInRange, type ColormapName } from "../../src/core/colormap";
import { assertClose, referenceJson } from "./coreReference";

type Rgb = [number, number, number];

describe("core/colormap", () => {
  const { tables } = referenceJson<{ tables: Partial<Record<ColormapName, Rgb[]>> }>("colormaps/tables.json");
  const examples = referenceJson<{ values_float32: number[]; examples: Partial<Record<ColormapName, { uint8_truncated: Rgb[] }>> }>("colormaps/examples.json");
  const unit = { low: 0, high: 1 };

  it("holds matplotlib's tables", () => {
    const present = Object.keys(tables);
    assert.ok(present.length >= 6 && present.every((name) => colormapNames.some((own) => own === name)));
    for (const name of colormapNames) {
      const table = colormapTable(name);
      assert.equal(table.length, 768);
      tables[name]?.forEach((rgb, row) => assert.deepEqual([...table.subarray(3 * row, 3 * row + 3)], rgb.map((v) => Math.floor(v * 255)), `${name} ${row}`));
    }
  });

  it("holds perceptually uniform tables beside them: lightness rises steadily", () => {
    for (const name of ["plasma", "cividis", "viridis", "magma", "inferno", "gray"] as const) {
      const table = colormapTable(name);
      const luma = (row: number) => 0.2126 * table[3 * row] + 0.7152 * table[3 * row + 1] + 0.0722 * table[3 * row + 2];
      for (let row = 8; row < 256; row += 8) assert.ok(luma(row) > luma(row - 8), `${name} ${row}`);
    }
    const ends = (name: ColormapName) => [0, 255].map((row) => Array.from(colormapTable(name).subarray(3 * row, 3 * row + 3), (v) => v / 255)).flat();
    assertClose(ends("plasma"), [0.050383, 0.029803, 0.527975, 0.940015, 0.975158, 0.131326], 1 / 255);
    assertClose(ends("cividis"), [0, 0.135112, 0.304751, 0.995737, 0.909344, 0.217772], 1 / 255);
  });

  it("colours the examples as the Marigold code does", () => {
    const values = Float32Array.from(examples.values_float32);
    for (const [name, { uint8_truncated }] of Object.entries(examples.examples)) {
      assert.deepEqual([...colorize(values, { colormap: name as ColormapName, range: unit })], uint8_truncated.flat(), name);
    }
  });

  it("stretches the range, reverses, clips and marks NaN", () => {
    const table = colormapTable("viridis");
    const row = (i: number) => [...table.subarray(3 * i, 3 * i + 3)];
    const values = [10, 20, 15, -5, 99, NaN, Infinity, -Infinity];
    const range = { low: 10, high: 20 };
    const colors = (reversed: boolean) => [...colorize(values, { colormap: "viridis", range, reversed, nanColor: [1, 2, 3] })];
    assert.deepEqual(colors(false), [0, 255, 128, 0, 255].flatMap(row).concat([1, 2, 3], row(255), row(0)));
    assert.deepEqual(colors(true), [255, 0, 128, 255, 0].flatMap(row).concat([1, 2, 3], row(0), row(255)));
    assert.deepEqual([...colorize([NaN], { colormap: "gray", range })], [0, 0, 0]);
  });

  it("has a defined place for every value, also in a range without extent", () => {
    assert.deepEqual([placeInRange(1, { low: 1, high: 1 }), placeInRange(0, { low: 1, high: 1 }), placeInRange(2, { low: 1, high: 1 })], [0.5, 0, 1]);
    assert.deepEqual([colorIndex(0), colorIndex(1), colorIndex(0.999), colorIndex(-1), colorIndex(7)], [0, 255, 255, 0, 255]);
  });
});
