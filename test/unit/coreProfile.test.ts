import assert from "node:assert/strict";
import type { FloatMap } from "../../src/core/image";
import { fitBetween, profileAlong } from "../../src/core/profile";

/** Pixel (x, y) holds f of its centre, in 0..1 of the image. */
function mapFrom(width: number, height: number, f: (u: number, v: number) => number): FloatMap {
  const data = Float32Array.from({ length: width * height }, (_, i) => f(((i % width) + 0.5) / width, (Math.floor(i / width) + 0.5) / height));
  return { width, height, channels: 1, data };
}

describe("profiles along a line", () => {
  it("read a plane exactly, whatever the direction", () => {
    const plane = (u: number, v: number): number => 3 * u - 2 * v + 1;
    const map = mapFrom(31, 17, plane);
    const profile = profileAlong(map, { u: 0.9, v: 0.2 }, { u: 0.1, v: 0.7 }, 9);
    profile.forEach((value, i) => assert.ok(Math.abs(value - plane(0.9 - 0.1 * i, 0.2 + 0.0625 * i)) < 1e-6));
  });

  it("go through pixel centres, halfway between them, and hold the edge beyond the last centre", () => {
    const map: FloatMap = { width: 4, height: 1, channels: 1, data: Float32Array.of(10, 20, 40, 80) };
    assert.deepEqual([...profileAlong(map, { u: 0.125, v: 0.5 }, { u: 0.875, v: 0.5 }, 7)], [10, 15, 20, 30, 40, 60, 80]);
    assert.deepEqual([...profileAlong(map, { u: 0, v: 0 }, { u: 1, v: 1 }, 2)], [10, 80]);
  });

  it("have no value where a pixel that counts has none, and only there", () => {
    const map: FloatMap = { width: 3, height: 2, channels: 1, data: Float32Array.of(1, 2, 3, NaN, NaN, NaN) };
    assert.deepEqual([...profileAlong(map, { u: 1 / 6, v: 0.25 }, { u: 5 / 6, v: 0.25 }, 3)].map((value) => Math.round(value)), [1, 2, 3]);
    assert.ok(profileAlong(map, { u: 0.5, v: 0.26 }, { u: 0.5, v: 0.9 }, 5).every(Number.isNaN));
  });

  it("refuse normals and a line without points", () => {
    const map = mapFrom(2, 2, () => 0);
    assert.throws(() => profileAlong({ ...map, channels: 3, data: new Float32Array(12) }, { u: 0, v: 0 }, { u: 1, v: 1 }, 5), /Expected 1 channel/);
    assert.throws(() => profileAlong(map, { u: 0, v: 0 }, { u: 1, v: 1 }, 1), /at least 2/);
  });
});

describe("fits between maps of one scene", () => {
  const scene = (u: number, v: number): number => Math.sin(3 * u) + v * v;

  it("finds scale and shift across sizes", () => {
    const { scale, shift } = fitBetween(mapFrom(64, 48, (u, v) => (scene(u, v) - 0.7) / 2.5), mapFrom(200, 150, scene));
    assert.ok(Math.abs(scale - 2.5) < 0.01 && Math.abs(shift - 0.7) < 0.005, `${scale}, ${shift}`);
  });

  it("leaves out what has no value", () => {
    const target = mapFrom(96, 96, (u, v) => (u < 0.5 ? NaN : 2 * scene(u, v) + 1));
    const { scale, shift } = fitBetween(mapFrom(96, 96, scene), target);
    assert.ok(Math.abs(scale - 2) < 1e-4 && Math.abs(shift - 1) < 1e-4, `${scale}, ${shift}`);
  });
});
