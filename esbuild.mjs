// Bundles the programs of Plumbline into dist/: the extension host part, the inference child,
// the command line, the panel's page, its view in space, and the page of spot checks. `--test` also bundles the tests that run inside VS Code.
import { build } from "esbuild";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";

/** Packages with native parts stay outside the bundle; `vscode` exists only inside the editor. */
const external = ["vscode", "onnxruntime-node", "sharp", "mocha"];
const production = process.argv.includes("--production");
/** `--out=DIR` builds somewhere else than dist/. */
const out = process.argv.find((arg) => arg.startsWith("--out="))?.slice(6) ?? "dist";
const shared = { bundle: true, minify: production, sourcemap: production ? false : "linked", metafile: true, logLevel: "warning" };
const node = { ...shared, platform: "node", target: "node20", format: "cjs", external };

const programs = [
  { ...node, entryPoints: { extension: "src/extension/activate.ts" }, outdir: out },
  { ...node, entryPoints: { inference: "src/inference/main.ts" }, outdir: out },
  { ...node, entryPoints: { cli: "src/cli/main.ts" }, outdir: out },
  { ...shared, platform: "browser", target: "es2022", format: "iife", entryPoints: { webview: "webview/main.ts" }, outdir: out, loader: { ".glsl": "text" } },
  { ...shared, platform: "browser", target: "es2022", format: "iife", entryPoints: { spot: "webview/spot/main.ts" }, outdir: out },
  { ...shared, platform: "browser", target: "es2022", format: "iife", entryPoints: { viewer: "webview/viewer/main.ts" }, outdir: out },
  // three is as big as all the rest of the page, which loads this when it is first needed.
  { ...shared, platform: "browser", target: "es2022", format: "iife", entryPoints: { space: "webview/space/view.ts" }, outdir: out },
];
if (process.argv.includes("--test")) {
  const tests = readdirSync("test/vscode/host").filter((name) => name.endsWith(".test.ts"));
  programs.push({ ...node, entryPoints: Object.fromEntries(tests.map((name) => [name.replace(/\.ts$/, ""), `test/vscode/host/${name}`])), outdir: "out/test" });
}

const inputs = {};
for (const program of programs) {
  const { metafile } = await build(program);
  inputs[Object.keys(program.entryPoints)[0]] = Object.fromEntries(
    Object.entries(metafile.inputs).map(([file, { imports }]) => [file, imports.map(({ path }) => path)]),
  );
}
// The import rules of ARCHITECTURE.md are tested against what was really bundled.
await writeFile(`${out}/imports.json`, JSON.stringify(inputs, null, 1));
