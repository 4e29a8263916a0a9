// The only import of three. A program of its own (dist/space.js) that the panel loads when the stage is first opened.
import { BufferAttribute, BufferGeometry, LineBasicMaterial, LineSegments, Mesh, PerspectiveCamera, Points, Scene, ShaderMaterial, Spherical, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

/** Points or triangles in RUB, seen by the photograph's camera at the origin. */
export interface Surface {
  readonly shape: "points" | "mesh";
  /** x, y, z of each grid point; only those that `index` names need have a value. */
  readonly positions: Float32Array;
  /** Red, green, blue of each grid point, 0..255. */
  readonly colours: Uint8Array;
  /** Points to draw, or three corners of each triangle. */
  readonly index: Uint32Array;
  /** Of the camera that took the photograph: tangent of half its horizontal field of view, width / height, and columns of grid points. */
  readonly tangent: number;
  readonly aspect: number;
  readonly columns: number;
}

export type Viewpoint = "front" | "top" | "side";

/** Where the scene is seen from, in RUB and the units of the points. */
export interface Eye {
  /** Undefined once the user has moved. */
  readonly viewpoint?: Viewpoint;
  readonly position: readonly number[];
  readonly target: readonly number[];
}

/** Longest side of a picture, and the lines' colour on white paper. */
const picture = { longestSide: 1536, lines: "#555555" } as const;

/** Colours as they are: no light, no tone mapping. A point is as large as the distance between neighbours at its depth. */
const vertexShader = `
uniform float spacing;
attribute vec3 colour;
varying vec3 shown;
void main() {
  shown = colour;
  vec4 seen = modelViewMatrix * vec4(position, 1.0);
  gl_Position = projectionMatrix * seen;
  gl_PointSize = clamp(spacing * position.z / min(seen.z, -1e-6), 1.0, 128.0);
}`;
const fragmentShader = `
varying vec3 shown;
void main() { gl_FragColor = vec4(shown, 1.0); }`;

/** Draws a surface when something changed, and only then. Owns its graphics context until `dispose`. */
export class SpaceView {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera();
  readonly #controls: OrbitControls;
  readonly #geometry = new BufferGeometry();
  readonly #material = new ShaderMaterial({ vertexShader, fragmentShader, uniforms: { spacing: { value: 1 } }, side: 2 });
  readonly #points = new Points(this.#geometry, this.#material);
  readonly #mesh = new Mesh(this.#geometry, this.#material);
  readonly #frustum = new LineSegments(new BufferGeometry(), new LineBasicMaterial());
  readonly #resize = new ResizeObserver(() => this.draw());
  #surface?: Surface;
  /** Middle and radius of the points, without the farthest ones. */
  #middle = new Vector3(0, 0, -1);
  #radius = 1;
  /** Undefined once the user has moved. */
  #viewpoint?: Viewpoint = "front";
  #frame?: number;

  /** Throws when the browser gives no WebGL2. `onContext` is told when the context is lost, and when it is back. */
  constructor(readonly canvas: HTMLCanvasElement, private readonly onContext: (lost: boolean) => void, private readonly onViewpoint: (viewpoint: Viewpoint | undefined) => void) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.#renderer.setClearAlpha(0);
    // There is one surface, and sorting would measure it with the points that have no place.
    this.#renderer.sortObjects = false;
    for (const drawn of [this.#points, this.#mesh, this.#frustum]) {
      drawn.frustumCulled = false;
      drawn.visible = false;
      this.#scene.add(drawn);
    }
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.addEventListener("change", () => this.draw());
    this.#controls.addEventListener("start", () => this.#leave());
    canvas.addEventListener("webglcontextlost", this.#lost);
    canvas.addEventListener("webglcontextrestored", this.#restored);
    this.#resize.observe(canvas);
  }

  /** Shows another surface, or the same one with other values; the eye stays where the user put it. */
  show(surface: Surface): void {
    const { shape, positions, colours, index } = surface;
    this.#surface = surface;
    // Frees the buffers on the device; a geometry does not free attributes that are replaced.
    this.#geometry.dispose();
    this.#geometry.setAttribute("position", new BufferAttribute(positions, 3));
    this.#geometry.setAttribute("colour", new BufferAttribute(colours, 3, true));
    this.#geometry.setIndex(new BufferAttribute(index, 1));
    this.#points.visible = shape === "points";
    this.#mesh.visible = shape === "mesh";
    this.#measure(surface);
    this.#outlineCamera(surface);
    if (this.#viewpoint) this.look(this.#viewpoint);
    this.draw();
  }

  /** Points that can be drawn while a slider moves: all pixels of 768 x 576 on a graphics device, a quarter where a processor plays one. */
  get maxPoints(): number {
    const context = this.#renderer.getContext();
    const named = context.getExtension("WEBGL_debug_renderer_info");
    const device = String(context.getParameter(named?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
    return /swiftshader|llvmpipe|software|basic render/i.test(device) ? 120_000 : 450_000;
  }

  /** Puts the eye where the photograph was taken, above, or to the right of the scene. */
  look(viewpoint: Viewpoint): void {
    this.#viewpoint = viewpoint;
    const away = this.#radius / Math.sin((this.#fitFov() * Math.PI) / 360);
    this.#controls.target.copy(this.#middle);
    if (viewpoint === "front") {
      this.#camera.position.set(0, 0, 0);
      this.#controls.target.set(0, 0, this.#middle.z);
      // A hair's breadth aside, for exactly above has no direction that is up on the screen.
    } else this.#camera.position.copy(this.#middle).add(viewpoint === "top" ? new Vector3(0, away, 1e-3 * away) : new Vector3(away, 0, 0));
    this.#controls.update();
    this.onViewpoint(viewpoint);
    this.draw();
  }

  /** Turns the eye about the middle by angles in radians. */
  orbit(right: number, up: number): void {
    this.#leave();
    const around = new Spherical().setFromVector3(this.#camera.position.clone().sub(this.#controls.target));
    around.theta += right;
    around.phi -= up;
    this.#camera.position.copy(this.#controls.target).add(new Vector3().setFromSpherical(around.makeSafe()));
    this.#controls.update();
  }

  /** Brings the eye nearer (factor above 1) or farther. */
  zoom(factor: number): void {
    this.#leave();
    this.#camera.position.sub(this.#controls.target).divideScalar(factor).add(this.#controls.target);
    this.#controls.update();
  }

  /** Draws in the next frame. */
  draw(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#render();
    });
  }

  get eye(): Eye {
    return { viewpoint: this.#viewpoint, position: this.#camera.position.toArray(), target: this.#controls.target.toArray() };
  }

  /** What is on the screen, finer and for white paper, as a PNG; undefined while there is nothing. */
  picture(): { readonly url: string; readonly width: number; readonly height: number } | undefined {
    const { clientWidth, clientHeight } = this.canvas;
    if (!this.#surface || clientWidth === 0 || clientHeight === 0 || this.#renderer.getContext().isContextLost()) return undefined;
    const scale = picture.longestSide / Math.max(clientWidth, clientHeight);
    const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    this.#renderAt(width, height, picture.lines);
    // In the same turn: the picture is gone with the frame.
    const url = this.canvas.toDataURL("image/png");
    this.draw();
    return { url, width, height };
  }

  /** Frees everything on the graphics device, and the context itself: browsers allow few. */
  dispose(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#resize.disconnect();
    this.#controls.dispose();
    this.#geometry.dispose();
    this.#material.dispose();
    this.#frustum.geometry.dispose();
    this.#frustum.material.dispose();
    this.canvas.removeEventListener("webglcontextlost", this.#lost);
    this.canvas.removeEventListener("webglcontextrestored", this.#restored);
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
  }

  readonly #lost = (): void => this.onContext(true);
  readonly #restored = (): void => {
    this.onContext(false);
    this.draw();
  };

  #leave(): void {
    if (this.#viewpoint === undefined) return;
    this.#viewpoint = undefined;
    this.onViewpoint(undefined);
    this.draw();
  }

  /** A sample is enough to know where the scene is; the farthest tenth (sky) is left out. */
  #measure({ positions, index }: Surface): void {
    const step = Math.max(1, Math.floor(index.length / 4000));
    const sample = Array.from({ length: Math.floor(index.length / step) }, (_, i) => 3 * index[i * step]);
    if (sample.length === 0) return;
    sample.sort((a, b) => positions[b + 2] - positions[a + 2]);
    const near = sample.slice(0, Math.ceil(0.9 * sample.length));
    const low = new Vector3(Infinity, Infinity, Infinity);
    const high = low.clone().negate();
    const point = new Vector3();
    for (const at of near) {
      point.fromArray(positions, at);
      low.min(point);
      high.max(point);
    }
    this.#middle.copy(low).add(high).multiplyScalar(0.5);
    this.#radius = 0.5 * low.distanceTo(high) || 1;
  }

  /** The pyramid through the corners of the photograph, as far as a quarter of the way to the middle. */
  #outlineCamera({ tangent, aspect }: Surface): void {
    const z = 0.25 * this.#middle.z;
    const [x, y] = [-z * tangent, (-z * tangent) / aspect];
    const corners = [[x, y], [-x, y], [-x, -y], [x, -y]].map(([right, up]) => new Vector3(right, up, z));
    const eye = new Vector3();
    this.#frustum.geometry.setFromPoints(corners.flatMap((corner, i) => [eye, corner, corner, corners[(i + 1) % 4]]));
  }

  /** Vertical angle at which the whole photograph fits into the canvas, in degrees. */
  #fitFov(): number {
    const { tangent, aspect } = this.#surface ?? { tangent: 0.5, aspect: 1.5 };
    const room = this.canvas.clientWidth / Math.max(1, this.canvas.clientHeight);
    return (360 / Math.PI) * Math.atan(tangent / Math.min(aspect, room || aspect));
  }

  #render(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (!this.#surface || clientWidth === 0 || clientHeight === 0) return;
    const ratio = window.devicePixelRatio;
    this.#renderAt(Math.round(clientWidth * ratio), Math.round(clientHeight * ratio), getComputedStyle(this.canvas).color);
  }

  /** In device pixels; lines in a CSS colour. */
  #renderAt(width: number, height: number, lines: string): void {
    if (!this.#surface) return;
    if (this.canvas.width !== width || this.canvas.height !== height) this.#renderer.setSize(width, height, false);
    const far = this.#camera.position.distanceTo(this.#middle) + this.#radius;
    this.#camera.fov = this.#fitFov();
    this.#camera.aspect = width / height;
    this.#camera.near = far / 2000;
    this.#camera.far = far * 50;
    this.#camera.updateProjectionMatrix();
    const focal = height / 2 / Math.tan((this.#camera.fov * Math.PI) / 360);
    // A tenth more than the distance, so that rounding leaves no gaps.
    this.#material.uniforms.spacing.value = (1.1 * focal * 2 * this.#surface.tangent) / this.#surface.columns;
    this.#frustum.visible = this.#viewpoint !== "front";
    this.#frustum.material.color.setStyle(lines);
    this.#renderer.render(this.#scene, this.#camera);
  }
}

window.plumblineSpace = SpaceView;
