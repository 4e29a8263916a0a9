import assert from "node:assert/strict";
import { sample } from "../../src/evaluation/sampling";

const paths = Array.from({ length: 100 }, (_, i) => `scene${i % 4 === 0 ? "A" : "B"}/image ${String(i).padStart(3, "0")}.jpg`).reverse();

describe("sampling a folder", () => {
  it("takes all, the first, and every k-th of the sorted paths", () => {
    const sorted = [...paths].sort();
    assert.deepEqual(sample(paths, { kind: "all" }), sorted);
    assert.deepEqual(sample(paths, { kind: "first", count: 3 }), sorted.slice(0, 3));
    assert.deepEqual(sample(paths, { kind: "first", count: 1000 }), sorted);
    assert.deepEqual(sample(paths, { kind: "every", nth: 40 }), [sorted[0], sorted[40], sorted[80]]);
  });

  it("draws at random by the seed alone, without repetition", () => {
    const drawn = sample(paths, { kind: "random", count: 20, seed: 7 });
    assert.equal(new Set(drawn).size, 20);
    assert.deepEqual(sample([...paths].sort(), { kind: "random", count: 20, seed: 7 }), drawn);
    assert.notDeepEqual(sample(paths, { kind: "random", count: 20, seed: 8 }), drawn);
    const withNew = sample([...paths, "sceneC/new.jpg"], { kind: "random", count: 20, seed: 7 });
    assert.ok(withNew.filter((path) => drawn.includes(path)).length >= 19, "one new image displaces at most one");
  });

  it("draws evenly: every image is taken about equally often over seeds", () => {
    const taken = new Map<string, number>();
    for (let seed = 0; seed < 400; seed++) for (const path of sample(paths, { kind: "random", count: 10, seed })) taken.set(path, (taken.get(path) ?? 0) + 1);
    // 400 draws with p = 0.1: mean 40, standard deviation 6.
    for (const path of paths) assert.ok(Math.abs((taken.get(path) ?? 0) - 40) < 30, `${path}: ${taken.get(path)}`);
  });

  it("takes as many of every folder, as far as it has them", () => {
    const folders = (count: number): number[] => {
      const chosen = sample(paths, { kind: "stratified", count, seed: 1 });
      return ["sceneA", "sceneB"].map((folder) => chosen.filter((path) => path.startsWith(folder)).length);
    };
    assert.deepEqual(folders(20), [10, 10]);
    assert.deepEqual(folders(70), [25, 45], "sceneA has only 25");
    assert.deepEqual(folders(500), [25, 75]);
  });

  it("follows globs and lists, and names what a list has that is not there", () => {
    assert.deepEqual(sample(paths, { kind: "glob", pattern: "sceneA/* {000,096}.jpg" }), ["sceneA/image 000.jpg", "sceneA/image 096.jpg"]);
    assert.equal(sample(paths, { kind: "glob", pattern: "**/*.jpg" }).length, 100);
    assert.deepEqual(sample(paths, { kind: "list", paths: ["sceneB/image 001.jpg", "sceneA/image 000.jpg", "sceneB/image 001.jpg"] }), ["sceneA/image 000.jpg", "sceneB/image 001.jpg"]);
    assert.throws(() => sample(paths, { kind: "list", paths: ["gone.jpg"] }), /first gone\.jpg/);
  });

  it("refuses counts and steps that are no positive whole numbers", () => {
    for (const count of [0, -1, 1.5, NaN]) assert.throws(() => sample(paths, { kind: "first", count }), /whole number from 1/);
    assert.throws(() => sample(paths, { kind: "every", nth: 0 }), /whole number from 1/);
  });
});
