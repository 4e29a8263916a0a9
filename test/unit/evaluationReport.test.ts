import assert from "node:assert/strict";
import { anglesText } from "../../src/evaluation/anglePool";
import { columnsOf, robustScores } from "../../src/evaluation/columns";
import { duplicatesOf, presentColumns, samplesCsv, summaryOf, type SpotResult } from "../../src/evaluation/report";
import type { SpotRecord } from "../../src/evaluation/spotRun";

const record = (id: string, values: Record<string, number>, rest: Partial<SpotRecord> = {}): SpotRecord => ({ type: "record", id, status: "done", values, oddities: [], millis: 10, ...rest });

const result: SpotResult = {
  runNames: ["one", "two"],
  records: [
    record("a.jpg", { absRel: 0.1, delta1: 0.9, "two.absRel": 0.3, depthDisagreement: 0.05, width: 640 }, { sha256: "x", angles: { one: anglesText(Float32Array.of(10, 20)) } }),
    record("b, c.jpg", { absRel: 0.3, delta1: 0.5, "two.absRel": 0.1, depthDisagreement: 0.2, width: 640 }, { sha256: "x", oddities: ['tiny (3 x "3")'], angles: { one: anglesText(Float32Array.of(30)) } }),
    record("c/again.jpg", {}, { sha256: "x" }),
    record("d.jpg", {}, { status: "failed", reason: "Expected an image but received none." }),
  ],
  marks: new Map([["a.jpg", { type: "mark", id: "a.jpg", mark: "bad", note: "glass" }]]),
};

describe("the report of a spot check", () => {
  it("has Marigold's names first, one line an image, and says which is a double of which", () => {
    const [header, ...rows] = samplesCsv(result).trimEnd().split("\r\n");
    assert.match(header, /^filename,abs_relative_difference,delta1_acc,depthDisagreement,two\.absRel,width,millis_ms,status,reason,oddities,duplicate_of,mark,note,sha256$/);
    assert.equal(rows[0], "a.jpg,0.1,0.9,0.05,0.3,640,10,done,,,,bad,glass,x");
    assert.equal(rows[1], '"b, c.jpg",0.3,0.5,0.2,0.1,640,10,done,,"tiny (3 x ""3"")",a.jpg,,,x');
    assert.equal(rows[2], "c/again.jpg,,,,,,10,done,,,a.jpg,,,x");
    assert.equal(rows[3], "d.jpg,,,,,,10,failed,Expected an image but received none.,,,,,");
    assert.deepEqual([...duplicatesOf(result.records)], [["b, c.jpg", "a.jpg"], ["c/again.jpg", "a.jpg"]]);
  });

  it("averages over the images that have a number, and pools the pixels of normals", () => {
    const { images, marks, perImage, pooledNormals } = summaryOf(result);
    assert.deepEqual(images, { total: 4, done: 3, failed: 1, odd: 2 }, "an image that is there twice is odd");
    assert.deepEqual(marks, { good: 0, bad: 1, unsure: 0 });
    assert.deepEqual([perImage.absRel.mean, perImage.absRel.median, perImage.absRel.count], [0.2, 0.2, 2]);
    assert.ok(Math.abs(pooledNormals.one.mean - 20) < 1e-6, "over pixels, not over images (22.5)");
    assert.equal(pooledNormals.two, undefined);
  });

  it("shows only columns that are there, each with a meaning", () => {
    assert.deepEqual(presentColumns(result).map(({ id }) => id), ["depthDisagreement", "absRel", "delta1", "two.absRel", "width", "millis"]);
    const all = columnsOf(["one", "two"]);
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
    for (const { id, meaning } of all) assert.match(meaning, /^[A-Z].{15,}\.$|^[A-Z].{15,}100\.$/, id);
  });

  it("scores outliers robustly", () => {
    // Median 3, deviations 2 1 0 1 97: their median is 1.
    const scores = robustScores([1, 2, 3, 4, 100]);
    assert.ok(Math.abs(scores[4] - 97 / 1.4826) < 1e-9);
    assert.deepEqual(robustScores([5, 5, 5, 5, 9]), [0, 0, 0, 0, 0]);
  });
});
