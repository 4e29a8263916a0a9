import assert from "node:assert/strict";
import { plyFile } from "../../src/core/ply";

interface Parsed {
  readonly comments: readonly string[];
  readonly vertices: readonly Readonly<Record<string, number>>[];
  readonly faces: readonly (readonly number[])[];
}

/** A reader after the format's description, for the types that are used; fails when bytes are left over. */
function parsePly(bytes: Uint8Array): Parsed {
  const end = "end_header\n";
  const length = Buffer.from(bytes).indexOf(end) + end.length;
  const lines = Buffer.from(bytes).toString("ascii", 0, length).split("\n");
  assert.deepEqual(lines.slice(0, 2), ["ply", "format binary_little_endian 1.0"]);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = length;
  const read: Readonly<Record<string, () => number>> = {
    float: () => view.getFloat32((at += 4) - 4, true),
    int: () => view.getInt32((at += 4) - 4, true),
    uchar: () => view.getUint8(at++),
  };
  const elements = new Map<string, { count: number; properties: string[][] }>();
  for (const line of lines) {
    const [word, ...rest] = line.split(" ");
    if (word === "element") elements.set(rest[0], { count: Number(rest[1]), properties: [] });
    if (word === "property") [...elements.values()].at(-1)?.properties.push(rest);
  }
  const vertex = elements.get("vertex");
  const vertices = Array.from({ length: vertex?.count ?? 0 }, () => Object.fromEntries((vertex?.properties ?? []).map(([type, name]) => [name, read[type]()])));
  const face = elements.get("face");
  const faces = Array.from({ length: face?.count ?? 0 }, () => {
    const [, countType, indexType] = face?.properties[0] ?? [];
    return Array.from({ length: read[countType]() }, () => read[indexType]());
  });
  assert.equal(at, bytes.length, "nothing after the last element");
  return { comments: lines.filter((line) => line.startsWith("comment ")).map((line) => line.slice(8)), vertices, faces };
}

describe("core/ply", () => {
  const positions = Float32Array.from([0.1, -2, -3e-5, NaN, 1, 2, 4, 5, -6, 7, 8, -9]);
  const colours = Uint8Array.from([255, 0, 1, 9, 9, 9, 12, 13, 14, 250, 251, 252]);

  it("writes points bit by bit and leaves out those without a place", () => {
    const { comments, vertices, faces } = parsePly(plyFile({ positions, colours, comments: ["depth of a room"] }));
    assert.deepEqual(comments, ["depth of a room"]);
    assert.deepEqual(faces, []);
    assert.deepEqual(vertices, [
      { x: Math.fround(0.1), y: -2, z: Math.fround(-3e-5), red: 255, green: 0, blue: 1 },
      { x: 4, y: 5, z: -6, red: 12, green: 13, blue: 14 },
      { x: 7, y: 8, z: -9, red: 250, green: 251, blue: 252 },
    ]);
  });

  it("writes normals, and faces under the points' new numbers", () => {
    const normals = Float32Array.from([0, 0, 1, 0, 0, 1, 0, 0.6, 0.8, 1, 0, 0]);
    const { vertices, faces } = parsePly(plyFile({ positions, colours, normals, faces: Uint32Array.from([0, 2, 3, 0, 1, 2]), comments: [] }));
    assert.deepEqual(faces, [[0, 1, 2]], "the face with the missing point is gone");
    assert.deepEqual([vertices[1].nx, vertices[1].ny, vertices[1].nz], [0, Math.fround(0.6), Math.fround(0.8)]);
  });

  it("keeps a header that readers accept, whatever the image is called", () => {
    const { comments } = parsePly(plyFile({ positions, colours, comments: ["photo\nend_header\nü.jpg"] }));
    assert.deepEqual(comments, ["photo?end_header?.jpg"]);
    const empty = parsePly(plyFile({ positions: new Float32Array(0), colours: new Uint8Array(0), comments: [] }));
    assert.deepEqual(empty.vertices, []);
  });

  it("refuses arrays that do not belong together", () => {
    assert.throws(() => plyFile({ positions, colours: colours.subarray(3), comments: [] }), /Expected 12 numbers for colours but received 9/);
    assert.throws(() => plyFile({ positions: positions.subarray(1), colours, comments: [] }), /three numbers a point/);
  });
});
