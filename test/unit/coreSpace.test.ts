import assert from "node:assert/strict";
import { join } from "node:path";
import sharp from "sharp";
import { depthZ, depthZMap, pinholeFromFov, strideFor, thinnedMap, thinnedPinhole, unprojected, type DepthScaling } from "../../src/core/camera";
import type { FloatMap } from "../../src/core/image";
import { angleBetween } from "../../src/core/normals";
import { normalsFromDepth } from "../../src/core/normalsFromDepth";
import { fitProjection } from "../../src/core/projectionFit";
import { pixelsWithValue, surfaceTriangles } from "../../src/core/surface";
import { assertClose } from "./coreReference";

type Vector = readonly [number, number, number];

const heldOut = (name: string): string => join(__dirname, `../heldout/${name}.png`);
const asIs: DepthScaling = { depthKind: "metric-depth", scale: 1, shift: 0 };
const degrees = 180 / Math.PI;
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function mapOf(width: number, height: number, channels: 1 | 3, values: (column: number, row: number) => readonly number[]): FloatMap {
  const data = new Float32Array(width * height * channels);
  for (let p = 0; p < width * height; p++) data.set(values(p % width, Math.floor(p / width)), channels * p);
  return { width, height, channels, data };
}

/** Direction (x, y, -1) of a pixel's ray, from the field of view alone: the left edge of the image is at -tan(fov / 2). */
function rayOf(column: number, row: number, width: number, height: number, fovDegrees: number): Vector {
  const tangent = Math.tan(fovDegrees / degrees / 2);
  return [tangent * ((2 * (column + 0.5)) / width - 1), (tangent * (height - 2 * (row + 0.5))) / width, -1];
}

/** Depth z of the plane through `through` with the normal n. */
function plane(width: number, height: number, fovDegrees: number, n: Vector, through: Vector): FloatMap {
  return mapOf(width, height, 1, (column, row) => [dot(through, n) / dot(rayOf(column, row, width, height, fovDegrees), n)]);
}

/** Unit normals and depth z of a sphere; NaN beside it. */
function sphere(width: number, height: number, fovDegrees: number, centre: Vector, radius: number): { z: FloatMap; normals: FloatMap } {
  const hit = (column: number, row: number): number => {
    const ray = rayOf(column, row, width, height, fovDegrees);
    const [a, b, c] = [dot(ray, ray), dot(ray, centre), dot(centre, centre) - radius ** 2];
    return (b - Math.sqrt(b * b - a * c)) / a;
  };
  const normals = mapOf(width, height, 3, (column, row) => rayOf(column, row, width, height, fovDegrees).map((part, i) => (part * hit(column, row) - centre[i]) / radius));
  return { z: mapOf(width, height, 1, (column, row) => [hit(column, row)]), normals };
}

/** Angles in degrees where both have a value. */
function angles(a: FloatMap, b: FloatMap): number[] {
  return Array.from({ length: a.data.length / 3 }, (_, p) => angleBetween(a.data, 3 * p, b.data, 3 * p) * degrees).filter((angle) => !Number.isNaN(angle));
}

describe("core/camera", () => {
  it("spans the field of view between the image's edges, in RUB", () => {
    const pinhole = pinholeFromFov({ width: 200, height: 100 }, 90);
    assert.deepEqual(pinhole, { focal: pinhole.focal, centreX: 100, centreY: 50 });
    assert.ok(Math.abs(pinhole.focal - 100) < 1e-12);
    const points = unprojected(mapOf(200, 100, 1, () => [2]), pinhole);
    // Half a pixel inside the corners of a frontal plane at z = 2, which is 4 wide and 2 high.
    assertClose(points.data.subarray(0, 3), [-1.99, 0.99, -2], 1e-6);
    assertClose(points.data.subarray(-3), [1.99, -0.99, -2], 1e-6);
    for (const fov of [0, 180, NaN, -20]) assert.throws(() => pinholeFromFov({ width: 2, height: 2 }, fov), /horizontal field of view/);
  });

  it("turns predictions into distances in front of the camera, and nothing else", () => {
    assert.equal(depthZ(0.25, { depthKind: "affine-depth", scale: 2, shift: 1 }), 1.5);
    assert.equal(depthZ(0.25, { depthKind: "affine-disparity", scale: 2, shift: 1.5 }), 0.5);
    for (const [value, shift] of [[0.5, -1], [0.5, -0.5], [NaN, 0], [Infinity, 0]]) assert.equal(depthZ(value, { depthKind: "affine-depth", scale: 1, shift }), NaN);
    for (const shift of [-0.5, -1]) assert.equal(depthZ(0.5, { depthKind: "affine-disparity", scale: 1, shift }), NaN);
    assert.throws(() => depthZMap(mapOf(1, 1, 3, () => [1, 1, 1]), asIs), /1 channel/);
  });

  it("keeps thinned pixels on their own rays", () => {
    const pinhole = pinholeFromFov({ width: 33, height: 20 }, 70);
    const z = mapOf(33, 20, 1, (column, row) => [1 + column + 100 * row]);
    const full = unprojected(z, pinhole).data;
    for (const stride of [2, 3, 4]) {
      const thin = thinnedMap(z, stride);
      assert.deepEqual([thin.width, thin.height], [Math.floor(33 / stride), Math.floor(20 / stride)]);
      const points = unprojected(thin, thinnedPinhole(pinhole, stride)).data;
      for (let p = 0; p < thin.data.length; p++) {
        const [column, row] = [(thin.data[p] - 1) % 100, Math.floor(thin.data[p] / 100)];
        assertClose(points.subarray(3 * p, 3 * p + 3), full.subarray(3 * (row * 33 + column), 3 * (row * 33 + column) + 3), 1e-3);
      }
    }
    assert.equal(strideFor({ width: 768, height: 576 }, 768 * 576), 1);
    assert.equal(strideFor({ width: 768, height: 576 }, 768 * 576 - 1), 2);
  });
});

describe("core/normalsFromDepth", () => {
  it("finds a plane's normal at every pixel, to 0.05 degrees, whatever the reach", () => {
    for (const n of [[0, 0, 1], [0.6, 0, 0.8], [0, 0.6, 0.8], [-0.36, 0.48, 0.8]] as const) {
      const z = plane(96, 64, 65, n, [0.1, -0.3, -4]);
      for (const reach of [1, 3]) {
        const normals = normalsFromDepth(z, pinholeFromFov(z, 65), reach);
        const found = angles(normals, mapOf(96, 64, 3, () => n));
        assert.equal(found.length, 96 * 64);
        assert.ok(Math.max(...found) < 0.05, `${n.join()}: ${Math.max(...found)}`);
        for (let i = 0; i < normals.data.length; i += 3) assert.ok(Math.abs(Math.hypot(...normals.data.subarray(i, i + 3)) - 1) < 1e-5);
      }
    }
  });

  it("finds a sphere's normals to 1 degree in the mean, and none beside it", () => {
    const { z, normals } = sphere(240, 180, 60, [0.2, -0.1, -3], 0.9);
    const computed = normalsFromDepth(z, pinholeFromFov(z, 60));
    const found = angles(computed, normals);
    assert.ok(found.length > 8000, String(found.length));
    const mean = found.reduce((sum, angle) => sum + angle, 0) / found.length;
    assert.ok(mean < 1, String(mean));
    for (let p = 0; p < z.data.length; p++) if (Number.isNaN(z.data[p])) assert.ok(Number.isNaN(computed.data[3 * p + 2]));
  });

  it("takes the object's own side at an edge", () => {
    const near = plane(40, 30, 60, [0.6, 0, 0.8], [0, 0, -2]);
    const far = plane(40, 30, 60, [0, 0, 1], [0, 0, -20]);
    const z = { ...near, data: near.data.map((value, p) => (p % 40 < 20 ? value : far.data[p])) };
    const expected = mapOf(40, 30, 3, (column) => (column < 20 ? [0.6, 0, 0.8] : [0, 0, 1]));
    assert.ok(Math.max(...angles(normalsFromDepth(z, pinholeFromFov(z, 60)), expected)) < 0.05);
  });

  it("leaves out what has no neighbour with a value", () => {
    const z = mapOf(5, 5, 1, (column, row) => [column === 2 && row === 2 ? NaN : 1]);
    const { data } = normalsFromDepth(z, pinholeFromFov(z, 60));
    assert.deepEqual([...data.subarray(3 * 12, 3 * 12 + 3)], [NaN, NaN, NaN]);
    assert.equal(data.filter((value) => Number.isNaN(value)).length, 3, "its neighbours use their other side");
    const alone = mapOf(3, 3, 1, (column, row) => [column === 1 && row === 1 ? 1 : NaN]);
    assert.ok(normalsFromDepth(alone, pinholeFromFov(alone, 60)).data.every((value) => Number.isNaN(value)));
    assert.throws(() => normalsFromDepth(z, pinholeFromFov(z, 60), 0), /reach/);
  });
});

describe("core/surface", () => {
  it("covers a plane with two triangles a cell that face the camera", () => {
    const z = plane(8, 6, 60, [0.6, 0, 0.8], [0, 0, -2]);
    const pinhole = pinholeFromFov(z, 60);
    const triangles = surfaceTriangles(z, pinhole);
    assert.equal(triangles.length, 2 * 7 * 5 * 3);
    const { data } = unprojected(z, pinhole);
    for (let f = 0; f < triangles.length; f += 3) {
      const [a, b, c] = [0, 1, 2].map((corner): Vector => [data[3 * triangles[f + corner]], data[3 * triangles[f + corner] + 1], data[3 * triangles[f + corner] + 2]]);
      const [u, v] = [b, c].map((point): Vector => [point[0] - a[0], point[1] - a[1], point[2] - a[2]]);
      const normal: Vector = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      assert.ok(dot(normal, a) < 0, "counter-clockwise as the camera sees it");
    }
  });

  it("is cut at jumps and holes", () => {
    const z = mapOf(4, 2, 1, (column) => [column < 2 ? 1 : 50]);
    assert.deepEqual([...surfaceTriangles(z, pinholeFromFov(z, 60))], [0, 4, 1, 1, 4, 5, 2, 6, 3, 3, 6, 7]);
    const hole = mapOf(2, 2, 1, (column, row) => [column + row === 2 ? NaN : 1]);
    assert.deepEqual([...surfaceTriangles(hole, pinholeFromFov(hole, 60))], [0, 2, 1]);
    assert.deepEqual([...pixelsWithValue(hole)], [0, 1, 2]);
  });
});

describe("core/projectionFit", () => {
  /** A room's corner: floor, back wall and side wall, each with its normal. */
  const [width, height] = [192, 128];
  const walls: readonly (readonly [Vector, Vector])[] = [[[0, 1, 0], [0, -1, 0]], [[0, 0, 1], [0, 0, -5]], [[1, 0, 0], [-1.5, 0, 0]], [[-0.6, 0, 0.8], [1, 0, -3]]];
  const room = (fovDegrees: number): { z: FloatMap; normals: FloatMap } => {
    const nearest = (column: number, row: number): readonly [number, Vector] => {
      const ray = rayOf(column, row, width, height, fovDegrees);
      const hits = walls.map(([n, through]): readonly [number, Vector] => [dot(through, n) / dot(ray, n), n]).filter(([distance]) => distance > 0);
      return hits.reduce((best, hit) => (hit[0] < best[0] ? hit : best));
    };
    return { z: mapOf(width, height, 1, (column, row) => [nearest(column, row)[0]]), normals: mapOf(width, height, 3, (column, row) => nearest(column, row)[1]) };
  };

  it("recovers field of view and shift of an affine depth from its normals", () => {
    for (const fov of [45, 75]) {
      const { z, normals } = room(fov);
      // The prediction lost its scale and shift: d = (z - 2) / 6, so z is proportional to d + 1 / 3.
      const prediction = { ...z, data: z.data.map((value) => (value - 2) / 6) };
      const found = fitProjection(prediction, normals, { depthKind: "affine-depth", scale: 1, shift: 3 });
      assert.ok(found && Math.abs(found.fovDegrees - fov) < 3 && Math.abs(found.shift - 1 / 3) < 0.05 && found.scale === 1, JSON.stringify(found));
      assert.ok(found.meanAngle * degrees < 3, String(found.meanAngle * degrees));
    }
  });

  it("recovers the shift of a disparity, and leaves metric depth as it is", () => {
    const { z, normals } = room(60);
    const disparity = { ...z, data: z.data.map((value) => (1 / value - 0.1) / 2) };
    const found = fitProjection(disparity, normals, { depthKind: "affine-disparity", scale: 2, shift: 1 });
    assert.ok(found && found.scale === 2 && Math.abs(found.shift - 0.1) < 0.02 && Math.abs(found.fovDegrees - 60) < 3, JSON.stringify(found));
    const metric = fitProjection(z, normals, asIs);
    assert.ok(metric && metric.scale === 1 && metric.shift === 0 && Math.abs(metric.fovDegrees - 60) < 1.5, JSON.stringify(metric));
  });

  it("finds the cameras of rendered scenes, with and without the depth's scale and shift", async () => {
    // Depth in millimetres and normals in RUB, both traced, and in 8 bits; rooms were seen at 45 to 85 degrees.
    for (const id of ["004", "011"]) {
      const depth = await sharp(heldOut(`${id}_depth`)).toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
      const rgb = await sharp(heldOut(`${id}_normal`)).removeAlpha().raw().toBuffer();
      const millimetres = new Uint16Array(depth.data.buffer, depth.data.byteOffset, depth.data.byteLength / 2);
      const { width, height } = depth.info;
      const metres = mapOf(width, height, 1, (column, row) => [millimetres[row * width + column] / 1000 || NaN]);
      const normals = mapOf(width, height, 3, (column, row) => [0, 1, 2].map((c) => rgb[3 * (row * width + column) + c] / 127.5 - 1));
      const metric = fitProjection(metres, normals, asIs);
      assert.ok(metric && metric.fovDegrees > 45 && metric.fovDegrees < 85, id);
      const computed = angles(normalsFromDepth(metres, pinholeFromFov(metres, metric.fovDegrees)), normals).sort((a, b) => a - b);
      assert.ok(computed[computed.length >> 1] < 2.5, `${id}: median ${computed[computed.length >> 1]}`);
      const affine = { ...metres, data: metres.data.map((value) => value / 7 - 0.1) };
      const found = fitProjection(affine, normals, { depthKind: "affine-depth", scale: 1, shift: 1 });
      assert.ok(found && Math.abs(found.shift - 0.1) < 0.01 && Math.abs(found.fovDegrees - metric.fovDegrees) < 1.5, JSON.stringify(found));
    }
  });

  it("says so when there is nothing to fit to", () => {
    const nothing = mapOf(20, 20, 1, () => [NaN]);
    assert.equal(fitProjection(nothing, mapOf(20, 20, 3, () => [0, 0, 1]), asIs), undefined);
    const flat = mapOf(20, 20, 1, () => [1]);
    assert.equal(fitProjection(flat, mapOf(20, 20, 3, () => [NaN, NaN, NaN]), asIs), undefined);
  });
});
