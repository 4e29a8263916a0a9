import type { HeldOutScene } from "./heldOut";

/**
 * How a depth map in metres is wrong: the mean of (d - g) / g over the nearest, the middle and the farthest third of the pixels that
 * `mask` counts, in words.
 */
export function depthCaption(depth: Float32Array, { depth: truth, mask }: Pick<HeldOutScene, "depth" | "mask">): string {
  const known = Array.from(truth.keys()).filter((p) => mask[p]).sort((p, q) => truth[p] - truth[q]);
  const third = (k: number): readonly number[] => known.slice(Math.floor((k * known.length) / 3), Math.floor(((k + 1) * known.length) / 3));
  const bias = (pixels: readonly number[]): number => Math.round((100 * pixels.reduce((sum, p) => sum + (depth[p] - truth[p]) / truth[p], 0)) / pixels.length);
  const said = (value: number): string => (value === 0 ? "neither too near nor too far" : `${Math.abs(value)} % too ${value > 0 ? "far" : "near"}`);
  return `On average the nearest third of the pixels is ${said(bias(third(0)))}, the middle third ${said(bias(third(1)))}, the farthest third ${said(bias(third(2)))}.`;
}

/** Cosine above which a surface counts as facing a direction, about 45 degrees. */
const facing = 0.7;

/** Where normals are wrong: the mean of `degrees` (of every pixel) by the true direction of the surface, in words. Both frames agree on y and z. */
export function normalsCaption(degrees: Float32Array, { normals, mask }: Pick<HeldOutScene, "normals" | "mask">): string {
  const kinds: readonly (readonly [name: string, of: (p: number) => boolean])[] = [
    ["face up", (p) => normals[3 * p + 1] > facing],
    ["face the camera", (p) => normals[3 * p + 2] > facing],
    ["face elsewhere", (p) => Math.max(normals[3 * p + 1], normals[3 * p + 2]) <= facing],
  ];
  const known = Array.from(degrees.keys()).filter((p) => mask[p]);
  const parts = kinds.flatMap(([name, of]) => {
    const pixels = known.filter(of);
    if (pixels.length === 0) return [];
    return [`${Math.round(pixels.reduce((sum, p) => sum + degrees[p], 0) / pixels.length)}° off where surfaces ${name} (${Math.round((100 * pixels.length) / known.length)} % of the pixels)`];
  });
  return `${parts.join(", ")}.`;
}
