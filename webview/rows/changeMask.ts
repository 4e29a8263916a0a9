import type { FloatMap } from "../../src/core/image";
import type { Range } from "../gl/painter";
import { shortText } from "./measures";
import type { TileView } from "./scene";

/** Larger than every value; infinity is no uniform. */
const beyond = 3.4e38;
const shares = new WeakMap<FloatMap, { readonly threshold: number; readonly share: number }>();

/** Part (0..1) of the finite values of a map that are above a threshold; NaN for none. */
export function shareAbove(map: FloatMap, threshold: number): number {
  const known = shares.get(map);
  if (known?.threshold === threshold) return known.share;
  let [above, finite] = [0, 0];
  for (const value of map.data) {
    if (!Number.isFinite(value)) continue;
    finite++;
    if (value > threshold) above++;
  }
  const share = above / finite;
  shares.set(map, { threshold, share });
  return share;
}

/** Marks the pixels of a tile that changed more than the threshold, and says how many they are. */
export function marking({ picture, map }: TileView, threshold: number | undefined): Pick<TileView, "picture" | "badge"> | undefined {
  // What varies was computed here, so it is floats; halves come from a run.
  if (threshold === undefined || !(map?.data instanceof Float32Array) || picture?.kind !== "scalar") return undefined;
  const marked: Range = [threshold, beyond];
  return { picture: { ...picture, marked }, badge: `${shortText(100 * shareAbove(map as FloatMap, threshold))} % above ${shortText(threshold)}` };
}
