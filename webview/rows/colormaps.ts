import { colormapNames as known, colormapTable, type ColormapName } from "../../src/core/colormap";
import type { Lut } from "../gl/texture";

const luts = new Map<string, Lut>();

/** Names as offered, the paper's own first. */
export const colormapNames: readonly string[] = known;

/** The 256 colours of a colormap, the first one's for a name that is not known; the same object for the same name. */
export function lutOf(name: string): Lut {
  const found = luts.get(name);
  if (found) return found;
  const table = known.find((candidate: ColormapName) => candidate === name) ?? known[0];
  const lut: Lut = { name: table, lut: colormapTable(table) };
  luts.set(name, lut);
  return lut;
}
