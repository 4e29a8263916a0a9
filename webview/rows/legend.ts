import type { NormalsFrame } from "../../src/core/semantics";
import { attributes, el } from "../dom";

/** Colour of a unit normal as it is drawn: components from -1..1 to 0..255. */
function normalColor(x: number, y: number, z: number): [number, number, number] {
  return [x, y, z].map((part) => Math.round(255 * (0.5 + 0.5 * part))) as [number, number, number];
}

/** The colours of the three positive axes in one line. */
export function axisKey(): HTMLElement {
  const key = el("div", "axis-key");
  for (const [name, axis] of [["+x", [1, 0, 0]], ["+y", [0, 1, 0]], ["+z", [0, 0, 1]]] as const) {
    const swatch = el("span", "swatch");
    swatch.style.backgroundColor = `rgb(${normalColor(axis[0], axis[1], axis[2]).join(" ")})`;
    key.append(el("span", "axis", swatch, name));
  }
  return key;
}

/**
 * The half sphere that faces the viewer, each point in the colour of its normal, with the frame's axes:
 * what a normals tile would show of a ball.
 */
export function normalsSphere(frame: NormalsFrame, size: number): HTMLElement {
  const ratio = Math.max(1, window.devicePixelRatio);
  const pixels = Math.round(size * ratio);
  const canvas = attributes(el("canvas"), { width: String(pixels), height: String(pixels), role: "img", "aria-label": `Normals of a ball in the frame ${frame}` });
  canvas.style.width = canvas.style.height = `${size}px`;
  drawSphere(canvas, frame);
  // x points right in RUB and left in LUB; y is up and z toward the viewer in both.
  const x = el("span", `sphere-axis sphere-x-${frame === "RUB" ? "right" : "left"}`, "x");
  return el("div", "sphere", canvas, x, el("span", "sphere-axis sphere-y", "y"), el("span", "sphere-axis sphere-z", "z"));
}

function drawSphere(canvas: HTMLCanvasElement, frame: NormalsFrame): void {
  const plane = canvas.getContext("2d");
  if (!plane) return;
  const { width } = canvas;
  const image = plane.createImageData(width, width);
  const signX = frame === "RUB" ? 1 : -1;
  const radius = width / 2;
  for (let row = 0; row < width; row++) {
    for (let column = 0; column < width; column++) {
      const right = (column + 0.5 - radius) / radius;
      const up = (radius - row - 0.5) / radius;
      const inside = 1 - right * right - up * up;
      const at = 4 * (row * width + column);
      const toward = Math.sqrt(Math.max(0, inside));
      image.data.set(normalColor(signX * right, up, toward), at);
      // Coverage of the rim's pixels, so that the edge is smooth.
      image.data[at + 3] = 255 * Math.min(1, Math.max(0, (1 - Math.sqrt(right * right + up * up)) * radius + 0.5));
    }
  }
  plane.putImageData(image, 0, 0);
}
