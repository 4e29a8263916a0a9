import { join } from "node:path";
import sharp from "sharp";
import { unexpected } from "../core/errors";
import { writeFileAtomically } from "./atomicFile";

/** RGB frames, each interleaved height x width x 3, shown for `frameMillis` each. */
export interface Animation {
  readonly width: number;
  readonly height: number;
  readonly frames: readonly Uint8Array[];
  readonly frameMillis: number;
}

/** The WebP format has no room for more pixels on a side of a frame. */
const maximumSide = 16383;

/**
 * Writes `NAME.webp`, an animation that runs for ever, and `NAME.json` (where it comes from) into `dir`, made if missing.
 * Returns the file names. Throws `bad-argument` for no frames or frames of another size, and `write-failed`.
 */
export async function writeAnimation(dir: string, name: string, animation: Animation, provenance: unknown): Promise<readonly string[]> {
  await writeFileAtomically(join(dir, `${name}.webp`), await encodeAnimation(animation));
  await writeFileAtomically(join(dir, `${name}.json`), `${JSON.stringify(provenance, null, 2)}\n`);
  return [`${name}.webp`, `${name}.json`];
}

/** WebP bytes, lossless: maps in colour are smooth, and what a step changed must not drown in compression noise. */
export async function encodeAnimation({ width, height, frames, frameMillis }: Animation): Promise<Buffer> {
  if (frames.length === 0) throw unexpected("bad-argument", "the frames of an animation", "at least one", 0);
  if (width > maximumSide || height > maximumSide) throw unexpected("bad-argument", "the size of an animation", `at most ${maximumSide} pixels a side`, `${width} x ${height}`);
  const bytes = width * height * 3;
  for (const frame of frames) {
    if (frame.length !== bytes) throw unexpected("bad-argument", "a frame of an animation", `${bytes} bytes (${width} x ${height} RGB)`, frame.length);
  }
  const pages = frames.map((frame) => ({ data: frame, info: { width, height, channels: 3 as const } }));
  const inputs = await Promise.all(pages.map(({ data, info }) => sharp(data, { raw: info }).png({ compressionLevel: 1 }).toBuffer()));
  const images = inputs.length === 1 ? sharp(inputs[0]) : sharp(inputs, { join: { animated: true } });
  return images.webp({ lossless: true, loop: 0, delay: frames.map(() => Math.max(1, Math.round(frameMillis))), effort: 4 }).toBuffer();
}
