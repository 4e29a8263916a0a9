import assert from "node:assert/strict";
import fc from "fast-check";
import { mapFromTensor, tensorFromMap, type FloatMap, type RgbImage } from "../../src/core/image";
import * as resize from "../../src/core/resize";
import type { Tensor } from "../../src/core/tensor";
import { assertClose, maxAbsDifference, referenceJson, referenceMap, referenceTensors } from "./coreReference";

type HeightWidth = [number, number];
interface Case {
  name: string;
  output_hw: HeightWidth;
  max_edge?: number;
  padding_bottom_right?: HeightWidth;
}
interface SizeCase {
  input_hw: HeightWidth;
  max_edge: number;
  e2e_output_hw: HeightWidth;
  diffusers_output_hw: HeightWidth;
}

const sizeOf = ([height, width]: HeightWidth): resize.Size => ({ width, height });
const rgbOf = ({ dims, data }: Tensor): RgbImage => ({ height: dims[0], width: dims[1], data: Uint8Array.from(data) });

/** At most 1 in 1000 values may be off, by at most `levels`. */
function assertBytesClose(actual: ArrayLike<number>, expected: ArrayLike<number>, levels: number): void {
  assert.ok(maxAbsDifference(actual, expected) <= levels);
  const off = Array.from(actual).filter((value, i) => value !== expected[i]).length;
  assert.ok(off <= actual.length / 1000, `${off} of ${actual.length} grey levels differ`);
}

describe("core/resize", () => {
  const { cases } = referenceJson<{ cases: Case[] }>("resize/cases.json");
  let get: (name: string) => Tensor;
  before(async () => {
    get = await referenceTensors("resize/io.safetensors");
  });

  for (const { name, output_hw } of cases.filter((c) => /\.(bilinear|bicubic)$/.test(c.name))) {
    it(`matches torchvision: ${name}`, () => {
      const filter = name.endsWith("bicubic") ? "bicubic" : "bilinear";
      const image = rgbOf(get(name.split(".")[0]));
      const floats = resize.resizeRgb(image, sizeOf(output_hw), filter);
      assertClose(floats.data, referenceMap(get(`${name}.float`)).data, 1e-3);
      const bytes = resize.resizeRgbToBytes(image, sizeOf(output_hw), filter);
      assert.ok(bytes.data instanceof Uint8Array);
      assertBytesClose(bytes.data, referenceMap(get(`${name}.uint8`)).data, 1);
    });
  }

  for (const { name, output_hw, padding_bottom_right } of cases.filter((c) => c.name.endsWith(".diffusers"))) {
    it(`matches the diffusers processor: ${name}`, () => {
      const image = rgbOf(get(name.split(".")[0]));
      const size = sizeOf(output_hw);
      const unit: FloatMap = { ...image, channels: 3, data: Float32Array.from(image.data, (v) => (v / 255) * 2 - 1) };
      const resized = resize.resizeMap(unit, size, "bilinear");
      assertClose(resized.data, referenceMap(get(`${name}.normalized`)).data, 1e-5);
      const padded = resize.paddedSize(size, 8);
      assert.deepEqual([padded.height - size.height, padded.width - size.width], padding_bottom_right);
      const expected = referenceMap(get(`${name}.padded8`));
      assert.deepEqual([padded.height, padded.width], [expected.height, expected.width]);
      const data = resize.padEdge(resized.data, size, 3, padded);
      assertClose(data, expected.data, 1e-5);
      assert.deepEqual(resize.cropMap({ ...padded, channels: 3, data }, size).data, resized.data);
    });
  }

  for (const { name, output_hw } of cases.filter((c) => c.name.endsWith(".pil_bicubic"))) {
    it(`matches Pillow: ${name}`, () => {
      const resized = resize.resizeRgbPillow(rgbOf(get(name.split(".")[0])), sizeOf(output_hw));
      assertBytesClose(resized.data, get(`${name}.uint8`).data, 2);
    });
  }

  const filters = {
    diffusers_bilinear: "bilinear-no-antialias",
    torchvision_bilinear_antialias: "bilinear",
    torchvision_bicubic_antialias: "bicubic",
    nearest: "nearest",
    nearest_exact: "nearest-exact",
  } as const;
  for (const { name, output_hw } of cases.filter((c) => /^to\d+x\d+$/.test(c.name))) {
    it(`resizes predictions ${name}`, () => {
      for (const [key, filter] of Object.entries(filters)) {
        const depth = resize.resizeMap(mapFromTensor(get("depth.input")), sizeOf(output_hw), filter);
        assertClose(depth.data, get(`depth.${name}.${key}`).data, 1e-5, key);
      }
      for (const key of ["diffusers_bilinear", "torchvision_bilinear_antialias"] as const) {
        const normals = resize.resizeMap(mapFromTensor(get("normals.input")), sizeOf(output_hw), filters[key]);
        assertClose(tensorFromMap(normals).data, get(`normals.${name}.${key}`).data, 1e-5, key);
      }
    });
  }

  it("resizes to CLIP's square without keeping the aspect ratio", () => {
    const image = rgbOf(get("image0"));
    const unit: FloatMap = { ...image, channels: 3, data: Float32Array.from(image.data, (v) => v / 255) };
    const square = resize.resizeMap(unit, { width: 56, height: 56 }, "bicubic");
    assertClose(tensorFromMap(square).data, get("clip_square").data, 1e-5);
  });

  it("computes processing sizes by both rules, never below one pixel", () => {
    const { sizes } = referenceJson<{ sizes: SizeCase[] }>("resize/sizes.json");
    assert.ok(sizes.length > 40);
    const atLeastOne = (hw: HeightWidth) => sizeOf([Math.max(1, hw[0]), Math.max(1, hw[1])]);
    for (const { input_hw, max_edge, e2e_output_hw, diffusers_output_hw } of sizes) {
      assert.deepEqual(resize.maxEdgeSize(sizeOf(input_hw), max_edge), atLeastOne(e2e_output_hw));
      assert.deepEqual(resize.maxEdgeSizeExact(sizeOf(input_hw), max_edge), atLeastOne(diffusers_output_hw));
      assert.deepEqual(resize.maxEdgeSize(sizeOf(input_hw), 0), sizeOf(input_hw));
    }
  });

  it("keeps a constant image constant and stays within range for bilinear", () => {
    const side = fc.integer({ min: 1, max: 20 });
    const filter = fc.constantFrom("bilinear", "bicubic", "bilinear-no-antialias", "nearest", "nearest-exact");
    fc.assert(
      fc.property(side, side, side, side, filter, fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 400, maxLength: 400 }), (w, h, width, height, f, values) => {
        const data = Float32Array.from({ length: w * h }, (_, i) => values[i]);
        const flat = resize.resizeMap({ width: w, height: h, channels: 1, data: data.map(() => 0.25) }, { width, height }, f);
        assertClose(flat.data, new Float32Array(width * height).fill(0.25), 1e-6);
        if (f === "bicubic") return;
        const mapped = resize.resizeMap({ width: w, height: h, channels: 1, data }, { width, height }, f);
        assert.ok(Math.min(...mapped.data) >= Math.min(...data) - 1e-6 && Math.max(...mapped.data) <= Math.max(...data) + 1e-6);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it("names what is wrong with a size or the data", () => {
    const map: FloatMap = { width: 2, height: 2, channels: 1, data: new Float32Array(4) };
    assert.throws(() => resize.resizeMap(map, { width: 0, height: 3 }, "bilinear"), /output size.*0 x 3/);
    assert.throws(() => resize.resizeMap({ ...map, width: 3 }, { width: 1, height: 1 }, "bilinear"), /3 x 2 x 1 values/);
    assert.throws(() => resize.cropMap(map, { width: 3, height: 1 }), /at most 2 x 2/);
  });
});
