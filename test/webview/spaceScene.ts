import assert from "node:assert/strict";
import sharp from "sharp";
import type { FloatMap } from "../../src/core/image";
import type { Semantics } from "../../src/core/semantics";
import type { DecodedImage } from "../../src/protocol/inference";
import type { StageView, ToWebview } from "../../src/protocol/panel";
import { event, init, mapOf, multi, resultOf, settingsOf, single, stateOf } from "./scenario";
import type { Stage } from "./stage";

type SpaceView = Extract<StageView, { kind: "space" }>;
export type Vector = readonly [number, number, number];

export const [width, height] = [48, 32];
export const settings = settingsOf(multi, single);
const fov = 60;
const shift = 0.5;
/** Of the plane that the depth shows: tilted to the right and up. */
export const normal: Vector = [0.36, 0.48, 0.8];

/** Direction of a pixel's ray, (x, y, -1); the sides of the image are at the tangents of half the field of view. */
export function ray(column: number, row: number, fovDegrees = fov): Vector {
  const tangent = Math.tan((fovDegrees * Math.PI) / 360);
  return [tangent * ((2 * column + 1) / width - 1), (tangent * (height - 2 * row - 1)) / width, -1];
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** Depth z of the plane through (0, 0, -1). */
export const planeZ = (column: number, row: number): number => -normal[2] / dot(ray(column, row), normal);
/** What a model that knows neither scale nor shift says of it: z = d + 0.5. */
export const depth = mapOf(width, height, 1, (x, y) => planeZ(x, y) - shift);
const normals = mapOf(width, height, 3, (_x, _y, c) => normal[c]);
/** Four quarters of one colour each. */
const quarters = [[200, 40, 30], [30, 180, 60], [20, 60, 220], [240, 220, 90]];
export const colourAt = (x: number, y: number): readonly number[] => quarters[(x < width / 2 ? 0 : 1) + (y < height / 2 ? 0 : 2)];
const photo: DecodedImage = { width, height, rgb: Uint8Array.from(mapOf(width, height, 3, (x, y, c) => colourAt(x, y)[c]).data) };

/** A run of both rows on the plane; both have normals. */
export function planeRun(map: FloatMap = depth, semantics: Semantics = { task: "depth", depthKind: "affine-depth" }): ToWebview[] {
  const results = settings.rows.flatMap((row) => {
    const result = resultOf(row, "depth", map, row.steps > 1 ? { stdOverSteps: mapOf(width, height, 1, (x) => (x === 47 ? 1 : 0)) } : {});
    return [{ ...result, provenance: { ...result.provenance, semantics } }, resultOf(row, "normals", normals)];
  });
  return [{ type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photo }), ...results.map((result) => event(1, { type: "result", result })), { type: "finished", generation: 1, elapsedMillis: 10 }];
}

export function spaceInit(change: Partial<SpaceView> = {}, state = stateOf(settings)): ToWebview {
  const view: SpaceView = { kind: "space", of: { kind: "result", rowId: state.settings.rows[0].rowId, task: "depth" }, shape: "points", colour: "rgb", fovDegrees: fov, scale: 1, shift, ...change };
  return init({ ...state, view: { ...state.view, stage: view } });
}

/** What a PLY file holds; only little-endian floats x y z [nx ny nz] and bytes red green blue, then triangles. */
export function readPly(bytes: Buffer): { header: string; point(index: number): number[]; colour(index: number): number[]; points: number; faces: number } {
  const start = bytes.indexOf("end_header\n") + 11;
  const header = bytes.toString("ascii", 0, start);
  const stride = header.includes("float nx") ? 27 : 15;
  const count = (name: string): number => Number(new RegExp(`element ${name} (\\d+)`).exec(header)?.[1] ?? 0);
  assert.equal(bytes.length, start + stride * count("vertex") + 13 * count("face"));
  return {
    header,
    points: count("vertex"),
    faces: count("face"),
    point: (index) => [0, 4, 8].map((offset) => bytes.readFloatLE(start + stride * index + offset)),
    colour: (index) => [...bytes.subarray(start + stride * (index + 1) - 3, start + stride * (index + 1))],
  };
}

export async function pressIn(stage: Stage, name: string): Promise<void> {
  await stage.page.locator(".space-stage vscode-button", { hasText: name }).click();
  await stage.settle();
}

export const near = (found: readonly number[], wanted: readonly number[], tolerance: number): void => wanted.forEach((value, i) => assert.ok(Math.abs(found[i] - value) <= tolerance, `${found.join()} is not ${wanted.join()}`));

/** What tests of the view in space do and look at, on the stage of the moment. */
export function roomOf(stage: () => Stage) {
  const angle = (which: "mean" | "median"): Promise<string | null> => stage().page.locator(".space-angle span", { hasText: which }).locator("strong").textContent();
  const count = (): Promise<string | null> => stage().page.locator(".space-count").textContent();

  async function open(...messages: readonly ToWebview[]): Promise<void> {
    await stage().send(...messages);
    await stage().page.waitForSelector(".space-room[data-shown]");
    await checked();
  }

  /** Other parts of the page have buttons of these names too. */
  const press = (name: string): Promise<void> => pressIn(stage(), name);

  /** The check has caught up with the sliders. */
  async function checked(): Promise<void> {
    await stage().page.waitForTimeout(250);
    await stage().settle();
  }

  async function slide(label: string, value: number): Promise<void> {
    await stage().page.locator(`input[type="range"][aria-label="${label}"]`).fill(String(value));
    await checked();
  }

  /** RGB on the screen where the front view has an image point. */
  async function seen(u: number, v: number): Promise<number[]> {
    const box = await stage().page.locator(".space-room canvas").boundingBox();
    if (!box) throw new Error("There is no canvas.");
    const scale = Math.min(box.width / width, box.height / height);
    const [x, y] = [box.x + box.width / 2 + (u - 0.5) * width * scale, box.y + box.height / 2 + (v - 0.5) * height * scale];
    const { data, info } = await sharp(await stage().page.screenshot()).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const at = 3 * (Math.floor(y) * info.width + Math.floor(x));
    return [...data.subarray(at, at + 3)];
  }

  /** The file that Save PLY hands to the host. */
  async function savedPly(): Promise<{ name: string; ply: ReturnType<typeof readPly>; provenance: Record<string, unknown> }> {
    const before = (await stage().sentOf("ask")).filter(({ name }) => name === "saveFiles").length;
    await press("Save PLY");
    await stage().page.waitForFunction((number) => window.plumblineTest.sent.filter((sent) => sent.type === "ask" && sent.name === "saveFiles").length > number, before);
    const { id, name, base64, provenance } = await stage().page.evaluate(() => {
      const ask = window.plumblineTest.sent.filter((sent) => sent.type === "ask").filter((sent) => sent.name === "saveFiles").at(-1);
      const file = ask?.params.files[0];
      const bytes = file?.content instanceof Uint8Array ? file.content : new Uint8Array();
      return { id: ask?.id ?? -1, name: file?.name ?? "", base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")), provenance: ask?.params.provenance as Record<string, unknown> };
    });
    await stage().send({ type: "answer", id, result: { files: [name] } });
    return { name, ply: readPly(Buffer.from(base64, "base64")), provenance };
  }

  return { angle, count, open, press, checked, slide, seen, savedPly };
}
