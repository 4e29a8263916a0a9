import { defineConfig } from "@vscode/test-cli";

// scripts/test.mjs names the VS Code to test in: the desktop build, or the executable that stands in for it.
export default defineConfig({
  files: "out/test/*.test.js",
  useInstallation: process.env.PLUMBLINE_VSCODE ? { fromPath: process.env.PLUMBLINE_VSCODE } : undefined,
  launchArgs: ["--user-data-dir=out/vscode/user-data", "--extensions-dir=out/vscode/extensions"],
  workspaceFolder: "media/samples",
  mocha: { ui: "bdd", timeout: 120_000, forbidPending: true, forbidOnly: true },
});
