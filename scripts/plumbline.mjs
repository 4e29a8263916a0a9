#!/usr/bin/env node
// Runs the command line from a checkout, after a set-up that says nothing when there is nothing to do.
// What it prints is the program's own: the set-up writes to stderr only.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { SetupError, root, say, setUp } from "./setup.mjs";

try {
  await setUp("demo");
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
const program = spawn(process.execPath, [join(root, "dist/cli.js"), ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => program.kill(signal));
program.on("close", (code) => process.exit(code ?? 1));
