import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { manifestName } from "../../src/catalogue/feedForward/manifest";
import { readNpy } from "../../src/io/npy";
import { pixel, temporaryFolder, testImage, weighted, writeNetwork } from "../unit/feedForwardGraphs";
import { plumbline } from "./cliProcess";

const weights: [number, number, number] = [0.3, 0.5, 0.2];
const directions: [number, number, number][] = [[1, 0, 0.25], [0, 1, 0.5], [0.5, 0, 1]];

describe("plumbline on feed-forward models", function () {
  this.timeout(120_000);
  const image = testImage(40, 30);
  let dir: string;
  let photo: string;
  let model: string;
  before(async () => {
    dir = await temporaryFolder();
    photo = join(dir, "photo.png");
    await sharp(image.data, { raw: { width: 40, height: 30, channels: 3 } }).png().toFile(photo);
    model = await writeNetwork(join(dir, "model", "network.onnx"), { layout: "NHWC", outputs: [{ name: "disparity", shape: "NHW1", weights: [weights] }, { name: "normals", shape: "NHW3", weights: directions }] });
    await writeFile(join(dir, "model", manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name: "Both", size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-disparity" }, { kind: "normals", frame: "LDB" }] }));
  });
  after(() => rm(dir, { recursive: true }));

  it("estimates all that a folder or a network offers, and says what the numbers are", async () => {
    for (const [named, out] of [[join(dir, "model"), "folder"], [model, "network"]]) {
      const { code, stderr } = await plumbline(["estimate", photo, "--model", named, "--device", "cpu", "--out", join(dir, out)]);
      assert.equal(code, 0, stderr);
      const depth = await readNpy(join(dir, out, "depth.npy"));
      assert.deepEqual(depth.dims, [30, 40]);
      depth.data.forEach((value, p) => assert.ok(Math.abs(value - weighted(pixel(image, p), weights)) < 1e-5, `pixel ${p}`));
      const normals = await readNpy(join(dir, out, "normals.npy"));
      normals.data.forEach((value, i) => {
        const vector = directions.map((row, c) => (c === 1 ? -1 : 1) * weighted(pixel(image, Math.floor(i / 3)), row));
        assert.ok(Math.abs(value - vector[i % 3] / Math.hypot(...vector)) < 1e-5, `value ${i}`);
      });
      const run = await readFile(join(dir, out, "run.json"), "utf8");
      assert.match(run, /"depthKind": "affine-disparity"/);
      assert.match(run, /"frame": "LUB"/);
    }
  });

  it("runs the network that is named, not another one of its folder", async () => {
    const folder = join(dir, "several");
    const others: [number, number, number] = [0.1, 0.2, 0.6];
    await writeNetwork(join(folder, "onnx", "model.onnx"), { outputs: [{ name: "depth", shape: "NHW", weights: [weights] }] });
    const half = await writeNetwork(join(folder, "onnx", "model_fp16.onnx"), { outputs: [{ name: "depth", shape: "NHW", weights: [others] }] });
    await writeFile(join(folder, manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name: "Several", size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-depth" }] }));
    for (const [named, expected] of [[folder, weights], [half, others]] as const) {
      const { code, stderr } = await plumbline(["estimate", photo, "--model", named, "--device", "cpu", "--out", join(dir, "chosen")]);
      assert.equal(code, 0, stderr);
      const { data } = await readNpy(join(dir, "chosen", "depth.npy"));
      data.forEach((value, p) => assert.ok(Math.abs(value - weighted(pixel(image, p), expected)) < 1e-5, `pixel ${p} of ${named}`));
    }
  });

  it("refuses steps as a usage error, and names what is wrong with a manifest", async () => {
    const steps = await plumbline(["estimate", photo, "--model", model, "--steps", "4", "--device", "cpu", "--out", join(dir, "none")]);
    assert.deepEqual([steps.code, /one run: leave out the steps/.test(steps.stderr)], [2, true], steps.stderr);
    await writeNetwork(join(dir, "wrong", "network.onnx"), { outputs: [{ name: "depth", shape: "NHW", weights: [weights] }] });
    await writeFile(join(dir, "wrong", manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name: "Wrong", size: { kind: "own" }, outputs: [{ kind: "affine-depth", name: "disp" }] }));
    const wrong = await plumbline(["estimate", photo, "--model", join(dir, "wrong"), "--device", "cpu", "--out", join(dir, "none")]);
    assert.match(wrong.stderr, /Expected an output "disp" for .*network\.onnx but received depth float32/);
    assert.equal(wrong.code, 1);
  });
});
