import { join } from "node:path";
import sharp from "sharp";
import { unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import { writeFileAtomically } from "./atomicFile";
import { npyBytes } from "./npy";

export type ExportFormat = "npy" | "png" | "png16";

/** One map and the files that it is to be written as. */
export interface MapExport {
  /** File name without extension, e.g. "depth". */
  readonly name: string;
  /** What the numbers are, for the JSON: kind of depth, frame of normals, unit of a deviation. */
  readonly meaning: string;
  readonly map: FloatMap;
  readonly formats: readonly ExportFormat[];
  /** The map in colour, interleaved H x W x 3; needed for "png". */
  readonly colour?: Uint8Array;
}

/** How the codes of a 16-bit PNG are to be read: value = offset + scale * code. */
export interface CodeScale {
  readonly offset: number;
  readonly scale: number;
  /** The code of pixels without a value (NaN or infinite); absent when every pixel has one. */
  readonly invalidCode?: 0;
}

/** What is known about a written file, by file name, in the JSON. */
type FileNote = { readonly holds: string; readonly meaning: string; readonly shape: readonly number[] } & Partial<CodeScale>;

/**
 * Writes maps into `dir` (made if missing) as
 * - `NAME.npy`: float32 [H, W], or [H, W, 3] for normals;
 * - `NAME.png`: the colours given;
 * - `NAME_16bit.png`: 16-bit codes whose scale is in the JSON;
 * and last `jsonName`: `{...provenance, files}`. Each file is whole or not there; the JSON means that all are.
 * Returns the file names in the order of writing. Throws `write-failed`.
 */
export async function exportMaps(dir: string, maps: readonly MapExport[], provenance: object, jsonName = "run.json"): Promise<string[]> {
  const files: Record<string, FileNote> = {};
  for (const { name, meaning, map, formats, colour } of maps) {
    const shape = map.channels === 1 ? [map.height, map.width] : [map.height, map.width, map.channels];
    for (const format of formats) {
      const encoded = await encode(format, map, colour, name);
      files[encoded.suffix(name)] = { holds: encoded.holds, meaning, shape, ...encoded.scale };
      await writeFileAtomically(join(dir, encoded.suffix(name)), encoded.bytes);
    }
  }
  await writeFileAtomically(join(dir, jsonName), `${JSON.stringify({ ...provenance, files }, null, 2)}\n`);
  return [...Object.keys(files), jsonName];
}

interface Encoded {
  readonly suffix: (name: string) => string;
  readonly bytes: Uint8Array;
  readonly holds: string;
  readonly scale?: CodeScale;
}

async function encode(format: ExportFormat, map: FloatMap, colour: Uint8Array | undefined, name: string): Promise<Encoded> {
  switch (format) {
    case "npy": {
      const dims = map.channels === 1 ? [map.height, map.width] : [map.height, map.width, map.channels];
      return { suffix: (base) => `${base}.npy`, bytes: npyBytes({ dims, data: map.data }), holds: "float32" };
    }
    case "png":
      if (!colour) throw unexpected("bad-argument", `the colours of ${name}`, "RGB bytes", colour);
      return { suffix: (base) => `${base}.png`, bytes: await encodePng(colour, map.width, map.height), holds: "colours for people, not values" };
    case "png16": {
      const { bytes, scale } = await encodePng16(map);
      return { suffix: (base) => `${base}_16bit.png`, bytes, holds: "value = offset + scale * code", scale };
    }
  }
}

/** An 8-bit RGB PNG from interleaved H x W x 3 bytes. Throws `bad-argument` when the size does not fit. */
export async function encodePng(rgb: Uint8Array, width: number, height: number): Promise<Buffer> {
  if (rgb.length !== width * height * 3) throw unexpected("bad-argument", "the colours of a PNG", `${width * height * 3} bytes`, rgb.length);
  return sharp(rgb, { raw: { width, height, channels: 3 } }).png().toBuffer();
}

/**
 * A 16-bit PNG, grey or RGB. Normals use the whole range -1..1; other maps their smallest to their largest value.
 * Pixels without a value get code 0, which no other pixel has then.
 */
export async function encodePng16(map: FloatMap): Promise<{ bytes: Buffer; scale: CodeScale }> {
  const scale = codeScale(map);
  const lowest = scale.invalidCode === undefined ? 0 : 1;
  const codes = Uint16Array.from(map.data, (value) =>
    Number.isFinite(value) ? Math.min(65535, Math.max(lowest, Math.round((value - scale.offset) / scale.scale))) : 0,
  );
  const image = sharp(codes, { raw: { width: map.width, height: map.height, channels: map.channels } });
  return { bytes: await image.toColourspace(map.channels === 1 ? "grey16" : "rgb16").png().toBuffer(), scale };
}

function codeScale({ data, channels }: FloatMap): CodeScale {
  let low = channels === 3 ? -1 : Infinity;
  let high = channels === 3 ? 1 : -Infinity;
  let invalid = false;
  for (const value of data) {
    if (!Number.isFinite(value)) invalid = true;
    else if (channels === 1) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) low = high = 0;
  const codes = invalid ? 65534 : 65535;
  // A constant map has no range: any scale will do, and 1 / codes keeps the formula defined.
  const scale = (high > low ? high - low : 1) / codes;
  return { offset: invalid ? low - scale : low, scale, ...(invalid && { invalidCode: 0 as const }) };
}
