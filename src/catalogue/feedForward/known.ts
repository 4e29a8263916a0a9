import { manifestFrom, type Manifest, type ManifestFields } from "./manifest";

/*
 * Manifests of networks that are published, or exported with the authors' own script, without a file that says how to run them. Each states
 * where its facts come from. A network is recognised by the name of its file.
 */

const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } satisfies ManifestFields["input"];
const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } satisfies ManifestFields["input"];
/** OpenCV on floats in 0..1. */
const cubicFloats = { filter: "bicubic-no-antialias", rounding: "none" } satisfies ManifestFields["input"];

interface KnownNetwork {
  readonly fileName: RegExp;
  readonly fields: ManifestFields;
}

const known: readonly KnownNetwork[] = [
  // isl-org/MiDaS hubconf.py, dpt_transform: 384, multiples of 32, "minimal", INTER_CUBIC, mean and std 0.5.
  { fileName: /^dpt[-_](large|hybrid)(?!.*ade)/, fields: { name: "MiDaS v3 (DPT)", size: { kind: "closest", width: 384, height: 384, multiple: 32 }, input: { ...half, ...cubicFloats }, outputs: [{ kind: "affine-disparity" }] } },
  // isl-org/MiDaS hubconf.py, small_transform and default_transform: "upper_bound".
  { fileName: /^(midas[-_]v21[-_]small|model-small)/, fields: { name: "MiDaS v2.1 small", size: { kind: "longest", edge: 256, multiple: 32 }, input: { ...imageNet, ...cubicFloats }, outputs: [{ kind: "affine-disparity" }] } },
  { fileName: /^(midas[-_]v21|model-f6b98070)/, fields: { name: "MiDaS v2.1", size: { kind: "longest", edge: 384, multiple: 32 }, input: { ...imageNet, ...cubicFloats }, outputs: [{ kind: "affine-disparity" }] } },
  // DepthAnything/Depth-Anything-V2 and LiheYoung/Depth-Anything: 518, multiples of 14, "lower_bound", INTER_CUBIC.
  { fileName: /^depth_anything(_v2)?_vit[sblg](?!.*(indoor|outdoor|metric|hypersim|vkitti))/, fields: { name: "Depth Anything", size: { kind: "shortest", edge: 518, multiple: 14 }, input: { ...imageNet, ...cubicFloats }, outputs: [{ kind: "affine-disparity" }] } },
  // YvanYin/Metric3D onnx/metric3d_onnx_export.py and test.onnx.py: the normalisation is part of the network.
  {
    fileName: /^metric3d_vit/,
    fields: {
      name: "Metric3D v2",
      size: { kind: "fixed", width: 1064, height: 616, keepAspect: true },
      input: { range: [0, 255], filter: "bilinear-no-antialias", rounding: "bytes", padding: { place: "centre", value: [123.675, 116.28, 103.53] } },
      outputs: [{ kind: "metric-depth", name: "pred_depth", focal: { canonical: 1000 } }],
      notes: ["The depth is in metres for a camera with a focal length of 1000 pixels of the network's input; the real camera's is not known, so it is depth up to a scale."],
    },
  },
  {
    fileName: /^metric3d_convnext/,
    fields: {
      name: "Metric3D v1",
      size: { kind: "fixed", width: 1216, height: 544, keepAspect: true },
      input: { range: [0, 255], filter: "bilinear-no-antialias", rounding: "bytes", padding: { place: "centre", value: [123.675, 116.28, 103.53] } },
      outputs: [{ kind: "metric-depth", name: "pred_depth", focal: { canonical: 1000 } }],
      notes: ["The depth is in metres for a camera with a focal length of 1000 pixels of the network's input; the real camera's is not known, so it is depth up to a scale."],
    },
  },
  // EPFL-VILAB/omnidata demo.py: Pillow's bilinear to a shortest side of 384, mean and std 0.5, the output clamped to 0..1. The demo takes the centre's square.
  {
    fileName: /^omnidata.*depth/,
    fields: {
      name: "Omnidata depth",
      size: { kind: "shortest", edge: 384, multiple: 32 },
      input: { ...half, filter: "bilinear", rounding: "pillow" },
      outputs: [{ kind: "affine-depth", clip: [0, 1] }],
      notes: ["Omnidata's own demo shows the square in the centre of an image; here the whole image goes in."],
    },
  },
  // baegwangbin/DSINE hubconf.py: black around the image up to multiples of 32, ImageNet scaling, a field of view of 60 degrees. Frame: its README and issue 8.
  {
    fileName: /^dsine/,
    fields: {
      name: "DSINE",
      size: { kind: "own", multiple: 32 },
      input: imageNet,
      outputs: [{ kind: "normals", frame: "LUB" }],
      intrinsics: { name: "intrins", fieldOfViewDegrees: 60 },
      notes: ["The camera's field of view is taken for 60 degrees along the longer side."],
    },
  },
  // aim-uofa/AdelaiDepth LeReS/Minist_Test/tools/test_depth.py: 448 x 448, OpenCV's bilinear on bytes, RGB, ImageNet scaling.
  { fileName: /^leres/, fields: { name: "LeReS", size: { kind: "fixed", width: 448, height: 448 }, input: { ...imageNet, filter: "bilinear-no-antialias", rounding: "bytes" }, outputs: [{ kind: "affine-depth" }] } },
];

/** The manifest of a network that is recognised by the name of its file; undefined for any other. */
export function knownManifest(fileName: string): Manifest | undefined {
  const found = known.find(({ fileName: pattern }) => pattern.test(fileName.toLowerCase()));
  return found && manifestFrom(found.fields);
}
