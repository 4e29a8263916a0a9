import type { FloatMap } from "../core/image";
import { normalized } from "../core/normals";
import type { Size } from "../core/resize";

/** Pixels of a thumbnail's longest side. */
const longestSide = 96;

/** The size of a map's thumbnail: the longest side at most 96 pixels, never larger than the map. */
export function thumbnailSize({ width, height }: Size): Size {
  const factor = Math.min(1, longestSide / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
}

/** A map reduced to its thumbnail: each pixel is the mean of the pixels whose centres it covers; normals get unit length again. */
export function thumbnailOf(map: FloatMap): FloatMap {
  const { channels, data } = map;
  const size = thumbnailSize(map);
  if (size.width === map.width && size.height === map.height) return map;
  const sums = new Float64Array(size.width * size.height * channels);
  const counts = new Uint32Array(size.width * size.height);
  const columns = Uint32Array.from({ length: map.width }, (_, x) => Math.floor(((x + 0.5) * size.width) / map.width));
  for (let y = 0; y < map.height; y++) {
    const row = Math.floor(((y + 0.5) * size.height) / map.height) * size.width;
    for (let x = 0; x < map.width; x++) {
      const target = row + columns[x];
      counts[target]++;
      for (let c = 0; c < channels; c++) sums[target * channels + c] += data[(y * map.width + x) * channels + c];
    }
  }
  const reduced: FloatMap = { ...size, channels, data: Float32Array.from(sums, (sum, i) => sum / counts[Math.floor(i / channels)]) };
  return channels === 3 ? normalized(reduced, "diffusers") : reduced;
}
