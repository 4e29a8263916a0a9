import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { PlumblineError } from "../../src/core/errors";
import type { FloatMap } from "../../src/core/image";
import { encodePng16, exportMaps } from "../../src/io/export";
import { readNpy } from "../../src/io/npy";

interface ResultJson {
  readonly seed: number;
  readonly files: Readonly<Record<string, { readonly holds: string; readonly meaning: string; readonly shape: number[]; readonly offset?: number; readonly scale?: number; readonly invalidCode?: number }>>;
}

const depth: FloatMap = { width: 3, height: 2, channels: 1, data: Float32Array.of(0.125, 0.25, 0.5, 0.75, 0.9, 1) };
const normals: FloatMap = { width: 2, height: 1, channels: 3, data: Float32Array.of(0, 0, 1, -1, 0.6, -0.8) };

/** Codes of a 16-bit PNG as its channels are stored. */
async function codesOf(bytes: Buffer): Promise<{ codes: number[]; channels: number; depth: string | undefined }> {
  const meta = await sharp(bytes).metadata();
  const space = meta.channels === 1 ? "grey16" : "rgb16";
  const { data, info } = await sharp(bytes).toColourspace(space).raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
  return { codes: [...new Uint16Array(data.buffer, data.byteOffset, data.length / 2)], channels: info.channels, depth: meta.depth };
}

describe("io/export", () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-export-")); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("writes arrays, colours, 16-bit codes and the JSON that explains them", async () => {
    const colour = Uint8Array.from({ length: 18 }, (_, i) => i * 14);
    const out = join(dir, "new", "folder");
    const written = await exportMaps(
      out,
      [
        { name: "depth", meaning: "affine-invariant depth", map: depth, formats: ["npy", "png", "png16"], colour },
        { name: "normals", meaning: "unit normals", map: normals, formats: ["npy", "png16"] },
      ],
      { seed: 7 },
    );
    const names = ["depth.npy", "depth.png", "depth_16bit.png", "normals.npy", "normals_16bit.png", "run.json"];
    assert.deepEqual(written, names);
    assert.deepEqual((await readdir(out)).sort(), names);

    const depthArray = await readNpy(join(out, "depth.npy"));
    assert.deepEqual([depthArray.dims, [...depthArray.data]], [[2, 3], [...depth.data]]);
    const normalsArray = await readNpy(join(out, "normals.npy"));
    assert.deepEqual([normalsArray.dims, [...normalsArray.data]], [[1, 2, 3], [...normals.data]]);
    assert.deepEqual([...(await sharp(join(out, "depth.png")).raw().toBuffer())], [...colour]);

    const json = JSON.parse(await readFile(join(out, "run.json"), "utf8")) as ResultJson;
    assert.equal(json.seed, 7);
    assert.deepEqual(Object.keys(json.files), names.slice(0, -1));
    for (const [name, map] of [["depth_16bit.png", depth], ["normals_16bit.png", normals]] as const) {
      const { offset = NaN, scale = NaN, invalidCode } = json.files[name];
      const { codes, channels, depth: bits } = await codesOf(await readFile(join(out, name)));
      assert.deepEqual([channels, bits, invalidCode], [map.channels, "ushort", undefined]);
      codes.forEach((code, i) => assert.ok(Math.abs(offset + scale * code - map.data[i]) <= scale / 2 + 1e-7, `${name} ${i}`));
    }
    assert.deepEqual(json.files["normals_16bit.png"].shape, [1, 2, 3]);
    assert.match(json.files["depth.npy"].meaning, /affine/);
  });

  it("uses all 16 bits, and code 0 only for pixels without a value", async () => {
    const full = await encodePng16(depth);
    const { codes } = await codesOf(full.bytes);
    assert.deepEqual([codes[0], codes[5]], [0, 65535]);
    const holed = await encodePng16({ ...depth, data: Float32Array.of(NaN, 2, 3, Infinity, 5, 2) });
    assert.equal(holed.scale.invalidCode, 0);
    const withHoles = (await codesOf(holed.bytes)).codes;
    assert.deepEqual(withHoles.map((code) => code === 0), [true, false, false, true, false, false]);
    assert.deepEqual([withHoles[1], withHoles[4]], [1, 65535]);
    assert.ok(Math.abs(holed.scale.offset + holed.scale.scale * withHoles[2] - 3) <= holed.scale.scale);
  });

  it("writes constant and empty-valued maps without dividing by zero", async () => {
    const constant = await encodePng16({ ...depth, data: new Float32Array(6).fill(4) });
    assert.equal(constant.scale.offset + constant.scale.scale * (await codesOf(constant.bytes)).codes[0], 4);
    const nothing = await encodePng16({ ...depth, data: new Float32Array(6).fill(NaN) });
    assert.ok(Number.isFinite(nothing.scale.offset) && nothing.scale.scale > 0);
    assert.deepEqual((await codesOf(nothing.bytes)).codes, [0, 0, 0, 0, 0, 0]);
  });

  it("replaces an older result and leaves no temporary files", async () => {
    await writeFile(join(dir, "depth.npy"), "old");
    await exportMaps(dir, [{ name: "depth", meaning: "", map: depth, formats: ["npy"] }], {});
    assert.deepEqual((await readNpy(join(dir, "depth.npy"))).dims, [2, 3]);
    assert.deepEqual((await readdir(dir)).sort(), ["depth.npy", "run.json"]);
  });

  it("keeps the older file whole and writes no JSON when something cannot be written", async () => {
    await writeFile(join(dir, "depth.npy"), "old");
    await mkdir(join(dir, "std.npy"));
    const maps = ["std", "depth"].map((name) => ({ name, meaning: "", map: depth, formats: ["npy"] as const }));
    await assert.rejects(exportMaps(dir, maps, {}), (error) => error instanceof PlumblineError && error.code === "write-failed" && error.message.includes("std.npy") && error.remedy !== "");
    assert.equal(await readFile(join(dir, "depth.npy"), "utf8"), "old");
    assert.deepEqual((await readdir(dir)).sort(), ["depth.npy", "std.npy"]);
  });

  it("names the folder when it cannot be made", async () => {
    await writeFile(join(dir, "occupied"), "");
    await chmod(join(dir, "occupied"), 0o444);
    await assert.rejects(exportMaps(join(dir, "occupied", "out"), [{ name: "depth", meaning: "", map: depth, formats: ["npy"] }], {}), /occupied/);
  });

  it("asks for colours where a colour PNG is wanted, of the right size", async () => {
    const isArgument = (error: unknown): boolean => error instanceof PlumblineError && error.code === "bad-argument";
    await assert.rejects(exportMaps(dir, [{ name: "depth", meaning: "", map: depth, formats: ["png"] }], {}), isArgument);
    await assert.rejects(exportMaps(dir, [{ name: "depth", meaning: "", map: depth, formats: ["png"], colour: new Uint8Array(3) }], {}), isArgument);
  });
});
