import type { NormalsFrame } from "../core/semantics";

/** How stored numbers become depth in metres. NaN and infinity are never valid. */
export interface DepthEncoding {
  readonly kind: "depth";
  /** Stored units in a metre: 1000 for millimetres. */
  readonly unitsPerMetre: number;
  /** Stored numbers that mean "no value". */
  readonly invalid: readonly number[];
  /** Of headerless files. */
  readonly size?: { readonly width: number; readonly height: number };
}

/** How stored numbers become unit normals. */
export interface NormalsEncoding {
  readonly kind: "normals";
  /** `bytes`: v / 255 * 2 - 1, no value where all are 0. `floats`: as stored, no value where the length is at most 0.5. */
  readonly stored: "bytes" | "floats";
  readonly frame: NormalsFrame;
}

/** Regions of the papers' protocols. `kitti-benchmark` is cut out of image, prediction and truth before anything runs. */
export type EvaluationCrop = "nyu-eigen" | "kitti-eigen" | "kitti-garg";

/** A data set as it is distributed, and the protocol by which it is evaluated. */
export interface DatasetPreset {
  readonly id: string;
  readonly title: string;
  /** Number of images of the papers' split; 0 where none is fixed. */
  readonly count: number;
  /** Matches an image's path (forward slashes, relative to the folder opened). */
  readonly image: RegExp;
  /** Where its truth may be, `$<group>` for the groups of `image`; the first that exists. */
  readonly truth: readonly string[];
  /** Files of which every one that exists must be non-zero (`zeroIsValid`: zero) where a pixel counts. */
  readonly masks?: readonly { readonly path: string; readonly zeroIsValid?: boolean }[];
  readonly encoding: DepthEncoding | NormalsEncoding;
  /** In metres; a pixel counts when min < d < max (both strictly). Depth only. */
  readonly minDepth?: number;
  readonly maxDepth?: number;
  /** The range clips the prediction only; which pixels count is left to the mask file. */
  readonly rangeClipsOnly?: boolean;
  readonly inputCrop?: "kitti-benchmark";
  readonly crop?: EvaluationCrop;
  readonly alignmentMaxResolution?: number;
  /** What is uncertain or worth knowing, in a sentence. */
  readonly note?: string;
}

const millimetres: DepthEncoding = { kind: "depth", unitsPerMetre: 1000, invalid: [0] };
const metres: DepthEncoding = { kind: "depth", unitsPerMetre: 1, invalid: [] };
const byteNormals: NormalsEncoding = { kind: "normals", stored: "bytes", frame: "LUB" };
const floatNormals: NormalsEncoding = { kind: "normals", stored: "floats", frame: "LUB" };

/** The sets of the paper and of its training data; Marigold's and DSINE's evaluation code define ranges, crops and masks. */
export const datasetPresets: readonly DatasetPreset[] = [
  {
    id: "nyuv2", title: "NYUv2", count: 654,
    image: /^(?<dir>(?:.*\/)?)rgb_(?<n>\d+)\.png$/, truth: ["$<dir>depth_$<n>.png"],
    encoding: millimetres, minDepth: 1e-3, maxDepth: 10, crop: "nyu-eigen",
  },
  {
    id: "kitti-eigen", title: "KITTI, Eigen split", count: 652,
    image: /^(?<root>(?:.*\/)?)(?<date>\d{4}_\d{2}_\d{2})\/(?<drive>[^/]+)\/image_02\/data\/(?<n>\d+)\.png$/,
    truth: ["$<root>$<drive>/proj_depth/groundtruth/image_02/$<n>.png", "$<root>$<date>/$<drive>/proj_depth/groundtruth/image_02/$<n>.png", "$<root>train/$<drive>/proj_depth/groundtruth/image_02/$<n>.png", "$<root>val/$<drive>/proj_depth/groundtruth/image_02/$<n>.png"],
    encoding: { kind: "depth", unitsPerMetre: 256, invalid: [0] }, minDepth: 1e-5, maxDepth: 80, inputCrop: "kitti-benchmark", crop: "kitti-eigen",
    note: "Sparse lidar depth; the benchmark crop is cut out of the image first.",
  },
  {
    id: "eth3d", title: "ETH3D", count: 454,
    image: /^(?<root>(?:.*\/)?)rgb\/(?<scene>[^/]+)\/images\/dslr_images\/(?<name>[^/]+\.JPG)$/i,
    truth: ["$<root>depth/$<scene>_dslr_depth/$<scene>/ground_truth_depth/dslr_images/$<name>"],
    encoding: { ...metres, size: { width: 6048, height: 4032 } }, minDepth: 1e-5, maxDepth: Infinity, alignmentMaxResolution: 1024,
    note: "The truth is headerless float32 of 4032 x 6048 under the photograph's name.",
  },
  {
    id: "scannet", title: "ScanNet", count: 800,
    image: /^(?<scene>(?:.*\/)?)color\/(?<n>[^/]+)\.jpg$/i, truth: ["$<scene>depth/$<n>.png"],
    encoding: millimetres, minDepth: 1e-3, maxDepth: 10,
  },
  {
    id: "diode", title: "DIODE", count: 771,
    image: /^(?<stem>(?:.*\/)?(?:indoors|outdoor)\/scene_[^/]+\/scan_[^/]+\/[^/]+)\.png$/, truth: ["$<stem>_depth.npy"], masks: [{ path: "$<stem>_depth_mask.npy" }],
    encoding: metres, minDepth: 0.6, maxDepth: 350, rangeClipsOnly: true,
  },
  {
    id: "hypersim", title: "Hypersim", count: 0,
    image: /^(?<dir>(?:.*\/)?)rgb_cam_(?<rest>[^/]+)\.png$/, truth: ["$<dir>depth_plane_cam_$<rest>.png"],
    encoding: millimetres, minDepth: 1e-5, maxDepth: 65, note: "Planar depth, as Marigold's preprocessing writes it.",
  },
  {
    id: "vkitti2", title: "Virtual KITTI 2", count: 0,
    image: /^(?<root>(?:.*\/)?)rgb\/(?<scene>Scene\d+\/[^/]+\/frames)\/rgb\/(?<camera>[^/]+)\/rgb_(?<n>\d+)\.jpg$/,
    truth: ["$<root>depth/$<scene>/depth/$<camera>/depth_$<n>.png"],
    encoding: { kind: "depth", unitsPerMetre: 100, invalid: [65535] }, minDepth: 1e-5, maxDepth: 80, inputCrop: "kitti-benchmark",
    note: "65535 is the sky.",
  },
  {
    id: "ibims1", title: "iBims-1", count: 100,
    image: /^(?<root>(?:.*\/)?)rgb\/(?<name>[^/]+)\.png$/, truth: ["$<root>depth/$<name>.png"],
    masks: [{ path: "$<root>mask_invalid/$<name>.png" }, { path: "$<root>mask_transp/$<name>.png" }],
    encoding: { kind: "depth", unitsPerMetre: 65535 / 50, invalid: [0] }, minDepth: 1e-5, maxDepth: 50,
    note: "Not tried on the distributed files.",
  },
  {
    id: "sintel", title: "MPI Sintel", count: 0,
    image: /^(?<root>(?:.*\/)?)(?:final|clean)\/(?<frame>[^/]+\/[^/]+)\.png$/, truth: ["$<root>depth/$<frame>.dpt"],
    encoding: metres, minDepth: 1e-5, maxDepth: 70, note: "Not tried on the distributed files; the range is ours: the sky is very far.",
  },
  {
    id: "nyuv2-normals", title: "NYUv2, normals (DSINE)", count: 654,
    image: /^(?<stem>(?:.*\/)?[^/]+)_img\.png$/, truth: ["$<stem>_normal.png"], encoding: byteNormals,
  },
  {
    id: "scannet-normals", title: "ScanNet, normals (DSINE)", count: 300,
    image: /^(?<stem>(?:.*\/)?[^/]+)_img\.png$/, truth: ["$<stem>_normal.png"], encoding: byteNormals,
  },
  {
    id: "ibims1-normals", title: "iBims-1, normals (DSINE)", count: 100,
    image: /^(?<stem>(?:.*\/)?[^/]+)_img\.png$/, truth: ["$<stem>_normal.exr"], encoding: floatNormals,
  },
  {
    id: "sintel-normals", title: "MPI Sintel, normals (DSINE)", count: 1064,
    image: /^(?<stem>(?:.*\/)?[^/]+)_img\.png$/, truth: ["$<stem>_normal.exr"], encoding: floatNormals,
  },
  {
    id: "marigold-normals", title: "Normals as .npy (Marigold)", count: 0,
    image: /^(?<stem>(?:.*\/)?[^/]+?)(?:_img|_rgb)?\.(?:png|jpe?g|webp)$/i, truth: ["$<stem>_normal.npy"], encoding: { ...floatNormals, frame: "RUB" },
  },
];
