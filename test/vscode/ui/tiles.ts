import assert from "node:assert/strict";
import type { Frame, Locator } from "playwright-core";
import sharp from "sharp";

/** Patience for one run of the shipped models on a machine that is busy with other things. */
export const runMillis = 120_000;

/** A tile of the panel by `${rowId}:${column}`. */
export function tile(frame: Frame, key: string): Locator {
  return frame.locator(`figure.tile[data-key="${key}"]`);
}

/** Waits until the tiles show final results. */
export async function waitReady(frame: Frame, keys: readonly string[]): Promise<void> {
  for (const key of keys) await frame.locator(`figure.tile[data-key="${key}"][data-state="ready"]`).waitFor({ timeout: runMillis });
}

/** Waits until the panel says how its run ended. */
export async function waitIdle(frame: Frame): Promise<void> {
  await frame.locator(".status-text", { hasText: /finished|cancelled|failed/i }).waitFor({ timeout: runMillis });
}

export interface Reading {
  /** Pixel of the photograph under the crosshair. */
  readonly x: number;
  readonly y: number;
  /** What a tile says there, by its key. */
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** Points at a place of a tile (0..1 of its width and height) and reads every named tile there. */
export async function readAt(frame: Frame, key: string, at: { readonly u: number; readonly v: number }, keys: readonly string[]): Promise<Reading> {
  const area = tile(frame, key).locator(".tile-area");
  const box = await area.boundingBox();
  assert.ok(box);
  await area.hover({ position: { x: at.u * box.width, y: at.v * box.height } });
  const numbers = (text: string): readonly number[] => (text.match(/-?\d+(\.\d+)?(e[-+]?\d+)?/g) ?? []).map(Number);
  const line = frame.locator(".probe-line");
  await line.filter({ hasText: "x" }).waitFor();
  const [x, y] = numbers(await line.innerText());
  const values: Record<string, readonly number[]> = {};
  for (const wanted of keys) values[wanted] = numbers(await tile(frame, wanted).locator("output.chip").innerText());
  return { x, y, values };
}

/** The colour on the screen at a place of a tile, without crosshair and read-outs: a tile's canvas alone, in 8-bit RGB. */
export async function colourAt(frame: Frame, key: string, at: { readonly u: number; readonly v: number }): Promise<readonly number[]> {
  await frame.locator("body").hover({ position: { x: 2, y: 2 } });
  const png = await tile(frame, key).locator("canvas").first().screenshot();
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const offset = 3 * (Math.floor(at.v * info.height) * info.width + Math.floor(at.u * info.width));
  return [...data.subarray(offset, offset + 3)];
}
