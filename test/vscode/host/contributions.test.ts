import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { manifestName } from "../../../src/catalogue/feedForward/manifest";
import { settingsTable } from "../../../src/extension/settings";
import { waitFor } from "../../waiting";
import { extension } from "./extension";

interface Property {
  readonly default: unknown;
  readonly scope: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string; readonly when: string }[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, Property>> };
    readonly jsonValidation: readonly { readonly fileMatch: string; readonly url: string }[];
    readonly walkthroughs: readonly { readonly steps: readonly { readonly media: { readonly markdown: string } }[] }[];
  };
}

const manifest = (): Manifest => extension().packageJSON as Manifest;
const raw = (name: string): string => readFileSync(join(extension().extensionPath, name), "utf8");

describe("contributions", () => {
  it("registers every declared command", async () => {
    const registered = async (): Promise<readonly string[]> => (await vscode.commands.getCommands(true)).filter((name) => name.startsWith("plumbline."));
    await extension().activate();
    const declared = manifest().contributes.commands.map(({ command }) => command);
    assert.deepEqual((await registered()).filter((name) => declared.includes(name)).sort(), [...declared].sort());
  });

  it("offers its commands on images in the explorer and in editor titles", () => {
    for (const menu of ["explorer/context", "editor/title/context", "editor/title"]) {
      const commands = manifest().contributes.menus[menu].map(({ command }) => command);
      assert.deepEqual(commands, ["plumbline.estimate", "plumbline.compare", "plumbline.inspect", ...(menu === "explorer/context" ? ["plumbline.spotCheck"] : [])], menu);
    }
    const extname = /resourceExtname =~ \/(.*?)\/i/.exec(manifest().contributes.menus["explorer/context"][0].when);
    assert.ok(extname);
    const offered = new RegExp(extname[1], "i");
    for (const name of [".png", ".jpg", ".JPEG", ".webp", ".tif", ".tiff", ".gif", ".avif"]) assert.match(name, offered);
    for (const name of [".ts", ".svg", ".pngx", ""]) assert.doesNotMatch(name, offered);
  });

  it("declares the settings of the settings table, with the same defaults and scopes", () => {
    const declared = manifest().contributes.configuration.properties;
    assert.deepEqual(Object.keys(declared).sort(), Object.keys(settingsTable).map((name) => `plumbline.${name}`).sort());
    for (const [name, row] of Object.entries(settingsTable)) {
      const property = declared[`plumbline.${name}`];
      assert.deepEqual(property.default, row.default, name);
      assert.equal(property.scope, row.scope, name);
      assert.ok(row.isValid(row.default), name);
      for (const choice of property.enum ?? []) assert.ok(row.isValid(choice), `${name}: ${choice}`);
      for (const limit of [property.minimum, property.maximum]) if (limit !== undefined) assert.ok(row.isValid(limit), `${name}: ${limit}`);
      if (property.minimum !== undefined) assert.ok(!row.isValid(property.minimum - 1), `${name} below its minimum`);
      if (property.maximum !== undefined) assert.ok(!row.isValid(property.maximum + 1), `${name} above its maximum`);
    }
  });

  it("keeps paths and the device to the machine, so that a workspace cannot choose them", () => {
    const section = vscode.workspace.getConfiguration("plumbline");
    for (const name of ["device", "models", "cache.sizeGB"] as const) assert.equal(settingsTable[name].scope, "machine", name);
    assert.equal(section.inspect("device")?.workspaceValue, undefined);
  });

  it("has a text for every %key%, and no text that nothing uses", () => {
    const used = new Set([...raw("package.json").matchAll(/"%([^%"]+)%"/g)].map((match) => match[1]));
    assert.deepEqual(Object.keys(JSON.parse(raw("package.nls.json")) as object).sort(), [...used].sort());
  });

  it("has the manifest of a feed-forward model checked and completed as it is written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plumbline-manifest-"));
    try {
      const path = join(folder, manifestName);
      writeFileSync(path, JSON.stringify({ format: "plumbline-model", version: 1, name: "Mine", size: { kind: "own" }, outputs: [{ kind: "normals", frame: "XYZ" }], netwrk: "a.onnx" }, undefined, 2));
      const document = await vscode.workspace.openTextDocument(path);
      await vscode.window.showTextDocument(document);
      const problems = (): string => vscode.languages.getDiagnostics(document.uri).map(({ message }) => message).join("\n");
      await waitFor("the file to be checked", () => /netwrk/.test(problems()) && /pattern/.test(problems()), { state: problems });
      const at = document.positionAt(document.getText().indexOf("\"netwrk\"") + 1);
      const { items } = await vscode.commands.executeCommand<vscode.CompletionList>("vscode.executeCompletionItemProvider", document.uri, at);
      const offered = items.map(({ label }) => (typeof label === "string" ? label : label.label).replaceAll('"', ""));
      for (const field of ["licence", "network", "input", "intrinsics"]) assert.ok(offered.includes(field), offered.join(", "));
    } finally {
      await vscode.commands.executeCommand("workbench.action.closeActiveEditor");
      rmSync(folder, { recursive: true });
    }
  });

  it("ships every file that the manifest names", () => {
    for (const { steps } of manifest().contributes.walkthroughs) for (const { media } of steps) assert.ok(raw(media.markdown).length > 0);
    for (const { url } of manifest().contributes.jsonValidation) assert.ok(raw(url).length > 0, url);
    for (const name of raw("package.json").match(/media\/icons\/[\w.-]+/g) ?? []) assert.ok(raw(name).length > 0, name);
  });
});
