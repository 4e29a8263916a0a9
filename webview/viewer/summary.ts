import { shortText } from "../rows/measures";
import type { FloatImage, Interpreted } from "./kinds";

/** What the file holds: "5 × 6 · 1 channel · .npy", its range, what has no value, and what the reader says. */
export function summaryOf(image: FloatImage, shown: Interpreted, unit: string): string {
  const { width, height, channels, format, notes } = image;
  const range = Number.isNaN(shown.low) ? [] : [`${shortText(shown.low)} to ${shortText(shown.high)}${unit}`];
  const codes = shown.codes === undefined ? [] : [`stored 0..${shown.codes} taken for -1..1`];
  return [`${width} × ${height}`, `${channels} ${channels === 1 ? "channel" : "channels"}`, `.${format}`, ...range, missingText(shown), ...codes, ...notes].join(" · ");
}

/** "every pixel has a value", "12 % without a value (NaN 2, infinite 1)". */
export function missingText({ pixels, nan, infinite, invalid }: Interpreted): string {
  const missing = nan + infinite + invalid;
  if (missing === 0) return "every pixel has a value";
  const parts = [["NaN", nan], ["infinite", infinite], ["no-value code", invalid]].flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
  return `${shortText((100 * missing) / pixels)} % without a value (${parts.join(", ")})`;
}
