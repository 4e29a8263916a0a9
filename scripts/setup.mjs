#!/usr/bin/env node
// Brings a checkout to the state in which a command can run, and says nothing when it is there already.
//   node scripts/setup.mjs demo   packages from npm, and the build: what the demo and the command line need
//   node scripts/setup.mjs test   the same, and a browser and a VS Code to test in
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What outlives a checkout and is shared by all of them (a VS Code to test in). */
export const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "plumbline");

/** Why set-up cannot go on; `message` names exactly what is missing. */
export class SetupError extends Error {}

/** Progress goes to stderr: stdout belongs to the command that is being set up. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Runs a program; its output is shown only when it fails. Throws `SetupError` when it does. */
export function execute(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"], ...options });
  if (result.status === 0) return result.stdout;
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`.trim();
  throw new SetupError(`${[command, ...args].join(" ")} failed:\n${output.split("\n").slice(-40).join("\n")}`);
}

/** The folder of the npm that belongs to this Node: `npm` itself is a shell script on Windows. */
function npmFolder() {
  const bin = dirname(process.execPath);
  const candidates = [join(bin, "../lib/node_modules/npm"), join(bin, "node_modules/npm"), join(process.env.npm_execpath ?? "", "../..")];
  const found = candidates.find((folder) => existsSync(join(folder, "bin/npm-cli.js")));
  if (!found) throw new SetupError(`Missing: npm beside ${process.execPath}. Install Node.js with npm.`);
  return found;
}

export function npm(args, options = {}) {
  const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip", ...options.env };
  return execute(process.execPath, [join(npmFolder(), "bin/npm-cli.js"), ...args], { ...options, env: environment });
}

/** The compiler driver of native packages, which npm carries. */
export function nodeGypScript() {
  return join(npmFolder(), "node_modules/node-gyp/bin/node-gyp.js");
}

/**
 * Does `work` while no other process does work of the same name. A lock whose owner is gone is taken over;
 * one whose owner is busy is waited for.
 */
export function withLock(name, work) {
  const lock = join(cacheFolder, `${name}.lock`);
  mkdirSync(cacheFolder, { recursive: true });
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isAlive(readOwner(lock))) rmSync(lock, { force: true });
    else if (waited === 4) say(`Waiting for another set-up to finish (${lock}) ...`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function readOwner(lock) {
  try {
    return Number(readFileSync(lock, "utf8"));
  } catch {
    return 0;
  }
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** npm's own record of what it installed, held against the lock file: nothing else tells after an interrupted install. */
function packagesAreInOrder() {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  const matches = (path) => installed[path]?.version === wanted[path].version;
  return (
    Object.keys(wanted).every((path) => path === "" || wanted[path].optional || wanted[path].peer || matches(path)) &&
    Object.keys(installed).every((path) => wanted[path] && matches(path))
  );
}

function installPackages() {
  if (packagesAreInOrder()) return;
  say("Installing packages (npm ci) ...");
  // No package needs its install script: sharp and ONNX Runtime bring their binaries for the CPU along.
  npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: root });
}

/** One hash over the names and contents of everything that the build reads. */
function hashSources() {
  const hash = createHash("sha256");
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) return readdirSync(path).sort().forEach((name) => add(join(path, name)));
    hash.update(relative(root, path)).update("\0").update(readFileSync(path)).update("\0");
  };
  ["src", "webview", "esbuild.mjs", "package.json", "package-lock.json"].forEach((name) => add(join(root, name)));
  return hash.digest("hex");
}

const programs = ["extension.js", "inference.js", "cli.js", "webview.js", "space.js", "viewer.js", "spot.js"];

/** Builds dist/ when a source changed since it was built. */
export function buildPrograms() {
  const stamp = join(root, "dist/.built");
  const hash = hashSources();
  const isBuilt = programs.every((name) => existsSync(join(root, "dist", name)));
  if (isBuilt && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say("Building ...");
  execute(process.execPath, ["esbuild.mjs"], { cwd: root });
  writeFileSync(stamp, hash);
}

/**
 * Sets up what `needs` names: "demo" or "test". For "test" resolves to where the browser and the VS Code are:
 * `{ browser, vscode, kind: "desktop" | "server" }`. Throws `SetupError` when something cannot be had.
 */
export async function setUp(needs) {
  const lockName = `checkout-${createHash("sha256").update(root).digest("hex").slice(0, 12)}`;
  withLock(lockName, () => {
    installPackages();
    buildPrograms();
  });
  if (needs !== "test") return undefined;
  const { setUpEditor } = await import("./setupEditor.mjs");
  return setUpEditor();
}

/** Tells tests and measurements which browser and VS Code to drive. */
export function editorEnvironment({ browser, vscode, kind }) {
  return { PLUMBLINE_BROWSER: browser, PLUMBLINE_VSCODE: vscode, PLUMBLINE_VSCODE_KIND: kind };
}

/** Sets up a VS Code and runs a program that drives it, with the loader that the driver, written for the tests, needs. Resolves to its exit code. */
export async function runInEditor(program, args) {
  const environment = { ...process.env, ...editorEnvironment(await setUp("test")) };
  return spawnSync(process.execPath, ["--import=tsx", program, ...args], { cwd: root, env: environment, stdio: "inherit" }).status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const needs = process.argv[2] ?? "demo";
  if (needs !== "demo" && needs !== "test") {
    say(`Expected demo or test but received ${needs}.`);
    process.exit(2);
  }
  try {
    await setUp(needs);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
