import assert from "node:assert/strict";
import fc from "fast-check";
import { alignedMap, alignMaps, compareMaps, MapDifference, type ComparedMap } from "../../src/core/difference";
import { PlumblineError } from "../../src/core/errors";
import type { FloatMap } from "../../src/core/image";
import type { DepthKind, NormalsFrame } from "../../src/core/semantics";

function scalar(width: number, height: number, value: (x: number, y: number) => number): FloatMap {
  const data = Float32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
  return { width, height, channels: 1, data };
}

const depth = (map: FloatMap, depthKind: DepthKind = "affine-depth"): ComparedMap => ({ map, semantics: { task: "depth", depthKind } });
const normals = (vectors: readonly (readonly [number, number, number])[], frame: NormalsFrame = "RUB"): ComparedMap => ({
  map: { width: vectors.length, height: 1, channels: 3, data: Float32Array.from(vectors.flat()) },
  semantics: { task: "normals", frame },
});

const near = (value: number, wanted: number, within = 1e-5): void => assert.ok(Math.abs(value - wanted) <= within * Math.max(1, Math.abs(wanted)), `${value} is not ${wanted}`);

/** Normal equations of least squares by Cramer's rule: another way than centred sums. */
function fitByCramer(pairs: readonly (readonly [number, number])[]): readonly [number, number] {
  const sum = (term: (x: number, y: number) => number): number => pairs.reduce((total, [x, y]) => total + term(x, y), 0);
  const [n, sx, sy, sxx, sxy] = [pairs.length, sum((x) => x), sum((_, y) => y), sum((x) => x * x), sum((x, y) => x * y)];
  const determinant = n * sxx - sx * sx;
  return [(n * sxy - sx * sy) / determinant, (sxx * sy - sx * sxy) / determinant];
}

describe("difference of two maps", () => {
  it("is zero where A is B on another scale, and says which scale", () => {
    const b = scalar(6, 4, (x, y) => x + 10 * y);
    const a = scalar(6, 4, (x, y) => 2 * (x + 10 * y) + 1);
    const { map, pair, summary, absRel } = compareMaps(depth(a), depth(b), { kind: "signed" });
    near(pair.fit?.scale ?? NaN, 0.5);
    near(pair.fit?.shift ?? NaN, -0.5);
    for (const value of map.data) near(value, 0);
    for (const value of [summary.mean, summary.median, summary.p95, absRel ?? NaN]) near(value, 0);
  });

  it("agrees with the normal equations on random maps with holes", () => {
    const value = fc.double({ min: 0.2, max: 5, noNaN: true });
    const pixel = fc.tuple(fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NaN) }), fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NaN) }));
    fc.assert(fc.property(fc.array(pixel, { minLength: 12, maxLength: 60 }), (drawn) => {
      const pixels = [...drawn, [0.2, 1], [4.9, 2]].map(([x, y]) => [Math.fround(x), Math.fround(y)] as const);
      const both = pixels.filter(([x, y]) => !Number.isNaN(x) && !Number.isNaN(y));
      const [s, t] = fitByCramer(both);
      const row = (part: 0 | 1): ComparedMap => depth(scalar(pixels.length, 1, (x) => pixels[x][part]));
      const pair = alignMaps(row(0), row(1));
      const [signed, absolute, relative] = (["signed", "absolute", "relative"] as const).map((kind) => new MapDifference(pair, kind));
      pixels.forEach(([x, y], i) => {
        const wanted = s * x + t - y;
        if (Number.isNaN(wanted)) return assert.ok([signed, absolute, relative].every(({ map }) => Number.isNaN(map.data[i])));
        near(signed.map.data[i], wanted, 1e-4);
        near(absolute.map.data[i], Math.abs(wanted), 1e-4);
        near(relative.map.data[i], Math.abs(wanted) / y, 1e-3);
      });
      const errors = both.map(([x, y]) => Math.abs(s * x + t - y)).sort((p, q) => p - q);
      const middle = (errors[Math.floor((errors.length - 1) / 2)] + errors[Math.ceil((errors.length - 1) / 2)]) / 2;
      near(signed.summary.mean, errors.reduce((p, q) => p + q, 0) / errors.length, 1e-4);
      near(signed.summary.median, middle, 1e-4);
      near(absolute.absRel ?? NaN, both.reduce((total, [x, y]) => total + Math.abs(s * x + t - y) / y, 0) / both.length, 1e-3);
    }), { numRuns: 60 });
  });

  it("does not divide by affine-invariant depth near its arbitrary zero, but by every positive metric depth", () => {
    const b = scalar(100, 1, (x) => (x === 0 ? 0 : x === 1 ? 0.005 : 1));
    const a = scalar(100, 1, (x) => (x % 2 ? 1 : 0.9));
    const without = (kind: DepthKind): number[] => [...compareMaps(depth(a), depth(b, kind), { kind: "relative" }).map.data].flatMap((value, x) => (Number.isNaN(value) ? [x] : []));
    assert.deepEqual(without("affine-depth"), [0, 1]);
    assert.deepEqual(without("metric-depth"), [0]);
  });

  it("measures normals of different frames in a common one, in degrees", () => {
    const s = Math.SQRT1_2;
    const a = normals([[0, 0, 1], [-1, 0, 0], [s, 0, s], [0, 0, 0]], "LUB");
    const b = normals([[0, 1, 0], [1, 0, 0], [s, 0, s], [0, 0, 1]], "RUB");
    const { map, pair, summary, absRel } = compareMaps(a, b, { kind: "angle" });
    [90, 0, 90].forEach((angle, i) => near(map.data[i], angle));
    assert.ok(Number.isNaN(map.data[3]), "a zero vector has no direction");
    assert.equal(pair.fit, undefined);
    assert.equal(absRel, undefined);
    near(summary.mean, 60);
  });

  it("resizes the larger map to the smaller, whichever it is", () => {
    const small = scalar(4, 2, (x) => x);
    const large = scalar(8, 4, (x) => (x - 0.5) / 2);
    for (const [a, b, resized] of [[large, small, "a"], [small, large, "b"]] as const) {
      const { map, pair } = compareMaps(depth(a), depth(b), { kind: "absolute" });
      assert.deepEqual([map.width, map.height, pair.resized], [4, 2, resized]);
      for (const x of [1, 2]) near(map.data[x], 0, 0.2);
    }
    assert.equal(alignMaps(depth(small), depth(small)).resized, undefined);
  });

  it("does not let a hole spread over the pixels around it when a map is made smaller", () => {
    const small = scalar(4, 4, (x, y) => x + y);
    const large = scalar(16, 16, (x, y) => (x === 5 && y === 5 ? NaN : x < 8 && y >= 8 ? NaN : (x + y) / 4 - 0.75));
    const { map } = compareMaps(depth(large), depth(small), { kind: "absolute" });
    const empty = [...map.data].flatMap((value, i) => (Number.isNaN(value) ? [`${i % 4},${Math.floor(i / 4)}`] : []));
    assert.deepEqual(empty, ["0,2", "1,2", "0,3", "1,3"]);
  });

  it("inverts disparity on the way to depth, and tells how", () => {
    const z = scalar(40, 30, (x, y) => 1 + 0.1 * x + 0.02 * y * y);
    const disparity = { ...z, data: z.data.map((depthThere) => (1 / depthThere - 0.02) / 3) };
    const metres = compareMaps(depth(disparity, "affine-disparity"), depth(z, "metric-depth"), { kind: "absolute" });
    near(metres.summary.p95, 0, 1e-4);
    assert.deepEqual([metres.pair.fit, metres.pair.inverse?.fitted], [undefined, "scale and shift"]);
    near(metres.pair.inverse?.scale ?? NaN, 3, 1e-3);
    near(metres.pair.inverse?.shift ?? NaN, 0.02, 1e-4);
    // Scale and shift of this depth are not known: its zero is not where the camera is.
    const relative = { ...z, data: z.data.map((depthThere) => 0.1 * depthThere - 0.3) };
    const both = compareMaps(depth(disparity, "affine-disparity"), depth(relative), { kind: "absolute" });
    near(both.summary.p95, 0, 1e-3);
    near(both.pair.inverse?.offset ?? NaN, -0.3, 5e-3);
    near(compareMaps(depth(relative), depth(disparity, "affine-disparity"), { kind: "absolute" }).summary.p95, 0, 1e-4);
    near(compareMaps(depth(z, "metric-depth"), depth(disparity, "affine-disparity"), { kind: "absolute" }).summary.p95, 0, 1e-5);
  });

  it("leaves holes and what is not positive out of the fit in 1 / depth, and clips there as the evaluation does", () => {
    const b = scalar(8, 1, (x) => (x === 0 ? 0 : x === 1 ? NaN : x));
    const a = scalar(8, 1, (x) => (x === 0 ? 5 : x === 1 ? 5 : x === 7 ? -2 : 1 / x));
    const { pair } = compareMaps(depth(a, "affine-disparity"), depth(b, "metric-depth"), { kind: "absolute" });
    near(pair.inverse?.scale ?? NaN, 1, 1e-5);
    near(pair.inverse?.shift ?? NaN, 0, 1e-6);
    const aligned = alignedMap(pair).data;
    near(aligned[3], 3, 1e-4);
    near(aligned[7], 1000, 1e-3);
  });

  it("refuses two maps of which neither can be the inverse of the other", () => {
    const rising = scalar(20, 20, (x) => x + 1);
    for (const kind of ["affine-depth", "metric-depth"] as const) assert.throws(() => alignMaps(depth(rising, "affine-disparity"), depth(rising, kind)), /fall as those of B grow/);
    assert.throws(() => alignMaps(depth(scalar(20, 20, () => 1), "affine-disparity"), depth(rising)), /fall as those of B grow/);
  });

  it("refuses tasks against each other, and what a task does not have", () => {
    const map = scalar(3, 3, (x) => x);
    const refusal = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        assert.ok(error instanceof PlumblineError && error.code === "bad-argument");
        return `${error.message} ${error.remedy}`;
      }
      return assert.fail("nothing was thrown");
    };
    assert.match(refusal(() => alignMaps(normals([[0, 0, 1]]), depth(map))), /Expected a map of depth/);
    assert.match(refusal(() => compareMaps(depth(map), depth(map), { kind: "angle" })), /signed, absolute or relative/);
    assert.match(refusal(() => compareMaps(normals([[0, 0, 1]]), normals([[0, 0, 1]]), { kind: "signed" })), /an angle for normals/);
    assert.ok(alignMaps(depth(map), depth(map, "metric-depth")), "a prediction can be held against a measurement");
  });
});
