#!/usr/bin/env node
// Runs the tests, tier by tier, after setting up what they need.
//   node scripts/test.mjs            type check, lint, build, then every tier
//   node scripts/test.mjs TIER...    only these
// A tier that cannot run, finds no test, or leaves one out has failed.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SetupError, editorEnvironment, root, setUp } from "./setup.mjs";

const bin = (name) => join(root, "node_modules", name);

/** Test files by folder; each tier is one or more runs of Mocha, in Node or inside VS Code. */
const tiers = {
  unit: () => [mocha("test/unit")],
  process: () => [mocha("test/process")],
  webview: () => [mocha("test/webview")],
  vscode: () => [editorHost(), mocha("test/vscode/ui")],
  packaging: () => [mocha("test/vscode/packaged")],
};

function mocha(folder) {
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.ts")).sort();
  const args = [bin("mocha/bin/mocha.js"), "--import=tsx", "--forbid-only", "--forbid-pending", "--timeout", "60000", "--reporter-option", "maxDiffSize=2000"];
  return { name: folder, files, args: [...args, ...files.map((name) => join(folder, name))] };
}

/** The tests that run inside the extension host, bundled first. */
function editorHost() {
  const files = readdirSync(join(root, "test/vscode/host")).filter((name) => name.endsWith(".test.ts"));
  rmSync(join(root, "out/test"), { recursive: true, force: true });
  rmSync(join(root, "out/vscode"), { recursive: true, force: true });
  return { name: "test/vscode/host", files, before: ["esbuild.mjs", "--test"], args: [bin("@vscode/test-cli/out/bin.mjs"), "--config", ".vscode-test.mjs"] };
}

/** Runs Node on `args`, passes on what it writes, and resolves to that and its exit code. */
function runNode(args, environment) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("close", (code) => done({ code, output }));
  });
}

/** Mocha's own summary; what it does not say did not happen. */
function countsOf({ code, output }, { name, files }) {
  const last = (word) => Number([...output.matchAll(new RegExp(`^\\s*(\\d+) ${word}\\b`, "gm"))].at(-1)?.[1] ?? 0);
  const passed = last("passing");
  const failed = last("failing") + last("pending");
  if (files.length === 0) console.log(`${name}: no test files.`);
  // A run that crashed, or ran nothing, counts as one failure even where no single test failed.
  return { passed, failed: failed === 0 && (code !== 0 || passed === 0) ? 1 : failed };
}

/** What Mocha says of tests that failed, or the end of the output where it said nothing. */
function failuresOf({ code, output }, { name }) {
  const start = output.search(/^\s*\d+ failing\b/m);
  if (start >= 0) return [`-- ${name}\n${output.slice(start).trim().slice(0, 8000)}`];
  return code === 0 ? [] : [`-- ${name} ended with ${code}\n${output.trim().slice(-2000)}`];
}

async function runTier(name, environment) {
  const total = { passed: 0, failed: 0, failures: [] };
  for (const run of tiers[name]()) {
    if (run.before) {
      const ended = await runNode(run.before, environment);
      if (ended.code !== 0) {
        total.failed++;
        total.failures.push(...failuresOf(ended, { name: run.before.join(" ") }));
        continue;
      }
    }
    const ended = run.files.length === 0 ? { code: 1, output: "" } : await runNode(run.args, environment);
    const { passed, failed } = countsOf(ended, run);
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) total.failures.push(...failuresOf(ended, run));
  }
  return total;
}

const startedAt = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(0)} s`;
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in tiers));
if (unknown) {
  console.error(`Expected ${Object.keys(tiers).join(", ")} for the tier but received ${unknown}.`);
  process.exit(2);
}

const lines = [];
const failures = [];
let passed = 0;
let failed = 0;
try {
  const editor = await setUp(wanted.length > 0 && wanted.every((name) => name === "unit") ? "demo" : "test");
  const environment = editor ? editorEnvironment(editor) : {};
  mkdirSync(join(root, "out"), { recursive: true });
  if (wanted.length === 0) {
    for (const [name, args] of [["typecheck", [bin("typescript/bin/tsc"), "-p", "."]], ["lint", [bin("eslint/bin/eslint.js"), ".", "--max-warnings", "0"]]]) {
      const since = Date.now();
      const { code } = await runNode(args, environment);
      if (code !== 0) failed++;
      lines.push(`${name.padEnd(10)} ${code === 0 ? "clean" : "FAILED"} (${seconds(since)})`);
    }
  }
  for (const name of wanted.length > 0 ? wanted : Object.keys(tiers)) {
    console.log(`\n== ${name}`);
    const since = Date.now();
    const counts = await runTier(name, environment);
    passed += counts.passed;
    failed += counts.failed;
    failures.push(...counts.failures);
    lines.push(`${name.padEnd(10)} ${counts.passed} passed, ${counts.failed} failed (${seconds(since)})`);
  }
} catch (error) {
  failed++;
  console.error(error instanceof SetupError ? error.message : error);
}
// Again at the end: a log of which only the end is kept still tells what failed.
if (failures.length > 0) console.log(`\n== failures\n\n${failures.join("\n\n")}`);
console.log(`\n${lines.join("\n")}\ntotal      ${seconds(startedAt)}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
