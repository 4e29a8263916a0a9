import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlumblineError } from "../../src/core/errors";
import { parseFloatImage, readFloatImage, type FloatFormat, type FloatImageOptions } from "../../src/io/floatImage";
import { readNpy } from "../../src/io/npy";

const folder = join(import.meta.dirname, "../fixtures/floats");
const at = (name: string): string => join(folder, name);

/** File, the array that holds its values, by how much they may differ, and how to read it. Written by other programs: make.sh. */
const files: readonly [name: string, truth: string, tolerance: number, options?: FloatImageOptions][] = [
  ["depth.npy", "depth.npy", 0],
  ["depth-1hw.npy", "depth.npy", 0],
  ["depth-hw1.npy", "depth.npy", 0],
  ["depth-fortran-double.npy", "depth.npy", 0],
  ["normals-chw.npy", "normals.npy", 0],
  ["depth.npz", "depth.npy", 0],
  ["both.npz", "normals.npy", 0, { entry: "normals" }],
  ["both.npz", "depth.npy", 0, { entry: "depth" }],
  ["depth.dpt", "depth.npy", 0],
  ["depth.f32", "depth.npy", 0, { format: "f32", size: { width: 5, height: 6 } }],
  ["depth.tif", "depth.npy", 0],
  ["holes-lzw.tif", "holes.npy", 0],
  ["normals.tif", "normals.npy", 0],
  ["millimetres.png", "millimetres.npy", 0],
  ["millimetres.tif", "millimetres.npy", 0],
  ["bytes.png", "bytes.npy", 0],
  ["bytes-alpha.png", "bytes.npy", 0],
  ["depth.exr", "depth.npy", 0],
  ["depth-Z-piz.exr", "depth.npy", 0],
  ["holes-layer-zip.exr", "holes.npy", 0],
  ["normals.exr", "normals.npy", 0],
  ["normals-xyz-rle.exr", "normals.npy", 0],
  ["normals-tiled.exr", "normals.npy", 0],
  ["normals-alpha.exr", "normals.npy", 0],
  ["normals-half-zip.exr", "normals.npy", 2 ** -11],
];

describe("float images that other programs wrote", () => {
  for (const [name, truth, tolerance, options] of files) {
    it(`${name}${options?.entry ? ` (${options.entry})` : ""} holds ${truth}`, async () => {
      const image = await readFloatImage(at(name), options);
      const expected = await readNpy(at(truth));
      assert.deepEqual([image.height, image.width, image.channels], [...expected.dims, 1].slice(0, 3));
      image.data.forEach((value, i) => assert.ok(Object.is(value, expected.data[i]) || Math.abs(value - expected.data[i]) <= tolerance, `value ${i}: ${value}, not ${expected.data[i]}`));
    });
  }

  for (const [name, truth, largest] of [["over65535-big.pfm", "millimetres.npy", 65535], ["over65535-little.pfm", "millimetres.npy", 65535], ["over255-colour.pfm", "bytes.npy", 255]] as const) {
    it(`${name} holds ${truth} over ${largest}`, async () => {
      const image = await readFloatImage(at(name));
      const expected = await readNpy(at(truth));
      assert.deepEqual([image.height, image.width, image.channels], [...expected.dims, 1].slice(0, 3));
      image.data.forEach((value, i) => assert.ok(Math.abs(value - expected.data[i] / largest) < 1e-6, `value ${i}: ${value}`));
    });
  }

  it("says what was left out", async () => {
    assert.deepEqual((await readFloatImage(at("normals-alpha.exr"))).notes, ["alpha left out"]);
    assert.deepEqual((await readFloatImage(at("bytes-alpha.png"))).notes, ["alpha left out"]);
  });
});

describe("files that are no float images", () => {
  let temporary: string;
  before(async () => void (temporary = await mkdtemp(join(tmpdir(), "plumbline-floats-"))));
  after(() => rm(temporary, { recursive: true, force: true }));

  async function refused(name: string, content: Uint8Array | string, says: RegExp, options?: FloatImageOptions): Promise<void> {
    await writeFile(join(temporary, name), content);
    await assert.rejects(readFloatImage(join(temporary, name), options), (error: unknown) => error instanceof PlumblineError && error.remedy !== "" && says.test(error.message));
  }

  it("are refused with what was expected", async () => {
    await refused("a.jpg", "x", /a file of floats \(\.npy, /);
    await refused("a.pfm", "", /empty file/);
    await refused("a.pfm", "P6\n5 6\n255\n", /PFM header/);
    await refused("b.pfm", "Pf\n5 6\n-1\n1234", /120 bytes for 5 x 6 x 1 floats/);
    await refused("a.dpt", new Uint8Array(40), /202021\.25/);
    await refused("a.exr", "not one", /OpenEXR/);
    await refused("a.png", await readFile(at("depth.tif")), /a PNG file/);
    await refused("a.npz", "PK", /damaged/);
    await refused("a.f32", new Uint8Array(7), /a width and a height/, { format: "f32" });
    await refused("b.f32", new Uint8Array(7), /120 bytes/, { format: "f32", size: { width: 5, height: 6 } });
    await assert.rejects(readFloatImage(at("refused-b44.exr")), /B44/);
    await assert.rejects(readFloatImage(at("both.npz")), /the arrays depth, normals/);
    await assert.rejects(readFloatImage(at("both.npz"), { entry: "depht" }), /an array "depht"/);
    await assert.rejects(readFloatImage(at("gone.exr")), (error: unknown) => error instanceof PlumblineError && error.code === "not-found");
  });
});

describe("damaged float images (seed 20240917)", () => {
  const mutants = 2000;
  const formats: readonly [FloatFormat, string, FloatImageOptions?][] = [
    ["npy", "depth.npy"], ["npz", "both.npz", { entry: "depth" }], ["pfm", "over65535-big.pfm"], ["dpt", "depth.dpt"], ["exr", "depth-Z-piz.exr"], ["exr", "normals.exr"], ["exr", "normals-tiled.exr"],
    ["png", "millimetres.png"], ["tiff", "holes-lzw.tif"], ["f32", "depth.f32", { size: { width: 5, height: 6 } }],
  ];

  for (const [format, name, options] of formats) {
    it(`${mutants} mutants of ${name}: each is an image or a clear error`, async () => {
      const whole = await readFile(at(name));
      const random = lcg(20240917);
      for (let i = 0; i < mutants; i++) {
        const mutant = mutate(whole, random);
        await parseFloatImage(mutant, name, format, options).then(
          ({ width, height, channels, data }) => assert.equal(data.length, width * height * channels),
          (error: unknown) => assert.ok(error instanceof PlumblineError, `mutant ${i}: ${String(error)}`),
        );
      }
    }).timeout(120_000);
  }
});

/** A few bytes changed, the end cut off, or bytes put in. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const kind = random() % 4;
  if (kind === 0) return bytes.slice(0, random() % bytes.length);
  if (kind === 1) return Buffer.concat([bytes.subarray(0, random() % bytes.length), Buffer.from([random(), random(), random()]), bytes.subarray(random() % bytes.length)]);
  const changed = Uint8Array.from(bytes);
  for (let n = 1 + (random() % 4); n > 0; n--) changed[random() % Math.min(changed.length, kind === 2 ? 400 : Infinity)] = random();
  return changed;
}

function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8;
}
