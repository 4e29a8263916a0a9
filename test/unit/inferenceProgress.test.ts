import assert from "node:assert/strict";
import { ProgressTracker, totalWork } from "../../src/inference/progress";

const run = { encode: 1, denoise: 4, decode: 1, combine: 1 };

describe("progress", () => {
  it("adds up the work of several runs", () => {
    assert.deepEqual(totalWork([run, { ...run, denoise: 10 }]), { encode: 2, denoise: 14, decode: 2, combine: 2 });
  });

  it("says nothing about the time left before the first step, then counts with the mean of each kind", () => {
    const tracker = new ProgressTracker(run);
    assert.deepEqual(tracker.now(), { fraction: 0 });
    tracker.unitDone("encode", 100);
    assert.deepEqual(tracker.now(), { fraction: 1 / 7 });
    tracker.unitDone("denoise", 30);
    tracker.unitDone("denoise", 50);
    // Two steps of 40 ms, and a decoder taken to cost as much as the encoder.
    assert.deepEqual(tracker.now(), { fraction: 3 / 7, remainingMillis: 180 });
    tracker.unitDone("denoise", 40);
    tracker.unitDone("denoise", 40);
    tracker.unitDone("decode", 120);
    tracker.unitDone("combine", 1);
    assert.deepEqual(tracker.now(), { fraction: 1, remainingMillis: 0 });
  });

  it("counts a run from the cache as done, and nothing of it towards the time of another", () => {
    const tracker = new ProgressTracker(totalWork([run, run]));
    tracker.skip(run);
    assert.deepEqual(tracker.now(), { fraction: 1 / 2 });
    tracker.unitDone("encode", 100);
    tracker.unitDone("denoise", 40);
    assert.deepEqual(tracker.now(), { fraction: 9 / 14, remainingMillis: 3 * 40 + 100 });
    for (let i = 0; i < 3; i++) tracker.unitDone("denoise", 40);
    tracker.unitDone("decode", 120);
    tracker.unitDone("combine", 1);
    assert.deepEqual(tracker.now(), { fraction: 1, remainingMillis: 0 });
  });

  it("never passes 1 when work is done twice", () => {
    const tracker = new ProgressTracker(run);
    for (let i = 0; i < 9; i++) tracker.unitDone("denoise", 10);
    assert.equal(tracker.now().fraction, 4 / 7);
  });
});
