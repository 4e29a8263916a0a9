import assert from "node:assert/strict";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeFeedForward } from "../../src/catalogue/families/feedForward";
import { manifestName } from "../../src/catalogue/feedForward/manifest";
import { defaultResolution } from "../../src/core/feedForward";
import type { FloatMap, RgbImage } from "../../src/core/image";
import { resizeRgbPillow } from "../../src/core/resize";
import type { Task } from "../../src/core/semantics";
import { dataType } from "../../src/graph/onnx";
import { createNetwork } from "../../src/inference/session";
import { networkInput, predictFeedForward, type FeedForwardEstimator } from "../../src/pipeline/families/feedForward";
import type { Network } from "../../src/pipeline/networks";
import { pixel, temporaryFolder, testImage, weighted, writeNetwork, type OutputShape, type TestNetwork } from "../unit/feedForwardGraphs";

const weights: [number, number, number] = [0.25, 0.5, 1.5];
/** Rows that tell the channels and their order apart. */
const directions: [number, number, number][] = [[1, 0, 0.25], [0, -1, 0.5], [0.5, 0, 1]];
const depth = { name: "predicted_depth", shape: "NHW", weights: [weights] } as const;

describe("feed-forward networks on the CPU", function () {
  this.timeout(60_000);
  let dir: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
  });
  afterEach(() => rm(dir, { recursive: true }));

  async function estimate(network: Partial<TestNetwork>, manifest: object, image: RgbImage, task: Task = "depth", resolution?: number): Promise<FloatMap> {
    await writeNetwork(join(dir, "model.onnx"), { outputs: [depth], ...network });
    await writeFile(join(dir, manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name: "Test", size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-depth" }], ...manifest }));
    return estimateFolder(dir, image, task, resolution);
  }
  async function estimateFolder(path: string, image: RgbImage, task: Task = "depth", resolution?: number): Promise<FloatMap> {
    const { network: source, spec } = await describeFeedForward(path);
    const network = await createNetwork(source, { device: "cpu", threads: 1 });
    try {
      return await mapOf(image, { kind: "feedforward", network, task, spec }, resolution);
    } finally {
      await network.release();
    }
  }
  async function mapOf(image: RgbImage, estimator: FeedForwardEstimator, resolution = defaultResolution(estimator.spec.size)): Promise<FloatMap> {
    const observer = { unitDone: async () => undefined, stepDone: async () => undefined };
    return (await predictFeedForward(image, estimator, { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 0, processingResolution: resolution }, { observer })).map;
  }
  function assertMap(actual: FloatMap, width: number, height: number, expected: (x: number, y: number, c: number) => number, tolerance = 1e-5): void {
    assert.deepEqual([actual.width, actual.height], [width, height]);
    actual.data.forEach((value, i) => {
      const p = Math.floor(i / actual.channels);
      const wanted = expected(p % width, Math.floor(p / width), i % actual.channels);
      assert.ok(Math.abs(value - wanted) <= tolerance, `(${p % width}, ${Math.floor(p / width)}): ${value}, expected ${wanted}`);
    });
  }
  const at = (image: RgbImage, x: number, y: number): [number, number, number] => pixel(image, y * image.width + x);

  const scaling = { range: [-1, 1], mean: [0.1, -0.2, 0.3], std: [0.5, 0.25, 2] };
  for (const type of ["float32", "float16"] as const) {
    for (const layout of ["NCHW", "NHWC"] as const) {
      for (const size of [undefined, { width: 12, height: 10 }]) {
        it(`gives the known sum: ${type} ${layout} ${size ? "fixed" : "any size"}`, async () => {
          const image = testImage(12, 10);
          const rule = size ? { kind: "fixed", ...size } : { kind: "own", multiple: 1 };
          const map = await estimate({ type, layout, size }, { size: rule, input: scaling }, image);
          assertMap(map, 12, 10, (x, y) => weighted(at(image, x, y), weights, scaling), type === "float32" ? 1e-5 : 0.02);
        });
      }
    }
  }

  for (const shape of ["NHW", "N1HW", "NHW1", "HW"] satisfies OutputShape[]) {
    it(`reads depth in the shape ${shape}, of three rows and one column too`, async () => {
      for (const [width, height] of [[5, 4], [1, 3], [3, 1]]) {
        const image = testImage(width, height);
        const map = await estimate({ layout: shape === "NHW1" ? "NHWC" : "NCHW", outputs: [{ ...depth, shape }] }, {}, image);
        assertMap(map, width, height, (x, y) => weighted(at(image, x, y), weights));
      }
    });
  }

  for (const shape of ["N3HW", "NHW3"] satisfies OutputShape[]) {
    it(`reads normals in the shape ${shape}, turned to the frame that is shown and of unit length`, async () => {
      const image = testImage(6, 3);
      // y down and away from the camera: both change sign. Stored as 0..1: v * 2 - 1.
      const map = await estimate({ outputs: [{ name: "normals", shape, weights: directions }] }, { outputs: [{ kind: "normals", frame: "RDF", range: [0, 1] }] }, image, "normals");
      const vector = (x: number, y: number): number[] => directions.map((row, c) => (c === 0 ? 1 : -1) * (weighted(at(image, x, y), row) * 2 - 1));
      assertMap(map, 6, 3, (x, y, c) => vector(x, y)[c] / Math.hypot(...vector(x, y)));
    });
  }

  it("answers both tasks from one network, each from its own output", async () => {
    const image = testImage(4, 4);
    const outputs = [{ name: "normal", shape: "N3HW", weights: directions } as const, { ...depth, name: "depth", shape: "N1HW" } as const];
    const manifest = { outputs: [{ kind: "affine-disparity" }, { kind: "normals", frame: "LUB" }] };
    assertMap(await estimate({ outputs }, manifest, image), 4, 4, (x, y) => weighted(at(image, x, y), weights));
    const vector = (x: number, y: number): number[] => directions.map((row) => weighted(at(image, x, y), row));
    assertMap(await estimate({ outputs }, manifest, image, "normals"), 4, 4, (x, y, c) => vector(x, y)[c] / Math.hypot(...vector(x, y)));
  });

  it("feeds bytes to networks that take bytes, and BGR to those that take BGR", async () => {
    const image = testImage(8, 5);
    const whole = { range: [0, 255] };
    assertMap(await estimate({ type: "uint8", layout: "NHWC" }, { input: whole }, image), 8, 5, (x, y) => weighted(at(image, x, y), weights, whole), 1e-3);
    const [r, g, b] = weights;
    // mean and std are those of R, G and B, wherever the channel goes.
    assertMap(await estimate({}, { input: { channels: "BGR", ...scaling } }, image), 8, 5, (x, y) => weighted(at(image, x, y), [b, g, r], scaling));
  });

  it("pads in the centre or at the end, with the value or the edge, and cuts the padding off again", async () => {
    const image = testImage(9, 6);
    for (const padding of [{ place: "centre", value: [255, 0, 0] }, { place: "end", value: "edge" }]) {
      const map = await estimate({}, { size: { kind: "own", multiple: 8 }, input: { padding } }, image);
      assertMap(map, 9, 6, (x, y) => weighted(at(image, x, y), weights));
    }
    const letterboxed = await estimate({ size: { width: 12, height: 12 } }, { size: { kind: "fixed", width: 12, height: 12, keepAspect: true }, input: { filter: "nearest" } }, testImage(12, 6));
    assertMap(letterboxed, 12, 6, (x, y) => weighted(at(testImage(12, 6), x, y), weights));
  });

  it("puts the padding's own value, or the edge's, around the image", async () => {
    const image = testImage(2, 1);
    const geometry = { resized: { width: 2, height: 1 }, padded: { width: 4, height: 3 }, left: 1, top: 1 };
    const input = { name: "x", layout: "NCHW", channels: "RGB", range: [0, 1], mean: [0.5, 0, 0], std: [0.5, 1, 1], filter: "bilinear", rounding: "none" } as const;
    const red = (value: readonly [number, number, number] | "edge"): number[] => [...networkInput(image, { ...input, padding: { place: "centre", value } }, geometry).data.subarray(0, 12)];
    const [left, right] = [at(image, 0, 0)[0], at(image, 1, 0)[0]].map((sample) => Math.fround((sample / 255 - 0.5) / 0.5));
    assert.deepEqual(red([51, 0, 0]).map((value) => Math.round(value * 1e5) / 1e5), [...Array<number>(5).fill(-0.6), left, right, ...Array<number>(5).fill(-0.6)].map((value) => Math.round(value * 1e5) / 1e5));
    assert.deepEqual(red("edge").map((value) => Math.round(value * 1e5) / 1e5), [0, 1, 2].flatMap(() => [left, left, right, right]).map((value) => Math.round(value * 1e5) / 1e5));
  });

  it("brings a coarse answer to the size of the input", async () => {
    const map = await estimate({ stride: 2, hidesShapes: true }, { size: { kind: "fixed", width: 8, height: 6 }, input: { filter: "nearest" } }, testImage(8, 6));
    assert.deepEqual([map.width, map.height], [8, 6]);
    assert.ok(Math.abs(map.data[0] - weighted(at(testImage(8, 6), 0, 0), weights)) < 1e-5);
  });

  it("resizes as Pillow does before the network sees the image, for another resolution too", async () => {
    const image = testImage(64, 48);
    const manifest = { size: { kind: "closest", width: 28, height: 28, multiple: 14 }, input: { filter: "bicubic", rounding: "pillow" } };
    // 28/48 = 0.583 is nearer to 1 than 28/64; 37.3 / 14 = 2.67 -> 42.
    const resized = resizeRgbPillow(image, { width: 42, height: 28 });
    assertMap(await estimate({}, manifest, image), 42, 28, (x, y) => weighted(at(resized, x, y), weights));
    const larger = await estimate({}, manifest, image, "depth", 56);
    assert.deepEqual([larger.width, larger.height], [56, 42]); // 56/64 = 0.875 is nearer to 1 than 56/48 = 1.167
  });

  it("clips and transforms an output into its kind, and leaves no infinity", async () => {
    const image = testImage(6, 6);
    const sum = (x: number, y: number): number => weighted(at(image, x, y), weights);
    assertMap(await estimate({}, { outputs: [{ kind: "affine-depth", clip: [0.5, null], transform: "reciprocal" }] }, image), 6, 6, (x, y) => 1 / Math.max(0.5, sum(x, y)), 1e-4);
    assertMap(await estimate({}, { outputs: [{ kind: "affine-depth", clip: [null, 1], transform: "negate" }] }, image), 6, 6, (x, y) => -Math.min(1, sum(x, y)), 1e-4);
    const black: RgbImage = { width: 2, height: 1, data: Uint8Array.from([0, 0, 0, 255, 255, 255]) };
    const map = await estimate({}, { outputs: [{ kind: "affine-depth", transform: "reciprocal" }] }, black);
    assert.ok(Number.isNaN(map.data[0]) && Math.abs(map.data[1] - 1 / 2.25) < 1e-5, "1 / 0 is no depth");
    const none: RgbImage = { width: 1, height: 1, data: Uint8Array.from([0, 0, 0]) };
    await assert.rejects(estimate({}, { outputs: [{ kind: "affine-depth", transform: "reciprocal" }] }, none), { code: "bad-tensor", message: /finite numbers/ });
  });

  it("says metres only with the camera's focal length: scaled by it, and for that camera's images only", async () => {
    const image = testImage(20, 10);
    // The image is halved: a focal length of 500 pixels at 20 pixels across is 250 in the network's input, a quarter of 1000.
    const manifest = { size: { kind: "fixed", width: 10, height: 5 }, input: { filter: "nearest" }, outputs: [{ kind: "metric-depth", focal: { canonical: 1000, camera: { focalPixels: 500, imageWidth: 20 } } }] };
    assertMap(await estimate({}, manifest, image), 10, 5, (x, y) => weighted(at(image, 2 * x, 2 * y), weights) / 4);
    await assert.rejects(estimate({}, manifest, testImage(40, 20)), { code: "bad-argument", message: /width of 20 pixels/ });
  });

  it("hands a camera's matrix to networks that want one", async () => {
    const { network: source, spec } = await (async () => {
      await writeNetwork(join(dir, "dsine.onnx"), { outputs: [{ name: "normals", shape: "N3HW", weights: directions }], otherInputs: [{ name: "intrins", type: dataType.FLOAT, dims: ["batch", 3, 3] }] });
      return describeFeedForward(join(dir, "dsine.onnx"));
    })();
    const network = await createNetwork(source, { device: "cpu", threads: 1 });
    let given: readonly number[] = [];
    const spy: Network = {
      release: () => network.release(),
      run: (inputs) => {
        given = Array.from(inputs.intrins.data, Number);
        return network.run(inputs);
      },
    };
    const map = await mapOf(testImage(60, 40), { kind: "feedforward", network: spy, task: "normals", spec });
    await network.release();
    assert.deepEqual([map.width, map.height], [60, 40]);
    // 60 degrees across 60 pixels: 30 / tan 30 degrees = 51.96; the image lies 2 and 12 pixels within 64 x 64.
    assert.deepEqual(given.map((value) => Math.round(value * 100) / 100), [51.96, 0, 31.5, 0, 51.96, 31.5, 0, 0, 1]);
  });

  it("reads weights from the file beside the network, through the links of a download cache too", async () => {
    const image = testImage(4, 3);
    const path = await writeNetwork(join(dir, "snapshots", "rev", "model.onnx"), { outputs: [depth], externalFile: "model.onnx_data" });
    await mkdir(join(dir, "blobs"));
    for (const name of ["model.onnx", "model.onnx_data"]) {
      const link = join(dir, "snapshots", "rev", name);
      await rename(link, join(dir, "blobs", `${name}-blob`));
      await symlink(join("..", "..", "blobs", `${name}-blob`), link);
    }
    const manifest = { format: "plumbline-model", version: 1, name: "Test", size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-depth" }] };
    await writeFile(join(dir, "snapshots", "rev", manifestName), JSON.stringify(manifest));
    assertMap(await estimateFolder(path, image), 4, 3, (x, y) => weighted(at(image, x, y), weights));
  });

  it("says which output is not a map when the network did not declare its shape", async () => {
    const image = testImage(5, 4);
    await assert.rejects(estimate({ hidesShapes: true, outputs: [{ name: "depth", shape: "N3HW", weights: directions }] }, {}, image), { code: "bad-tensor", message: /"depth".*affine-depth.*1, 3, 4, 5/ });
    await assert.rejects(estimate({}, {}, image, "normals"), { code: "bad-argument", message: /normals/ });
  });
});
