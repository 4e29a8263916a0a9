import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { stackPictures, writeGrid, type GridCell } from "../../src/io/composite";

const fonts = join(__dirname, "..", "..", "media", "fonts");
const red = [200, 0, 0] as const;
const blue = [0, 0, 200] as const;

function cell(width: number, height: number, colour: readonly number[]): GridCell {
  return { label: "x", picture: { rgb: Uint8Array.from({ length: 3 * width * height }, (_, i) => colour[i % 3]), width, height } };
}

describe("io/composite", () => {
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-composite-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  /** Width and height of the area in a colour. */
  async function extentOf(path: string, colour: readonly number[]): Promise<readonly [number, number]> {
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    const [columns, rows] = [new Set<number>(), new Set<number>()];
    for (let p = 0; p < info.width * info.height; p++) {
      if (colour.some((value, c) => Math.abs(data[info.channels * p + c] - value) > 20)) continue;
      columns.add(p % info.width);
      rows.add(Math.floor(p / info.width));
    }
    return [columns.size, rows.size];
  }

  it("keeps the shape of every picture, whatever the others'", async () => {
    const path = join(dir, "grid.png");
    await writeGrid(path, "title", [[cell(40, 20, red), cell(10, 20, blue)], [{ label: "none" }, cell(20, 20, [0, 150, 0])]], 60, fonts);
    assert.deepEqual(await extentOf(path, red), [60, 30]);
    assert.deepEqual(await extentOf(path, blue), [30, 60]);
    assert.deepEqual(await extentOf(path, [0, 150, 0]), [60, 60]);
  });

  it("writes a JPEG where the name asks for one", async () => {
    const [jpeg, png] = [join(dir, "grid.jpg"), join(dir, "same.png")];
    for (const path of [jpeg, png]) await writeGrid(path, "title", [[cell(40, 20, red)]], 64, fonts);
    const [asJpeg, asPng] = [await sharp(jpeg).metadata(), await sharp(png).metadata()];
    assert.deepEqual([asJpeg.format, asPng.format], ["jpeg", "png"]);
    assert.deepEqual([asJpeg.width, asJpeg.height], [asPng.width, asPng.height]);
    const [width, height] = await extentOf(jpeg, red);
    assert.ok(Math.abs(width - 64) <= 2 && Math.abs(height - 32) <= 2, `${width} x ${height}`);
  });

  it("stacks pictures, each cut about its middle to one shape", async () => {
    // 6 x 2, of which the middle 2 x 2 stays: its outer columns are blue.
    const wide = { width: 6, height: 2, rgb: Uint8Array.from({ length: 36 }, (_, i) => ([2, 3].includes(Math.floor(i / 3) % 6) ? red : blue)[i % 3]) };
    const tall = { width: 2, height: 2, rgb: Uint8Array.from({ length: 12 }, (_, i) => blue[i % 3]) };
    const { rgb, width, height } = await stackPictures([wide, tall], 2, 2);
    assert.deepEqual([width, height], [2, 4]);
    assert.deepEqual(Array.from(rgb), [...Array.from({ length: 4 }, () => red), ...Array.from({ length: 4 }, () => blue)].flat());
  });
});
