import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { names, photograph, rows, runOn } from "./realistic";
import { event, init, multi, photoOf, settingsOf, single, stateOf, wholeRun } from "./scenario";
import { Stage, Theatre, type ThemeName } from "./stage";

describe("layout and themes of the panel", () => {
  const leading = { ...single, rowId: "leading", label: "Leading, 1 step (the flaw)", spacing: "leading" as const };
  const settings = settingsOf(multi, single, leading);
  const state = stateOf(settings, ["a-photograph-with-a-long-name-that-does-not-fit.jpg", "b.jpg", "c.jpg"]);
  let theatre: Theatre;
  let stage: Stage;

  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });

  const columns = async (): Promise<number> => {
    const boxes = await Promise.all(["photo", "depth", "normals", "variation"].map((column) => stage.tile(`multi:${column}`).boundingBox()));
    return new Set(boxes.map((box) => Math.round(box?.x ?? 0))).size;
  };

  for (const [width, expected] of [[1200, 4], [660, 2], [400, 1], [280, 1]] as const) {
    it(`has ${expected} columns and no overflow at ${width} pixels`, async () => {
      stage = await Stage.open(theatre, { width, height: 800 });
      await stage.send(init(state), ...wholeRun(1, settings));
      await stage.click("Settings");
      assert.equal(await columns(), expected);
      const wide = await stage.page.evaluate(() => {
        const limit = document.documentElement.clientWidth;
        const scrollers = [...document.querySelectorAll(".strip-list")];
        return [...document.querySelectorAll<HTMLElement>(".panel *")]
          .filter((element) => !scrollers.some((scroller) => scroller.contains(element)) && element.checkVisibility({ opacityProperty: true }) && element.getBoundingClientRect().right > limit + 0.5 && !element.closest(".visually-hidden"))
          .map((element) => `${element.tagName}.${element.className} to ${Math.round(element.getBoundingClientRect().right)}`);
      });
      assert.deepEqual(wide, []);
      const cut = await stage.page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("vscode-button")]
          .filter((button) => button.getClientRects().length > 0 && (button.shadowRoot?.querySelector("button")?.getBoundingClientRect().right ?? 0) > button.getBoundingClientRect().right + 1)
          .map((button) => button.textContent),
      );
      assert.deepEqual(cut, [], "no button is narrower than its text");
    });
  }

  it("follows each theme and keeps text readable", async () => {
    for (const theme of ["darkModern", "lightModern", "hcBlack"] as const satisfies readonly ThemeName[]) {
      stage = await Stage.open(theatre, { theme });
      await stage.send(init(state), ...wholeRun(1, settings));
      const worst = await stage.page.evaluate(() => {
        const luminance = (parts: readonly number[]): number => {
          const [r, g, b] = parts.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const numbers = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
        const background = (element: Element | null): number[] => {
          for (let at = element; at; at = at.parentElement) {
            const [r, g, b, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
            if (alpha > 0.5) return [r, g, b];
          }
          return [255, 255, 255];
        };
        const contrasts = [...document.querySelectorAll("h2, h3, .row-summary, .row-status, .tile-title, .badge, .tile-kind, .number, .status-text, .legend-text, .strip-name")]
          .filter((element) => element.textContent?.trim() && element.getClientRects().length > 0)
          .map((element): [number, string] => {
            const back = background(element);
            const [r, g, b, alpha = 1] = numbers(getComputedStyle(element).color);
            const front = [r, g, b].map((part, i) => part * alpha + back[i] * (1 - alpha));
            const [light, dark] = [luminance(front), luminance(back)].sort((x, y) => y - x);
            return [(light + 0.05) / (dark + 0.05), element.className || element.tagName];
          });
        return contrasts.sort((x, y) => x[0] - y[0])[0];
      });
      assert.ok(worst[0] >= 4.5, `${theme}: contrast ${worst[0].toFixed(2)} of ${worst[1]}`);
      if (theme !== "hcBlack") await stage.close();
    }
    const border = await stage.tile("multi:depth").locator(".tile-area").evaluate((area) => getComputedStyle(area).borderTopColor);
    assert.equal(border, "rgb(111, 195, 223)", "high contrast separates by borders");
  });

  it("reserves each tile's place from the image's size alone", async () => {
    stage = await Stage.open(theatre);
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings }, event(1, { type: "image", image: photoOf(60, 90) }));
    const box = await stage.tile("multi:photo").locator(".tile-area").boundingBox();
    const waiting = await stage.tile("multi:depth").locator(".tile-area").boundingBox();
    assert.equal(waiting?.height, box?.height);
    await stage.send(...wholeRun(2, settings, 0, 60, 90));
    assert.deepEqual(await stage.tile("multi:depth").locator(".tile-area").boundingBox(), waiting);
  });

  it("moves nothing when motion is to be reduced", async () => {
    const running = async (): Promise<number> => stage.page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === "running").length);
    stage = await Stage.open(theatre, { reducedMotion: false });
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings });
    assert.ok((await running()) > 0, "otherwise waiting tiles do move");
    await stage.close();
    stage = await Stage.open(theatre, { reducedMotion: true });
    await stage.send(init(state), { type: "started", generation: 1, image: 0, settings });
    assert.equal(await running(), 0);
  });

  it("says so when it cannot draw", async () => {
    stage = await Stage.open(theatre, { noGraphics: true });
    assert.match((await stage.page.locator(".empty").textContent()) ?? "", /cannot be shown.*WebGL2.*hardware acceleration/);
  });

  it("names the quantity, its kind and the frame in the legend", async () => {
    stage = await Stage.open(theatre);
    await stage.send(init(state), ...wholeRun(1, settings));
    const legend = (await stage.page.locator(".legend").textContent()) ?? "";
    assert.match(legend, /Affine-invariant depth \(unknown scale and shift; larger = farther\)/);
    assert.match(legend, /Normals, RUB.*X right, y up, z toward the viewer/);
    const sphere = await stage.page.locator(".sphere canvas").evaluate((canvas) => {
      const { width } = canvas as HTMLCanvasElement;
      const plane = (canvas as HTMLCanvasElement).getContext("2d");
      const at = (x: number, y: number): number[] => [...(plane?.getImageData(Math.floor(x * width), Math.floor(y * width), 1, 1).data ?? [])];
      return { middle: at(0.5, 0.5), right: at(0.96, 0.5), top: at(0.5, 0.04), corner: at(0.02, 0.02) };
    });
    assert.ok(sphere.middle[2] > 250 && Math.abs(sphere.middle[0] - 127) < 6, "z toward the viewer is blue");
    assert.ok(sphere.right[0] > 235 && sphere.top[1] > 235, "x right is red, y up is green");
    assert.equal(sphere.corner[3], 0);
  });

  it("writes pictures of every theme, and a narrow one, for people to look at", async () => {
    const folder = join(__dirname, "../../out/screenshots");
    await mkdir(folder, { recursive: true });
    const view = { ...state.view, rangePercentiles: [2, 98] as const };
    const thumbnails = await Promise.all(names.map(async (name, image) => ({ type: "thumbnail" as const, image, thumbnail: (await photograph(name)).thumbnail })));
    const messages = await runOn("temple.jpg", 1, 2, rows);
    for (const [theme, width, height] of [["darkModern", 1240, 1240], ["lightModern", 1240, 860], ["hcBlack", 1240, 860], ["lightModern", 520, 900]] as const) {
      stage = await Stage.open(theatre, { theme, width, height });
      await stage.send(init({ ...stateOf(rows, names), view, current: 2 }), ...thumbnails, ...messages);
      await stage.point("multi:depth", 0.4, 0.5);
      const picture = await stage.page.screenshot();
      await writeFile(join(folder, `panel-${theme}-${width}.png`), picture);
      const colours = new Set(await sharp(picture).removeAlpha().resize(200).raw().toBuffer().then((bytes) => Array.from({ length: bytes.length / 3 }, (_, i) => bytes.readUIntBE(3 * i, 3))));
      assert.ok(colours.size > 5000, `${theme} is full of pictures: ${colours.size}`);
      if (width !== 520) await stage.close();
    }
  });
});
