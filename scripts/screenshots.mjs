#!/usr/bin/env node
// Takes the pictures of the README anew: media/screenshots/*.png, from a real VS Code.
import { join } from "node:path";
import { takePicture, wantedOf } from "./pictures.mjs";
import { root } from "./setup.mjs";

const { chooseInExplorer, openWorkbench, panelFrame, runCommand } = await import("../test/vscode/ui/workbench.ts");
const { readAt, waitIdle } = await import("../test/vscode/ui/tiles.ts");

const folder = join(root, "media/samples");
const estimate = "Estimate Geometry";
const compare = "Compare Multi-Step vs Single-Step";
const inspect = "Inspect Denoising Steps";
const tileOf = (frame, key) => frame.locator(`figure.tile[data-key="${key}"]`);
const closePlots = (frame) => frame.locator(".toolbar vscode-button", { hasText: "Plots" }).click();

/** Leading, 1 step against the fine-tuned model, by A and B. */
async function openComparison(frame, page) {
  await closePlots(frame);
  for (const [key, letter] of [["flaw-1:depth", "a"], ["flaw-3:depth", "b"]]) {
    await tileOf(frame, key).focus();
    await page.keyboard.press(letter);
  }
  await frame.locator('figure.tile[data-key="ab:difference"][data-state="ready"]').waitFor();
  await frame.locator(".ab-foot svg").first().waitFor();
}

/** The fine-tuned model's depth as a mesh, seen a little from the side. */
async function openSpace(frame, page) {
  await closePlots(frame);
  await tileOf(frame, "flaw-3:depth").hover();
  await tileOf(frame, "flaw-3:depth").locator('vscode-button[aria-label="Show in 3D"]').click();
  await frame.locator(".space-room[data-shown]").waitFor();
  const shape = frame.locator('.space-stage vscode-dropdown[aria-label="Shape"]');
  await shape.click();
  await shape.locator("vscode-option", { hasText: "Mesh" }).click();
  await frame.locator(".space-count", { hasText: "triangles" }).waitFor();
  const box = await frame.locator(".space-room").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 36, box.y + box.height / 2 + 14, { steps: 5 });
  await page.mouse.up();
  await frame.locator(".space-side", { hasText: "median" }).waitFor();
}

/** Every picture: the command, the image, the theme, a row added with one click, the tile with the crosshair or what else is opened, the window's height. */
const pictures = [
  { name: "compare-dark", entry: compare, image: "pagoda.jpg", theme: "dark", add: "leading", tile: "single:depth", height: 1190 },
  { name: "compare-light", entry: compare, image: "temple.jpg", theme: "light", tile: "single:depth" },
  { name: "compare-contrast", entry: compare, image: "room.jpg", theme: "highContrast", tile: "single:depth" },
  { name: "estimate-dark", entry: estimate, image: "pagoda.jpg", theme: "dark", tile: "estimate:depth" },
  { name: "estimate-light", entry: estimate, image: "bowl.jpg", theme: "light", tile: "estimate:depth" },
  { name: "inspect-dark", entry: inspect, image: "pagoda.jpg", theme: "dark", tile: "flaw-2:depth", height: 1530 },
  { name: "inspect-light", entry: inspect, image: "temple.jpg", theme: "light", tile: "flaw-2:depth", height: 1530 },
  { name: "inspect-contrast", entry: inspect, image: "room.jpg", theme: "highContrast", tile: "flaw-2:depth", height: 1530 },
  { name: "ab-dark", entry: inspect, image: "pagoda.jpg", theme: "dark", open: openComparison },
  { name: "space-dark", entry: inspect, image: "pagoda.jpg", theme: "dark", open: openSpace },
];

for (const { name, entry, image, theme, add, tile, open, height = 900 } of wantedOf(pictures)) {
  const workbench = await openWorkbench({ folder, theme, size: { width: 1440, height } });
  try {
    await chooseInExplorer(workbench.page, [image], entry);
    const frame = await panelFrame(workbench.page);
    await waitIdle(frame);
    if (add) {
      await frame.locator(`.add-rows [data-add="${add}"]`).click();
      await frame.locator("figure.tile[data-column=depth]").nth(2).waitFor();
      await waitIdle(frame);
    }
    if (open) await open(frame, workbench.page);
    // Notices of the editor itself are not what is shown.
    await runCommand(workbench.page, "Notifications: Clear All Notifications");
    if (tile) await readAt(frame, tile, { u: 0.45, v: 0.55 }, [tile]);
    await takePicture(workbench.page, name);
  } finally {
    await workbench.close();
  }
}
