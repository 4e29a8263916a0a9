import { execFileSync } from "node:child_process";
import { chmod, copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { tensor } from "../../src/core/tensor";
import { writeNpy } from "../../src/io/npy";

/** A picture with structure, different for every seed: a slope, two discs and a grid. H x W x 3 bytes. */
export function picture(width: number, height: number, seed: number): Sharp {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const disc = Math.hypot(x - width * (0.3 + 0.05 * seed), y - height * 0.6) < height * 0.2;
      const grid = (Math.floor(x / 8) + Math.floor(y / 8)) % 2;
      rgb[i] = disc ? 220 : (200 * y) / height + 20 * grid;
      rgb[i + 1] = disc ? 40 + 9 * seed : (180 * x) / width;
      rgb[i + 2] = (seed * 37 + 90 * grid) % 256;
    }
  }
  return sharp(rgb, { raw: { width, height, channels: 3 } });
}

/** Writes files, with their folders. */
export async function put(path: string, content: Sharp | Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (typeof content === "string" || content instanceof Uint8Array) await writeFile(path, content);
  else await content.toFile(path);
}

/** Depth in metres of H x W pixels as .npy; `hole` is put at some pixels. */
export async function putDepth(path: string, width: number, height: number, hole?: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const depth = Float32Array.from({ length: width * height }, (_, i) => (hole !== undefined && i % 7 === 0 ? hole : 1 + Math.floor(i / width) / height + ((i % width) / width) * 3));
  await writeNpy(path, tensor(depth, [height, width]));
}

/** What is expected of a row: its status, and what its reason (failed) or its oddities (done) say. */
export interface Expected {
  readonly status: "done" | "failed";
  readonly says?: RegExp;
}

/**
 * Fills rgb/ and depth/ with every kind of bad input that a file system lets through, and returns what should come of each image, by id. Truth is
 * depth/NAME.npy for rgb/NAME.*
 */
export async function badInputs(folder: string): Promise<Map<string, Expected>> {
  const [width, height] = [48, 40];
  const expected = new Map<string, Expected>();
  const rgb = (name: string): string => join(folder, "rgb", name);
  const truthOf = (name: string): string => join(folder, "depth", `${name.replace(/\.[^.]*$/, "")}.npy`);
  let seed = 0;
  const image = (): Sharp => picture(width, height, seed++);
  const add = async (name: string, content: Sharp | Uint8Array | string, want: Expected, truth: readonly [number, number] = [width, height]): Promise<void> => {
    await put(rgb(name), content);
    await putDepth(truthOf(name), ...truth);
    expected.set(`rgb/${name}`, want);
  };
  const jpeg = await image().jpeg().toBuffer();
  const png = await image().png().toBuffer();
  await add("good.jpg", jpeg, { status: "done" });
  await add("truncated.jpg", jpeg.subarray(0, jpeg.length >> 1), { status: "failed", says: /complete|damaged|truncated|premature/i });
  await add("truncated.png", png.subarray(0, png.length >> 1), { status: "failed", says: /complete|damaged|truncated|premature/i });
  await add("header-only.png", png.subarray(0, 24), { status: "failed" });
  await add("zero-bytes.png", new Uint8Array(0), { status: "failed", says: /empty file \(0 bytes\)/ });
  await add("text.jpg", "no image at all\n", { status: "failed", says: /another kind of file/ });
  await add("random.png", Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251), { status: "failed" });
  await add("wrong-ending.png", jpeg, { status: "done" });
  await add("sixteen-bit.png", image().toColourspace("rgb16").png(), { status: "done", says: /16 bits/ });
  await add("cmyk.jpg", image().toColourspace("cmyk").jpeg(), { status: "done", says: /CMYK/ });
  await add("alpha.png", image().ensureAlpha(0.5).png(), { status: "done", says: /transparency/ });
  await add("grey.png", image().toColourspace("b-w").png(), { status: "done", says: /grey/ });
  await add("palette.png", image().png({ palette: true }), { status: "done" });
  await add("exif.jpg", image().jpeg().withMetadata({ orientation: 6 }), { status: "done", says: /orientation 6/ }, [height, width]);
  const frames = await Promise.all([0, 1, 2].map((i) => picture(width, height, 20 + i).png().toBuffer()));
  await add("animated.gif", sharp(frames, { join: { animated: true } }).gif({ delay: [100, 100, 100] }), { status: "done", says: /first of 3 frames/ });
  await add("one-pixel.png", picture(1, 1, 0).png(), { status: "done", says: /tiny/ }, [1, 1]);
  await add("very-wide.png", picture(20_000, 8, 0).png(), { status: "failed", says: /at least 4 pixels at the processing resolution/ }, [20_000, 8]);
  await add("tall.png", picture(100, 1_000, 0).png(), { status: "done", says: /extreme aspect/ }, [100, 1_000]);
  await add("ümläut 名前 'quote\" #1.jpg", image().jpeg(), { status: "done" });
  await add("comma, semicolon; = cmd.jpg", image().jpeg(), { status: "done" });
  await add("new\nline.jpg", image().jpeg(), { status: "done" });
  await add("UPPER.JPG", image().jpeg(), { status: "done" });
  await add("double.jpg", jpeg, { status: "done" });
  await add("flat.png", sharp({ create: { width, height, channels: 3, background: "#777777" } }).png(), { status: "done" });
  await add("svg-in-disguise.png", `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="40"><rect width="48" height="40" fill="red"/></svg>`, { status: "done" });

  // Truth that is no truth.
  await add("no-pair.jpg", image().jpeg(), { status: "failed", says: /ground truth of rgb\/no-pair\.jpg/ });
  execFileSync("rm", [truthOf("no-pair.jpg")]);
  await add("truth-nan.jpg", image().jpeg(), { status: "done" });
  await putDepth(truthOf("truth-nan.jpg"), width, height, NaN);
  await add("truth-inf.jpg", image().jpeg(), { status: "done" });
  await putDepth(truthOf("truth-inf.jpg"), width, height, Infinity);
  await add("truth-only-nan.jpg", image().jpeg(), { status: "failed" });
  await writeNpy(truthOf("truth-only-nan.jpg"), tensor(new Float32Array(width * height).fill(NaN), [height, width]));
  await add("truth-wrong-size.jpg", image().jpeg(), { status: "failed", says: /shape of the image/ }, [40, 48]);
  await add("truth-three-channels.jpg", image().jpeg(), { status: "failed", says: /one channel/ });
  await writeNpy(truthOf("truth-three-channels.jpg"), tensor(new Float32Array(width * height * 3), [height, width, 3]));
  await add("truth-damaged.jpg", image().jpeg(), { status: "failed" });
  await put(truthOf("truth-damaged.jpg"), "no array");

  // What the file system does.
  await add("unreadable.jpg", image().jpeg(), { status: "failed", says: /read permission|permission/ });
  await chmod(rgb("unreadable.jpg"), 0);
  await symlink(rgb("nowhere.jpg"), rgb("broken-link.jpg"));
  expected.set("rgb/broken-link.jpg", { status: "failed", says: /link to a file that is not there/ });
  await symlink(rgb("circle.jpg"), rgb("circle.jpg"));
  expected.set("rgb/circle.jpg", { status: "failed", says: /leads to itself/ });
  await symlink(join(folder, "rgb"), rgb("loop"));
  expected.set("rgb/loop/", { status: "failed", says: /folder that contains it/ });
  await copyFile(rgb("good.jpg"), Buffer.concat([Buffer.from(rgb("latin-")), Buffer.from([0xe9, 0xff]), Buffer.from(".jpg")]));
  expected.set("rgb/latin-\\xe9\\xff.jpg", { status: "failed", says: /UTF-8/ });
  if (process.platform !== "win32") {
    execFileSync("mkfifo", [rgb("pipe.jpg")]);
    expected.set("rgb/pipe.jpg", { status: "failed", says: /no file/ });
  }
  await mkdir(rgb("folder.jpg"));
  await put(rgb("folder.jpg/inside.jpg"), image().jpeg());
  await putDepth(join(folder, "depth", "folder.jpg", "inside.npy"), width, height);
  expected.set("rgb/folder.jpg/inside.jpg", { status: "done" });
  await put(rgb(".hidden.jpg"), jpeg);
  await put(rgb("notes.txt"), "not an image by its name");
  return expected;
}
