#!/usr/bin/env node
// Takes the pictures of the view of models anew: media/screenshots/models-*.png, from a real VS Code with a made-up Hugging Face cache.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takePicture, wantedOf } from "./pictures.mjs";
import { root } from "./setup.mjs";

const { openWorkbench, runCommand } = await import("../test/vscode/ui/workbench.ts");

/** A photograph, two checkpoints in a cache, one of them without its UNet, and a download that was paused; the checkpoints are those of the tests. */
function makePlaces() {
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-models-shots-"));
  const workspace = join(scratch, "photographs");
  mkdirSync(workspace);
  copyFileSync(join(root, "media/samples/room.jpg"), join(workspace, "room.jpg"));
  const checkpoint = join(root, "test/reference/marigold");
  const snapshot = (name) => join(scratch, "huggingface/hub", `models--${name}`, "snapshots", "a".repeat(40));
  cpSync(checkpoint, snapshot("prs-eth--marigold-depth-v1-0"), { recursive: true });
  cpSync(checkpoint, snapshot("GonzaloMG--marigold-e2e-ft-normals"), { recursive: true });
  rmSync(join(snapshot("GonzaloMG--marigold-e2e-ft-normals"), "unet"), { recursive: true });
  const partial = join(scratch, "home/models/GonzaloMG--geowizard-e2e-ft.partial");
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, "model_index.json"), "{}");
  return { scratch, workspace, home: join(scratch, "home"), huggingFace: join(scratch, "huggingface") };
}

const pictures = [
  { name: "models-dark", theme: "dark" },
  { name: "models-light", theme: "light" },
  { name: "models-contrast", theme: "highContrast" },
];

const places = makePlaces();
Object.assign(process.env, { PLUMBLINE_HOME: places.home, HF_HOME: places.huggingFace });
try {
  for (const { name, theme } of wantedOf(pictures)) {
    const { page, close } = await openWorkbench({ folder: places.workspace, theme, size: { width: 1280, height: 800 } });
    try {
      await page.locator(".activitybar .action-label[aria-label='Plumbline']").click({ timeout: 60_000 });
      const rows = page.locator(".pane-body .monaco-list-row");
      await rows.filter({ hasText: "Marigold depth v1-0" }).waitFor({ timeout: 60_000 });
      // Wide enough for the lines beside the names.
      const sash = await page.locator(".monaco-sash.vertical").nth(1).boundingBox();
      if (sash) {
        await page.mouse.move(sash.x + 2, 400);
        await page.mouse.down();
        await page.mouse.move(sash.x + 240, 400, { steps: 5 });
        await page.mouse.up();
      }
      await runCommand(page, "Notifications: Clear All Notifications");
      await rows.filter({ hasText: "Marigold depth v1-0" }).hover({ position: { x: 500, y: 10 } });
      await page.locator(".monaco-hover table, .workbench-hover table").first().waitFor({ timeout: 15_000 });
      await page.waitForTimeout(500);
      await takePicture(page, name);
    } catch (error) {
      await page.screenshot({ path: join(tmpdir(), "plumbline-screenshot-failed.png") });
      throw error;
    } finally {
      await close();
    }
  }
} finally {
  rmSync(places.scratch, { recursive: true, force: true });
}
