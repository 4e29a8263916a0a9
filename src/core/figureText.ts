/** Advance widths of the letters from space to ~ in hundredths of the font's size, rounded up: DejaVu Sans 2.37. */
const letterWidths = [
  32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54,
  100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50,
  50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
] as const;

/** Of any other letter: no common one is wider (a Chinese one is as wide as high). */
const otherWidth = 108;

/**
 * How wide a line is at most, in units of `fontSize`. DejaVu Sans is the widest of the common sans-serif fonts, so the
 * text fits in whichever of them it is set.
 */
export function textWidth(text: string, fontSize: number): number {
  let hundredths = 0;
  for (const letter of text) hundredths += letterWidths[(letter.codePointAt(0) ?? 0) - 32] ?? otherWidth;
  return (hundredths * fontSize) / 100;
}

/** Breaks text into lines of at most `width`, at spaces, or within a word that is wider than a line. */
export function wrapText(text: string, width: number, fontSize: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(/\s+/).filter(Boolean).flatMap((whole) => pieces(whole, width, fontSize))) {
      const longer = line ? `${line} ${word}` : word;
      if (line && textWidth(longer, fontSize) > width) {
        lines.push(line);
        line = word;
      } else line = longer;
    }
    if (line) lines.push(line);
  }
  return lines;
}

function pieces(word: string, width: number, fontSize: number): string[] {
  const parts = [""];
  for (const letter of word) {
    const longer = parts[parts.length - 1] + letter;
    if (parts[parts.length - 1] && textWidth(longer, fontSize) > width) parts.push(letter);
    else parts[parts.length - 1] = longer;
  }
  return parts;
}

/** Round values within a range, and the step between them. */
export interface Ticks {
  readonly values: readonly number[];
  readonly step: number;
}

/**
 * Multiples of 1, 2 or 5 times a power of ten, two to five of them, as many as have room on a bar of `width`; the one
 * value of a range without extent.
 */
export function ticksOf(low: number, high: number, width: number, fontSize: number): Ticks {
  if (!(high > low)) return { values: [low], step: 0 };
  for (let wanted = 5; wanted >= 1; wanted--) {
    const ticks = multiplesWithin(low, high, niceStep((high - low) / wanted));
    const widest = Math.max(...ticks.values.map((value) => textWidth(tickText(value, ticks.step), fontSize)));
    const room = (ticks.step / (high - low)) * width;
    if (ticks.values.length <= 5 && ticks.values.length >= 2 && widest + fontSize / 2 <= room && endsFit(ticks, low, high, width, fontSize)) return ticks;
  }
  return { values: [low, high], step: niceStep((high - low) / 100) };
}

/** Numbers near the ends are pushed inwards, by half their width at most: they must still not meet. */
function endsFit({ values, step }: Ticks, low: number, high: number, width: number, fontSize: number): boolean {
  const boxes = values.map((value) => {
    const half = textWidth(tickText(value, step), fontSize) / 2;
    return { half, at: Math.min(width - half, Math.max(half, ((value - low) / (high - low)) * width)) };
  });
  return boxes.every(({ at, half }, i) => i === 0 || boxes[i - 1].at + boxes[i - 1].half + fontSize / 4 <= at - half);
}

function multiplesWithin(low: number, high: number, step: number): Ticks {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return { values: Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step), step };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * (1 - 1e-9)) ?? 10 * power;
}

/** A multiple of `step` with as many decimals as it needs; powers of ten where it would have more than five. */
export function tickText(value: number, step: number): string {
  if (step === 0) return String(Number(value.toPrecision(3)));
  if (step < 1e-5 || Math.abs(value) >= 1e6) return value === 0 ? "0" : value.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(step)))).replace("-", "−");
  const text = value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}
