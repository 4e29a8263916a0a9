import type { Pinhole } from "./camera";
import { unexpected } from "./errors";
import type { FloatMap } from "./image";

/**
 * Unit normals of the surface that depth z describes, H x W x 3 in RUB (x right, y up, z toward the viewer).
 *
 * Each is the cross product of two tangents, one along the row and one along the column. A tangent is the difference
 * to the pixel `reach` away, on the side where z changes less: at the edge of an object that is the object's own
 * side. NaN where a direction has no neighbour with a value. Differences amplify the noise of a prediction; a larger
 * `reach` divides it by as much.
 */
export function normalsFromDepth(z: FloatMap, { focal, centreX, centreY }: Pinhole, reach = 1): FloatMap {
  if (z.channels !== 1) throw unexpected("bad-argument", "depth", "a map of 1 channel", z.channels);
  if (!Number.isInteger(reach) || reach < 1) throw unexpected("bad-argument", "reach", "a whole number of pixels from 1", reach);
  const { width, height, data: depth } = z;
  const data = new Float32Array(3 * width * height).fill(NaN);
  for (let row = 0, p = 0; row < height; row++) {
    for (let column = 0; column < width; column++, p++) {
      const i = smootherSide(depth, p, reach, column >= reach, column + reach < width);
      const j = smootherSide(depth, p, reach * width, row >= reach, row + reach < height);
      if (i === 0 || j === 0) continue;
      // The ray through the pixel is (x, y, -1); one pixel is 1 / focal of it. Scalars, for this runs at every move of a slider.
      const x = (column + 0.5 - centreX) / focal;
      const y = (centreY - row - 0.5) / focal;
      const z0 = depth[p];
      const z1 = depth[p + i];
      const z2 = depth[p + j];
      // Tangents a (along the row) and b (along the column), each to the neighbour that was chosen.
      const ax = (x + (Math.sign(i) * reach) / focal) * z1 - x * z0;
      const ay = y * (z1 - z0);
      const az = z0 - z1;
      const bx = x * (z2 - z0);
      const by = (y - (Math.sign(j) * reach) / focal) * z2 - y * z0;
      const bz = z0 - z2;
      const nx = by * az - bz * ay;
      const ny = bz * ax - bx * az;
      const nz = bx * ay - by * ax;
      // b x a faces the viewer when a points right and b down.
      const length = Math.sign(i) * Math.sign(j) * Math.sqrt(nx * nx + ny * ny + nz * nz);
      data[3 * p] = nx / length;
      data[3 * p + 1] = ny / length;
      data[3 * p + 2] = nz / length;
    }
  }
  return { width, height, channels: 3, data };
}

/** Offset to the neighbour with the smaller difference, `step` or -`step`; 0 when neither has a value. */
function smootherSide(depth: Float32Array, p: number, step: number, hasBefore: boolean, hasAfter: boolean): number {
  const before = hasBefore ? Math.abs(depth[p] - depth[p - step]) : NaN;
  const after = hasAfter ? Math.abs(depth[p + step] - depth[p]) : NaN;
  if (before < after || (before >= 0 && Number.isNaN(after))) return -step;
  return after >= 0 ? step : 0;
}
