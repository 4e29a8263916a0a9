#!/usr/bin/env node
// Packages the extension for one platform: plumbline-TARGET.vsix, with the models and only that platform's natives.
//   node scripts/package.mjs [TARGET] [--out=FILE]      TARGET is linux-x64, darwin-arm64, win32-x64, ...; this machine's by default
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { SetupError, execute, root, say, setUp } from "./setup.mjs";

/** Everything of the checkout that a user needs besides the programs. */
const shippedFiles = [
  "package.nls.json", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE.md", "media/icons", "media/fonts", "media/walkthrough", "media/screenshots", "models",
  // The README's sheet of photographs, and whose they are (with those of test/photographs, below).
  "docs/photographs-overview.jpg", "media/samples/LICENCES.md",
];
const programs = ["extension.js", "inference.js", "cli.js", "webview.js", "webview.css", "space.js", "viewer.js", "viewer.css", "spot.js", "spot.css"];

/** Packages that stay outside the bundle; their install-time dependencies are left behind. */
const runtimePackages = (target) => {
  const images = ["sharp", "@img/colour", "detect-libc", "semver", `@img/sharp-${target}`];
  const libvips = target.startsWith("win32") ? [] : [`@img/sharp-libvips-${target}`];
  return ["onnxruntime-node", "onnxruntime-common", ...images, ...libvips];
};

const args = process.argv.slice(2);
const target = args.find((arg) => !arg.startsWith("--")) ?? `${process.platform}-${process.arch}`;
const file = args.find((arg) => arg.startsWith("--out="))?.slice(6) ?? join(root, `plumbline-${target}.vsix`);

/** Fills a folder with exactly what goes into the package. */
function stage(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execute(process.execPath, ["esbuild.mjs", "--production", `--out=${join(folder, "build")}`], { cwd: root });
  for (const name of programs) cpSync(join(folder, "build", name), join(folder, "dist", name));
  rmSync(join(folder, "build"), { recursive: true });
  for (const name of shippedFiles) if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  cpSync(join(root, "test/photographs/LICENCES.md"), join(folder, "docs/photographs-LICENCES.md"));
  for (const name of runtimePackages(target)) copyPackage(name, folder);
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(publishedManifest(), null, 2)}\n`);
}

/** The manifest without what only a checkout needs. Its packages lie beside the programs, not in the folder that npm looks after. */
function publishedManifest() {
  const { scripts: _scripts, devDependencies: _development, dependencies: _dependencies, private: _private, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return manifest;
}

function copyPackage(name, folder) {
  const from = join(root, "node_modules", name);
  if (!existsSync(from)) throw new SetupError(`Missing: ${name}, the native part for ${target}. Package on that platform.`);
  const [platform, architecture] = target.split("-");
  const ownNatives = join(from, "bin/napi-v6", platform, architecture);
  const isOurs = (path) => {
    const inside = path.slice(from.length + 1);
    if (/^(script|src|install|docs?|__tests__)(\/|\\|$)/.test(inside) || /\.(map|[cm]?ts|md)$/.test(inside)) return /LICEN[CS]E/i.test(basename(path));
    // onnxruntime-node carries the natives of every platform.
    return !path.startsWith(join(from, "bin", "napi-v6") + "/") || ownNatives.startsWith(path) || path.startsWith(ownNatives);
  };
  cpSync(from, join(folder, "dist/node_modules", name), { recursive: true, dereference: true, filter: isOurs });
  if (name === "onnxruntime-node" && !existsSync(join(folder, "dist/node_modules", name, "bin/napi-v6", platform, architecture))) {
    throw new SetupError(`ONNX Runtime has no build for ${target}.`);
  }
}

try {
  await setUp("demo");
  const folder = join(root, "out/package", target);
  stage(folder);
  mkdirSync(dirname(file), { recursive: true });
  execute(process.execPath, [join(root, "node_modules/@vscode/vsce/vsce"), "package", "--target", target, "--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links", "--skip-license", "--out", file], { cwd: folder });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  say(`${file}: ${files} files, ${(statSync(file).size / 1e6).toFixed(1)} MB`);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
