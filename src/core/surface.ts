import type { Pinhole } from "./camera";
import type { FloatMap } from "./image";

/**
 * Angle between a surface and the rays, in degrees, beyond which two neighbouring pixels are taken for a nearer and a
 * farther object with nothing between them. 90 would be a surface seen exactly from its side.
 */
const steepestDegrees = 87;

/**
 * Triangles between neighbouring pixels of depth z, three pixel indices each, counter-clockwise as the camera sees
 * them: two a cell of four pixels, none across pixels without a value and none across a discontinuity.
 */
export function surfaceTriangles({ width, height, data: z }: FloatMap, { focal }: Pinhole): Uint32Array {
  const out = new Uint32Array(6 * Math.max(0, width - 1) * Math.max(0, height - 1));
  // A pixel is z / focal wide, so a surface at this angle changes z by at most this factor from pixel to pixel.
  const jump = 1 + Math.tan((steepestDegrees * Math.PI) / 180) / focal;
  let count = 0;
  const add = (a: number, b: number, c: number): void => {
    const [za, zb, zc] = [z[a], z[b], z[c]];
    // False for NaN too.
    if (!(Math.max(za, zb, zc) <= jump * Math.min(za, zb, zc))) return;
    out[count++] = a;
    out[count++] = b;
    out[count++] = c;
  };
  for (let row = 0; row + 1 < height; row++) {
    for (let column = 0; column + 1 < width; column++) {
      const corner = row * width + column;
      add(corner, corner + width, corner + 1);
      add(corner + 1, corner + width, corner + width + 1);
    }
  }
  return out.slice(0, count);
}

/** Indices of the pixels that have a value. */
export function pixelsWithValue({ data }: FloatMap): Uint32Array {
  const out = new Uint32Array(data.length);
  let count = 0;
  for (let p = 0; p < data.length; p++) if (Number.isFinite(data[p])) out[count++] = p;
  return out.slice(0, count);
}
