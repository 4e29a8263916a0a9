import { ensembleDepth } from "../core/ensembleDepth";
import { ensembleNormals } from "../core/ensembleNormals";
import type { FloatMap } from "../core/image";
import { normalized } from "../core/normals";
import { resizeMap, type Size } from "../core/resize";
import type { Task } from "../core/semantics";

export class StepStatistics {
  constructor(readonly task: Task) {}
  add(_map: FloatMap): void {}
  std(): FloatMap | undefined {
    return undefined;
  }
}

/** The maps of all members as one. */
export interface Combined {
  readonly map: FloatMap;
  /** Absent for one member. */
  readonly stdOverMembers?: FloatMap;
}

/**
 * Combines members H x W (at least one). A single member stays as it is: per-image min-max scaling, which the Marigold
 * code adds, would only take away the common scale of a run's steps. Several: depth is aligned and the median taken, in 0..1;
 * of normals each pixel takes the member closest to the mean direction.
 */
export function combine(members: readonly FloatMap[], task: Task): Combined {
  if (members.length === 1) return { map: members[0] };
  const map = task === "depth" ? ensembleDepth(members).prediction : ensembleNormals(members, "closest").prediction;
  return { map };
}

/**
 * A map at the source image's size, antialiased bilinear as the E2E-FT and Marigold code; normals get unit length again.
 */
export function toSourceSize(map: FloatMap, size: Size, isNormals: boolean): FloatMap {
  if (map.width === size.width && map.height === size.height) return map;
  const resized = resizeMap(map, { width: size.width, height: size.height }, "bilinear");
  return isNormals ? normalized(resized, "diffusers") : resized;
}
