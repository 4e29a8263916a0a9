import assert from "node:assert/strict";
import { parseHTML } from "linkedom";
import sharp from "sharp";
import type { Ask } from "../../src/protocol/panel";
import { rows as realisticRows, runOn } from "./realistic";
import { init, stateOf } from "./scenario";
import { colourAt, height, near, planeRun, pressIn, roomOf, settings, spaceInit, width } from "./spaceScene";
import { Stage, stageForEach, Theatre, type ThemeName } from "./stage";

describe("the view in space", () => {
  let stage: Stage;
  stageForEach((opened) => void (stage = opened));
  const { open, press, seen } = roomOf(() => stage);

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

  it("exports what is on the screen as a figure, larger, with the numbers that made points of the depth", async () => {
    await open(spaceInit({ colour: "std" }), ...planeRun());
    await stage.page.locator(".space-room").focus();
    await stage.page.keyboard.press("ArrowLeft");
    await stage.settle();
    await stage.click("Export");
    await stage.page.getByText("Figure of what is shown").click();
    await stage.page.waitForFunction(() => window.plumblineTest.sent.some((message) => message.type === "ask" && message.name === "saveFigure"));
    const { params } = (await stage.sentOf("ask")).find((ask): ask is Extract<Ask, { name: "saveFigure" }> => ask.name === "saveFigure") ?? assert.fail("nothing to save");
    assert.equal(params.name, "room_space");
    const { document } = parseHTML(params.svg);
    const texts = [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "").join(" ");
    for (const text of ["Multi-step", "z = scale * d + shift, scale 1, shift 0.5, in no unit; field of view 60°", "seen turned by hand", "1,536 of 1,536 points", "coloured by standard deviation", "Plumbline 0.1.0; room.jpg"]) assert.ok(texts.includes(text), `"${text}" in: ${texts}`);
    const url = /xlink:href="data:image\/png;base64,([^"]+)"/.exec(params.svg)?.[1] ?? "";
    const { data, info } = await sharp(Buffer.from(url, "base64")).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    assert.equal(Math.max(info.width, info.height), 1536);
    const opaque = data.filter((value, i) => i % 4 === 3 && value > 0).length / (info.width * info.height);
    assert.ok(opaque > 0.1 && opaque < 1, `${opaque} of the picture is drawn`);
    const { space, runs } = params.provenance as { space: { projection: object; eye: { viewpoint?: string; position: number[] } }; runs: unknown[] };
    assert.deepEqual([space.projection, space.eye.viewpoint, runs.length], [{ depthKind: "affine-depth", scale: 1, shift: 0.5, fovDegrees: 60, formula: "z = scale * d + shift" }, undefined, 1]);
    assert.ok(Math.hypot(...space.eye.position) > 0, "where it was seen from");
    const canvas = await stage.page.locator(".space-room canvas").evaluate((element) => (element as HTMLCanvasElement).width);
    assert.ok(canvas < 1536, "the screen has its own size again");
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
