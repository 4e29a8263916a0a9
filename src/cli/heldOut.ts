import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlumblineError } from "../core/errors";
import type { NormalsFrame } from "../core/semantics";
import { readRgbImage } from "../io/imageFile";

/** The held-out rendered scenes that ship with a checkout. */
export interface HeldOutSet {
  readonly dir: string;
  readonly ids: readonly string[];
  readonly normalsFrame: NormalsFrame;
}

/** Ground truth of one scene, H x W. */
export interface HeldOutScene {
  readonly imagePath: string;
  readonly width: number;
  readonly height: number;
  /** Planar depth in metres; 0 where there is none (sky). */
  readonly depth: Float32Array;
  /** Interleaved H x W x 3. */
  readonly normals: Float32Array;
  /** 1 where depth and normals are known. */
  readonly mask: Uint8Array;
}

/** Reads index.json of the set. Throws `not-found` outside a checkout. */
export async function openHeldOut(dir: string): Promise<HeldOutSet> {
  const text = await readFile(join(dir, "index.json"), "utf8").catch((cause: unknown) => {
    throw new PlumblineError("not-found", `Expected the held-out scenes at ${dir} but there are none.`, "Run the table from a checkout: npm run table", { cause });
  });
  const index = JSON.parse(text) as { scenes: { id: string }[]; depthUnit: string; depthInvalid: number; normalFrame: string };
  if (index.depthUnit !== "millimetre" || index.depthInvalid !== 0) throw new PlumblineError("bad-argument", `Expected millimetres with 0 as invalid in ${dir} but received ${index.depthUnit}, ${index.depthInvalid}.`);
  return { dir, ids: index.scenes.map(({ id }) => id), normalsFrame: index.normalFrame.startsWith("RUB") ? "RUB" : "LUB" };
}

/** Reads the ground truth of one scene. Throws `bad-image`. */
export async function readHeldOut({ dir }: HeldOutSet, id: string): Promise<HeldOutScene> {
  const depthFile = (await readRgbImage(join(dir, `${id}_depth.png`))).image;
  const normalsFile = (await readRgbImage(join(dir, `${id}_normal.png`))).image;
  const pixels = depthFile.width * depthFile.height;
  // 16-bit grey comes as code / 257 in three equal channels.
  const depth = Float32Array.from({ length: pixels }, (_, p) => Math.round(depthFile.data[3 * p] * 257) / 1000);
  const normals = Float32Array.from(normalsFile.data, (code) => (code / 255) * 2 - 1);
  const mask = Uint8Array.from({ length: pixels }, (_, p) => (depth[p] > 0 && normalsFile.data.slice(3 * p, 3 * p + 3).some((code) => code > 0) ? 1 : 0));
  return { imagePath: join(dir, `${id}_rgb.png`), width: depthFile.width, height: depthFile.height, depth, normals, mask };
}
