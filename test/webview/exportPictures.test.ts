import assert from "node:assert/strict";
import { parseHTML } from "linkedom";
import sharp from "sharp";
import { colormapTable } from "../../src/core/colormap";
import { halfFromMap } from "../../src/core/half";
import type { Ask } from "../../src/protocol/panel";
import { event, init, multi, ramp, settingsOf, single, stateOf, step, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

describe("figures and animations from the panel", () => {
  const settings = settingsOf(multi, single);
  const [width, height] = [48, 32];
  let stage: Stage;

  stageForEach(async (opened) => {
    stage = opened;
    await stage.send(init(stateOf(settings)), ...wholeRun(1, settings));
  });

  const openMenu = async () => {
    await stage.click("Export");
    return stage.page.getByRole("dialog", { name: "Export" });
  };
  const asked = async <Name extends Ask["name"]>(name: Name, number = 1): Promise<Extract<Ask, { name: Name }>> => {
    await stage.page.waitForFunction(([wanted, count]) => window.plumblineTest.sent.filter((message) => message.type === "ask" && message.name === wanted).length >= Number(count), [name, number] as const);
    const asks = (await stage.sentOf("ask")).filter((ask): ask is Extract<Ask, { name: Name }> => ask.name === name);
    return asks[number - 1];
  };
  const reply = (id: number, result: object): Promise<void> => stage.send({ type: "answer", id, result });
  const imagesOf = (svg: string): readonly string[] => [...svg.matchAll(/<image [^>]*xlink:href="([^"]+)"/g)].map(([, url]) => url);
  const pixelsOf = async (url: string) => sharp(Buffer.from(url.slice(url.indexOf(",") + 1), "base64")).removeAlpha().raw().toBuffer({ resolveWithObject: true });

  it("sets all tiles as a figure: their words, their bars, and the very colours of their maps", async () => {
    await (await openMenu()).getByText("Figure of what is shown").click();
    const { id, params } = await asked("saveFigure");
    assert.equal(params.name, "room_figure");
    const { document } = parseHTML(params.svg);
    const texts = [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "").join(" ");
    for (const text of ["Multi-step", "Single step", "4 steps · trailing · gaussian noise · seed 2024 · depth, normals", "RGB", "Depth", "Normals", "larger = farther", "Plumbline 0.1.0; room.jpg"]) assert.ok(texts.includes(text), `"${text}" in: ${texts}`);
    assert.equal(document.querySelectorAll("image").length + document.querySelectorAll("use").length, 8, "four columns, two rows");
    const { data, info } = await pixelsOf(imagesOf(params.svg)[1]);
    assert.deepEqual([info.width, info.height], [width, height]);
    const table = colormapTable("Spectral");
    const row = (x: number): number => Math.min(255, Math.floor((x / (width - 1)) * 256));
    for (const x of [0, 20, 47]) assert.deepEqual([...data.subarray(3 * x, 3 * x + 3)].map((value, c) => Math.abs(value - table[3 * row(x) + c]) <= 2), [true, true, true], `column ${x}`);
    const { runs } = params.provenance as { runs: readonly { readonly row: string; readonly task: string }[] };
    assert.deepEqual(runs.map((run) => `${run.row}, ${run.task}`), ["Multi-step, depth", "Multi-step, normals", "Single step, depth", "Single step, normals"]);
    await reply(id, { files: ["room_figure.svg", "room_figure.png", "room_figure.json"] });
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /Wrote room_figure\.svg, room_figure\.png/);
  });

  it("takes the maximised tile alone", async () => {
    await stage.tile("single:depth").focus();
    await stage.page.keyboard.press("Enter");
    await stage.settle();
    await (await openMenu()).getByText("Figure of what is shown").click();
    const { params } = await asked("saveFigure");
    assert.equal(imagesOf(params.svg).length, 1);
    assert.ok(params.svg.includes(">Single step<") && !params.svg.includes(">Multi-step<"));
  });

  it("sets the comparison that is open as a figure: A on the scale of B, B, the wipe with its line, and the difference with its numbers", async () => {
    const state = stateOf(settings);
    const stageView = { kind: "ab", a: { kind: "result", rowId: "single", task: "depth" }, b: { kind: "result", rowId: "multi", task: "depth" }, mode: "wipe", split: 0.25, difference: "absolute" } as const;
    await stage.send(init({ ...state, view: { ...state.view, stage: stageView } }));
    await (await openMenu()).getByText("Figure of what is shown").click();
    const { params } = await asked("saveFigure");
    assert.equal(params.name, "room_A-B_depth");
    const { document } = parseHTML(params.svg);
    const texts = [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "").join(" ");
    for (const text of ["A: Single step", "B: Multi-step", "wiped at 25 %", "Absolute difference", "A aligned to B: s = ", "95th percentile", "AbsRel", "Plumbline 0.1.0; room.jpg"]) assert.ok(texts.includes(text), `"${text}" in: ${texts}`);
    const urls = imagesOf(params.svg);
    const wiped = (await Promise.all(urls.map(pixelsOf))).filter(({ data, info }) => [0, 1, 2].every((c) => data[3 * (10 * info.width + Math.round(0.25 * info.width)) + c] === 255));
    assert.equal(wiped.length, 1, "one picture has a white line at the split");
    const { comparison, runs } = params.provenance as { comparison: Record<string, unknown>; runs: readonly { side: string; settings: { steps: number } }[] };
    assert.deepEqual([comparison["difference"], typeof comparison["scale"], typeof comparison["shift"], typeof comparison["AbsRel"]], ["absolute", "number", "number", "string"]);
    assert.deepEqual(runs.map(({ side, settings: { steps } }) => [side, steps]), [["A", 1], ["B", 4]]);
  });

  it("says that a comparison has nothing to draw while a map is missing", async () => {
    const state = stateOf(settings);
    const stageView = { kind: "ab", a: { kind: "file", path: "/gone.npy", task: "depth" }, b: { kind: "result", rowId: "multi", task: "depth" }, mode: "wipe", split: 0.5 } as const;
    await stage.send(init({ ...state, view: { ...state.view, stage: stageView } }));
    await (await openMenu()).getByText("Figure of what is shown").click();
    await stage.settle();
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /nothing to draw yet/);
    assert.equal((await stage.sentOf("ask")).some(({ name }) => name === "saveFigure"), false);
  });

  it("makes an animation of the steps that the host holds, in the colours of the result", async () => {
    await stage.send({ type: "started", generation: 2, image: 0, settings }, ...[0, 1, 2, 3].map((k) => event(2, step(multi, "depth", k, ramp(width, height, 0, (k + 1) / 4)))), ...wholeRun(2, settings).slice(1));
    const menu = await openMenu();
    assert.deepEqual(await menu.locator("[data-animation]").evaluateAll((buttons) => buttons.map((button) => button.getAttribute("data-animation"))), ["multi:depth", "multi:normals"], "runs of several steps only");
    await menu.locator('[data-animation="multi:depth"]').click();
    const answered = new Set<number>();
    while (!(await stage.sentOf("ask")).some(({ name }) => name === "saveAnimation")) {
      for (const ask of await stage.sentOf("ask")) {
        if (ask.name !== "map" || ask.params.kind !== "step" || answered.has(ask.id)) continue;
        answered.add(ask.id);
        await reply(ask.id, { map: halfFromMap(ramp(width, height, 0, (ask.params.step + 1) / 4)) });
      }
      await stage.settle();
    }
    const { id, params } = await asked("saveAnimation");
    assert.deepEqual([params.name, params.width, params.height, params.frames.length, params.frameMillis], ["room_Multi-step_depth_steps", width, height, 4, 1500]);
    const table = colormapTable("Spectral");
    params.frames.forEach((frame, k) => {
      assert.equal(frame.length, width * height * 3);
      const place = (k + 1) / 4;
      const last = Array.from({ length: 3 }, (_, c) => Object.values(frame)[3 * (width - 1) + c]);
      const expected = 3 * Math.min(255, Math.floor(place * 256));
      last.forEach((value, c) => assert.ok([-1, 0, 1].some((by) => Math.abs(value - (table[expected + 3 * by + c] ?? NaN)) <= 2), `frame ${k}: ${last.join()} at ${place}`));
    });
    await reply(id, { files: [] });
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /Nothing was written/);
  });

  it("says why when the host refuses", async () => {
    await (await openMenu()).getByText("Figure of what is shown").click();
    const { id } = await asked("saveFigure");
    await stage.send({ type: "refused", id, message: "Could not write /full: no space.", remedy: "Choose another folder." });
    assert.match((await stage.page.locator(".notice").textContent()) ?? "", /no space\. Choose another folder\./);
  });
});
