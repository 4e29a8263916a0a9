/**
 * One vertex shader and one fragment shader per kind of picture. A texture holds raw values; everything that
 * changes how they look (range, colormap, exposure, frame) is a uniform.
 */
export type ShaderKind = "photo" | "scalar" | "normals";

/** A triangle that covers the viewport; no vertex buffer needed. */
export const vertexSource = `#version 300 es
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/**
 * \`view\` is (u0, v0, du, dv): image coordinates in 0..1 of the viewport's top-left corner, and per device pixel.
 * \`areaMean\` averages the texels under one device pixel by covered area: exact single texels when magnified,
 * free of aliasing when minified, in one formula. Values are averaged, not colours. Its w is 0 when none is finite.
 */
const header = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
const int maxTaps = 16;
uniform sampler2D map;
uniform sampler2D lut;
uniform vec4 view;
uniform float viewportHeight;
uniform vec2 range;
uniform vec2 align;
uniform vec2 marked;
uniform float signX;
uniform float exposure;
out vec4 colour;

bool isFinite(float value) {
  return (floatBitsToUint(value) & 0x7f800000u) != 0x7f800000u;
}

vec4 areaMean(sampler2D source, vec2 from, vec2 to) {
  ivec2 size = textureSize(source, 0);
  vec2 lo = clamp(from, 0.0, 1.0) * vec2(size);
  vec2 hi = clamp(to, 0.0, 1.0) * vec2(size);
  ivec2 first = clamp(ivec2(floor(lo + 1e-3)), ivec2(0), size - 1);
  ivec2 last = clamp(ivec2(ceil(hi - 1e-3)) - 1, first, size - 1);
  ivec2 stride = (last - first) / maxTaps + 1;
  vec4 sum = vec4(0.0);
  for (int y = first.y; y <= last.y; y += stride.y) {
    for (int x = first.x; x <= last.x; x += stride.x) {
      vec2 texel = vec2(x, y);
      vec2 cover = max(min(hi, texel + 1.0) - max(lo, texel), 1e-6);
      vec3 value = texelFetch(source, ivec2(x, y), 0).rgb;
      if (!isFinite(value.x) || !isFinite(value.y) || !isFinite(value.z)) continue;
      if (first == last) return vec4(value, 1.0);
      sum += vec4(value, 1.0) * cover.x * cover.y;
    }
  }
  return sum.w > 0.0 ? vec4(sum.rgb / sum.w, 1.0) : vec4(0.0);
}

vec4 throughLut(float value) {
  float t = clamp((value - range.x) / (range.y - range.x), 0.0, 1.0);
  return vec4(texelFetch(lut, ivec2(int(min(t * 256.0, 255.0)), 0), 0).rgb, 1.0);
}

/** Values outside (marked.x, marked.y] lose their colour; what stays coloured stands out of the grey. */
vec4 masked(vec4 shown, float value) {
  if (value > marked.x && value <= marked.y) return shown;
  return vec4(vec3(0.30 + 0.35 * dot(shown.rgb, vec3(0.2126, 0.7152, 0.0722))), 1.0);
}

vec4 noValue() {
  vec2 cell = floor(gl_FragCoord.xy / 6.0);
  return vec4(vec3(mod(cell.x + cell.y, 2.0) < 0.5 ? 0.42 : 0.58), 1.0);
}

float brighten(float srgb) {
  return pow(clamp(pow(srgb, 2.2) * exp2(exposure), 0.0, 1.0), 1.0 / 2.2);
}
`;

const body: Record<ShaderKind, string> = {
  photo: `
    vec4 here = areaMean(map, from, to);
    colour = vec4(exposure == 0.0 ? here.rgb : vec3(brighten(here.r), brighten(here.g), brighten(here.b)), 1.0);`,
  scalar: `
    vec4 here = areaMean(map, from, to);
    float value = here.x * align.x + align.y;
    colour = here.w > 0.0 ? masked(throughLut(value), value) : noValue();`,
  normals: `
    vec4 here = areaMean(map, from, to);
    float norm = length(here.xyz);
    vec3 shown = 0.5 + 0.5 * here.xyz / max(norm, 1e-12) * vec3(signX, 1.0, 1.0);
    colour = here.w > 0.0 && norm > 0.0 ? vec4(shown, 1.0) : noValue();`,
};

/** GLSL of the fragment shader for a kind of picture. Pixels outside the image stay transparent. */
export function fragmentSource(kind: ShaderKind): string {
  return `${header}
void main() {
  vec2 pixel = vec2(gl_FragCoord.x, viewportHeight - gl_FragCoord.y);
  vec2 from = view.xy + (pixel - 0.5) * view.zw;
  vec2 to = from + view.zw;
  vec2 centre = 0.5 * (from + to);
  if (any(lessThan(centre, vec2(0.0))) || any(greaterThan(centre, vec2(1.0)))) { colour = vec4(0.0); return; }
  ${body[kind]}
}`;
}
