import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { openRunsCommand } from "../../../src/extension/commands";
import type { PanelSettings, RowSettings } from "../../../src/protocol/panel";
import { writeNetwork } from "../../unit/feedForwardGraphs";
import { extension, sample } from "./extension";

const processor = { do_normalize: true, do_rescale: true, do_resize: true, ensure_multiple_of: 14, image_mean: [0.485, 0.456, 0.406], image_processor_type: "DPTImageProcessor", image_std: [0.229, 0.224, 0.225], keep_aspect_ratio: true, resample: 3, size: { height: 56, width: 56 } };

describe("models of several families in one panel", () => {
  const reference = (name: string): string => join(extension().extensionPath, "test", "reference", name);
  const own = vscode.workspace.getConfiguration("plumbline");
  let dir: string;
  let feedForward: string;

  before(async () => {
    await extension().activate();
    dir = mkdtempSync(join(tmpdir(), "plumbline-families-"));
    feedForward = join(dir, "depth-anything-tiny");
    mkdirSync(join(feedForward, "onnx"), { recursive: true });
    writeFileSync(join(feedForward, "config.json"), JSON.stringify({ model_type: "depth_anything" }));
    writeFileSync(join(feedForward, "preprocessor_config.json"), JSON.stringify(processor));
    await writeNetwork(join(feedForward, "onnx", "model.onnx"), { outputs: [{ name: "predicted_depth", shape: "NHW", weights: [[0.2, 0.3, 0.4]] }] });
    await own.update("models", [reference("marigold"), reference("geowizard"), feedForward], vscode.ConfigurationTarget.Global);
  });
  after(async () => {
    await own.update("models", undefined, vscode.ConfigurationTarget.Global);
    await vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap(({ tabs }) => tabs));
    rmSync(dir, { recursive: true });
  });

  const row = (rowId: string, models: RowSettings["models"], more: Partial<RowSettings> = {}): RowSettings =>
    ({ rowId, label: rowId, models, steps: 2, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, ...more });
  const run = (...rows: RowSettings[]): Thenable<unknown> =>
    vscode.commands.executeCommand(openRunsCommand, sample("room.jpg"), { rows, seed: 7, processingResolution: 64 } satisfies PanelSettings);

  it("run beside each other: a diffusion model, a joint one in its domain, and one without steps", async () => {
    const outcome = await run(
      row("marigold", { depth: reference("marigold") }),
      row("geowizard", { depth: reference("geowizard"), normals: reference("geowizard") }, { domain: "outdoor" }),
      row("anything", { depth: feedForward }, { steps: 1, noise: { kind: "zeros" } }),
    );
    assert.equal(outcome, "finished");
  });

  it("are told only what they know: no steps where nothing is denoised, no domain but GeoWizard's", async () => {
    assert.equal(await run(row("anything", { depth: feedForward }, { steps: 3 }), row("marigold", { depth: reference("marigold") }, { domain: "outdoor" })), "finished");
  });

  it("say which row failed, where a model is gone", async () => {
    assert.equal(await run(row("gone", { depth: join(dir, "gone") })), "failed");
  });
});
