import { unexpected } from "../core/errors";
import type { FloatMap } from "../core/image";
import type { Task } from "../core/semantics";
import { readFloatImage } from "../io/floatImage";

/**
 * Reads ground truth. Depth has one channel, in any unit; what is 0 or not finite becomes NaN, no value. Normals have three, of any
 * length; in a .png they are coded as (n + 1) / 2 of the largest code. A vector of zeros or of codes 0 is no value.
 * Throws `unsupported` for another number of channels, and what `readFloatImage` throws.
 */
export async function readTruth(path: string, task: Task): Promise<FloatMap> {
  const { width, height, channels, data, format } = await readFloatImage(path);
  const expected = task === "depth" ? 1 : 3;
  if (channels !== expected) throw unexpected("unsupported", path, `${task} of ${expected === 1 ? "one channel" : "three channels"}`, `${channels} channels`, `Choose a file of ${task}.`);
  if (task === "depth") return { width, height, channels: 1, data: data.map((depth) => (depth === 0 || !Number.isFinite(depth) ? NaN : depth)) };
  const largestCode = format === "png" ? (data.some((code) => code > 255) ? 65535 : 255) : undefined;
  const normals = data.map((value, i) => {
    const first = i - (i % 3);
    if (data[first] === 0 && data[first + 1] === 0 && data[first + 2] === 0) return NaN;
    return largestCode === undefined ? value : (2 * value) / largestCode - 1;
  });
  return { width, height, channels: 3, data: normals };
}
