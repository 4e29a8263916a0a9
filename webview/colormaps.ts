import { tables } from "../test/reference/colormaps/tables.json";
import type { Lut } from "./gl/texture";

const luts = new Map<string, Lut>();

/** Names as offered, the paper's own first. */
export const colormapNames: readonly string[] = Object.keys(tables);

/** The 256 colours of a colormap; the first map for a name that is not known. The same object for the same name. */
export function lutOf(name: string): Lut {
  const known = luts.get(name);
  if (known) return known;
  const table = (tables as Readonly<Record<string, number[][]>>)[name] ?? tables.Spectral;
  const lut: Lut = { name, lut: Uint8Array.from(table.flat(), (value) => Math.round(value * 255)) };
  luts.set(name, lut);
  return lut;
}
