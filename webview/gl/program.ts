import { fragmentSource, vertexSource, type ShaderKind } from "./shaders";

/** A linked program with the places of its uniforms; owned by the painter, gone with the context. */
export interface Program {
  readonly handle: WebGLProgram;
  uniform(name: string): WebGLUniformLocation | null;
}

/** Compiles and links the shaders of one kind. Throws with the driver's log when it refuses them. */
export function buildProgram(gl: WebGL2RenderingContext, kind: ShaderKind): Program {
  const handle = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, vertexSource], [gl.FRAGMENT_SHADER, fragmentSource(kind)]] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("The graphics context was lost while shaders were built.");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(handle, shader);
    // Attached shaders live until their program goes.
    gl.deleteShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`The ${kind} shader did not compile: ${gl.getShaderInfoLog(shader) ?? ""}`);
    }
  }
  gl.linkProgram(handle);
  if (!gl.getProgramParameter(handle, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The ${kind} program did not link: ${gl.getProgramInfoLog(handle) ?? ""}`);
  }
  const places = new Map<string, WebGLUniformLocation | null>();
  return {
    handle,
    uniform(name) {
      if (!places.has(name)) places.set(name, gl.getUniformLocation(handle, name));
      return places.get(name) ?? null;
    },
  };
}
