import type { HalfMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { DecodedImage } from "../../src/protocol/inference";

/** A colormap's 256 colours, 8-bit RGB. */
export interface Lut {
  readonly name: string;
  readonly lut: Uint8Array;
}

export type TextureSource = FloatMap | HalfMap | DecodedImage | Lut;

/**
 * Owns every texture of a context: one per source object, uploaded when first drawn, freed by `keepOnly`.
 * Sources are immutable, so their identity is the key and a value is never sent twice.
 */
export class TextureStore {
  readonly #textures = new Map<TextureSource, WebGLTexture>();

  constructor(readonly gl: WebGL2RenderingContext) {}

  bind(unit: number, source: TextureSource): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    const known = this.#textures.get(source);
    if (known) return gl.bindTexture(gl.TEXTURE_2D, known);
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    upload(gl, source);
    this.#textures.set(source, texture);
  }

  /** Frees the textures of all sources that are not in `shown`. */
  keepOnly(shown: ReadonlySet<TextureSource>): void {
    for (const [source, texture] of this.#textures) {
      if (shown.has(source)) continue;
      this.gl.deleteTexture(texture);
      this.#textures.delete(source);
    }
  }

  /** The context is gone and its textures with it; they are uploaded again when drawn. */
  forget(): void {
    this.#textures.clear();
  }
}

function upload(gl: WebGL2RenderingContext, source: TextureSource): void {
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  if ("lut" in source) {
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, source.lut.length / 3, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, source.lut);
    return;
  }
  const limit = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  if ("rgb" in source) {
    const fitted = fitted8(source, limit);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, fitted.width, fitted.height, 0, gl.RGB, gl.UNSIGNED_BYTE, fitted.rgb);
    return;
  }
  const { width, height, channels, data } = fittedMap(source, limit);
  const half = data instanceof Uint16Array;
  const [internal, format] = channels === 1 ? [half ? gl.R16F : gl.R32F, gl.RED] : [half ? gl.RGB16F : gl.RGB32F, gl.RGB];
  gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, height, 0, format, half ? gl.HALF_FLOAT : gl.FLOAT, data);
}

function fittedMap(map: FloatMap | HalfMap, limit: number): FloatMap | HalfMap {
  const stride = Math.ceil(Math.max(map.width, map.height) / limit);
  if (stride <= 1) return map;
  const size = thinnedSize(map, stride);
  const length = size.width * size.height * map.channels;
  const { channels, data, width } = map;
  if (data instanceof Uint16Array) return { ...size, channels, data: thin(data, width, channels, stride, size, new Uint16Array(length)) };
  return { ...size, channels, data: thin(data, width, channels, stride, size, new Float32Array(length)) };
}

function fitted8(image: DecodedImage, limit: number): DecodedImage {
  const stride = Math.ceil(Math.max(image.width, image.height) / limit);
  if (stride <= 1) return image;
  const size = thinnedSize(image, stride);
  return { ...size, rgb: thin(image.rgb, image.width, 3, stride, size, new Uint8Array(size.width * size.height * 3)) };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function thinnedSize({ width, height }: Size, stride: number): Size {
  return { width: Math.floor(width / stride), height: Math.floor(height / stride) };
}

/** Every `stride`-th pixel, for images larger than the graphics device takes; read-outs use the full map. */
function thin<T extends Float32Array | Uint16Array | Uint8Array>(from: T, fromWidth: number, channels: number, stride: number, size: Size, to: T): T {
  let out = 0;
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const at = (y * stride * fromWidth + x * stride) * channels;
      for (let c = 0; c < channels; c++) to[out++] = from[at + c];
    }
  }
  return to;
}
