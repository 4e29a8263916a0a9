import assert from "node:assert/strict";
import { join } from "node:path";
import type { SpotItem } from "../../src/protocol/spotCheck";
import { initOf, itemOf, SpotStage } from "./spotStage";

/** A browser without a GPU beside other work is slow. */
const patience = 120_000;

const many = Array.from({ length: 10_000 }, (_, i) => itemOf(i));

/** Paths, the worst first. */
function ranked(metric: string, worse: "higher" | "lower"): string[] {
  const sign = worse === "lower" ? 1 : -1;
  return [...many].sort((a, b) => sign * (a.values[metric] - b.values[metric]) || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

describe("the page of a spot check", function () {
  this.timeout(patience);
  let stage: SpotStage;

  describe("with 10,000 images", () => {
    before(async () => {
      stage = await SpotStage.open();
      await stage.send(initOf());
      for (let i = 0; i < many.length; i += 500) await stage.page.evaluate((data) => void window.dispatchEvent(new MessageEvent("message", { data })), { type: "items", items: many.slice(i, i + 500) });
      await stage.settle();
    });

    after(() => stage.close());
    afterEach(() => assert.deepEqual(stage.errors, []));

    it("asks for its content, and keeps the folder that it is of", async () => {
      assert.equal((await stage.sentOf("ready")).length, 1);
      assert.deepEqual(await stage.page.evaluate("window.kept"), { version: 1, folder: "file:///data/street" });
      assert.match((await stage.page.locator(".run-status").allTextContents()).join(" "), /10000 images/);
    });

    it("holds few elements, wherever it is scrolled to, and reaches the last image", async () => {
      const count = (): Promise<number> => stage.page.evaluate(() => document.querySelectorAll("*").length);
      const grid = stage.page.locator(".grid");
      for (const part of [0, 0.3, 0.5, 1]) {
        await grid.evaluate((element, at) => void (element.scrollTop = at * element.scrollHeight), part);
        await stage.settle();
        assert.ok((await count()) < 1000, `${await count()} elements`);
      }
      assert.equal((await stage.cells()).at(-1), many[many.length - 1].id);
      await grid.evaluate((element) => void (element.scrollTop = 0));
      await stage.settle();
      assert.equal((await stage.cells())[0], many[0].id);
    });

    it("sorts by a metric, the worst first, and the other way round", async () => {
      const worst = ranked("consistency", "higher");
      await stage.choose("Metric", "consistency");
      assert.deepEqual((await stage.cells()).slice(0, 10), worst.slice(0, 10));
      await stage.page.locator('vscode-button[aria-label="Reverse the order"]').click();
      await stage.settle();
      assert.equal((await stage.cells())[0], [...many].sort((a, b) => a.values.consistency - b.values.consistency || (a.id < b.id ? -1 : 1))[0].id);
      await stage.page.locator('vscode-button[aria-label="Reverse the order"]').click();
      await stage.choose("Metric", "depthExtent");
      assert.deepEqual((await stage.cells()).slice(0, 10), ranked("depthExtent", "lower").slice(0, 10), "little extent is bad");
    });

    it("shows the k worst", async () => {
      await stage.fill("Worst", "7");
      assert.deepEqual(await stage.cells(), ranked("depthExtent", "lower").slice(0, 7));
      await stage.fill("Worst", "");
    });

    it("filters by dragging over the histogram, and a click takes it back", async () => {
      const box = await stage.page.locator(".metric-area").boundingBox();
      assert.ok(box);
      const y = box.y + 40;
      const inner = box.width - 20;
      await stage.page.mouse.move(box.x + 10 + 0.5 * inner, y);
      await stage.page.mouse.down();
      await stage.page.mouse.move(box.x + 10 + 0.75 * inner, y, { steps: 4 });
      await stage.page.mouse.up();
      await stage.settle();
      const shown = Number(/^(\d+) of/.exec((await stage.page.locator(".run-status").last().textContent()) ?? "")?.[1]);
      // depthExtent is spread evenly over 0..1.
      assert.ok(Math.abs(shown - 2500) < 120, `${shown} images`);
      for (const id of await stage.cells()) {
        const value = many.find((item) => item.id === id)?.values.depthExtent ?? 0;
        assert.ok(value > 0.49 && value < 0.76, `${id}: ${value}`);
      }
      await stage.page.mouse.click(box.x + 100, y);
      await stage.settle();
      assert.match((await stage.page.locator(".run-status").last().textContent()) ?? "", /^10000 images/);
    });

    it("filters by the keyboard with two fields", async () => {
      await stage.fill("From", "99");
      const expected = many.filter(({ values }) => values.depthExtent >= 0.99).length;
      assert.match((await stage.page.locator(".run-status").last().textContent()) ?? "", new RegExp(`^${expected} of 10000`));
      await stage.page.locator(".ranges vscode-button").click();
      await stage.settle();
      assert.match((await stage.page.locator(".run-status").last().textContent()) ?? "", /^10000 images/);
    });

    it("moves by the keyboard and opens the selected image", async () => {
      await stage.choose("Metric", "path");
      await stage.page.locator(".grid").focus();
      await stage.page.keyboard.press("Home");
      for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "Enter"]) await stage.page.keyboard.press(key);
      assert.deepEqual(await stage.sentOf("open"), [{ type: "open", id: many[1].id }]);
      await stage.page.keyboard.press("End");
      await stage.settle();
      assert.equal(await stage.page.locator(".details-name").textContent(), many[many.length - 1].id);
      assert.ok((await stage.cells()).includes(many[many.length - 1].id));
    });
  });

  describe("with a few images", () => {
    const items: readonly SpotItem[] = [
      itemOf(0), itemOf(1), itemOf(2, { sha256: "hash-0" }), itemOf(3, { oddities: ["tiny (12 x 12)"] }),
      { id: "broken.png", status: "failed", reason: "Expected an image but received zero bytes.", remedy: "Replace it.", values: {}, oddities: [], millis: 2, picture: "pictures/0-" },
    ];

    before(async () => {
      stage = await SpotStage.open();
      await stage.send(initOf(), { type: "marks", marks: [{ id: items[1].id, mark: "good", note: "sharp" }] }, { type: "items", items });
    });

    after(() => stage.close());
    afterEach(() => assert.deepEqual(stage.errors, []));

    const cell = (id: string) => stage.page.locator(`.cell[title="${id}"]`);

    it("switches the pictures with the keys 1 to 5", async () => {
      const source = (): Promise<string | null> => cell(items[0].id).locator("img").getAttribute("src");
      assert.match((await source()) ?? "", /0-rgb\.webp$/);
      await stage.page.locator(".grid").focus();
      await stage.page.keyboard.press("2");
      await stage.settle();
      assert.match((await source()) ?? "", /0-depth\.webp$/);
      await stage.page.keyboard.press("4");
      await stage.settle();
      assert.equal(await cell(items[0].id).locator(".cell-none").textContent(), "no Error");
      await stage.page.keyboard.press("1");
    });

    it("shows no picture of another image while its own is on its way", async () => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((done) => (release = done));
      await stage.page.route(/late-rgb/, (route) => held.then(() => route.fulfill({ path: join(import.meta.dirname, "../../media/icons/plumbline.png") })));
      await stage.send({ type: "items", items: [itemOf(0, { picture: "pictures/late-" })] });
      const shown = (): Promise<string> => cell(items[0].id).locator("img").evaluate((picture) => getComputedStyle(picture).visibility);
      assert.equal(await shown(), "hidden");
      release();
      await cell(items[0].id).locator("img").and(stage.page.locator('[style*="visible"]')).waitFor();
      await stage.send({ type: "items", items: [items[0]] });
    });

    it("marks with g, b and u, and takes the same mark back", async () => {
      await cell(items[0].id).click();
      for (const key of ["b", "u", "u"]) await stage.page.keyboard.press(key);
      const id = items[0].id;
      assert.deepEqual(await stage.sentOf("mark"), [{ type: "mark", id, mark: "bad", note: "" }, { type: "mark", id, mark: "unsure", note: "" }, { type: "mark", id, mark: "none", note: "" }]);
    });

    it("writes a note without taking its letters for marks", async () => {
      await cell(items[3].id).click();
      await stage.page.keyboard.press("n");
      await stage.page.keyboard.type("bug");
      await cell(items[1].id).click();
      assert.deepEqual((await stage.sentOf("mark")).at(-1), { type: "mark", id: items[3].id, mark: "none", note: "bug" });
      assert.equal(await stage.page.locator(".details-note").inputValue(), "sharp");
    });

    it("says what was measured, what it means, and what is wrong", async () => {
      await cell(items[2].id).click();
      const text = (await stage.page.locator(".details").textContent()) ?? "";
      assert.match(text, /Depth against normals.*11\.2 deg.*angle between the predicted normals/);
      assert.match(text, /Same content as scene\/00000\.png/);
      await cell("broken.png").click();
      assert.match((await stage.page.locator(".details").textContent()) ?? "", /received zero bytes\. Replace it\./);
    });

    it("filters by status, mark and text", async () => {
      await stage.choose("Status", "failed");
      assert.deepEqual(await stage.cells(), ["broken.png"]);
      await stage.choose("Status", "odd");
      assert.deepEqual(await stage.cells(), [items[2].id, items[3].id], "a double is odd too");
      await stage.choose("Status", "all");
      await stage.choose("Marked", "good");
      assert.deepEqual(await stage.cells(), [items[1].id]);
      await stage.choose("Marked", "all");
      await stage.page.locator('vscode-text-field[title="Text"] input').fill("SHARP");
      await stage.settle();
      assert.deepEqual(await stage.cells(), [items[1].id], "text looks into notes");
      await stage.page.locator('vscode-text-field[title="Text"] input').fill("");
      await stage.settle();
    });

    it("keeps a place for images that are still to come", async () => {
      await stage.send({ type: "pending", ids: [items[0].id, "scene/00001-later.png"] });
      assert.deepEqual(await stage.cells(), ["broken.png", ...[0, 1].map((i) => items[i].id), "scene/00001-later.png", items[2].id, items[3].id].sort());
      assert.equal(await cell("scene/00001-later.png").locator(".cell-none").textContent(), "waiting");
      assert.equal(await cell(items[0].id).getAttribute("data-status"), "done", "what is known stays");
      assert.equal(await stage.page.locator(".run-status").first().textContent(), "5 of 6 examined, 1 failed");
      assert.equal(await stage.page.locator(".bar vscode-button[appearance=primary]").innerText(), "Continue");
      await stage.choose("Status", "pending");
      assert.deepEqual(await stage.cells(), ["scene/00001-later.png"]);
      await stage.choose("Status", "all");
      await stage.send({ type: "items", items: [itemOf(0, { id: "scene/00001-later.png", sha256: "other" })] });
      assert.equal(await cell("scene/00001-later.png").locator("img").isVisible(), true);
      assert.equal(await stage.page.locator(".run-status").first().textContent(), "6 examined, 1 failed");
    });

    it("runs what the form says, and is paused, resumed and cancelled", async () => {
      await stage.page.locator("vscode-button", { hasText: "Settings" }).click();
      await stage.choose("Sampling", "random");
      await stage.fill("Number of images", "25");
      await stage.fill("Resolution", "96");
      await stage.page.locator("vscode-checkbox").filter({ hasText: "second run" }).click();
      await stage.settle();
      assert.deepEqual(await stage.page.locator('.spec-form vscode-dropdown[aria-label^="e2e"]').evaluateAll((lists) => lists.map((list) => (list as HTMLElement & { value: string }).value)), ["plumbline-e2e-depth", "plumbline-e2e-normals"], "lists show what the file says");
      await stage.page.locator("vscode-button[appearance=primary]", { hasText: "Run" }).click();
      const [order] = await stage.sentOf("run");
      assert.deepEqual(order.spec.sampling, { kind: "random", count: 25, seed: 0 });
      assert.deepEqual(order.spec.runs.map(({ depth, steps, processingResolution }) => [depth, steps, processingResolution]), [["plumbline-e2e-depth", 1, 96], ["plumbline-depth", 10, 96]]);
      await stage.send({ type: "run", state: { phase: "running", progress: { done: 5, failed: 1, total: 25, imagesPerSecond: 2, remainingMillis: 10_000 } } });
      assert.equal(await stage.page.locator(".run-status").first().textContent(), "5 of 25, 1 failed, 2.00 a second, 10 s left");
      await stage.page.locator("vscode-button", { hasText: "Pause" }).click();
      await stage.send({ type: "run", state: { phase: "paused", progress: { done: 5, failed: 1, total: 25 } } });
      await stage.page.locator("vscode-button", { hasText: "Resume" }).click();
      await stage.page.locator("vscode-button", { hasText: "Cancel" }).click();
      for (const type of ["pause", "resume", "cancel"] as const) assert.equal((await stage.sentOf(type)).length, 1, type);
      await stage.send({ type: "run", state: { phase: "idle" } });
      await stage.page.locator("vscode-button", { hasText: "Retry Failed" }).click();
      assert.equal((await stage.sentOf("run")).at(-1)?.retryFailed, true);
    });
  });

  it("finds the outliers of a metric", async () => {
    stage = await SpotStage.open();
    try {
      const odd = itemOf(7, { values: { consistency: 80 } });
      const others = Array.from({ length: 60 }, (_, i) => itemOf(100 + i, { values: { consistency: 10 + (i % 5) } }));
      await stage.send(initOf(), { type: "items", items: [odd, ...others] });
      await stage.choose("Metric", "consistency");
      await stage.page.locator("vscode-checkbox").filter({ hasText: "Outliers" }).click();
      await stage.settle();
      assert.deepEqual(await stage.cells(), [odd.id]);
      assert.deepEqual(stage.errors, []);
    } finally {
      await stage.close();
    }
  });

  for (const theme of ["darkModern", "lightModern", "hcBlack"] as const) {
    it(`is drawn in the colours of ${theme}`, async () => {
      stage = await SpotStage.open(theme);
      try {
        await stage.send(initOf(), { type: "items", items: [...many.slice(0, 200), itemOf(300, { status: "failed", values: {}, reason: "Expected an image but received zero bytes.", id: "a-broken.png" })] }, { type: "marks", marks: [{ id: many[0].id, mark: "bad", note: "" }, { id: many[1].id, mark: "good", note: "" }] });
        await stage.choose("Metric", "consistency");
        await stage.page.locator(".cell").nth(2).click();
        await stage.settle();
        await stage.screenshot(`spot-${theme}`);
        const colour = (selector: string): Promise<string> => stage.page.locator(selector).first().evaluate((element) => getComputedStyle(element).backgroundColor);
        assert.notEqual(await colour("body"), "rgba(0, 0, 0, 0)");
        const shape = (pressed: boolean): Promise<string> => stage.page.locator(`.kinds vscode-button[aria-pressed="${pressed}"]`).first().evaluate((element) => {
          const { backgroundColor, outlineColor, outlineStyle, outlineWidth } = getComputedStyle(element);
          return [backgroundColor, outlineStyle, outlineWidth, outlineColor].join(" ");
        });
        assert.notEqual(await shape(true), await shape(false), "which pictures are shown can be seen");
        if (theme === "hcBlack") assert.match(await shape(true), /solid 2px (?!rgba\(0, 0, 0, 0\))/);
        assert.deepEqual(stage.errors, []);
      } finally {
        await stage.close();
      }
    });
  }
});
