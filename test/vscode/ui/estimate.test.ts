import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Frame } from "playwright-core";
import sharp from "sharp";
import { colormapTable } from "../../../src/core/colormap";
import { readNpy } from "../../../src/io/npy";
import { colourAt, readAt, tile, waitIdle, waitReady } from "./tiles";
import { acceptPath, chooseInExplorer, keepFailure, openWorkbench, panelFrame, root, type Workbench } from "./workbench";

const samples = join(root, "media/samples");
const screenshots = join(root, "out/screenshots");
const tiles = ["estimate:photo", "estimate:depth", "estimate:normals"] as const;
const places = [{ u: 0.5, v: 0.5 }, { u: 0.25, v: 0.3 }, { u: 0.7, v: 0.8 }];

describe("Estimate Geometry, from the explorer of a real VS Code", function () {
  this.timeout(300_000);
  let workbench: Workbench;
  let frame: Frame;
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-estimate-"));

  before(async () => {
    mkdirSync(screenshots, { recursive: true });
    // The same image by the command line: another way through the same engine.
    execFileSync(process.execPath, [join(root, "dist/cli.js"), "estimate", join(samples, "room.jpg"), "--out", scratch], { stdio: "pipe" });
    workbench = await openWorkbench({ folder: samples });
    await chooseInExplorer(workbench.page, ["room.jpg"], "Estimate Geometry");
    frame = await panelFrame(workbench.page);
    await waitReady(frame, tiles);
    await waitIdle(frame);
  });

  afterEach(async function () {
    await keepFailure(workbench, this.currentTest);
  });

  after(async () => {
    await workbench?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("opens a panel named after the image", async () => {
    assert.ok(await workbench.page.locator(".tabs-container .tab", { hasText: "Geometry: room.jpg" }).isVisible());
    await workbench.page.screenshot({ path: join(screenshots, "estimate.png") });
  });

  it("reads out the photograph's pixels exactly", async () => {
    const { data, info } = await sharp(join(samples, "room.jpg")).autoOrient().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
    for (const place of places) {
      const { x, y, values } = await readAt(frame, "estimate:photo", place, ["estimate:photo"]);
      const offset = 3 * (y * info.width + x);
      assert.deepEqual(values["estimate:photo"], [...data.subarray(offset, offset + 3)], `pixel ${x}, ${y}`);
    }
  });

  it("reads out the very numbers that the command line writes, in every tile at once", async () => {
    const depth = await readNpy(join(scratch, "depth.npy"));
    const normals = await readNpy(join(scratch, "normals.npy"));
    const width = depth.dims[1];
    for (const place of places) {
      const { x, y, values } = await readAt(frame, "estimate:depth", place, ["estimate:depth", "estimate:normals"]);
      const near = (received: readonly number[], expected: ArrayLike<number>): void => {
        assert.equal(received.length, expected.length);
        received.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-4, `pixel ${x}, ${y}: expected ${expected[i]}, received ${value}`));
      };
      near(values["estimate:depth"], depth.data.subarray(y * width + x, y * width + x + 1));
      near(values["estimate:normals"], normals.data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3));
      assert.ok(Math.abs(Math.hypot(...values["estimate:normals"]) - 1) < 1e-4, "a normal has unit length");
    }
  });

  it("paints normals as (n + 1) / 2 and depth in colours of Spectral", async () => {
    const spectral = colormapTable("Spectral");
    const isSpectral = (colour: readonly number[]): boolean => Array.from({ length: 256 }, (_, i) => i).some((i) => colour.every((value, channel) => Math.abs(value - spectral[3 * i + channel]) <= 6));
    for (const place of places) {
      const { values } = await readAt(frame, "estimate:normals", place, ["estimate:normals"]);
      const painted = await colourAt(frame, "estimate:normals", place);
      values["estimate:normals"].forEach((value, i) => assert.ok(Math.abs(painted[i] - 127.5 * (value + 1)) < 20, `expected ${127.5 * (value + 1)}, painted ${painted[i]}`));
      const depth = await colourAt(frame, "estimate:depth", place);
      assert.ok(isSpectral(depth), `${depth.join(", ")} is no colour of Spectral`);
    }
  });

  it("is filled again, without another run, when it was hidden", async () => {
    const before = await frame.locator(".row-status").first().innerText();
    await workbench.page.locator(".explorer-folders-view .monaco-list-row", { hasText: "LICENCES.md" }).click();
    await workbench.page.locator(".tabs-container .tab.active", { hasText: "LICENCES.md" }).waitFor();
    await workbench.page.locator(".view-lines", { hasText: "licen" }).first().waitFor();
    await workbench.page.locator(".tabs-container .tab", { hasText: "Geometry: room.jpg" }).click();
    frame = await panelFrame(workbench.page);
    await waitReady(frame, tiles);
    assert.equal(await frame.locator(".row-status").first().innerText(), before);
    const { values } = await readAt(frame, "estimate:depth", places[0], ["estimate:depth"]);
    assert.equal(values["estimate:depth"].length, 1);
  });

  it("exports what is shown into a chosen folder, with where it came from", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plumbline-export-"));
    try {
      await exportAll(workbench, frame, folder);
      await frame.locator(".notice", { hasText: "Saved" }).waitFor({ timeout: 30_000 });
      const names = readdirSync(folder);
      for (const name of ["room_e2e-fine-tuned_depth.npy", "room_e2e-fine-tuned_depth.png", "room_e2e-fine-tuned_depth.json", "room_e2e-fine-tuned_normals.npy"]) assert.ok(names.includes(name), `${name} is not among ${names.join(", ")}`);
      const written = await readNpy(join(folder, "room_e2e-fine-tuned_depth.npy"));
      const expected = await readNpy(join(scratch, "depth.npy"));
      assert.deepEqual(written.dims, expected.dims);
      written.data.forEach((value, i) => assert.ok(Math.abs(value - expected.data[i]) < 1e-4, `value ${i}`));
      const provenance = JSON.parse(readFileSync(join(folder, "room_e2e-fine-tuned_depth.json"), "utf8")) as { model: { id: string }; timesteps: number[] };
      assert.equal(provenance.model.id, "plumbline-e2e-depth");
      assert.deepEqual(provenance.timesteps, [999]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("comes back after a reload of the window", async () => {
    await workbench.page.reload();
    // VS Code in a browser may restore the state of some seconds ago, when another editor was in front.
    await workbench.page.locator(".tabs-container .tab", { hasText: "Geometry: room.jpg" }).click();
    frame = await panelFrame(workbench.page);
    await waitReady(frame, tiles);
    assert.equal(await tile(frame, "estimate:depth").count(), 1);
  });
});

/** Through the panel's export menu and VS Code's folder dialog. */
async function exportAll({ page }: Workbench, frame: Frame, folder: string): Promise<void> {
  await frame.locator(".toolbar vscode-button", { hasText: "Export" }).click();
  await frame.locator(".export-actions vscode-button", { hasText: "Export" }).click();
  await acceptPath(page, `${folder}/`, /Export|OK/);
}
