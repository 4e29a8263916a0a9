import { throwIfCancelled, unexpected } from "./errors";
import type { FloatMap } from "./image";
import { angleBetween } from "./normals";

/*
 * How far S maps lie apart, pixel by pixel, from maps that are read a few rows at a time: memory does not depend on S.
 *   x_k(p)   value of map k at pixel p, for affine-invariant depth after alignment       med   median over k
 *   n_k(p)   unit normal      m(p) = R / |R|, R = sum of n_k, the mean direction
 *
 *              depth                                              normals, radians
 *   std        population standard deviation of x_k               arccos(|R| / S), as statistics.ts explains
 *   mad        med |x_k - med x_k|                                med of the angles between n_k and m
 *   range      max x_k - min x_k                                  the largest angle between n_k and m
 *
 * Alignment matches mean and standard deviation over the pixels to those of the last map, as `AlignedStatistics` does, so
 * that `std` here is what is streamed there.
 */

export type SpreadKind = "std" | "mad" | "range";

/** A map whose rows are read when they are needed. */
export interface MapRows {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Rows from `first` on, interleaved rows x W x C. */
  read(first: number, rows: number): Float32Array | Promise<Float32Array>;
}

export interface SpreadOptions {
  readonly kind: SpreadKind;
  /** Whether scale and shift of each depth map mean nothing. */
  readonly isAffine: boolean;
  /** Looked at between two blocks of rows. */
  readonly signal?: AbortSignal;
}

/** Values of all maps that are held at once. */
const blockValues = 1 << 21;

/**
 * The spread H x W of at least two maps of one size, in units of the last one or in radians. A pixel without a value in any map
 * has none. Throws `bad-argument` for fewer maps or other sizes, `cancelled`, and what `read` throws.
 */
export async function spreadOfMaps(maps: readonly MapRows[], { kind, isAffine, signal }: SpreadOptions): Promise<FloatMap> {
  if (maps.length < 2) throw unexpected("bad-argument", "the maps to take the spread of", "at least two", maps.length);
  const { width, height, channels } = maps[0];
  const other = maps.find((map) => map.width !== width || map.height !== height || map.channels !== channels);
  if (other) throw unexpected("bad-argument", "the maps to take the spread of", `${width} x ${height} x ${channels} each`, `${other.width} x ${other.height} x ${other.channels}`, "Choose maps of one model, task and processing resolution.");
  const transforms = channels === 1 && isAffine ? await alignments(maps, signal) : undefined;
  const out = new Float32Array(width * height);
  const rowsAtOnce = Math.max(1, Math.floor(blockValues / (maps.length * width * channels)));
  for (let first = 0; first < height; first += rowsAtOnce) {
    throwIfCancelled(signal);
    const rows = Math.min(rowsAtOnce, height - first);
    const block: Float32Array[] = [];
    for (const map of maps) block.push(await map.read(first, rows));
    out.set(channels === 1 ? scalarSpread(block, transforms, kind) : directionSpread(block, kind), first * width);
  }
  return { width, height, channels: 1, data: out };
}

/** x becomes scale * x + shift. */
interface Transform {
  readonly scale: number;
  readonly shift: number;
}

/** What brings every map onto the last one; a flat map has no scale and becomes the mean everywhere. */
async function alignments(maps: readonly MapRows[], signal: AbortSignal | undefined): Promise<readonly Transform[]> {
  const moments: { mean: number; deviation: number }[] = [];
  for (const map of maps) {
    throwIfCancelled(signal);
    moments.push(momentsOf(await map.read(0, map.height)));
  }
  const last = moments[moments.length - 1];
  return moments.map(({ mean, deviation }) => {
    const scale = deviation > 1e-9 * Math.abs(mean) ? last.deviation / deviation : 0;
    return { scale, shift: last.mean - scale * mean };
  });
}

/** Over the finite values. */
function momentsOf(values: Float32Array): { mean: number; deviation: number } {
  let count = 0;
  let sum = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
  }
  const mean = sum / count;
  let squares = 0;
  for (const value of values) if (Number.isFinite(value)) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count) };
}

function scalarSpread(maps: readonly Float32Array[], transforms: readonly Transform[] | undefined, kind: SpreadKind): Float32Array {
  const spread = { std: standardDeviation, mad: medianDeviation, range }[kind];
  const out = new Float32Array(maps[0].length);
  const values = new Float64Array(maps.length);
  for (let p = 0; p < out.length; p++) {
    let isWhole = true;
    for (let k = 0; k < maps.length; k++) {
      values[k] = transforms ? transforms[k].scale * maps[k][p] + transforms[k].shift : maps[k][p];
      isWhole &&= Number.isFinite(values[k]);
    }
    out[p] = isWhole ? spread(values) : NaN;
  }
  return out;
}

function standardDeviation(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / values.length);
}

/** Changes the values. */
function medianDeviation(values: Float64Array): number {
  const middle = median(values);
  for (let k = 0; k < values.length; k++) values[k] = Math.abs(values[k] - middle);
  return median(values);
}

function range(values: Float64Array): number {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high - low;
}

/** Sorts the values; the mean of the middle two for an even count. */
function median(values: Float64Array): number {
  values.sort();
  const middle = (values.length - 1) / 2;
  return (values[Math.floor(middle)] + values[Math.ceil(middle)]) / 2;
}

/** Vectors are brought to unit length first; a zero vector, and any where the vectors cancel out, counts as 90 degrees off. */
function directionSpread(maps: readonly Float32Array[], kind: SpreadKind): Float32Array {
  const out = new Float32Array(maps[0].length / 3);
  const angles = new Float64Array(maps.length);
  for (let p = 0; p < out.length; p++) {
    const resultant = resultantAt(maps, 3 * p);
    const length = Math.sqrt(resultant[0] ** 2 + resultant[1] ** 2 + resultant[2] ** 2);
    if (!Number.isFinite(length)) out[p] = NaN;
    else if (kind === "std") out[p] = Math.acos(Math.min(1, length / maps.length));
    else {
      for (let k = 0; k < maps.length; k++) {
        const angle = angleBetween(maps[k], 3 * p, resultant, 0);
        angles[k] = Number.isNaN(angle) ? Math.PI / 2 : angle;
      }
      out[p] = kind === "mad" ? median(angles) : Math.max(...angles);
    }
  }
  return out;
}

/** R, the sum of the unit vectors at offset i. */
function resultantAt(maps: readonly Float32Array[], i: number): readonly [number, number, number] {
  let [x, y, z] = [0, 0, 0];
  for (const map of maps) {
    const norm = Math.sqrt(map[i] ** 2 + map[i + 1] ** 2 + map[i + 2] ** 2);
    if (norm === 0) continue;
    x += map[i] / norm;
    y += map[i + 1] / norm;
    z += map[i + 2] / norm;
  }
  return [x, y, z];
}
