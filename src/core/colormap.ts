import { colormapHex } from "./colormapTables";

/** Colour tables by matplotlib's names; the paper shows depth in Spectral (near red, far blue). */
export type ColormapName = keyof typeof colormapHex;
export const colormapNames = Object.keys(colormapHex) as readonly ColormapName[];

/** The values that get the first and the last colour. */
export interface ValueRange {
  readonly low: number;
  readonly high: number;
}

export interface ColorizeOptions {
  readonly colormap: ColormapName;
  readonly range: ValueRange;
  /** First colour for the highest value. */
  readonly reversed?: boolean;
  /** RGB of pixels that hold NaN; black by default. */
  readonly nanColor?: readonly [number, number, number];
}

/** 256 RGB colours, 768 bytes; a new array each time (it becomes a GPU texture). */
export function colormapTable(name: ColormapName): Uint8Array {
  const hex = colormapHex[name];
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** Row of a table for a value in 0..1: floor(256 v) as matplotlib, so that 1 falls on the last row; clipped outside. */
export function colorIndex(value: number): number {
  return Math.min(255, Math.max(0, Math.floor(value * 256)));
}

/** Place of a value in a range, 0..1, clipped; a value on a range without extent lies in the middle. NaN stays. */
export function placeInRange(value: number, { low, high }: ValueRange): number {
  if (Number.isNaN(value)) return NaN;
  if (value <= low && low < high) return 0;
  if (value >= high && low < high) return 1;
  if (low < high) return (value - low) / (high - low);
  return value < low ? 0 : value > high ? 1 : 0.5;
}

/** RGB bytes, interleaved, one colour per value. */
export function colorize(values: ArrayLike<number>, { colormap, range, reversed = false, nanColor = [0, 0, 0] }: ColorizeOptions): Uint8Array {
  const table = colormapTable(colormap);
  const out = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    const place = placeInRange(values[i], range);
    if (Number.isNaN(place)) {
      out.set(nanColor, 3 * i);
      continue;
    }
    const row = 3 * colorIndex(reversed ? 1 - place : place);
    out[3 * i] = table[row];
    out[3 * i + 1] = table[row + 1];
    out[3 * i + 2] = table[row + 2];
  }
  return out;
}
