#!/usr/bin/env node
// Takes the pictures of the README anew: media/screenshots/*.png, from a real VS Code.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { root, setUp } from "./setup.mjs";

if (!process.execArgv.includes("--import=tsx")) {
  // The set-up brings the loader that the window's driver, written for the tests, needs.
  const editor = await setUp("test");
  const environment = { ...process.env, PLUMBLINE_BROWSER: editor.browser, PLUMBLINE_VSCODE: editor.vscode, PLUMBLINE_VSCODE_KIND: editor.kind };
  process.exit(spawnSync(process.execPath, ["--import=tsx", ...process.argv.slice(1)], { cwd: root, env: environment, stdio: "inherit" }).status ?? 1);
}
const { chooseInExplorer, openWorkbench, panelFrame } = await import("../test/vscode/ui/workbench.ts");
const { readAt, waitIdle } = await import("../test/vscode/ui/tiles.ts");

const folder = join(root, "media/samples");
const out = join(root, "media/screenshots");
const estimate = "Estimate Geometry";
const compare = "Compare Multi-Step vs Single-Step";

/** Every picture: the command, the image, the theme, a row added with one click, the tile with the crosshair, the window's height. */
const pictures = [
  { name: "compare-dark", entry: compare, image: "pagoda.jpg", theme: "dark", add: "leading", tile: "single:depth", height: 1190 },
  { name: "compare-light", entry: compare, image: "temple.jpg", theme: "light", tile: "single:depth" },
  { name: "compare-contrast", entry: compare, image: "room.jpg", theme: "highContrast", tile: "single:depth" },
  { name: "estimate-dark", entry: estimate, image: "pagoda.jpg", theme: "dark", tile: "estimate:depth" },
  { name: "estimate-light", entry: estimate, image: "bowl.jpg", theme: "light", tile: "estimate:depth" },
];

mkdirSync(out, { recursive: true });
const wanted = process.argv.slice(2);
for (const { name, entry, image, theme, add, tile, height = 900 } of pictures.filter((picture) => wanted.length === 0 || wanted.includes(picture.name))) {
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
    await readAt(frame, tile, { u: 0.45, v: 0.55 }, [tile]);
    await workbench.page.screenshot({ path: join(out, `${name}.png`) });
    console.log(join("media/screenshots", `${name}.png`));
  } finally {
    await workbench.close();
  }
}
