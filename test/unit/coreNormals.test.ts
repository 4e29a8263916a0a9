import assert from "node:assert/strict";
import fc from "fast-check";
import type { FloatMap } from "../../src/core/image";
import { angleBetween, angleMap, colorFromNormals, convertFrame, normalized } from "../../src/core/normals";
import { assertClose } from "./coreReference";

const map = (...values: number[]): FloatMap => ({ width: values.length / 3, height: 1, channels: 3, data: Float32Array.from(values) });

describe("core/normals", () => {
  it("normalises by both rules and leaves zero vectors zero", () => {
    assertClose(normalized(map(3, 0, 4, 0, 0, 0), "marigold").data, [3 / 5.00001, 0, 4 / 5.00001, 0, 0, 0], 1e-6);
    assertClose(normalized(map(3, 0, 1, 0, 0, 0), "diffusers").data, [Math.SQRT1_2, 0, Math.SQRT1_2, 0, 0, 0], 1e-6);
    assertClose(normalized(map(0, 5e-7, 0), "diffusers").data, [0, 0.5, 0], 1e-6);
  });

  it("changes frames by the sign of x alone, and back", () => {
    const normals = map(0.6, 0, 0.8, -0.6, 0.8, 0);
    const left = convertFrame(normals, "RUB", "LUB");
    assertClose(left.data, [-0.6, 0, 0.8, 0.6, 0.8, 0], 1e-7);
    assert.deepEqual(convertFrame(left, "LUB", "RUB").data, normals.data);
    assert.equal(convertFrame(normals, "LUB", "LUB"), normals);
  });

  it("measures angles exactly from 0 to pi, whatever the lengths", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: Math.PI, noNaN: true }), fc.double({ min: 0.1, max: 10, noNaN: true }), (angle, length) => {
        const measured = angleBetween([1, 0, 0], 0, [length * Math.cos(angle), 0, length * Math.sin(angle)], 0);
        assert.ok(Math.abs(measured - angle) < 1e-12);
      }),
      { seed: 4, numRuns: 100 },
    );
    assert.equal(angleBetween([1, 0, 0], 0, [0, 0, 0], 0), NaN);
    assertClose(angleMap(map(1, 0, 0, 0, 0, 1), map(0, 2, 0, 0, 0, -1)).data, [Math.PI / 2, Math.PI], 1e-6);
    assert.throws(() => angleMap(map(1, 0, 0), map(1, 0, 0, 1, 0, 0)), /1 x 1 pixels.*2 x 1/);
    assert.throws(() => angleMap({ ...map(1, 0, 0), channels: 1 }, map(1, 0, 0)), /3 channels/);
  });

  it("colours normals as the official code does", () => {
    assert.deepEqual([...colorFromNormals(map(-1, 0, 1, NaN, 2, -2))], [0, 127, 255, 0, 255, 0]);
  });
});
