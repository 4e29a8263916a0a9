import { unexpected } from "./errors";

/** A cloud of points, or a mesh when there are faces. */
export interface PlyCloud {
  /** x, y, z of each point. Points with NaN are left out, and faces that use them. */
  readonly positions: Float32Array;
  /** Red, green, blue of each point, 0..255. */
  readonly colours: Uint8Array;
  /** Unit normal of each point. */
  readonly normals?: Float32Array;
  /** Triangles, three indices of points each. */
  readonly faces?: Uint32Array;
  /** Lines of the header that say where the cloud comes from. */
  readonly comments: readonly string[];
}

/**
 * A binary little-endian PLY file: float32 positions and normals, uchar colours, triangles as lists of int32.
 * Format: Greg Turk, "The PLY Polygon File Format", 1994. Throws `bad-argument` when the arrays do not belong together.
 */
export function plyFile({ positions, colours, normals, faces = new Uint32Array(0), comments }: PlyCloud): Uint8Array {
  if (positions.length % 3 !== 0) throw unexpected("bad-argument", "positions", "three numbers a point", positions.length);
  for (const [name, values] of [["colours", colours], ["normals", normals ?? positions]] as const) {
    if (values.length !== positions.length) throw unexpected("bad-argument", name, `${positions.length} numbers`, values.length);
  }
  const newIndex = numberFinitePoints(positions);
  const pointCount = newIndex.reduce((most, index) => Math.max(most, index + 1), 0);
  const kept = faces.length / 3 > 0 ? completeFaces(faces, newIndex) : faces;
  const header = new TextEncoder().encode(headerText(pointCount, kept.length / 3, normals !== undefined, comments));
  const pointBytes = normals ? 27 : 15;
  const bytes = new Uint8Array(header.length + pointCount * pointBytes + (kept.length / 3) * 13);
  bytes.set(header);
  const view = new DataView(bytes.buffer);
  let at = header.length;
  const floats = (values: Float32Array, from: number): void => {
    for (let c = 0; c < 3; c++, at += 4) view.setFloat32(at, values[from + c], true);
  };
  for (let p = 0; p < newIndex.length; p++) {
    if (newIndex[p] < 0) continue;
    floats(positions, 3 * p);
    if (normals) floats(normals, 3 * p);
    for (let c = 0; c < 3; c++) bytes[at++] = colours[3 * p + c];
  }
  for (let f = 0; f < kept.length; f += 3) {
    bytes[at++] = 3;
    for (let c = 0; c < 3; c++, at += 4) view.setInt32(at, kept[f + c], true);
  }
  return bytes;
}

function headerText(points: number, triangles: number, hasNormals: boolean, comments: readonly string[]): string {
  const properties = ["float x", "float y", "float z", ...(hasNormals ? ["float nx", "float ny", "float nz"] : []), "uchar red", "uchar green", "uchar blue"];
  const lines = [
    "ply",
    "format binary_little_endian 1.0",
    // A line break would end the comment; readers expect ASCII.
    ...comments.map((text) => `comment ${text.replace(/[^\x20-\x7e]+/g, "?")}`),
    `element vertex ${points}`,
    ...properties.map((property) => `property ${property}`),
    ...(triangles > 0 ? [`element face ${triangles}`, "property list uchar int vertex_indices"] : []),
    "end_header",
  ];
  return `${lines.join("\n")}\n`;
}

/** Place of every point in the file; -1 for those with NaN. */
function numberFinitePoints(positions: Float32Array): Int32Array {
  let next = 0;
  return Int32Array.from({ length: positions.length / 3 }, (_, p) => (Number.isFinite(positions[3 * p] + positions[3 * p + 1] + positions[3 * p + 2]) ? next++ : -1));
}

function completeFaces(faces: Uint32Array, newIndex: Int32Array): Uint32Array {
  const out: number[] = [];
  for (let f = 0; f + 2 < faces.length; f += 3) {
    const [a, b, c] = [newIndex[faces[f]], newIndex[faces[f + 1]], newIndex[faces[f + 2]]];
    if (a >= 0 && b >= 0 && c >= 0) out.push(a, b, c);
  }
  return Uint32Array.from(out);
}
