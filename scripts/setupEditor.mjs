// A browser and a VS Code to test in. The desktop build of VS Code is taken where it can be fetched and shown;
// elsewhere code-server, the same editor served to a browser, is installed from npm into a cache folder.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetupError, cacheFolder, execute, nodeGypScript, npm, root, say, withLock } from "./setup.mjs";

/** The last code-server that runs on Node 20; it carries VS Code 1.100.3. */
const serverVersion = "4.100.3";
const serverFolder = join(cacheFolder, `vscode-server-${serverVersion}-node${process.versions.modules}`);
const desktopFolder = join(cacheFolder, "vscode-desktop");

/** Debian's packages: the browser, and what code-server's native parts and the WebGPU tests need. */
const debianPackages = ["chromium", "libkrb5-dev", "ripgrep", "libvulkan1", "make", "g++", "python3", "pkg-config"];

/** Native parts of code-server, each with the file that a successful build leaves behind. */
const natives = {
  "node-pty": "build/Release/pty.node",
  "@parcel/watcher": "build/Release/watcher.node",
  "@vscode/spdlog": "build/Release/spdlog.node",
  "native-watchdog": "build/Release/watchdog.node",
  kerberos: "build/Release/kerberos.node",
};

/** The executable that takes the desktop build's place. */
const standIn = join(root, "scripts/vscodeServer.mjs");

/** Finds or installs both; returns `{ browser, vscode, kind }` with absolute paths. Throws `SetupError`. */
export async function setUpEditor() {
  installDebianPackages();
  const desktop = await findDesktop();
  const browser = await findBrowser();
  if (desktop) return { browser, vscode: desktop, kind: "desktop" };
  installServer();
  return { browser, vscode: standIn, kind: "server" };
}

/** Where code-server's start file lies once it is installed. */
export const serverEntry = join(serverFolder, "node_modules/code-server/out/node/entry.js");

function isDebian() {
  return process.platform === "linux" && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");
}

/** Installs what is missing of Debian's packages when we may; names it when we may not. */
function installDebianPackages() {
  if (!isDebian()) return;
  const listed = spawnSync("dpkg-query", ["-W", "-f=${Package} ${Status}\n", ...debianPackages], { encoding: "utf8" }).stdout ?? "";
  const missing = debianPackages.filter((name) => !listed.split("\n").includes(`${name} install ok installed`));
  if (missing.length === 0) return;
  if (process.getuid() !== 0) throw new SetupError(`Missing system packages: ${missing.join(" ")}\nInstall them with: sudo apt-get install ${missing.join(" ")}`);
  say(`Installing system packages (${missing.join(" ")}) ...`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = () => {
    execute("apt-get", ["update", "-qq"], { env: environment });
    execute("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env: environment });
  };
  try {
    install();
  } catch {
    // Package lists go stale between update and install when a mirror is being refreshed: once more.
    install();
  }
}

/** A Chromium for Playwright: one of the system's, else the one that Playwright fetches. */
export async function findBrowser() {
  const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const system = [process.env.PLUMBLINE_BROWSER ?? "", ...known].find((path) => path && existsSync(path));
  if (system) return system;
  const { chromium } = await import("playwright-core");
  if (!existsSync(chromium.executablePath())) {
    say("Fetching a browser (playwright-core install chromium) ...");
    execute(process.execPath, [join(root, "node_modules/playwright-core/cli.js"), "install", "chromium"], { cwd: root });
  }
  return chromium.executablePath();
}

/** The desktop build, or undefined where it cannot be fetched or there is no display to show it on. */
async function findDesktop() {
  const chosen = process.env.PLUMBLINE_VSCODE;
  if (chosen) return chosen === standIn ? undefined : chosen;
  if (process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return undefined;
  try {
    const { SilentReporter, downloadAndUnzipVSCode } = await import("@vscode/test-electron");
    return await downloadAndUnzipVSCode({ version: "stable", cachePath: desktopFolder, reporter: new SilentReporter(), timeout: 30000 });
  } catch (error) {
    if (process.platform !== "linux") throw new SetupError(`The desktop VS Code could not be fetched: ${error.message}`);
    return undefined;
  }
}

/** Installs code-server once for all checkouts; the folder appears under its name only when it is complete. */
function installServer() {
  if (isServerComplete(serverFolder)) return;
  withLock("vscode-server", () => {
    if (isServerComplete(serverFolder)) return;
    say(`Installing code-server ${serverVersion} into ${serverFolder} (about two minutes) ...`);
    rmSync(serverFolder, { recursive: true, force: true });
    const building = mkdtempSync(join(cacheFolder, "building-"));
    try {
      fillServer(building);
      renameSync(building, serverFolder);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  });
}

function isServerComplete(folder) {
  const stamp = join(folder, "complete");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === serverVersion;
}

function fillServer(folder) {
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, name: "plumbline-vscode-server" }));
  npm(["install", ...quiet, `code-server@${serverVersion}`], { cwd: folder });
  const vscode = join(folder, "node_modules/code-server/lib/vscode");
  npm(["install", ...quiet, "--omit=dev"], { cwd: vscode });
  for (const [name, product] of Object.entries(natives)) buildNative(join(vscode, "node_modules", name), product);
  // This one drives node-gyp through a program of its own.
  buildNative(join(folder, "node_modules/argon2"), "", [join(folder, "node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp"), "install", "--build-from-source"]);
  linkRipgrep(join(vscode, "node_modules/@vscode/ripgrep/bin"));
  writeFileSync(join(folder, "complete"), serverVersion);
}

/**
 * Compiles one package's native part with the node-gyp that npm carries: newer npms do not run install scripts
 * that nobody approved, and say so only in a warning. The proof is that the product loads.
 */
function buildNative(folder, product, compiler = [nodeGypScript(), "rebuild"]) {
  if (!existsSync(folder)) throw new SetupError(`Expected ${folder} to be installed with code-server, but it is missing.`);
  const headers = dirname(dirname(process.execPath));
  const nodedir = [process.env.npm_config_nodedir, headers].find((path) => path && existsSync(join(path, "include/node/node.h")));
  const environment = { ...process.env, npm_config_node_gyp: nodeGypScript(), ...(nodedir ? { npm_config_nodedir: nodedir } : {}) };
  const load = `require(${JSON.stringify(product ? join(folder, product) : folder)})`;
  const loads = () => spawnSync(process.execPath, ["-e", load], { cwd: folder }).status === 0;
  if (loads()) return;
  execute(process.execPath, compiler, { cwd: folder, env: environment });
  if (!loads()) throw new SetupError(`${folder} was compiled, but does not load.`);
}

/** The package's own binary is a download; the system's ripgrep does the same. */
function linkRipgrep(folder) {
  const ripgrep = ["/usr/bin/rg", "/usr/local/bin/rg", "/opt/homebrew/bin/rg"].find((path) => existsSync(path));
  if (!ripgrep) throw new SetupError("Missing: ripgrep (the program rg), for VS Code's file search. Install it with the system's package manager.");
  mkdirSync(folder, { recursive: true });
  symlinkSync(ripgrep, join(folder, "rg"));
}
