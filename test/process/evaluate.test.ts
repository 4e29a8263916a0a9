import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { tensor } from "../../src/core/tensor";
import type { SpotSummary } from "../../src/evaluation/report";
import { readNpy, writeNpy } from "../../src/io/npy";
import { plumbline, repository, type Outcome } from "./cliProcess";
import { picture, put } from "./spotFolders";

const fixtures = join(repository, "test", "fixtures", "floats");
const heldout = join(repository, "test", "heldout");

/** A data set of one image of 5 x 6 pixels with truth and predictions that other programs wrote (test/fixtures/floats/make.sh). */
interface Miniature {
  readonly preset: string;
  readonly image: string;
  readonly truth: string;
  readonly truthFixture: string;
  /** Files beside the truth, by path. */
  readonly masks?: Readonly<Record<string, readonly number[]>>;
  readonly prediction: string;
  readonly predictionFixture: string;
  /** More of the command line. */
  readonly said?: readonly string[];
  /** Pixels of the fixture inside the preset's range and masks. */
  readonly counts: (depth: number, pixel: number) => boolean;
  /** Of AbsRel or the mean angle in degrees: what the formats' own precision leaves. */
  readonly tolerance: number;
}

const within = (low: number, high: number) => (depth: number): boolean => depth > low && depth < high;
const everywhere = (): boolean => true;
const half = Array.from({ length: 30 }, (_, i) => i % 2);

const miniatures: readonly Miniature[] = [
  { preset: "scannet", image: "scene0707_00/color/000000.jpg", truth: "scene0707_00/depth/000000.png", truthFixture: "millimetres.png", prediction: "scene0707_00/color/000000.pfm", predictionFixture: "over65535-little.pfm", counts: within(1e-3, 10), tolerance: 1e-4 },
  { preset: "diode", image: "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010.png", truth: "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010_depth.npy", truthFixture: "depth-hw1.npy", masks: { "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010_depth_mask.npy": half }, prediction: "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010.exr", predictionFixture: "depth.exr", // The range clips the prediction at 0.6 m, and the mask lets a nearer pixel through.
    counts: (_depth, pixel) => pixel % 2 === 1, tolerance: 2e-3 },
  { preset: "hypersim", image: "test/ai_001_010/rgb_cam_00_fr0000.png", truth: "test/ai_001_010/depth_plane_cam_00_fr0000.png", truthFixture: "millimetres.png", prediction: "test/ai_001_010/pred_cam_00_fr0000.npy", predictionFixture: "millimetres.npy", said: ["--kind", "metric-depth", "--units-per-metre", "1000"], counts: within(1e-5, 65), tolerance: 1e-6 },
  { preset: "sintel", image: "training/final/alley_1/frame_0001.png", truth: "training/depth/alley_1/frame_0001.dpt", truthFixture: "depth.dpt", prediction: "training/final/alley_1/frame_0001.tif", predictionFixture: "depth.tif", counts: within(1e-5, 70), tolerance: 1e-4 },
  { preset: "nyuv2-normals", image: "nyuv2/test/000000_img.png", truth: "nyuv2/test/000000_normal.png", truthFixture: "bytes.png", prediction: "nyuv2/test/000000_pred.npy", predictionFixture: "normals.npy", said: ["--frame", "LUB"], counts: everywhere, tolerance: 0.5 },
  { preset: "scannet-normals", image: "scannet/scene0046_01/000000_img.png", truth: "scannet/scene0046_01/000000_normal.png", truthFixture: "bytes.png", prediction: "scannet/scene0046_01/000000_pred.npy", predictionFixture: "normals.npy", said: ["--frame", "LUB"], counts: everywhere, tolerance: 0.5 },
  { preset: "sintel-normals", image: "sintel/alley_1/frame_0001_img.png", truth: "sintel/alley_1/frame_0001_normal.exr", truthFixture: "normals-xyz-rle.exr", prediction: "sintel/alley_1/frame_0001_pred.tif", predictionFixture: "normals.tif", said: ["--frame", "LUB"], counts: everywhere, tolerance: 0.1 },
  { preset: "ibims1-normals", image: "ibims/corridor_01_img.png", truth: "ibims/corridor_01_normal.exr", truthFixture: "normals.exr", prediction: "ibims/corridor_01_pred.exr", predictionFixture: "normals-half-zip.exr", said: ["--frame", "LUB"], counts: everywhere, tolerance: 0.1 },
  { preset: "marigold-normals", image: "set/0001_img.png", truth: "set/0001_normal.npy", truthFixture: "normals.npy", prediction: "set/0001_img.npy", predictionFixture: "normals-chw.npy", said: ["--frame", "RUB"], counts: everywhere, tolerance: 1e-2 },
];

async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

describe("evaluating files of other programs", function () {
  this.timeout(300_000);
  let dir: string;
  before(async () => void (dir = await mkdtemp(join(tmpdir(), "plumbline-evaluate-"))));
  after(() => rm(dir, { recursive: true, force: true }));

  const evaluate = (preset: string, gt: string, pred: string, out: string, more: readonly string[] = []): Promise<Outcome> => plumbline(["evaluate", "--preset", preset, "--gt", gt, "--pred", pred, "--out", out, ...more]);
  const summaryOf = async (out: string): Promise<SpotSummary> => JSON.parse(await readFile(join(out, "summary.json"), "utf8")) as SpotSummary;

  for (const { preset, image, truth, truthFixture, masks = {}, prediction, predictionFixture, said, counts, tolerance } of miniatures) {
    it(`${preset}: ${truthFixture} against ${predictionFixture}`, async () => {
      const [gt, pred, out] = ["gt", "pred", "out"].map((name) => join(dir, preset, name));
      await put(join(gt, image), picture(5, 6, 1).png());
      await place(join(fixtures, truthFixture), join(gt, truth));
      for (const [path, values] of Object.entries(masks)) await writeNpy(join(gt, path), tensor(Float32Array.from(values), [6, 5]));
      await place(join(fixtures, predictionFixture), join(pred, prediction));
      const { code, stderr } = await evaluate(preset, gt, pred, out, said);
      assert.equal(code, 0, stderr);
      const { images, perImage, pooledNormals } = await summaryOf(out);
      assert.deepEqual([images.done, images.failed], [1, 0], await readFile(join(out, "samples.csv"), "utf8"));
      const depth = (await readNpy(join(fixtures, "depth.npy"))).data;
      assert.equal(perImage.validPixels.mean, depth.filter((value, pixel) => counts(value, pixel)).length);
      const isNormals = preset.endsWith("normals");
      assert.ok((isNormals ? perImage.meanAngle : perImage.absRel).mean <= tolerance, JSON.stringify(perImage));
      if (isNormals) assert.ok(Math.abs(pooledNormals.pred.mean - perImage.meanAngle.mean) < 1e-6);
      else assert.equal(perImage.delta1.mean, 1);
    });
  }

  it("cuts NYUv2, KITTI and Virtual KITTI 2 as their protocols say, and follows masks of iBims-1", async () => {
    const grey16 = (width: number, height: number, value: (x: number, y: number) => number): Sharp =>
      sharp(Uint16Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))), { raw: { width, height, channels: 1 } }).toColourspace("grey16").png();
    const depthAt = (x: number, y: number): number => 2 + y / 100 + x / 400;
    const sets = [
      { preset: "nyuv2", size: [640, 480], part: [640, 480], image: "test/bathroom_0001/rgb_0045.png", truth: "test/bathroom_0001/depth_0045.png", units: 1000, valid: (471 - 45) * (601 - 41) },
      { preset: "kitti-eigen", size: [1242, 375], part: [1216, 352], image: "2011_09_26/d_sync/image_02/data/0000000069.png", truth: "d_sync/proj_depth/groundtruth/image_02/0000000069.png", units: 256, valid: (321 - 117) * (1172 - 43) },
      { preset: "vkitti2", size: [1242, 375], part: [1216, 352], image: "rgb/Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg", truth: "depth/Scene01/clone/frames/depth/Camera_0/depth_00000.png", units: 100, valid: 1216 * 352 },
      { preset: "ibims1", size: [64, 48], part: [64, 48], image: "rgb/corridor_01.png", truth: "depth/corridor_01.png", units: 65535 / 50, valid: (64 * 48) / 2 },
    ] as const;
    for (const { preset, size: [width, height], part, image, truth, units, valid } of sets) {
      const [gt, pred, out] = ["gt", "pred", "out"].map((name) => join(dir, preset, name));
      await put(join(gt, image), image.endsWith(".jpg") ? picture(width, height, 2).jpeg() : picture(width, height, 2).png());
      await put(join(gt, truth), grey16(width, height, (x, y) => Math.round(depthAt(x, y) * units)));
      if (preset === "ibims1") await put(join(gt, "mask_invalid", "corridor_01.png"), sharp(Uint8Array.from({ length: width * height }, (_, i) => 255 * (i % 2)), { raw: { width, height, channels: 1 } }).png());
      // Predictions are of the part that the networks see: wrong by scale and shift, and by the crop's place if it is wrong.
      const [left, top] = [Math.floor((width - part[0]) / 2), height - part[1]];
      const map = Float32Array.from({ length: part[0] * part[1] }, (_, i) => 0.1 * depthAt(left + (i % part[0]), top + Math.floor(i / part[0])) - 0.05);
      await mkdir(join(pred, dirname(image)), { recursive: true });
      await writeNpy(join(pred, image.replace(/\.\w+$/, ".npy")), tensor(map, [part[1], part[0]]));
      const { code, stderr } = await evaluate(preset, gt, pred, out);
      assert.equal(code, 0, stderr);
      const { images, perImage } = await summaryOf(out);
      assert.equal(images.done, 1, await readFile(join(out, "samples.csv"), "utf8"));
      assert.equal(perImage.validPixels.mean, valid, preset);
      assert.ok(perImage.absRel.mean < 2e-3, `${preset}: AbsRel ${perImage.absRel.mean}`);
    }
  });

  it("reads ETH3D's headerless truth under the photograph's name, and aligns at its protocol's size", async () => {
    const [gt, pred, out] = ["gt", "pred", "out"].map((name) => join(dir, "eth3d", name));
    const [width, height] = [6048, 4032];
    const depthAt = (x: number, y: number): number => 2 + (3 * x) / width + y / height;
    const metres = new Float32Array(width * height);
    for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i++) metres[i] = (x + y) % 3 === 0 ? Infinity : depthAt(x + 0.5, y + 0.5);
    await put(join(gt, "rgb/courtyard/images/dslr_images/DSC_0286.JPG"), picture(60, 40, 3).jpeg());
    await put(join(gt, "depth/courtyard_dslr_depth/courtyard/ground_truth_depth/dslr_images/DSC_0286.JPG"), new Uint8Array(metres.buffer));
    const map = Float32Array.from({ length: 60 * 40 }, (_, i) => 0.2 * depthAt((((i % 60) + 0.5) * width) / 60, ((Math.floor(i / 60) + 0.5) * height) / 40) - 0.1);
    await mkdir(join(pred, "rgb/courtyard/images/dslr_images"), { recursive: true });
    await writeNpy(join(pred, "rgb/courtyard/images/dslr_images/DSC_0286.npy"), tensor(map, [40, 60]));
    const { code, stderr } = await evaluate("eth3d", gt, pred, out);
    assert.equal(code, 0, stderr);
    const { images, perImage } = await summaryOf(out);
    assert.equal(images.done, 1, await readFile(join(out, "samples.csv"), "utf8"));
    assert.equal(perImage.validPixels.mean, (width * height * 2) / 3, "infinite depth is none");
    assert.ok(perImage.absRel.mean < 2e-3 && perImage.delta1.mean === 1, JSON.stringify(perImage));
  });

  it("says that the x axis looks flipped, that a frame is needed, and what is missing", async () => {
    const [gt, pred, out] = ["gt", "pred", "out"].map((name) => join(dir, "axis", name));
    const normals = Float32Array.from({ length: 24 * 24 * 3 }, (_, i) => [0.6 * Math.cos(i / 90), 0.3, 0.75][i % 3]);
    await put(join(gt, "a_img.png"), picture(24, 24, 1).png());
    await put(join(gt, "b_img.png"), picture(24, 24, 2).png());
    for (const path of ["gt/a_normal.npy", "gt/b_normal.npy", "pred/a_img.npy"]) {
      await mkdir(join(dir, "axis", dirname(path)), { recursive: true });
      await writeNpy(join(dir, "axis", path), tensor(normals, [24, 24, 3]));
    }
    const missing = await evaluate("marigold-normals", gt, pred, out);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /--frame/);
    assert.equal((await evaluate("marigold-normals", gt, pred, out, ["--frame", "LUB"])).code, 0);
    const csv = await readFile(join(out, "samples.csv"), "utf8");
    assert.match(csv, /Your x axis looks flipped/);
    assert.match(csv, /Expected a prediction for b_img\.png/);
    // The same files, declared as they are: nothing of before is kept.
    assert.equal((await evaluate("marigold-normals", gt, pred, out, ["--frame", "RUB"])).code, 0);
    assert.doesNotMatch(await readFile(join(out, "samples.csv"), "utf8"), /flipped/);
  });

  it("gives the numbers of a spot check with the same truth", async () => {
    const gt = join(dir, "rendered");
    const scenes = ["000", "001", "002"];
    for (const id of scenes) {
      await place(join(heldout, `${id}_rgb.png`), join(gt, "s", `rgb_cam_${id}.png`));
      await place(join(heldout, `${id}_depth.png`), join(gt, "s", `depth_plane_cam_${id}.png`));
    }
    const config = join(dir, "rendered.json");
    await writeFile(config, JSON.stringify({ format: "plumbline-spotcheck", version: 1, folder: gt, runs: [{ name: "e2e", depth: "plumbline-e2e-depth", processingResolution: 96 }], truth: { preset: "hypersim" } }));
    const spot = await plumbline(["spot-check", "--config", config, "--out", join(dir, "rendered-spot"), "--device", "cpu"]);
    assert.equal(spot.code, 0, spot.stderr);
    const pred = join(dir, "rendered-pred");
    const estimate = await plumbline(["estimate", ...scenes.map((id) => join(gt, "s", `rgb_cam_${id}.png`)), "--task", "depth", "--resolution", "96", "--device", "cpu", "--out", join(pred, "s")]);
    assert.equal(estimate.code, 0, estimate.stderr);
    assert.equal((await evaluate("hypersim", gt, pred, join(dir, "rendered-out"))).code, 0);
    const [a, b] = [await summaryOf(join(dir, "rendered-spot")), await summaryOf(join(dir, "rendered-out"))];
    assert.equal(a.images.done, 3);
    assert.ok(a.perImage.absRel.mean > 0.001 && a.perImage.absRel.mean < 1, String(a.perImage.absRel.mean));
    for (const id of ["absRel", "delta1", "rmse", "silog", "validPixels"]) assert.deepEqual(a.perImage[id], b.perImage[id], id);
  });
});
