#!/usr/bin/env node
// Opens VS Code on the sample photographs with this checkout's extension: the desktop `code` where it is installed,
// else the same editor served to a browser, whose address is printed.
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { SetupError, root, say, setUp } from "./setup.mjs";

const samples = join(root, "media/samples");
const development = `--extensionDevelopmentPath=${root}`;

/** True where `code` is the desktop program: inside a served VS Code the same name opens files in it. */
function hasDesktop() {
  if (process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return false;
  return spawnSync("code", ["--version"], { shell: process.platform === "win32" }).status === 0;
}

try {
  if (hasDesktop()) {
    await setUp("demo");
    spawnSync("code", ["--new-window", development, samples], { stdio: "inherit", shell: process.platform === "win32" });
    say("VS Code opens on media/samples: right-click a photograph and choose Estimate Geometry.");
  } else {
    await setUp("test");
    const server = spawn(process.execPath, [join(root, "scripts/vscodeServer.mjs"), development, ...process.argv.slice(2), samples], { stdio: ["ignore", "inherit", "inherit"] });
    say("VS Code is served at the address below; right-click a photograph and choose Estimate Geometry. Ctrl+C ends it.");
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill(signal));
    server.on("close", (code) => process.exit(code ?? 1));
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
