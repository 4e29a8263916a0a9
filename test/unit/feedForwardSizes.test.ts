import assert from "node:assert/strict";
import { defaultResolution, inputGeometry, semanticsOfOutput, type SizeRule } from "../../src/core/feedForward";
import { resizeFloats, resizeRgbPillow } from "../../src/core/resize";

const sizes = (rule: SizeRule, width: number, height: number, resolution?: number): string => {
  const { resized, padded } = inputGeometry({ width, height }, rule, "centre", resolution);
  const text = `${resized.width}x${resized.height}`;
  return padded.width === resized.width && padded.height === resized.height ? text : `${text} in ${padded.width}x${padded.height}`;
};

describe("core/feedForward: the size of the network's input", () => {
  // Worked out by hand from DPTImageProcessor: scale by whichever side needs less, round to even multiples of 14.
  const depthAnything: SizeRule = { kind: "closest", width: 518, height: 518, multiple: 14 };
  it("scales as little as possible, as the DPT processor", () => {
    assert.equal(sizes(depthAnything, 640, 480), "686x518"); // 518/480 is nearer to 1; 690.67 / 14 = 49.3
    assert.equal(sizes(depthAnything, 480, 640), "518x686");
    assert.equal(sizes(depthAnything, 4000, 3000), "686x518");
    assert.equal(sizes(depthAnything, 400, 300), "518x392"); // 518/400 = 1.295 is nearer to 1 than 1.727; 388.5 / 14 = 27.75
    assert.equal(sizes(depthAnything, 518, 518), "518x518");
    assert.equal(sizes({ ...depthAnything, width: 384, height: 384, multiple: 32 }, 768, 432), "672x384"); // 682.67 / 32 = 21.33
  });

  it("rounds halves to even multiples, as Python", () => {
    const rule: SizeRule = { kind: "closest", width: 20, height: 20, multiple: 8 }; // 20 / 8 = 2.5
    assert.equal(sizes(rule, 100, 100), "16x16");
    assert.equal(sizes({ ...rule, width: 28, height: 28 }, 100, 100), "32x32"); // 3.5
  });

  it("keeps the shortest side at least, and the longest at most, at its length", () => {
    assert.equal(sizes({ kind: "shortest", edge: 518, multiple: 14 }, 640, 480), "686x518");
    assert.equal(sizes({ kind: "shortest", edge: 500, multiple: 32 }, 1000, 500), "992x512"); // 15.6 and 31.25
    assert.equal(sizes({ kind: "longest", edge: 384, multiple: 32 }, 640, 480), "384x288");
    assert.equal(sizes({ kind: "longest", edge: 400, multiple: 32 }, 800, 400), "384x192"); // 12.5 and 6.25
  });

  it("bounds the number of pixels", () => {
    const rule: SizeRule = { kind: "area", minPixels: 200_000, maxPixels: 600_000, multiple: 28 };
    const { width, height } = inputGeometry({ width: 4000, height: 3000 }, rule, "end").resized;
    assert.ok(width % 28 === 0 && height % 28 === 0 && Math.abs(width * height - 600_000) < 30_000, `${width} x ${height}`);
    assert.equal(sizes(rule, 700, 560), "700x560");
  });

  it("pads what keeps its shape, in the centre or at the end", () => {
    assert.equal(sizes({ kind: "own", multiple: 32 }, 100, 64), "100x64 in 128x64");
    assert.equal(sizes({ kind: "fixed", width: 1064, height: 616, keepAspect: true }, 1242, 375), "1064x321 in 1064x616");
    assert.equal(sizes({ kind: "fixed", width: 448, height: 448, keepAspect: false }, 1242, 375), "448x448");
    assert.deepEqual(inputGeometry({ width: 99, height: 64 }, { kind: "own", multiple: 32 }, "centre"), { resized: { width: 99, height: 64 }, padded: { width: 128, height: 64 }, left: 14, top: 0 });
    assert.equal(inputGeometry({ width: 99, height: 64 }, { kind: "own", multiple: 32 }, "end").left, 0);
  });

  it("takes another resolution in place of the rule's own, and refuses one that the network cannot take", () => {
    assert.equal(defaultResolution(depthAnything), 518);
    assert.equal(sizes(depthAnything, 640, 480, 259), "350x252"); // 259/480 is nearer to 1: 345.3 / 14 = 24.7; 259 / 14 = 18.5 goes to 18, which is even
    assert.equal(sizes(depthAnything, 100, 60, 0), "98x56");
    assert.equal(sizes({ kind: "own", multiple: 32 }, 200, 100, 100), "100x50 in 128x64");
    assert.throws(() => sizes({ kind: "fixed", width: 448, height: 448, keepAspect: false }, 100, 100, 768), { code: "bad-argument", message: /448 x 448 only/ });
    assert.throws(() => sizes(depthAnything, 4000, 10), { code: "bad-image" });
  });

  it("claims metres only where the camera is known", () => {
    const metric = { kind: "metric-depth", name: "d", transform: "none" } as const;
    assert.deepEqual(semanticsOfOutput(metric), { task: "depth", depthKind: "metric-depth" });
    assert.deepEqual(semanticsOfOutput({ ...metric, focal: { canonical: 1000 } }), { task: "depth", depthKind: "affine-depth" });
    assert.deepEqual(semanticsOfOutput({ ...metric, focal: { canonical: 1000, camera: { focalPixels: 700, imageWidth: 1242 } } }), { task: "depth", depthKind: "metric-depth" });
    assert.deepEqual(semanticsOfOutput({ kind: "normals", name: "n", frame: "LDF", range: [-1, 1] }), { task: "normals", frame: "LUB" });
  });
});

describe("core/resize for feed-forward estimators", () => {
  it("interpolates with four neighbours and no antialiasing as the formula says", () => {
    // Keys' kernel with a = -0.75 at the output's centres, the border repeated (OpenCV's INTER_CUBIC, PyTorch's bicubic).
    const keys = (x: number): number => {
      const d = Math.abs(x);
      return d <= 1 ? 1.25 * d ** 3 - 2.25 * d ** 2 + 1 : d < 2 ? -0.75 * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0;
    };
    const line = Float32Array.from({ length: 11 }, (_, i) => Math.sin(i) * 100);
    for (const to of [4, 7, 11, 25]) {
      const actual = resizeFloats(line, { width: 11, height: 1 }, 1, { width: to, height: 1 }, "bicubic-no-antialias");
      for (let i = 0; i < to; i++) {
        const x = ((i + 0.5) * 11) / to - 0.5;
        let expected = 0;
        for (let k = Math.floor(x) - 1; k <= Math.floor(x) + 2; k++) expected += keys(x - k) * line[Math.min(10, Math.max(0, k))];
        assert.ok(Math.abs(actual[i] - expected) < 1e-4, `${to}: ${i}: ${actual[i]} ${expected}`);
      }
    }
  });

  it("rounds between the passes with Pillow's bilinear filter too", () => {
    const image = { width: 2, height: 2, data: Uint8Array.from([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]) };
    // Halving each row of 0 and 1 gives 0.5, rounded up to 1; without rounding between the passes the same; a mean of 0.5 never stays.
    assert.deepEqual([...resizeRgbPillow(image, { width: 1, height: 1 }, "bilinear").data], [1, 1, 1]);
    const uneven = { ...image, data: Uint8Array.from([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]) };
    // Rows become 1 and 0, their mean 0.5 becomes 1; exact arithmetic would give 0.25, which is 0.
    assert.deepEqual([...resizeRgbPillow(uneven, { width: 1, height: 1 }, "bilinear").data], [1, 1, 1]);
  });
});
