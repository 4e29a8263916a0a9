import type { HalfMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { DecodedImage } from "../../src/protocol/inference";
import type { Span } from "../rows/viewport";
import { buildProgram, type Program } from "./program";
import type { ShaderKind } from "./shaders";
import { TextureStore, type Lut, type TextureSource } from "./texture";

export type Range = readonly [number, number];

/** One set of raw data by reference, and how to look at it. */
export type PlainPicture =
  | { readonly kind: "photo"; readonly image: DecodedImage; readonly exposure: number }
  | {
      readonly kind: "scalar";
      readonly map: FloatMap | HalfMap;
      readonly lut: Lut;
      readonly range: Range;
      /** Scale and shift applied to every value before it is coloured; as it is when absent. */
      readonly align?: readonly [scale: number, shift: number];
      /** Values outside (from, to] are drawn in grey; none when absent. */
      readonly marked?: Range;
    }
  | { readonly kind: "normals"; readonly map: FloatMap | HalfMap; readonly signX: number };

/** What to draw; of a wipe, `left` up to the part `split` (0..1) of the image that is seen, and `right` beyond. */
export type Picture = PlainPicture | { readonly kind: "wipe"; readonly left: PlainPicture; readonly right: PlainPicture; readonly split: number };

/**
 * Draws every tile with one WebGL2 context on a canvas that is never in the page, and copies the pixels to the
 * tile's own 2D canvas: browsers allow few contexts, and a tile keeps its last picture when the context is lost.
 */
export class Painter {
  readonly #canvas = document.createElement("canvas");
  readonly #gl: WebGL2RenderingContext;
  readonly #textures: TextureStore;
  readonly #programs = new Map<ShaderKind, Program>();
  readonly #kept = new Map<object, ReadonlySet<TextureSource>>();

  /** Throws when the browser has no WebGL2. `onRestored` is called when a lost context is back. */
  constructor(onRestored: () => void) {
    const gl = this.#canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: true });
    if (!gl) throw new Error("WebGL2 is not available.");
    this.#gl = gl;
    this.#textures = new TextureStore(gl);
    this.#canvas.addEventListener("webglcontextlost", (event) => {
      // Without this the browser never restores the context.
      event.preventDefault();
      this.#programs.clear();
      this.#textures.forget();
    });
    this.#canvas.addEventListener("webglcontextrestored", onRestored);
  }

  /** Draws the part of the picture that `span` names on all of `target`. False when the context is lost. */
  paint(target: HTMLCanvasElement, picture: Picture, span: Span): boolean {
    const gl = this.#gl;
    const { width, height } = target;
    const plane = target.getContext("2d");
    if (gl.isContextLost() || !plane || width === 0 || height === 0) return false;
    if (this.#canvas.width < width) this.#canvas.width = width;
    if (this.#canvas.height < height) this.#canvas.height = height;
    gl.viewport(0, 0, width, height);
    if (picture.kind === "wipe") {
      this.#draw(picture.left, span, height);
      const from = Math.round(splitPixel(picture.split, span, width));
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(from, 0, Math.max(0, width - from), height);
      this.#draw(picture.right, span, height);
      gl.disable(gl.SCISSOR_TEST);
    } else this.#draw(picture, span, height);
    plane.clearRect(0, 0, width, height);
    plane.drawImage(this.#canvas, 0, this.#canvas.height - height, width, height, 0, 0, width, height);
    return true;
  }

  /**
   * Says what one part of the page shows or may show again at once; textures that no part asks for are freed.
   * Parts are told apart by `owner`.
   */
  keepOnly(pictures: Iterable<Picture>, owner: object = this): void {
    this.#kept.set(owner, new Set([...pictures].flatMap(sourcesOf)));
    this.#textures.keepOnly(new Set([...this.#kept.values()].flatMap((sources) => [...sources])));
  }

  #draw(picture: PlainPicture, span: Span, height: number): void {
    const gl = this.#gl;
    const program = this.#program(picture.kind);
    gl.useProgram(program.handle);
    gl.uniform4f(program.uniform("view"), span.u0, span.v0, span.du, span.dv);
    gl.uniform1f(program.uniform("viewportHeight"), height);
    this.#setUniforms(program, picture);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #program(kind: ShaderKind): Program {
    const known = this.#programs.get(kind);
    if (known) return known;
    const built = buildProgram(this.#gl, kind);
    this.#programs.set(kind, built);
    return built;
  }

  #setUniforms(program: Program, picture: PlainPicture): void {
    const gl = this.#gl;
    this.#sampler(program, "map", 0, picture.kind === "photo" ? picture.image : picture.map);
    if (picture.kind === "scalar") {
      const { align, marked = everything } = picture;
      this.#sampler(program, "lut", 2, picture.lut);
      gl.uniform2f(program.uniform("range"), picture.range[0], picture.range[1]);
      gl.uniform2f(program.uniform("align"), align?.[0] ?? 1, align?.[1] ?? 0);
      gl.uniform2f(program.uniform("marked"), marked[0], marked[1]);
    }
    if (picture.kind === "photo") gl.uniform1f(program.uniform("exposure"), picture.exposure);
    if (picture.kind === "normals") gl.uniform1f(program.uniform("signX"), picture.signX);
  }

  #sampler(program: Program, name: string, unit: number, source: TextureSource): void {
    this.#textures.bind(unit, source);
    this.#gl.uniform1i(program.uniform(name), unit);
  }
}

/** Every finite float32 lies within. */
const everything: Range = [-3.4e38, 3.4e38];

/** Where a wipe's parts meet, in pixels of a canvas `width` wide: a part of what is seen of the image. */
export function splitPixel(split: number, { u0, du }: Span, width: number): number {
  const from = Math.max(0, -u0 / du);
  const to = Math.min(width, (1 - u0) / du);
  return from + Math.min(1, Math.max(0, split)) * (to - from);
}

function sourcesOf(picture: Picture): TextureSource[] {
  if (picture.kind === "wipe") return [picture.left, picture.right].flatMap(sourcesOf);
  if (picture.kind === "photo") return [picture.image];
  return picture.kind === "scalar" ? [picture.map, picture.lut] : [picture.map];
}
