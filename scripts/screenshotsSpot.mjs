#!/usr/bin/env node
// Takes the pictures of spot checks anew: media/screenshots/spot-*.png, from a real VS Code.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takePicture, wantedOf } from "./pictures.mjs";
import { root } from "./setup.mjs";

const { chooseInExplorer, openWorkbench, panelFrame, runCommand } = await import("../test/vscode/ui/workbench.ts");
const { choose } = await import("../test/vscode/ui/spot.ts");

/** The rendered scenes that the models never saw, with their depth, and three files that are wrong. */
function makeWorkspace() {
  const workspace = mkdtempSync(join(tmpdir(), "plumbline-spot-shots-"));
  const folder = join(workspace, "scenes");
  mkdirSync(folder);
  const from = join(root, "test/heldout");
  for (const name of readdirSync(from)) if (/_(rgb|depth)\.png$/.test(name)) copyFileSync(join(from, name), join(folder, name));
  copyFileSync(join(from, "012_rgb.png"), join(folder, "048_rgb.png"));
  copyFileSync(join(from, "012_depth.png"), join(folder, "048_depth.png"));
  writeFileSync(join(folder, "049_rgb.png"), "");
  copyFileSync(join(from, "030_rgb.png"), join(folder, "050_rgb.png"));
  const tiny = { spacing: "trailing", ensembleSize: 1, seed: 2024 };
  writeFileSync(join(folder, "plumbline.spotcheck.json"), JSON.stringify({
    format: "plumbline-spotcheck", version: 1, images: "*_rgb.png", sampling: { kind: "all" },
    runs: [{ name: "e2e", depth: "plumbline-e2e-depth", normals: "plumbline-e2e-normals", steps: 1, ...tiny }],
    truth: { image: "*_rgb.png", truth: "*_depth.png", encoding: { kind: "depth", unitsPerMetre: 1000 } },
  }));
  return workspace;
}

/** Every picture: the theme, which pictures the cells show, what they are sorted by, and whether the settings are open. */
const pictures = [
  { name: "spot-dark", theme: "dark", kind: "Error", metric: "absRel" },
  { name: "spot-light", theme: "light", kind: "Depth", metric: "absRel", settings: true },
  { name: "spot-contrast", theme: "highContrast", kind: "Normals", metric: "consistency" },
];

const workspace = makeWorkspace();
try {
  for (const { name, theme, kind, metric, settings } of wantedOf(pictures)) {
    const { page, close } = await openWorkbench({ folder: workspace, theme, size: { width: 1440, height: 900 } });
    try {
      await chooseInExplorer(page, ["scenes"], "Spot-Check Geometry");
      const frame = await panelFrame(page);
      // What a run before has found is there at once.
      await frame.locator(".spot > .bar vscode-button[appearance=primary]").click();
      await frame.locator(".run-status", { hasText: "51 examined" }).waitFor({ timeout: 300_000 });
      await choose(frame, "Metric", metric);
      await frame.locator(".kinds vscode-button", { hasText: kind }).click();
      await frame.locator(".cell").nth(1).click();
      if (settings) await frame.locator("vscode-button", { hasText: "Settings" }).click();
      await runCommand(page, "Notifications: Clear All Notifications");
      await page.waitForTimeout(1500);
      await takePicture(page, name);
    } finally {
      await close();
    }
  }
} finally {
  rmSync(workspace, { recursive: true, force: true });
}
