import assert from "node:assert/strict";
import fc from "fast-check";
import { mapFromHalf } from "../../src/core/half";
import { alignmentText, comparisonOf } from "../../webview/rows/difference";
import { durationText, exactText, percentile, rangeOf, valuesAt } from "../../webview/rows/measures";
import { clamped, maxZoom, spanOf, zoomAbout } from "../../webview/rows/viewport";
import { mapOf, multi, resultOf, single } from "./scenario";

describe("measures of the panel", () => {
  it("reads back every float32 from its text", () => {
    fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => Object.is(Math.fround(Number(exactText(value))), value) || (value === 0 && Number(exactText(value)) === 0)));
    assert.equal(exactText(Math.fround(0.1)), "0.1", "and no digit more than needed");
    assert.equal(exactText(NaN), "no value");
  });

  it("interpolates percentiles linearly, as numpy does, over finite values only", () => {
    const values = [7, NaN, 1, 3, Infinity, 15, 2, -4];
    const map = mapOf(8, 1, 1, (x) => values[x]);
    // numpy.percentile([7, 1, 3, 15, 2, -4], [0, 2, 50, 75, 98, 100])
    const expected = [-4, -3.5, 2.5, 6, 14.2, 15];
    [0, 2, 50, 75, 98, 100].forEach((percent, i) => assert.ok(Math.abs(percentile(map, percent) - expected[i]) < 1e-6, `${percent} %`));
    assert.deepEqual(rangeOf(mapOf(2, 2, 1, () => NaN), [2, 98]), [0, 1]);
  });

  it("finds the same percentiles of halves as of the floats that they stand for", () => {
    const halves = fc.uint16Array({ minLength: 1, maxLength: 300 });
    fc.assert(fc.property(halves, fc.double({ min: 0, max: 100, noNaN: true }), (data, percent) => {
      const half = { width: data.length, height: 1, channels: 1, data } as const;
      return Object.is(percentile(half, percent) + 0, percentile(mapFromHalf(half), percent) + 0);
    }));
  });

  it("samples a large map without favouring columns", () => {
    const map = mapOf(1024, 512, 1, (x) => x);
    for (const percent of [2, 25, 50, 98]) assert.ok(Math.abs(percentile(map, percent) - (percent / 100) * 1023) < 12, `${percent} %`);
  });

  it("takes the pixel that contains a point", () => {
    const map = mapOf(4, 2, 1, (x, y) => 10 * y + x);
    assert.deepEqual([valuesAt(map, 0, 0), valuesAt(map, 0.25, 0.49), valuesAt(map, 0.999, 0.5), valuesAt(map, 1, 0), valuesAt(map, -1e-9, 0)], [[0], [1], [13], undefined, undefined]);
  });

  it("keeps the point under the pointer while zooming, within the limits", () => {
    const part = fc.double({ min: 0.01, max: 0.99, noNaN: true });
    fc.assert(fc.property(part, part, fc.double({ min: 0.01, max: 100, noNaN: true }), part, part, (u, v, factor, cu, cv) => {
      const before = { u: cu, v: cv, zoom: 3 };
      const after = zoomAbout(before, factor, u, v);
      const [a, b] = [spanOf(before, 1.5, 300, 200), spanOf(after, 1.5, 300, 200)];
      return after.zoom >= 1 && after.zoom <= maxZoom && Math.abs((u - a.u0) / a.du - (u - b.u0) / b.du) < 1e-6;
    }));
  });

  it("never shows more border than the whole image has", () => {
    const any = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(fc.property(any, any, fc.double({ min: 1, max: 64, noNaN: true }), fc.double({ min: 0.2, max: 5, noNaN: true }), (u, v, zoom, aspect) => {
      const span = spanOf(clamped({ u, v, zoom }, aspect, 300, 200), aspect, 300, 200);
      const fits = (from: number, extent: number): boolean => (extent >= 1 ? Math.abs(from + extent / 2 - 0.5) < 1e-9 : from >= -1e-9 && from + extent <= 1 + 1e-9);
      return fits(span.u0, 300 * span.du) && fits(span.v0, 200 * span.dv);
    }));
  });

  it("compares two maps once, and refuses those that cannot be compared", () => {
    const [a, b] = [resultOf(multi, "depth", mapOf(4, 4, 1, (x) => x)), resultOf(single, "depth", mapOf(4, 4, 1, (x) => 2 * x))].map(({ map, provenance: { semantics } }) => ({ map, semantics, label: "" }));
    assert.equal(comparisonOf(a, b), comparisonOf({ ...a }, b), "the same maps, the same object");
    assert.equal(comparisonOf(a, b).difference("absolute"), comparisonOf(a, b).difference("absolute"));
    assert.notEqual(comparisonOf(a, b), comparisonOf(b, a));
    assert.throws(() => comparisonOf({ ...a, map: mapOf(4, 4, 1, (x) => x), semantics: { task: "depth", depthKind: "affine-disparity" } }, b), /fall as those of B grow/);
    const inverse = comparisonOf({ ...a, map: mapOf(4, 4, 1, (x) => 1 / (1 + x)), semantics: { task: "depth", depthKind: "affine-disparity" } }, b);
    assert.match(alignmentText(inverse.pair), /^inverted, for one is disparity .*1 \/ depth is not defined: A′ = 1 \/ \(s·A \+ t\) \+ c with all three fitted/);
    assert.ok(inverse.difference("absolute").mean < 1e-2);
  });

  it("writes durations as people do", () => {
    assert.deepEqual([420, 3210, 125_000].map(durationText), ["420 ms", "3.2 s", "2 min 5 s"]);
  });
});
