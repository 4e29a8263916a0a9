import assert from "node:assert/strict";
import { init, directions, multi, photoOf, settingsOf, single, stateOf, wholeRun } from "./scenario";
import { type Stage, stageForEach } from "./stage";

describe("looking around in the panel", () => {
  const settings = settingsOf(multi, single);
  const [width, height] = [48, 32];
  let stage: Stage;

  stageForEach(async (opened) => {
    stage = opened;
    await stage.send(init(stateOf(settings)), ...wholeRun(1, settings));
  });

  const at = (x: number, y: number): [number, number] => [(x + 0.5) / width, (y + 0.5) / height];
  const pixelLine = (): Promise<string | null> => stage.page.locator(".probe-line").textContent();

  it("reads out the exact floats of every tile under one crosshair", async () => {
    const [x, y] = [31, 12];
    await stage.point("single:normals", ...at(x, y));
    const float = (values: number[]): number[] => values.map(Math.fround);
    assert.deepEqual(float(await stage.chip("multi:depth")), [Math.fround(x / 47)]);
    assert.deepEqual(float(await stage.chip("single:depth")), [Math.fround(0.1 + (1 * x) / 47)]);
    const normal = [...directions(width, height).data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
    for (const key of ["multi:normals", "single:normals"]) assert.deepEqual(float(await stage.chip(key)), normal, key);
    const rgb = [...photoOf(width, height).rgb.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
    assert.deepEqual(await stage.chip("multi:photo"), rgb);
    assert.deepEqual(float(await stage.chip("multi:variation")), [Math.fround(y / 31 / 10)]);
    assert.match((await pixelLine()) ?? "", new RegExp(`x ${x}\\s+y ${y}`));
  });

  it("tells assistive technology the values", async () => {
    await stage.point("multi:depth", ...at(47, 3));
    const live = stage.page.locator('[aria-live="polite"][aria-label="Values under the crosshair"]');
    await stage.page.waitForFunction(() => document.querySelector('[aria-live="polite"]')?.textContent?.includes("Depth, Multi-step: 1"));
    assert.match((await live.textContent()) ?? "", /x 47\s+y 3/);
  });

  it("hides the crosshair when the pointer leaves unless a click pinned it", async () => {
    await stage.point("multi:depth", ...at(10, 10));
    await stage.page.mouse.down();
    await stage.page.mouse.up();
    await stage.page.mouse.move(5, 5);
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").locator(".chip").isVisible(), true, "pinned");
    await stage.page.keyboard.press("Escape");
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").locator(".chip").isVisible(), false, "released by Escape");
    await stage.point("multi:depth", ...at(10, 10));
    assert.equal(await stage.tile("single:photo").locator(".chip").isVisible(), true, "linked");
    await stage.page.mouse.move(5, 5);
    await stage.settle();
    assert.equal(await stage.tile("single:photo").locator(".chip").isVisible(), false);
  });

  it("zooms all tiles about the pointer with the wheel and resets by double click", async () => {
    const [u, v] = at(36, 8);
    await stage.point("multi:depth", u, v);
    const before = await stage.chip("multi:depth");
    await stage.page.mouse.wheel(0, -600);
    await stage.settle();
    assert.deepEqual(await stage.chip("multi:depth"), before, "the point under the pointer stays");
    await stage.point("single:photo", u, v);
    assert.deepEqual(await stage.chip("multi:depth"), before, "the other tiles are zoomed alike");
    await stage.point("multi:depth", 0.02, v);
    const [edge] = await stage.chip("multi:depth");
    assert.ok(edge > 0.3, `the left edge is no longer the image's: ${edge}`);
    await stage.page.mouse.dblclick(...(await centreOf("multi:depth")));
    await stage.point("multi:depth", ...at(0, 5));
    assert.deepEqual(await stage.chip("multi:depth"), [0]);
  });

  it("pans by dragging, and no farther than the image", async () => {
    const [x, y] = await centreOf("multi:depth");
    await stage.point("multi:depth", 0.5, 0.5);
    await stage.page.mouse.wheel(0, -500);
    await stage.settle();
    const [middle] = await stage.chip("multi:depth");
    await stage.page.mouse.down();
    await stage.page.mouse.move(x + 60, y, { steps: 4 });
    await stage.page.mouse.up();
    await stage.point("multi:depth", 0.5, 0.5);
    const [moved] = await stage.chip("multi:depth");
    assert.ok(moved < middle - 0.05, `${moved} lies left of ${middle}`);
    await stage.page.mouse.down();
    await stage.page.mouse.move(x + 900, y, { steps: 6 });
    await stage.page.mouse.up();
    await stage.point("multi:depth", 0.01, 0.5);
    assert.deepEqual(await stage.chip("multi:depth"), [0], "stops at the image's edge");
  });

  it("pinches with two fingers", async () => {
    const [x, y] = await centreOf("multi:depth");
    await stage.tile("multi:depth").locator(".tile-area").evaluate((area, [cx, cy]) => {
      area.setPointerCapture = () => undefined;
      const send = (type: string, pointerId: number, clientX: number): boolean => area.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY: cy, bubbles: true, pointerType: "touch" }));
      send("pointerdown", 1, cx - 20);
      send("pointerdown", 2, cx + 20);
      for (let i = 1; i <= 10; i++) {
        send("pointermove", 1, cx - 20 - 4 * i);
        send("pointermove", 2, cx + 20 + 4 * i);
      }
      send("pointerup", 1, cx - 60);
      send("pointerup", 2, cx + 60);
    }, [x, y] as const);
    await stage.page.waitForTimeout(400);
    await stage.waitForMessage("state");
    const zoom = (await stage.sentOf("state")).at(-1)?.state.view.viewpoint?.zoom ?? 1;
    assert.ok(Math.abs(zoom - 3) < 0.3, `fingers three times as far apart: ${zoom}`);
  });

  it("can be used by keys alone", async () => {
    await stage.tile("multi:depth").focus();
    await stage.page.keyboard.press("Shift+ArrowRight");
    await stage.settle();
    const [first] = await stage.chip("multi:depth");
    await stage.page.keyboard.press("Shift+ArrowRight");
    await stage.settle();
    const [second] = await stage.chip("multi:depth");
    assert.ok(Math.abs(second - first - 1 / 47) < 1e-6, "one pixel to the right");
    await stage.page.keyboard.press("Escape");
    await stage.page.keyboard.press("+");
    await stage.page.keyboard.press("+");
    await stage.page.keyboard.press("+");
    await stage.page.keyboard.press("ArrowRight");
    await stage.page.keyboard.press("ArrowRight");
    await stage.page.waitForTimeout(400);
    const point = (await stage.sentOf("state")).at(-1)?.state.view.viewpoint;
    assert.ok(point && Math.abs(point.zoom - 1.25 ** 3) < 1e-9 && point.u > 0.55, JSON.stringify(point));
    await stage.page.keyboard.press("-");
    await stage.page.keyboard.press("0");
    await stage.page.waitForTimeout(400);
    assert.deepEqual((await stage.sentOf("state")).at(-1)?.state.view.viewpoint, { u: 0.5, v: 0.5, zoom: 1 });
  });

  it("reaches every tile and control by Tab, with a visible focus", async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) {
      await stage.page.keyboard.press("Tab");
      const focused = await stage.page.evaluate(() => {
        const element = document.activeElement;
        if (!(element instanceof HTMLElement) || element === document.body) return "";
        const inner = (element.shadowRoot?.activeElement ?? element) as HTMLElement;
        const look = (): string =>
          [element, inner, inner.closest(".root") ?? inner].map((part) => getComputedStyle(part)).map(({ outlineStyle, outlineColor, outlineWidth, borderColor, boxShadow }) => [outlineStyle, outlineColor, outlineWidth, borderColor, boxShadow].join()).join();
        const withFocus = look();
        const text = element.dataset.key ?? element.getAttribute("aria-label") ?? element.textContent?.trim();
        // Tab goes on from here.
        inner.blur();
        return `${text}${look() === withFocus ? " (focus not visible)" : ""}`;
      });
      seen.add(focused);
    }
    for (const wanted of ["Run Again", "Settings", "Export", "Colormap", "Lower percentile of the range", "multi:photo", "multi:depth", "single:normals", "single:variation", "Maximise (Enter)"]) {
      assert.ok(seen.has(wanted), `${wanted} is not among ${[...seen].join(", ")}`);
    }
    assert.deepEqual([...seen].filter((name) => name.includes("not visible")), []);
  });

  it("maximises a tile by Enter, button or its title, and restores by Escape", async () => {
    const tile = stage.tile("single:depth");
    const small = await tile.boundingBox();
    await tile.focus();
    await stage.page.keyboard.press("Enter");
    await stage.settle();
    const large = await tile.boundingBox();
    assert.ok(large && small && large.width > 3 * small.width, "fills the panel");
    assert.equal(await stage.tile("multi:depth").isVisible(), false);
    await stage.page.keyboard.press("Escape");
    await stage.settle();
    assert.deepEqual(await tile.boundingBox(), small);
    assert.equal(await stage.tile("multi:depth").isVisible(), true);
    await tile.locator(".tile-head").dblclick();
    await stage.settle();
    await stage.page.keyboard.press("]");
    await stage.settle();
    assert.equal(await stage.tile("single:normals").isVisible(), true, "the next tile in its place");
    await stage.page.keyboard.press("[");
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").isVisible(), false, "by its title");
    await tile.getByRole("button", { name: "Restore (Esc)" }).click();
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").isVisible(), true);
    await stage.page.waitForTimeout(400);
    assert.equal((await stage.sentOf("state")).at(-1)?.state.view.maximised, undefined);
  });

  it("takes a click during which the panel was brought up to date", async () => {
    const tile = stage.tile("single:depth");
    await tile.focus();
    await stage.page.keyboard.press("Enter");
    await stage.settle();
    await tile.getByRole("button", { name: "Restore (Esc)" }).hover();
    await stage.page.mouse.down();
    await stage.page.evaluate(() => document.body.classList.toggle("update"));
    await stage.settle();
    await stage.page.mouse.up();
    await stage.settle();
    assert.equal(await stage.tile("multi:depth").isVisible(), true, "restored");
  });

  async function centreOf(key: string): Promise<[number, number]> {
    const box = await stage.tile(key).locator(".tile-area").boundingBox();
    assert.ok(box);
    return [box.x + box.width / 2, box.y + box.height / 2];
  }
});
