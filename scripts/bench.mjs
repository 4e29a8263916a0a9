#!/usr/bin/env node
// Runs a measurement of bench/ that drives a real VS Code, after setting up what it needs: node scripts/bench.mjs NAME.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SetupError, root, runInEditor, say } from "./setup.mjs";

const [name = "", ...args] = process.argv.slice(2);
const program = join(root, "bench", `${name}.ts`);
if (!/^\w+$/.test(name) || !existsSync(program)) {
  say(`Expected a name of bench/*.ts but received "${name}".`);
  process.exit(2);
}
try {
  process.exit(await runInEditor(program, args));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
