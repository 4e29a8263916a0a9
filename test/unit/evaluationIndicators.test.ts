import assert from "node:assert/strict";
import { join } from "node:path";
import sharp from "sharp";
import { fitProjection } from "../../src/core/projectionFit";
import type { FloatMap } from "../../src/core/image";
import type { DepthKind } from "../../src/core/semantics";
import { meanNormalsGap } from "../../src/evaluation/consistency";

const heldout = join(import.meta.dirname, "../heldout");

/** Depth (scaled and shifted as a model leaves it) and normals (RUB) of a rendered scene. */
async function scene(id: string): Promise<{ depth: FloatMap; normals: FloatMap }> {
  const { data, info: { width, height } } = await sharp(join(heldout, `${id}_depth.png`)).toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
  const millimetres = new Uint16Array(data.buffer, data.byteOffset, width * height);
  const largest = millimetres.reduce((most, value) => Math.max(most, value), 0);
  const bytes = await sharp(join(heldout, `${id}_normal.png`)).removeAlpha().raw().toBuffer();
  const normals = Float32Array.from(bytes, (value) => (value / 255) * 2 - 1);
  return {
    depth: { width, height, channels: 1, data: Float32Array.from(millimetres, (value) => (value === 0 ? NaN : (0.8 * value) / largest - 0.1)) },
    normals: { width, height, channels: 3, data: normals },
  };
}

describe("depth against normals", () => {
  for (const id of ["001", "010", "020"]) {
    it(`is the angle at the best camera, as the thorough search finds it: scene ${id}`, async () => {
      const { depth, normals } = await scene(id);
      const inverse = { ...depth, data: depth.data.map((value) => 0.2 / (value + 0.2)) };
      for (const [map, depthKind] of [[depth, "affine-depth"], [inverse, "affine-disparity"]] as readonly (readonly [FloatMap, DepthKind])[]) {
        const found = meanNormalsGap(map, depthKind, normals) ?? NaN;
        const thorough = fitProjection(map, normals, { depthKind, scale: 1, shift: 0 });
        const least = ((thorough?.meanAngle ?? NaN) * 180) / Math.PI;
        assert.ok(Math.abs(found - least) < 0.6, `${depthKind}: ${found} instead of ${least}`);
      }
    });
  }

  it("grows when the normals are of another scene, and does not depend on scale and shift", async () => {
    const [one, other] = [await scene("001"), await scene("020")];
    const own = meanNormalsGap(one.depth, "affine-depth", one.normals) ?? NaN;
    assert.ok((meanNormalsGap(one.depth, "affine-depth", other.normals) ?? 0) > own + 10);
    const moved = { ...one.depth, data: one.depth.data.map((value) => 3 * value + 7) };
    assert.ok(Math.abs((meanNormalsGap(moved, "affine-depth", one.normals) ?? NaN) - own) < 0.1);
  });

  it("is nothing where hardly a pixel has a value", async () => {
    const { depth, normals } = await scene("001");
    assert.equal(meanNormalsGap({ ...depth, data: depth.data.map((value, i) => (i < 50 ? value : NaN)) }, "affine-depth", normals), undefined);
  });
});
