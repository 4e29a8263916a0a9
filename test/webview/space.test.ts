import assert from "node:assert/strict";
import sharp from "sharp";
import { halfFromMap } from "../../src/core/half";
import type { FloatMap } from "../../src/core/image";
import type { Semantics } from "../../src/core/semantics";
import type { DecodedImage } from "../../src/protocol/inference";
import type { StageView, ToWebview } from "../../src/protocol/panel";
import { rows as realisticRows, runOn } from "./realistic";
import { event, init, mapOf, multi, resultOf, settingsOf, single, stateOf } from "./scenario";
import { Stage, Theatre, type ThemeName } from "./stage";

type SpaceView = Extract<StageView, { kind: "space" }>;
type Vector = readonly [number, number, number];

const [width, height] = [48, 32];
const settings = settingsOf(multi, single);
const fov = 60;
const shift = 0.5;
/** Of the plane that the depth shows: tilted to the right and up. */
const normal: Vector = [0.36, 0.48, 0.8];

/** Direction of a pixel's ray, (x, y, -1); the sides of the image are at the tangents of half the field of view. */
function ray(column: number, row: number, fovDegrees = fov): Vector {
  const tangent = Math.tan((fovDegrees * Math.PI) / 360);
  return [tangent * ((2 * column + 1) / width - 1), (tangent * (height - 2 * row - 1)) / width, -1];
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** Depth z of the plane through (0, 0, -1). */
const planeZ = (column: number, row: number): number => -normal[2] / dot(ray(column, row), normal);
/** What a model that knows neither scale nor shift says of it: z = d + 0.5. */
const depth = mapOf(width, height, 1, (x, y) => planeZ(x, y) - shift);
const normals = mapOf(width, height, 3, (_x, _y, c) => normal[c]);
/** Four quarters of one colour each. */
const quarters = [[200, 40, 30], [30, 180, 60], [20, 60, 220], [240, 220, 90]];
const colourAt = (x: number, y: number): readonly number[] => quarters[(x < width / 2 ? 0 : 1) + (y < height / 2 ? 0 : 2)];
const photo: DecodedImage = { width, height, rgb: Uint8Array.from(mapOf(width, height, 3, (x, y, c) => colourAt(x, y)[c]).data) };

/** A run of both rows on the plane; both have normals. */
function planeRun(map: FloatMap = depth, semantics: Semantics = { task: "depth", depthKind: "affine-depth" }): ToWebview[] {
  const results = settings.rows.flatMap((row) => {
    const result = resultOf(row, "depth", map, row.steps > 1 ? { stdOverSteps: mapOf(width, height, 1, (x) => (x === 47 ? 1 : 0)) } : {});
    return [{ ...result, provenance: { ...result.provenance, semantics } }, resultOf(row, "normals", normals)];
  });
  return [{ type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photo }), ...results.map((result) => event(1, { type: "result", result })), { type: "finished", generation: 1, elapsedMillis: 10 }];
}

function spaceInit(change: Partial<SpaceView> = {}, state = stateOf(settings)): ToWebview {
  const view: SpaceView = { kind: "space", of: { kind: "result", rowId: state.settings.rows[0].rowId, task: "depth" }, shape: "points", colour: "rgb", fovDegrees: fov, scale: 1, shift, ...change };
  return init({ ...state, view: { ...state.view, stage: view } });
}

/** What a PLY file holds; only little-endian floats x y z [nx ny nz] and bytes red green blue, then triangles. */
function readPly(bytes: Buffer): { header: string; point(index: number): number[]; colour(index: number): number[]; points: number; faces: number } {
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

async function pressIn(stage: Stage, name: string): Promise<void> {
  await stage.page.locator(".space-stage vscode-button", { hasText: name }).click();
  await stage.settle();
}

describe("depth in space", () => {
  let theatre: Theatre;
  let stage: Stage;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  beforeEach(async () => (stage = await Stage.open(theatre)));
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  const angle = (which: "mean" | "median"): Promise<string | null> => stage.page.locator(".space-angle span", { hasText: which }).locator("strong").textContent();
  const count = (): Promise<string | null> => stage.page.locator(".space-count").textContent();

  async function open(...messages: readonly ToWebview[]): Promise<void> {
    await stage.send(...messages);
    await stage.page.waitForSelector(".space-room[data-shown]");
    await checked();
  }

  /** Other parts of the page have buttons of these names too. */
  const press = (name: string): Promise<void> => pressIn(stage, name);

  /** The check has caught up with the sliders. */
  async function checked(): Promise<void> {
    await stage.page.waitForTimeout(250);
    await stage.settle();
  }

  async function slide(label: string, value: number): Promise<void> {
    await stage.page.locator(`input[type="range"][aria-label="${label}"]`).fill(String(value));
    await checked();
  }

  /** RGB on the screen where the front view has an image point. */
  async function seen(u: number, v: number): Promise<number[]> {
    const box = await stage.page.locator(".space-room canvas").boundingBox();
    if (!box) throw new Error("There is no canvas.");
    const scale = Math.min(box.width / width, box.height / height);
    const [x, y] = [box.x + box.width / 2 + (u - 0.5) * width * scale, box.y + box.height / 2 + (v - 0.5) * height * scale];
    const { data, info } = await sharp(await stage.page.screenshot()).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const at = 3 * (Math.floor(y) * info.width + Math.floor(x));
    return [...data.subarray(at, at + 3)];
  }

  /** The file that Save PLY hands to the host. */
  async function savedPly(): Promise<{ name: string; ply: ReturnType<typeof readPly>; provenance: Record<string, unknown> }> {
    const before = (await stage.sentOf("ask")).filter(({ name }) => name === "saveFiles").length;
    await press("Save PLY");
    await stage.page.waitForFunction((number) => window.plumblineTest.sent.filter((sent) => sent.type === "ask" && sent.name === "saveFiles").length > number, before);
    const { id, name, base64, provenance } = await stage.page.evaluate(() => {
      const ask = window.plumblineTest.sent.filter((sent) => sent.type === "ask").filter((sent) => sent.name === "saveFiles").at(-1);
      const file = ask?.params.files[0];
      const bytes = file?.content instanceof Uint8Array ? file.content : new Uint8Array();
      return { id: ask?.id ?? -1, name: file?.name ?? "", base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")), provenance: ask?.params.provenance as Record<string, unknown> };
    });
    await stage.send({ type: "answer", id, result: { files: [name] } });
    return { name, ply: readPly(Buffer.from(base64, "base64")), provenance };
  }

  const near = (found: readonly number[], wanted: readonly number[], tolerance: number): void => wanted.forEach((value, i) => assert.ok(Math.abs(found[i] - value) <= tolerance, `${found.join()} is not ${wanted.join()}`));

  it("looks exactly like the photograph from the front, and not from above", async () => {
    await open(spaceInit(), ...planeRun());
    for (const [x, y] of [[6, 5], [40, 8], [12, 27], [47, 31], [23, 15], [24, 16]]) near(await seen((x + 0.5) / width, (y + 0.5) / height), colourAt(x, y), 1);
    assert.equal(await count(), "1,536 of 1,536 points");
    await press("Top");
    assert.notDeepEqual(await seen(40.5 / width, 8.5 / height), colourAt(40, 8));
    await press("Front");
    near(await seen(40.5 / width, 8.5 / height), colourAt(40, 8), 1);
    await stage.choose("Shape", "mesh");
    for (const [x, y] of [[6, 5], [40, 8], [12, 27]]) near(await seen((x + 0.5) / width, (y + 0.5) / height), colourAt(x, y), 1);
    assert.match((await count()) ?? "", /^2,914 triangles on 1,536 of 1,536 pixels/);
  });

  it("colours by normals and by standard deviation, and says where there is none", async () => {
    await open(spaceInit({ colour: "normals" }), ...planeRun());
    near(await seen(10.5 / width, 10.5 / height), normal.map((part) => 255 * (0.5 + 0.5 * part)), 1);
    await stage.choose("Colour of the points", "std");
    // Magma's first and last colours.
    near(await seen(10.5 / width, 10.5 / height), [0, 0, 3], 1);
    near(await seen(47.5 / width, 10.5 / height), [251, 252, 191], 1);
    await stage.choose("Depth in space", "row:single");
    near(await seen(10.5 / width, 10.5 / height), colourAt(10, 10), 1);
    assert.match((await count()) ?? "", /no standard deviation here: coloured by the photograph/);
  });

  it("saves the points where the sliders put them, with their colours and where they come from", async () => {
    await open(spaceInit(), ...planeRun());
    const expectAt = (ply: ReturnType<typeof readPly>, fovDegrees: number, z: (d: number) => number): void => {
      for (const [x, y] of [[0, 0], [47, 0], [20, 30]]) {
        const direction = ray(x, y, fovDegrees);
        const distance = z(depth.data[y * width + x]);
        near(ply.point(y * width + x), direction.map((part) => part * distance), 1e-5);
        assert.deepEqual(ply.colour(y * width + x), colourAt(x, y));
      }
    };
    const first = await savedPly();
    assert.equal(first.name, "room-Multi-step.ply");
    assert.equal(first.ply.points, width * height);
    assert.match(first.ply.header, /comment z = scale \* d \+ shift, scale 1, shift 0.5, in no unit .*field of view 60 degrees/);
    assert.equal(first.ply.faces, 0);
    expectAt(first.ply, 60, (d) => d + 0.5);
    await slide("Field of view", 90);
    expectAt((await savedPly()).ply, 90, (d) => d + 0.5);
    await slide("Scale", 2);
    await slide("Shift", 1.25);
    await stage.choose("Shape", "mesh");
    const moved = await savedPly();
    expectAt(moved.ply, 90, (d) => 2 * d + 1.25);
    assert.equal(moved.ply.faces, 2 * 47 * 31);
    assert.deepEqual(moved.provenance.projection, { depthKind: "affine-depth", scale: 2, shift: 1.25, fovDegrees: 90, formula: "z = scale * d + shift", units: "no unit (scale and shift are not known)", everyPixel: 1 });
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /Saved room-Multi-step\.ply/);
    await press("Reset");
    expectAt((await savedPly()).ply, 60, (d) => d + 0.5);
  });

  it("finds that a plane's depth and normals agree, at the right sliders only, and finds those", async () => {
    await open(spaceInit(), ...planeRun());
    assert.deepEqual([await angle("mean"), await angle("median")], ["0.0°", "0.0°"]);
    await slide("Shift", 3);
    const wrong = Number.parseFloat((await angle("mean")) ?? "");
    assert.ok(wrong > 10, String(wrong));
    await press("Fit to the predicted normals");
    await checked();
    assert.ok(Number.parseFloat((await angle("mean")) ?? "") < 0.5);
    assert.match((await stage.page.locator(".space-check").textContent()) ?? "", /Scale and shift of this depth are not known, so the angle depends on the sliders/);
  });

  it("says that a disparity is not aligned, and bends it by the user's numbers", async () => {
    const disparity = mapOf(width, height, 1, (x, y) => (1 / planeZ(x, y) - 0.2) / 2);
    await open(spaceInit({ scale: 2, shift: 0.2 }), ...planeRun(disparity, { task: "depth", depthKind: "affine-disparity" }));
    assert.equal(await angle("mean"), "0.0°");
    assert.match((await stage.page.locator(".space-controls").textContent()) ?? "", /Alignment is missing.*z = 1 \/ \(scale · d \+ shift\)/);
    near((await savedPly()).ply.point(5 * width + 7), ray(7, 5).map((part) => part * planeZ(7, 5)), 1e-5);
  });

  it("takes metric depth as it is, in metres", async () => {
    await open(spaceInit({ scale: 3, shift: 2 }), ...planeRun(mapOf(width, height, 1, planeZ), { task: "depth", depthKind: "metric-depth" }));
    assert.equal(await angle("mean"), "0.0°");
    assert.equal(await stage.page.getByLabel("Scale", { exact: true }).isVisible(), false);
    const { ply } = await savedPly();
    near(ply.point(0), ray(0, 0).map((part) => part * planeZ(0, 0)), 1e-5);
    assert.match(ply.header, /in metres/);
  });

  it("leaves out what lies behind the camera, and counts it", async () => {
    const half = mapOf(width, height, 1, (x) => (x < 24 ? -1 : 1));
    await open(spaceInit(), ...planeRun(half));
    assert.equal(await count(), "768 of 1,536 points · 768 have no place (z is not above 0)");
    assert.equal((await savedPly()).ply.points, 768);
  });

  it("shows a step that the host has to send", async () => {
    const runId = "multi:depth";
    const stepPlans = [999, 749, 499, 249].map((timestep) => ({ timestep, alphaBar: 0.5, toldNoise: 0.7, inputNoise: 0.7 }));
    const steps = stepPlans.map(({ timestep }, step): ToWebview => event(1, { type: "step", runId, member: 0, step, steps: 4, timestep, thumbnail: mapOf(4, 4, 1, () => 0) }));
    const [started, image, first, ...rest] = planeRun();
    const planned = event(1, { type: "planned", runId, runKey: "key", cached: true, steps: stepPlans });
    const result = event(1, { type: "result", result: { ...resultOf(multi, "depth", depth), runKey: "key" } });
    await open(spaceInit(), started, image, planned, ...steps, first, ...rest, result);
    await stage.page.locator('input[aria-label="Step in space"]').fill("1");
    await stage.settle();
    assert.match((await stage.page.locator(".space-head").textContent()) ?? "", /step 2 of 4/);
    assert.match((await stage.page.locator(".space-message").textContent()) ?? "", /Multi-step, step 2 of 4: no depth yet/);
    const ask = (await stage.sentOf("ask")).find(({ name, params }) => name === "map" && JSON.stringify(params) === JSON.stringify({ kind: "step", runKey: "key", step: 1 }));
    assert.ok(ask);
    // 0.25 and its sum with the shift are exact in halves.
    await stage.send({ type: "answer", id: ask.id, result: { map: halfFromMap(mapOf(width, height, 1, () => 0.25)) } });
    await checked();
    assert.equal(await stage.page.locator(".space-message").isVisible(), false);
    const { name, ply } = await savedPly();
    assert.equal(name, "room-Multi-step-step-2-of-4.ply");
    near(ply.point(100), ray(100 % width, Math.floor(100 / width)).map((part) => part * 0.75), 1e-6);
    await stage.page.locator('input[aria-label="Step in space"]').fill("4");
    await stage.settle();
    near((await savedPly()).ply.point(0), ray(0, 0).map((part) => part * planeZ(0, 0)), 1e-5);
  });

  it("opens on the depth of a tile", async () => {
    await stage.send(init(stateOf(settings)), ...planeRun());
    await stage.tile("single:depth").hover();
    await stage.tile("single:depth").locator('vscode-button[aria-label="Show in 3D"]').click();
    await stage.page.waitForSelector(".space-room[data-shown]");
    assert.equal(await count(), "1,536 of 1,536 points");
    assert.match((await savedPly()).name, /^room-Single-step/);
  });

  it("draws fewer points of a large map than it saves, and says how many", async () => {
    const large = mapOf(480, 320, 1, () => 0.5);
    await open(spaceInit(), ...planeRun(large));
    // The tests' browser has no graphics device.
    assert.equal(await count(), "38,400 of 153,600 points, every 2nd pixel");
    near(await seen(40.5 / width, 8.5 / height), colourAt(40, 8), 1);
    assert.equal((await savedPly()).ply.points, 153_600);
  });

  it("is cut where depth jumps", async () => {
    await open(spaceInit({ shape: "mesh", shift: 0 }), ...planeRun(mapOf(width, height, 1, (x) => (x < 24 ? 1 : 9))));
    assert.match((await count()) ?? "", /^2,852 triangles/, "two less for each of the 31 cells on the edge");
    assert.equal((await savedPly()).ply.faces, 2852);
  });

  it("turns and zooms by keys, draws only then, and goes back", async () => {
    await open(spaceInit(), ...planeRun());
    await stage.page.evaluate(() => {
      const counter = window as unknown as { drawn: number };
      const calls = window.plumblineTest.contexts.at(-1) as unknown as Record<"drawElements", (...values: unknown[]) => void>;
      const { drawElements } = calls;
      counter.drawn = 0;
      calls.drawElements = (...values) => {
        counter.drawn++;
        drawElements.apply(calls, values);
      };
    });
    const drawn = (): Promise<number> => stage.page.evaluate(() => (window as unknown as { drawn: number }).drawn);
    const front = stage.page.locator('vscode-button[aria-pressed="true"]');
    assert.equal((await front.textContent())?.trim(), "Front");
    const still = await drawn();
    await stage.page.waitForTimeout(300);
    assert.equal(await drawn(), still, "nothing is drawn while nothing moves");
    await stage.page.locator(".space-room").focus();
    const before = await seen(46.5 / width, 8.5 / height);
    for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp", "-", "-", "-"]) await stage.page.keyboard.press(key);
    await stage.settle();
    assert.ok((await drawn()) > still);
    assert.equal(await front.count(), 0, "no view is marked once the eye has moved");
    assert.notDeepEqual(await seen(46.5 / width, 8.5 / height), before);
    await stage.page.keyboard.press("0");
    await stage.settle();
    near(await seen(46.5 / width, 8.5 / height), before, 1);
    await stage.page.keyboard.press("Escape");
    await stage.settle();
    assert.equal(await stage.page.locator(".space-stage").isVisible(), false);
    assert.equal(await stage.tile("multi:depth").isVisible(), true);
  });

  it("gives its graphics context back, however often it is opened", async function () {
    this.timeout(180_000);
    const live = (): Promise<number> => stage.page.evaluate(() => window.plumblineTest.contexts.filter((context) => !context.isContextLost()).length);
    await stage.send(init(stateOf(settings)), ...planeRun());
    assert.equal(await live(), 1, "the tiles have one");
    for (let i = 0; i < 20; i++) {
      await stage.send(spaceInit());
      await stage.page.waitForSelector(".space-room canvas");
      await stage.settle();
      assert.equal(await live(), 2);
      if (i === 0) await press("Back to tiles");
      else await stage.send(init(stateOf(settings)));
      assert.equal(await live(), 1);
    }
    assert.deepEqual((await stage.pixel("multi:photo", 10.5 / width, 10.5 / height)).slice(0, 3), colourAt(10, 10));
  });

  it("says that the context was lost, and draws again when it is back", async () => {
    await open(spaceInit(), ...planeRun());
    await stage.page.evaluate(() => {
      const lose = window.plumblineTest.contexts.at(-1)?.getExtension("WEBGL_lose_context");
      Object.assign(window, { restore: () => lose?.restoreContext() });
      lose?.loseContext();
    });
    await stage.page.waitForSelector("text=The graphics context was lost");
    await stage.page.evaluate(() => (window as unknown as { restore(): void }).restore());
    await stage.page.waitForSelector(".space-message", { state: "hidden" });
    await stage.settle();
    near(await seen(40.5 / width, 8.5 / height), colourAt(40, 8), 1);
    // three reports the loss on the console.
    stage.errors.splice(0, stage.errors.length, ...stage.errors.filter((text) => !text.includes("Context Lost")));
  });

  it("is loaded when it is first opened, and says so when it cannot be", async () => {
    const asked: string[] = [];
    stage.page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await stage.send(init(stateOf(settings)), ...planeRun());
    assert.deepEqual(asked, []);
    await stage.page.route("**/space.js", (route) => route.abort());
    await stage.send(spaceInit());
    await stage.page.waitForSelector("text=could not be loaded");
    assert.deepEqual(asked, ["/space.js"]);
    stage.errors.splice(0, stage.errors.length, ...stage.errors.filter((text) => !text.includes("ERR_FAILED")));
    await stage.page.unroute("**/space.js");
    await stage.send(init(stateOf(settings)));
    await open(spaceInit());
    near(await seen(40.5 / width, 8.5 / height), colourAt(40, 8), 1);
  });

  it("says when the browser gives it no context", async () => {
    await stage.send(init(stateOf(settings)), ...planeRun());
    await stage.page.evaluate(() => {
      HTMLCanvasElement.prototype.getContext = () => null;
    });
    await stage.send(spaceInit());
    await stage.page.waitForSelector("text=needs WebGL2, which is not available");
    stage.errors.splice(0, stage.errors.length, ...stage.errors.filter((text) => !text.includes("WebGL")));
  });
});

describe("pictures of depth in space", () => {
  let theatre: Theatre;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());

  for (const theme of ["darkModern", "lightModern", "hcBlack"] as const satisfies readonly ThemeName[]) {
    it(`fit the panel in ${theme}, wide and narrow`, async () => {
      const stage = await Stage.open(theatre, { theme });
      await stage.send(spaceInit({}, stateOf(realisticRows)), ...(await runOn("coffee.jpg", 1, 0, realisticRows)));
      await stage.page.waitForSelector(".space-angle:not([hidden]) strong:not(:empty)");
      await stage.screenshot(`space-front-${theme}`);
      await stage.choose("Shape", "mesh");
      await pressIn(stage, "Top");
      await stage.screenshot(`space-top-${theme}`);
      await stage.page.setViewportSize({ width: 420, height: 860 });
      await stage.settle();
      await stage.screenshot(`space-narrow-${theme}`);
      const overflow = await stage.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0);
      assert.deepEqual(stage.errors, []);
      await stage.close();
    });
  }
});
