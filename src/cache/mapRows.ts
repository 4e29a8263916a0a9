import { join } from "node:path";
import { isNotFound, locate, placeOf, readExactly, type CachedMapRef } from "./runReader";
import { floatsFromHalves } from "../core/half";
import type { Semantics } from "../core/semantics";
import type { MapRows } from "../core/spread";

/** A map of the cache that is read row by row, and what it is. Throws as `readCachedMap`. */
export async function openCachedMap(cacheDir: string, ref: CachedMapRef): Promise<MapRows & { readonly semantics: Semantics }> {
  let { info, folder } = await locate(cacheDir, ref.runKey);
  const { name, offset } = placeOf(info, ref);
  const { width, height, channels, semantics } = info;
  const isResult = ref.kind === "result";

  async function readFrom(target: Float32Array | Uint16Array, firstRow: number): Promise<void> {
    const at = offset + firstRow * width * channels * target.BYTES_PER_ELEMENT;
    await readExactly(join(folder, name), at, target).catch(async (error: unknown) => {
      if (!isNotFound(error)) throw error;
      ({ info, folder } = await locate(cacheDir, ref.runKey)); // it was finished meanwhile, and has its name now
      await readExactly(join(folder, name), at, target);
    });
  }

  return {
    width,
    height,
    channels,
    semantics,
    async read(first, rows) {
      const length = rows * width * channels;
      const target = isResult ? new Float32Array(length) : new Uint16Array(length);
      await readFrom(target, first);
      return target instanceof Uint16Array ? floatsFromHalves(target) : target;
    },
  };
}
