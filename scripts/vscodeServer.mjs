#!/usr/bin/env node
// Stands in for the desktop build of VS Code: takes the same arguments, starts code-server and shows it in Chromium.
//   with --install-extension    installs a .vsix into the extensions folder and exits
//   with --extensionTestsPath   runs the tests in the extension host and exits with their exit code
//   without                     prints the address of the workbench and serves it until it is stopped
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { serverEntry } from "./setupEditor.mjs";

/** Flags of Chromium: no background traffic, and WebGL2 by software where there is no GPU. */
export const chromiumArguments = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
];

/** The arguments that matter here; the desktop build's others are for its window. */
function parseArguments(args) {
  const value = (name) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
  return {
    developmentPath: value("extensionDevelopmentPath"),
    installed: value("install-extension"),
    testsPath: value("extensionTestsPath"),
    userData: value("user-data-dir"),
    extensions: value("extensions-dir"),
    port: value("port"),
    folder: resolve(args.filter((arg) => !arg.startsWith("--")).at(-1) ?? "."),
  };
}

function findFreePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** Starts code-server; resolves to its port and a function that stops it and everything that it started. */
async function startServer({ userData, extensions, folder, port }) {
  if (!existsSync(serverEntry)) throw new Error("code-server is not installed: run `node scripts/setup.mjs test`.");
  const chosen = port ?? (await findFreePort());
  const args = [
    serverEntry, "--auth", "none", "--bind-addr", `127.0.0.1:${chosen}`, "--user-data-dir", userData, "--extensions-dir", extensions,
    "--config", join(userData, "config.yaml"), "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", "--disable-getting-started-override", folder,
  ];
  mkdirSync(userData, { recursive: true });
  mkdirSync(extensions, { recursive: true });
  // No gallery: a test reaches no network.
  const environment = { ...process.env, EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: "" }) };
  const server = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: environment });
  let output = "";
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (chunk) => (output = (output + chunk).slice(-20000)));
  let ended = false;
  server.once("exit", () => (ended = true));
  const stop = () => {
    try {
      process.kill(-server.pid, "SIGTERM");
    } catch {
      // Gone already.
    }
  };
  for (let tries = 0; ; tries++) {
    if (ended || tries > 240) {
      stop();
      throw new Error(`code-server did not start:\n${output}`);
    }
    const response = await fetch(`http://127.0.0.1:${chosen}/healthz`).catch(() => undefined);
    if (response?.ok) return { port: chosen, stop };
    await new Promise((done) => setTimeout(done, 250));
  }
}

function workbenchAddress(port, { folder, developmentPath, testsPath }) {
  const remote = (path) => `vscode-remote://127.0.0.1:${port}${resolve(path)}`;
  const payload = [];
  if (developmentPath) payload.push(["extensionDevelopmentPath", remote(developmentPath)]);
  if (testsPath) payload.push(["extensionTestsPath", remote(testsPath)]);
  const query = payload.length > 0 ? `&payload=${encodeURIComponent(JSON.stringify(payload))}` : "";
  return `http://127.0.0.1:${port}/?folder=${encodeURIComponent(folder)}${query}`;
}

/** What the workbench says about itself while the tests run. */
const workbenchTalk = /^(Resolv(ing|ed) connection token|Creating a socket|Ignoring fetching additional|Updating additional builtin|\[Service Worker\]|ChatSessionStore|Extension host \(Remote\) is)/;

/** Opens the workbench in Chromium and waits for the exit code of the tests. */
async function runTests(address) {
  const { chromium } = await import("playwright-core");
  const { findBrowser } = await import("./setupEditor.mjs");
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: chromiumArguments });
  try {
    const page = await browser.newPage();
    return await new Promise((done, fail) => {
      const show = (kind, args) => workbenchTalk.test(String(args[0])) || console[kind === "warn" || kind === "error" ? kind : "log"](...args);
      page.exposeFunction("codeAutomationLog", show).catch(fail);
      page.exposeFunction("codeAutomationExit", done).catch(fail);
      page.on("crash", () => fail(new Error("The browser's page crashed.")));
      page.on("close", () => fail(new Error("The browser's page was closed before the tests ended.")));
      page.goto(address).catch(fail);
    });
  } finally {
    await browser.close();
  }
}

const options = parseArguments(process.argv.slice(2));
if (options.installed) {
  const args = ["--user-data-dir", options.userData, "--extensions-dir", options.extensions, "--install-extension", options.installed];
  process.exit(spawnSync(process.execPath, [serverEntry, ...args], { stdio: "inherit" }).status ?? 1);
}
const scratch = mkdtempSync(join(tmpdir(), "plumbline-vscode-"));
const server = await startServer({ ...options, userData: options.userData ?? join(scratch, "user-data"), extensions: options.extensions ?? join(scratch, "extensions") });
process.on("exit", () => {
  server.stop();
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(options.testsPath ? 1 : 0));
const address = workbenchAddress(server.port, options);
if (options.testsPath) process.exit(await runTests(address));
console.log(address);
