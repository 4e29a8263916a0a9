import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { scoreDepth, scoreNormals } from "../../src/evaluation/evaluateMap";
import { readGroundTruth } from "../../src/evaluation/groundTruth";
import { candidatesOf, pairingOf } from "../../src/evaluation/pairing";
import { datasetPresets } from "../../src/evaluation/presets";
import { evaluationRegion, kittiBenchmarkCrop } from "../../src/evaluation/regions";
import { tensor } from "../../src/core/tensor";
import { writeNpy } from "../../src/io/npy";

const preset = (id: string) => {
  const found = datasetPresets.find((candidate) => candidate.id === id);
  assert.ok(found, id);
  return found;
};

describe("where a set keeps its truth", () => {
  // Paths as the sets are distributed (Marigold's evaluation archives, DSINE's, and the sets' own sites).
  const pairs: readonly [preset: string, image: string, truth: string, mask?: string][] = [
    ["nyuv2", "test/bathroom_0001/rgb_0045.png", "test/bathroom_0001/depth_0045.png"],
    ["kitti-eigen", "2011_09_26/2011_09_26_drive_0002_sync/image_02/data/0000000069.png", "2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/0000000069.png"],
    ["eth3d", "rgb/courtyard/images/dslr_images/DSC_0286.JPG", "depth/courtyard_dslr_depth/courtyard/ground_truth_depth/dslr_images/DSC_0286.JPG"],
    ["scannet", "scene0707_00/color/000000.jpg", "scene0707_00/depth/000000.png"],
    ["diode", "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010.png", "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010_depth.npy", "indoors/scene_00019/scan_00183/00019_00183_indoors_000_010_depth_mask.npy"],
    ["hypersim", "test/ai_001_010/rgb_cam_00_fr0000.png", "test/ai_001_010/depth_plane_cam_00_fr0000.png"],
    ["vkitti2", "rgb/Scene01/15-deg-left/frames/rgb/Camera_0/rgb_00000.jpg", "depth/Scene01/15-deg-left/frames/depth/Camera_0/depth_00000.png"],
    ["ibims1", "rgb/corridor_01.png", "depth/corridor_01.png", "mask_invalid/corridor_01.png"],
    ["sintel", "training/final/alley_1/frame_0001.png", "training/depth/alley_1/frame_0001.dpt"],
    ["nyuv2-normals", "nyuv2/test/000000_img.png", "nyuv2/test/000000_normal.png"],
    ["ibims1-normals", "ibims/corridor_01_img.png", "ibims/corridor_01_normal.exr"],
  ];
  for (const [id, image, truth, mask] of pairs) {
    it(`${id}: ${truth}`, () => {
      const found = candidatesOf(preset(id), image);
      assert.equal(found?.truth[0], truth);
      if (mask) assert.equal(found?.masks[0].path, mask);
      assert.equal(candidatesOf(preset(id), truth), undefined, "the truth is not taken for an image");
    });
  }

  it("follows a pairing with wildcards", () => {
    const pairing = pairingOf("rgb/**/*.jpg", "depth/**/*_z.png");
    assert.deepEqual(candidatesOf(pairing, "rgb/a/b/c d.jpg")?.truth, ["depth/a/b/c d_z.png"]);
    assert.deepEqual(candidatesOf(pairing, "rgb/c.jpg")?.truth, ["depth/c_z.png"]);
    assert.equal(candidatesOf(pairing, "other/c.jpg"), undefined);
    assert.deepEqual(candidatesOf(pairingOf("a+(b)/*.png", "t/*.npy"), "a+(b)/x.png")?.truth, ["t/x.npy"], "nothing else is special");
    assert.throws(() => pairingOf("a.png", "*.npy"), /at most 0 wildcards/);
  });
});

describe("regions of the protocols", () => {
  it("are those of Eigen, Garg and the KITTI benchmark", () => {
    assert.deepEqual(evaluationRegion("nyu-eigen", 640, 480), { top: 45, bottom: 471, left: 41, right: 601 });
    assert.deepEqual(kittiBenchmarkCrop(1242, 375), { top: 23, bottom: 375, left: 13, right: 1229 });
    // int(0.3324324 * 352) = 117, int(0.91351351 * 352) = 321, int(0.0359477 * 1216) = 43, int(0.96405229 * 1216) = 1172
    assert.deepEqual(evaluationRegion("kitti-eigen", 1216, 352), { top: 117, bottom: 321, left: 43, right: 1172 });
    assert.deepEqual(evaluationRegion("kitti-garg", 1216, 352), { top: 143, bottom: 349, left: 43, right: 1172 });
    assert.throws(() => evaluationRegion("nyu-eigen", 320, 240), /640 x 480/);
    assert.throws(() => kittiBenchmarkCrop(640, 480), /1216 x 352/);
  });
});

describe("ground truth", () => {
  let folder: string;
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "plumbline-truth-"))));
  after(() => rm(folder, { recursive: true, force: true }));

  async function png16(name: string, width: number, height: number, values: readonly number[]): Promise<string> {
    const path = join(folder, name);
    await sharp(Uint16Array.from(values), { raw: { width, height, channels: 1 } }).toColourspace("grey16").png().toFile(path);
    return path;
  }

  it("is in metres, and counts strictly inside the range", async () => {
    const path = await png16("d.png", 4, 1, [0, 1, 5000, 10000]);
    const { map, mask } = await readGroundTruth(path, [], { ...preset("nyuv2"), crop: undefined });
    assert.deepEqual([...mask], [0, 0, 1, 0], "0 has no value, 1 mm and 10 m are the ends");
    assert.equal(map.data[2], 5);
    assert.ok(Number.isNaN(map.data[0]));
  });

  it("leaves the choice of pixels to DIODE's mask, whatever the range", async () => {
    await writeNpy(join(folder, "d.npy"), tensor(Float32Array.of(0.1, 5, 400, 7), [2, 2, 1]));
    await writeNpy(join(folder, "m.npy"), tensor(Float32Array.of(1, 0, 1, 1), [2, 2]));
    const { mask } = await readGroundTruth(join(folder, "d.npy"), [{ path: join(folder, "m.npy"), zeroIsValid: false }], preset("diode"));
    assert.deepEqual([...mask], [1, 0, 1, 1]);
    await writeNpy(join(folder, "wrong.npy"), tensor(Float32Array.of(1, 1), [1, 2]));
    await assert.rejects(readGroundTruth(join(folder, "d.npy"), [{ path: join(folder, "wrong.npy"), zeroIsValid: false }], preset("diode")), /2 x 2 pixels like the truth/);
  });

  it("takes 65535 of Virtual KITTI 2 for the sky and cuts the benchmark crop", async () => {
    const values = Array.from({ length: 1242 * 375 }, (_, i) => (i % 2 ? 65535 : 100 + Math.floor(i / 1242)));
    const { map, mask } = await readGroundTruth(await png16("v.png", 1242, 375, values), [], preset("vkitti2"));
    assert.deepEqual([map.width, map.height], [1216, 352]);
    // The crop begins at row 23, column 13; row 23 begins at an even index, so column 13 is sky and 14 holds 123 cm.
    assert.deepEqual([mask[0], mask[1]], [0, 1]);
    assert.ok(Math.abs(map.data[1] - 1.23) < 1e-6);
  });

  it("reads headerless floats of ETH3D with infinity for no value", async () => {
    const encoding = { kind: "depth", unitsPerMetre: 1, invalid: [], size: { width: 2, height: 2 } } as const;
    await writeFile(join(folder, "a.JPG"), Buffer.from(Float32Array.of(1, Infinity, 3, 4).buffer));
    const { map, mask } = await readGroundTruth(join(folder, "a.JPG"), [], { ...preset("eth3d"), encoding });
    assert.deepEqual([...mask], [1, 0, 1, 1]);
    assert.equal(map.data[3], 4);
  });

  it("turns bytes into unit normals and zeros into nothing", async () => {
    const path = join(folder, "n.png");
    await sharp(Uint8Array.of(0, 0, 0, 128, 128, 255), { raw: { width: 2, height: 1, channels: 3 } }).png().toFile(path);
    const { map, mask } = await readGroundTruth(path, [], preset("nyuv2-normals"));
    assert.deepEqual([...mask], [0, 1]);
    assert.ok(Math.abs(map.data[5] - 1) < 1e-4 && Math.abs(map.data[3]) < 0.01);
    assert.ok(Number.isNaN(map.data[0]));
  });

  it("is refused where depth is wanted and colours are there", async () => {
    const path = join(folder, "n.png");
    await assert.rejects(readGroundTruth(path, [], preset("nyuv2")), /depth of one channel .*3 channels/);
  });
});

describe("scores", () => {
  const truth = { map: { width: 2, height: 2, channels: 1, data: Float32Array.of(1, 2, 4, 8) }, mask: Uint8Array.of(1, 1, 1, 1) } as const;
  const protocol = { minDepth: 1e-3, maxDepth: 10 };

  it("align affine depth, disparity by its inverse, and metric depth not at all", () => {
    const score = (data: number[], depthKind: "affine-depth" | "affine-disparity" | "metric-depth") =>
      scoreDepth({ ...truth.map, data: Float32Array.from(data) }, { task: "depth", depthKind }, truth, protocol).metrics.absRel;
    assert.ok(score([0.1, 0.2, 0.4, 0.8], "affine-depth") < 1e-6);
    assert.ok(score([3, 2, 1.5, 1.25], "affine-disparity") < 1e-6, "2 / d + 1");
    assert.ok(Math.abs(score([2, 4, 8, 10], "metric-depth") - (1 + 1 + 1 + 0.25) / 4) < 1e-6, "no alignment, clipped at 10 m");
  });

  it("say that the x axis looks flipped when it does, and only then", () => {
    const normals = Float32Array.from({ length: 64 * 3 }, (_, i) => [0.6 * Math.cos(i), 0.3, 0.8][i % 3]);
    for (let i = 0; i < normals.length; i += 3) {
      const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]);
      for (let c = 0; c < 3; c++) normals[i + c] /= length;
    }
    const map = { width: 8, height: 8, channels: 3, data: normals } as const;
    const normalsTruth = { map, mask: new Uint8Array(64).fill(1) };
    const score = (frame: "RUB" | "LUB") => scoreNormals(map, { task: "normals", frame }, normalsTruth, "LUB");
    assert.equal(score("LUB").suspicion, undefined);
    assert.ok(score("LUB").metrics.mean < 1e-3);
    assert.match(score("RUB").suspicion ?? "", /x axis looks flipped/);
    assert.equal(score("RUB").validPixels, 64);
  });

  it("refuse a prediction of another size", () => {
    assert.throws(() => scoreDepth({ width: 1, height: 4, channels: 1, data: new Float32Array(4) }, { task: "depth", depthKind: "affine-depth" }, truth, protocol), /2 x 2 pixels like the truth/);
  });
});
