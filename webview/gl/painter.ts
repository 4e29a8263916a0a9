import type { FloatMap } from "../../src/core/image";
import type { DecodedImage } from "../../src/protocol/inference";
import type { Span } from "../viewport";
import { buildProgram, type Program } from "./program";
import type { ShaderKind } from "./shaders";
import { TextureStore, type Lut, type TextureSource } from "./texture";

export type Range = readonly [number, number];

/** What to draw: raw data by reference, and how to look at it. */
export type Picture =
  | { readonly kind: "photo"; readonly image: DecodedImage; readonly exposure: number }
  | { readonly kind: "scalar"; readonly map: FloatMap; readonly lut: Lut; readonly range: Range }
  | { readonly kind: "normals"; readonly map: FloatMap; readonly signX: number };

/**
 * Draws every tile with one WebGL2 context on a canvas that is never in the page, and copies the pixels to the
 * tile's own 2D canvas: browsers allow few contexts, and a tile keeps its last picture when the context is lost.
 */
export class Painter {
  readonly #canvas = document.createElement("canvas");
  readonly #gl: WebGL2RenderingContext;
  readonly #textures: TextureStore;
  readonly #programs = new Map<ShaderKind, Program>();

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
    const program = this.#program(picture.kind);
    gl.useProgram(program.handle);
    gl.uniform4f(program.uniform("view"), span.u0, span.v0, span.du, span.dv);
    gl.uniform1f(program.uniform("viewportHeight"), height);
    this.#setUniforms(program, picture);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    plane.clearRect(0, 0, width, height);
    plane.drawImage(this.#canvas, 0, this.#canvas.height - height, width, height, 0, 0, width, height);
    return true;
  }

  /** Frees the textures of everything that is no longer shown. */
  keepOnly(pictures: Iterable<Picture>): void {
    const sources = new Set<TextureSource>();
    for (const picture of pictures) {
      sources.add(picture.kind === "photo" ? picture.image : picture.map);
      if ("lut" in picture) sources.add(picture.lut);
    }
    this.#textures.keepOnly(sources);
  }

  #program(kind: ShaderKind): Program {
    const known = this.#programs.get(kind);
    if (known) return known;
    const built = buildProgram(this.#gl, kind);
    this.#programs.set(kind, built);
    return built;
  }

  #setUniforms(program: Program, picture: Picture): void {
    const gl = this.#gl;
    this.#sampler(program, "map", 0, picture.kind === "photo" ? picture.image : picture.map);
    if ("lut" in picture) {
      this.#sampler(program, "lut", 2, picture.lut);
      gl.uniform2f(program.uniform("range"), picture.range[0], picture.range[1]);
    }
    if (picture.kind === "photo") gl.uniform1f(program.uniform("exposure"), picture.exposure);
    if (picture.kind === "normals") gl.uniform1f(program.uniform("signX"), picture.signX);
  }

  #sampler(program: Program, name: string, unit: number, source: TextureSource): void {
    this.#textures.bind(unit, source);
    this.#gl.uniform1i(program.uniform(name), unit);
  }
}
