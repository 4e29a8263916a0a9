import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { PlumblineError } from "../../src/core/errors";
import { readRgbImage } from "../../src/io/imageFile";

const width = 4;
const height = 2;
const white = 255;

/** CRC-32 as PNG chunks carry it. */
function crc32(data: Buffer): number {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}

/** A PNG made by hand from its rows of bytes (without filter bytes), independent of sharp's own writer. */
function pngFromRows(bitDepth: number, colourType: number, rows: readonly Buffer[], extra: readonly Buffer[] = []): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header.set([bitDepth, colourType, 0, 0, 0], 8);
  const body = deflateSync(Buffer.concat(rows.map((row) => Buffer.concat([Buffer.from([0]), row]))));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), ...extra, chunk("IDAT", body), chunk("IEND", Buffer.alloc(0))]);
}

function bigEndian16(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => bytes.writeUInt16BE(value, i * 2));
  return bytes;
}

/** An uncompressed little-endian TIFF, made by hand. `samples` are raw bytes; one strip. */
function tiff(bits: number, channels: number, photometric: number, samples: Buffer, sampleFormat = 1): Buffer {
  const entries: [number, number, number, number][] = [
    [256, 3, 1, width], [257, 3, 1, height], [258, 3, channels, bits], [259, 3, 1, 1], [262, 3, 1, photometric],
    [273, 4, 1, 0], [277, 3, 1, channels], [278, 3, 1, height], [279, 4, 1, samples.length], [339, 3, channels, sampleFormat],
  ];
  const directory = 8;
  const arrays = directory + 2 + entries.length * 12 + 4;
  const bytes = Buffer.alloc(arrays + 16 * 2);
  bytes.write("II*\0", 0, "latin1");
  bytes.writeUInt32LE(directory, 4);
  bytes.writeUInt16LE(entries.length, directory);
  let free = arrays;
  entries.forEach(([tag, type, count, value], i) => {
    const at = directory + 2 + i * 12;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(type, at + 2);
    bytes.writeUInt32LE(count, at + 4);
    if (tag === 273) bytes.writeUInt32LE(bytes.length, at + 8);
    else if (type === 3 && count > 2) {
      bytes.writeUInt32LE(free, at + 8);
      for (let k = 0; k < count; k++) bytes.writeUInt16LE(value, free + 2 * k);
      free += 2 * count;
    } else if (type === 3) for (let k = 0; k < count; k++) bytes.writeUInt16LE(value, at + 8 + 2 * k);
    else bytes.writeUInt32LE(value, at + 8);
  });
  return Buffer.concat([bytes, samples]);
}

const ramp8 = Array.from({ length: width * height * 3 }, (_, i) => i * 10 + 3);
const ramp16 = Array.from({ length: width * height * 3 }, (_, i) => i * 2700 + 13);
const rowsOf = (bytes: Buffer): Buffer[] => [bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2)];
const greyToRgb = (grey: readonly number[]): number[] => grey.flatMap((value) => [value, value, value]);

describe("io/imageFile", () => {
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-image-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  let count = 0;
  const put = async (bytes: Uint8Array): Promise<string> => {
    const path = join(dir, `image${count++}`);
    await writeFile(path, bytes);
    return path;
  };
  const read = async (bytes: Uint8Array): Promise<Awaited<ReturnType<typeof readRgbImage>>> => readRgbImage(await put(bytes));
  const refused = async (path: string, pattern: RegExp, pixelLimit?: number): Promise<void> => {
    await assert.rejects(readRgbImage(path, pixelLimit), (error) => {
      assert.ok(error instanceof PlumblineError, String(error));
      assert.equal(error.code, "bad-image");
      assert.match(error.message, /^Expected .* for .* but received /);
      assert.match(error.message, pattern);
      assert.ok(error.message.includes(path));
      assert.notEqual(error.remedy, "");
      return true;
    });
  };

  it("reads 8-bit RGB exactly, with the file's hash", async () => {
    const bytes = pngFromRows(8, 2, rowsOf(Buffer.from(ramp8)));
    const { image, rgb8, sha256, format, notes } = await read(bytes);
    assert.deepEqual([image.width, image.height, format, notes], [width, height, "png", []]);
    assert.ok(image.data instanceof Uint8Array);
    assert.deepEqual([...image.data], ramp8);
    assert.deepEqual([...rgb8], ramp8);
    assert.equal(sha256, createHash("sha256").update(bytes).digest("hex"));
  });

  for (const bits of [1, 2, 4]) {
    it(`reads ${bits}-bit grey, stretched to 0..255`, async () => {
      const levels = 2 ** bits - 1;
      const values = Array.from({ length: width * height }, (_, i) => i % (levels + 1));
      const rows = [0, 1].map((y) => {
        const packed = Buffer.alloc(Math.ceil((width * bits) / 8));
        for (let x = 0; x < width; x++) packed[(x * bits) >> 3] |= values[y * width + x] << (8 - bits - ((x * bits) & 7));
        return packed;
      });
      const { image } = await read(pngFromRows(bits, 0, rows));
      assert.deepEqual([...image.data], greyToRgb(values.map((value) => (value * 255) / levels)));
    });
  }

  it("reads a palette, with transparent entries over white", async () => {
    const palette = chunk("PLTE", Buffer.from([10, 20, 30, 200, 100, 50, 0, 0, 0]));
    const alpha = chunk("tRNS", Buffer.from([255, 255, 0]));
    const rows = [Buffer.from([0, 1, 2, 0]), Buffer.from([1, 1, 0, 2])];
    const { image } = await read(pngFromRows(8, 3, rows, [palette, alpha]));
    const colours = [[10, 20, 30], [200, 100, 50], [white, white, white]];
    assert.deepEqual([...image.data], [0, 1, 2, 0, 1, 1, 0, 2].flatMap((i) => colours[i]));
  });

  it("keeps the precision of 16-bit RGB: PNG and TIFF", async () => {
    const little = Buffer.from(Uint16Array.from(ramp16).buffer);
    for (const bytes of [pngFromRows(16, 2, rowsOf(bigEndian16(ramp16))), tiff(16, 3, 2, little)]) {
      const { image, rgb8 } = await read(bytes);
      assert.ok(image.data instanceof Float32Array);
      assert.deepEqual([...image.data], ramp16.map((value) => Math.fround(value / 257)));
      assert.deepEqual([...rgb8], ramp16.map((value) => Math.round(value / 257)));
    }
  });

  it("keeps the precision of 16-bit grey: PNG and TIFF, 65535 is 255", async () => {
    const grey = [0, 1, 127, 128, 257, 32768, 65534, 65535];
    for (const bytes of [pngFromRows(16, 0, rowsOf(bigEndian16(grey))), tiff(16, 1, 1, Buffer.from(Uint16Array.from(grey).buffer))]) {
      const { image, notes } = await read(bytes);
      assert.deepEqual([...image.data], greyToRgb(grey.map((value) => Math.fround(value / 257))));
      assert.deepEqual(notes, ["grey repeated as RGB", "16 bits a channel kept"]);
    }
  });

  it("composites alpha over white: 8 and 16 bits, RGBA and grey with alpha", async () => {
    const alphas = [0, 64, 128, 255, 255, 128, 64, 0];
    const over = (value: number, alpha: number, top: number): number => (value * alpha + top * (top - alpha)) / top;
    const rgba8 = alphas.flatMap((alpha, i) => [i * 30, 255 - i * 30, 7, alpha]);
    const expected8 = alphas.flatMap((alpha, i) => [i * 30, 255 - i * 30, 7].map((value) => Math.round(over(value, alpha, 255))));
    assert.deepEqual([...(await read(pngFromRows(8, 6, rowsOf(Buffer.from(rgba8))))).image.data], expected8);

    const greyAlpha8 = alphas.flatMap((alpha, i) => [i * 30, alpha]);
    const expectedGrey8 = greyToRgb(alphas.map((alpha, i) => Math.round(over(i * 30, alpha, 255))));
    assert.deepEqual([...(await read(pngFromRows(8, 4, rowsOf(Buffer.from(greyAlpha8))))).image.data], expectedGrey8);

    const rgba16 = alphas.flatMap((alpha, i) => [i * 9000, 65535 - i * 9000, 7, alpha * 257]);
    const expected16 = alphas.flatMap((alpha, i) => [i * 9000, 65535 - i * 9000, 7].map((value) => over(value, alpha * 257, 65535) / 257));
    const { image } = await read(pngFromRows(16, 6, rowsOf(bigEndian16(rgba16))));
    image.data.forEach((value, i) => assert.ok(Math.abs(value - expected16[i]) < 1e-4, `${i}: ${value} is not ${expected16[i]}`));

    const greyAlpha16 = alphas.flatMap((alpha, i) => [i * 9000, alpha * 257]);
    const grey = (await read(pngFromRows(16, 4, rowsOf(bigEndian16(greyAlpha16))))).image;
    const expectedGrey16 = greyToRgb(alphas.map((alpha, i) => over(i * 9000, alpha * 257, 65535) / 257));
    grey.data.forEach((value, i) => assert.ok(Math.abs(value - expectedGrey16[i]) < 1e-4));
  });

  it("turns all eight EXIF orientations upright", async () => {
    // Upright: left half red, right half blue, top row darker; blocks are large enough to survive JPEG.
    const [w, h] = [32, 16];
    const upright = Buffer.alloc(w * h * 3);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) upright.set([x < w / 2 ? 240 : 20, y < h / 2 ? 40 : 200, x < w / 2 ? 20 : 240], (y * w + x) * 3);
    // How the stored raster is made from the upright one, by the EXIF definition of where row 0 and column 0 are.
    const stored: Record<number, (x: number, y: number) => [number, number]> = {
      1: (x, y) => [x, y], 2: (x, y) => [w - 1 - x, y], 3: (x, y) => [w - 1 - x, h - 1 - y], 4: (x, y) => [x, h - 1 - y],
      5: (x, y) => [y, x], 6: (x, y) => [w - 1 - y, x], 7: (x, y) => [w - 1 - y, h - 1 - x], 8: (x, y) => [y, h - 1 - x],
    };
    for (let orientation = 1; orientation <= 8; orientation++) {
      const [sw, sh] = orientation < 5 ? [w, h] : [h, w];
      const raster = Buffer.alloc(upright.length);
      for (let y = 0; y < sh; y++) for (let x = 0; x < sw; x++) {
        const [ux, uy] = stored[orientation](x, y);
        upright.copy(raster, (y * sw + x) * 3, (uy * w + ux) * 3, (uy * w + ux) * 3 + 3);
      }
      const jpeg = await sharp(raster, { raw: { width: sw, height: sh, channels: 3 } }).withMetadata({ orientation }).jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer();
      const { image, notes } = await read(jpeg);
      assert.deepEqual([image.width, image.height], [w, h], `orientation ${orientation}`);
      image.data.forEach((value, i) => assert.ok(Math.abs(value - upright[i]) < 40, `orientation ${orientation}, sample ${i}: ${value} is not ${upright[i]}`));
      assert.equal(notes.some((note) => note.includes("EXIF")), orientation !== 1);
    }
  });

  it("converts CMYK: JPEG (with profile) and a TIFF made by hand (without)", async () => {
    const red = sharp({ create: { width, height, channels: 3, background: { r: 200, g: 30, b: 60 } } });
    const jpeg = await read(await red.toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer());
    [200, 30, 60].forEach((value, channel) => assert.ok(Math.abs(jpeg.image.data[channel] - value) < 30));
    assert.deepEqual(jpeg.notes, ["CMYK converted to sRGB"]);
    // No ink is white; full black ink is dark; cyan ink is blue-green.
    const inks = Buffer.from([0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const { image } = await read(tiff(8, 4, 5, inks));
    assert.equal(image.data.length, width * height * 3);
    assert.ok(image.data.slice(0, 3).every((value) => value > 245));
    assert.ok(image.data.slice(3, 6).every((value) => value < 70));
    assert.ok(image.data[6] < 80 && image.data[8] > 150);
    assert.ok(image.data[9] > 180 && image.data[11] < 90);
  });

  for (const [profile, wide] of [["srgb", false], ["srgb", true], ["p3", false], ["p3", true]] as const) {
    it(`converts an embedded ${profile} profile to sRGB, ${wide ? 16 : 8} bits`, async () => {
      const create = { width, height, channels: 3, background: { r: 200, g: 30, b: 60 } } as const;
      const bytes = await sharp({ create }).toColourspace(wide ? "rgb16" : "srgb").withIccProfile(profile).png().toBuffer();
      const meta = await sharp(bytes).metadata();
      assert.ok(meta.icc !== undefined && meta.depth === (wide ? "ushort" : "uchar"), "the test needs a file with a profile");
      const stored = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer();
      assert.equal(Math.abs(stored[0] - 200) < 3, profile === "srgb", "P3 stores other numbers for the same colour");
      const { image, notes } = await read(bytes);
      [200, 30, 60].forEach((value, channel) => assert.ok(Math.abs(image.data[channel] - value) < 3, `channel ${channel}: ${image.data[channel]}`));
      assert.ok(notes.includes("embedded ICC profile converted to sRGB"));
    });
  }

  it("reads 16-bit CMYK", async () => {
    const inks = new Uint16Array(width * height * 4);
    inks.set([65535, 0, 0, 0], 4);
    const { image } = await read(tiff(16, 4, 5, Buffer.from(inks.buffer)));
    assert.ok([...image.data.slice(0, 3)].every((value) => value > 245), String(image.data.slice(0, 3)));
    assert.ok(image.data[3] < 80 && image.data[5] > 150, String(image.data.slice(3, 6)));
  });

  it("takes the first frame of an animation", async () => {
    const frame = (r: number) => Buffer.from(new Uint8Array(width * height * 3).map((_, i) => (i % 3 === 0 ? r : 0)));
    const stacked = Buffer.concat([frame(250), frame(100), frame(10)]);
    const gif = await sharp(stacked, { raw: { width, height: height * 3, channels: 3, pageHeight: height } }).gif().toBuffer();
    const { image, notes } = await read(gif);
    assert.deepEqual([image.width, image.height], [width, height]);
    assert.ok(image.data[0] > 240);
    assert.ok(notes.includes("first of 3 frames"));
  });

  it("reads WebP, AVIF and SVG", async () => {
    const grey = sharp({ create: { width: 16, height: 8, channels: 3, background: "#808080" } });
    for (const [format, bytes] of [
      ["webp", await grey.clone().webp().toBuffer()],
      ["heif", await grey.clone().avif().toBuffer()],
      ["svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="16" height="8"><rect width="16" height="8" fill="#808080"/></svg>')],
    ] as const) {
      const result = await read(bytes);
      assert.deepEqual([result.format, result.image.width, result.image.height], [format, 16, 8]);
      assert.ok(result.image.data.every((value) => Math.abs(value - 128) <= 2), format);
    }
  });

  it("refuses with a clear error what is no readable image", async () => {
    await refused(join(dir, "absent.png"), /no such file/);
    await refused(dir, /a folder/);
    await refused(await put(Buffer.alloc(0)), /an empty file/);
    await refused(await put(Buffer.from("just text")), /another kind of file/);
    await refused(await put(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16])), /damaged/);
    await refused(await put(tiff(32, 1, 1, Buffer.alloc(width * height * 4), 3)), /float values/);
  });

  it("refuses truncated JPEG, PNG, WebP and TIFF files", async () => {
    const noisy = sharp({ create: { width: 64, height: 48, channels: 3, background: "#808080", noise: { type: "gaussian", mean: 128, sigma: 40 } } });
    for (const format of ["jpeg", "png", "webp", "tiff"] as const) {
      const whole = await noisy.clone().toFormat(format).toBuffer();
      for (const share of [0.05, 0.5, 0.9]) await refused(await put(whole.subarray(0, Math.floor(whole.length * share))), /damaged|another kind of file/);
    }
  });

  it("refuses more pixels than the limit before decoding", async () => {
    const path = await put(pngFromRows(8, 2, rowsOf(Buffer.from(ramp8))));
    await refused(path, /at most 7 pixels/, 7);
    assert.equal((await readRgbImage(path, 8)).image.width, width);
  });

  it("reads what sharp reads from a camera-like JPEG", async () => {
    const bytes = await sharp({ create: { width: 40, height: 30, channels: 3, background: "#336699", noise: { type: "gaussian", mean: 100, sigma: 20 } } }).jpeg().toBuffer();
    const path = await put(bytes);
    assert.deepEqual(Buffer.from((await readRgbImage(path)).rgb8), await sharp(await readFile(path)).raw().toBuffer());
  });
});
