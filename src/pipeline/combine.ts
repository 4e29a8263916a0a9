import { alignMembers, combineDepth, defaultDepthEnsemble } from "../core/ensembleDepth";
import { ensembleNormals } from "../core/ensembleNormals";
import type { FloatMap } from "../core/image";
import { angleMap, normalized } from "../core/normals";
import { resizeMap, type Size } from "../core/resize";
import type { Task } from "../core/semantics";
import { AlignedStatistics, DirectionStatistics, PixelStatistics } from "../core/statistics";

/** How far the maps of a run differ, pixel by pixel, taken in one at a time; none is kept. */
export interface Spread {
  add(map: FloatMap): void;
  /**
   * Depth: population standard deviation, every map aligned to the last one, in units of the last one. Normals: spread
   * about the mean direction in radians. Absent before the second map.
   */
  std(): FloatMap | undefined;
}

/** The spread of maps of one size. */
export function spreadOf(task: Task): Spread {
  let size: Size | undefined;
  let aligned: AlignedStatistics | undefined;
  let directions: DirectionStatistics | undefined;
  return {
    add(map) {
      size ??= { width: map.width, height: map.height };
      if (task === "depth") (aligned ??= new AlignedStatistics(map.data.length)).add(map.data);
      else (directions ??= new DirectionStatistics(map.data.length)).add(map.data);
    },
    std() {
      if (!size || (aligned ?? directions)?.count === 1) return undefined;
      const data = aligned ? aligned.standardDeviation("population") : directions?.angularDeviation();
      return data && { ...size, channels: 1, data };
    },
  };
}

/** The maps of all members as one. */
export interface Combined {
  readonly map: FloatMap;
  /** Absent for one member. */
  readonly stdOverMembers?: FloatMap;
}

/**
 * Combines members H x W (at least one). A single member stays as it is: the per-image min-max scaling that the Marigold
 * code adds would only take away the common scale of a run's steps. Several: depth is aligned and the median taken, in 0..1;
 * of normals each pixel takes the member closest to the mean direction. The deviation is in units of the result.
 */
export function combine(members: readonly FloatMap[], task: Task): Combined {
  if (members.length === 1) return { map: members[0] };
  return task === "depth" ? combineDepths(members) : combineNormals(members);
}

function combineDepths(members: readonly FloatMap[]): Combined {
  const { parameters } = alignMembers(members, defaultDepthEnsemble);
  const { prediction, range } = combineDepth(members, parameters, defaultDepthEnsemble);
  const statistics = new PixelStatistics(prediction.data.length);
  members.forEach(({ data }, e) => statistics.addTransformed(data, parameters.scales[e] / range, parameters.shifts[e] / range));
  return { map: prediction, stdOverMembers: { ...prediction, data: statistics.standardDeviation("population") } };
}

function combineNormals(members: readonly FloatMap[]): Combined {
  const spread = spreadOf("normals");
  for (const member of members) spread.add(member);
  return { map: ensembleNormals(members, "closest").prediction, stdOverMembers: spread.std() };
}

/** How far two maps of one size are apart on average: depth in its units, nothing aligned; normals in degrees. */
export function meanDifference(a: FloatMap, b: FloatMap, task: Task): number {
  const differences = task === "depth" ? a.data.map((value, i) => Math.abs(value - b.data[i])) : angleMap(a, b).data.map((angle) => (angle * 180) / Math.PI);
  return differences.reduce((sum, value) => sum + value, 0) / differences.length;
}

/**
 * A map at the source image's size, antialiased bilinear as the E2E-FT and Marigold code; normals get unit length again.
 */
export function toSourceSize(map: FloatMap, size: Size, isNormals: boolean): FloatMap {
  if (map.width === size.width && map.height === size.height) return map;
  const resized = resizeMap(map, { width: size.width, height: size.height }, "bilinear");
  return isNormals ? normalized(resized, "diffusers") : resized;
}
