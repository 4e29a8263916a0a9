import assert from "node:assert/strict";
import { halfFromMap } from "../../src/core/half";
import type { ToWebview } from "../../src/protocol/panel";
import { event, init, mapOf, multi, resultOf, stateOf } from "./scenario";
import { colourAt, depth, height, near, normal, planeRun, planeZ, ray, readPly, roomOf, settings, spaceInit, width } from "./spaceScene";
import { type Stage, stageForEach } from "./stage";

describe("depth in space", () => {
  let stage: Stage;
  stageForEach((opened) => void (stage = opened));
  const { angle, checked, count, open, press, savedPly, seen, slide } = roomOf(() => stage);

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
});
