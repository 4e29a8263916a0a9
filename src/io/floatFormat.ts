/** Element formats that can be read as float32. */
export type FloatDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U64" | "U32" | "U16" | "U8" | "BOOL";

/** Little-endian elements as float32. The bytes must start on a buffer boundary of the element's size. */
export function floatsFromBytes(bytes: Uint8Array, dtype: FloatDtype): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case "F32": return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "F64": return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
    case "F16": return floatsFromHalves(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "BF16": return floatsFromBrainFloats(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "I64": return Float32Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
    case "U64": return Float32Array.from(new BigUint64Array(buffer, byteOffset, byteLength / 8), Number);
    case "I32": return Float32Array.from(new Int32Array(buffer, byteOffset, byteLength / 4));
    case "U32": return Float32Array.from(new Uint32Array(buffer, byteOffset, byteLength / 4));
    case "I16": return Float32Array.from(new Int16Array(buffer, byteOffset, byteLength / 2));
    case "U16": return Float32Array.from(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "I8": return Float32Array.from(new Int8Array(buffer, byteOffset, byteLength));
    case "U8":
    case "BOOL": return Float32Array.from(bytes);
  }
}

/** float32 as little-endian bytes, rounded to nearest even where the format is narrower. F32 shares the memory. */
export function bytesFromFloats(floats: Float32Array, dtype: "F32" | "F16" | "BF16"): Uint8Array {
  if (dtype === "F32") return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  const convert = dtype === "F16" ? halfFromFloat : brainFloatFromBits;
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const rounded = Uint16Array.from(bits, convert);
  return new Uint8Array(rounded.buffer);
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function floatsFromHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (0x400 + fraction) * 2 ** (exponent - 25));
  });
}

/** bfloat16 is the upper half of a float32. */
function floatsFromBrainFloats(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

function halfFromFloat(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const significand = (bits & 0x7fffff) | 0x800000;
  if (exponent === 128) return sign | 0x7c00 | (bits & 0x7fffff ? 0x200 : 0);
  if (exponent > 15) return sign | 0x7c00;
  if (exponent < -25) return sign;
  // Below 2^-14 the exponent field stays 0 and the implicit one moves into the fraction.
  const shift = exponent < -14 ? -1 - exponent : 13;
  const rounded = roundHalfEven(significand, shift);
  return sign | (exponent < -14 ? rounded : ((exponent + 14) << 10) + rounded);
}

function brainFloatFromBits(bits: number): number {
  const isNaN = (bits & 0x7fffffff) > 0x7f800000;
  return isNaN ? (bits >>> 16) | 0x40 : (bits >>> 16) + (roundHalfEven(bits & 0x1ffff, 16) - ((bits >>> 16) & 1));
}

/** value / 2^shift rounded to the nearest whole number, ties to even. */
function roundHalfEven(value: number, shift: number): number {
  const scaled = value / 2 ** shift;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
