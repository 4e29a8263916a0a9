#!/usr/bin/env node
// Runs a measurement of bench/ that drives a real VS Code, after setting up what it needs: node scripts/bench.mjs NAME.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SetupError, root, say, setUp } from "./setup.mjs";

const [name = "", ...args] = process.argv.slice(2);
const program = join(root, "bench", `${name}.ts`);
if (!/^\w+$/.test(name) || !existsSync(program)) {
  say(`Expected a name of bench/*.ts but received "${name}".`);
  process.exit(2);
}
try {
  const editor = await setUp("test");
  const environment = { ...process.env, PLUMBLINE_BROWSER: editor.browser, PLUMBLINE_VSCODE: editor.vscode, PLUMBLINE_VSCODE_KIND: editor.kind };
  process.exit(spawnSync(process.execPath, ["--import=tsx", program, ...args], { cwd: root, env: environment, stdio: "inherit" }).status ?? 1);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
