/** What a network estimates from one image. */
export type Task = "depth" | "normals";

/** Kinds of depth that must never be confused (shown on every map). */
export type DepthKind = "affine-depth" | "affine-disparity" | "metric-depth";

/**
 * Camera frames of surface normals. RUB: x right, y up, z toward the viewer (prs-eth Marigold normals).
 * LUB: x left, y up, z toward the camera (E2E-FT code, GeoWizard, DSINE). n_RUB = (-x, y, z) of n_LUB.
 */
export type NormalsFrame = "RUB" | "LUB";

/** What the numbers of a predicted map mean. */
export type Semantics =
  | { readonly task: "depth"; readonly depthKind: DepthKind }
  | { readonly task: "normals"; readonly frame: NormalsFrame };

/** Depth in words, as shown on a badge. */
export const depthKindText: Record<DepthKind, string> = {
  "affine-depth": "affine-invariant depth (unknown scale and shift; larger = farther)",
  "affine-disparity": "affine-invariant disparity (unknown scale and shift; larger = nearer)",
  "metric-depth": "metric depth in metres (larger = farther)",
};

/** Frames in words, as shown beside a legend. */
export const normalsFrameText: Record<NormalsFrame, string> = {
  RUB: "x right, y up, z toward the viewer",
  LUB: "x left, y up, z toward the camera",
};
