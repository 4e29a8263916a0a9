import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { _electron, chromium, type Frame, type Locator, type Page } from "playwright-core";
import { waitFor } from "../../waiting";

export const root = resolve(__dirname, "../../..");

/** Themes by the names under which VS Code ships them. */
export const themes = { light: "Default Light Modern", dark: "Default Dark Modern", highContrast: "Default High Contrast" } as const;

export interface WorkbenchOptions {
  readonly folder: string;
  readonly theme?: keyof typeof themes;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Where installed extensions are; the development copy is used where there are none. */
  readonly extensions?: string;
  /** The development copy; this checkout when absent. */
  readonly checkout?: string;
  readonly size?: { readonly width: number; readonly height: number };
  /** Where it keeps what it knows, so that another one can go on from there; a new place, removed on closing, when absent. */
  readonly home?: string;
}

/** A running VS Code with its window. */
export interface Workbench {
  readonly page: Page;
  close(): Promise<void>;
}

/** Quiet: nothing opens by itself, nothing is fetched. */
const quietSettings = {
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.layoutControl.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "window.commandCenter": false,
  "chat.commandCenter.enabled": false,
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "git.enabled": false,
  "update.mode": "none",
  "window.titleBarStyle": "custom",
  "window.dialogStyle": "custom",
  "files.simpleDialog.enable": true,
  "files.autoSave": "off",
};

/**
 * Starts the VS Code that scripts/test.mjs names on a folder: the desktop build, or code-server in Chromium.
 * Resolves when its explorer shows files. Close it in any case.
 */
export async function openWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const vscode = process.env["PLUMBLINE_VSCODE"];
  assert.ok(vscode, "PLUMBLINE_VSCODE is not set: run the tests with scripts/test.mjs.");
  const scratch = options.home ?? mkdtempSync(join(tmpdir(), "plumbline-ui-"));
  const forget = (): void => {
    if (!options.home) rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  };
  const settings = { ...quietSettings, "workbench.colorTheme": themes[options.theme ?? "dark"], ...options.settings };
  mkdirSync(join(scratch, "user/User"), { recursive: true });
  mkdirSync(join(scratch, "user/Machine"), { recursive: true });
  writeFileSync(join(scratch, "user/User/settings.json"), JSON.stringify(settings));
  const args = [`--user-data-dir=${join(scratch, "user")}`, `--extensions-dir=${options.extensions ?? join(scratch, "extensions")}`];
  if (!options.extensions) args.push(`--extensionDevelopmentPath=${options.checkout ?? root}`);
  args.push(options.folder);
  const size = options.size ?? { width: 1440, height: 900 };
  const open = process.env["PLUMBLINE_VSCODE_KIND"] === "desktop" ? openDesktop : openServed;
  const opened = await open(vscode, args, size).catch((error: unknown) => {
    forget();
    throw error;
  });
  const close = async (): Promise<void> => {
    await opened.close();
    forget();
  };
  try {
    await opened.page.locator(".explorer-folders-view .monaco-list-row").first().waitFor({ timeout: 60_000 });
  } catch (error) {
    await close();
    throw error;
  }
  return { page: opened.page, close };
}

type Size = NonNullable<WorkbenchOptions["size"]>;

async function openDesktop(executablePath: string, args: readonly string[], size: Size): Promise<Workbench> {
  const app = await _electron.launch({ executablePath, args: ["--no-sandbox", "--skip-welcome", "--skip-release-notes", "--disable-updates", "--disable-workspace-trust", "--new-window", ...args] });
  const page = await app.firstWindow();
  await page.setViewportSize(size);
  return { page, close: () => app.close() };
}

/** The stand-in prints the address of the workbench once it answers. */
async function openServed(executable: string, args: readonly string[], size: Size): Promise<Workbench> {
  const server = spawn(process.execPath, [executable, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const address = await firstLine(server);
    const browser = await chromium.launch({ executablePath: process.env["PLUMBLINE_BROWSER"], args: softwareGl });
    const page = await browser.newPage({ viewport: size });
    await page.goto(address);
    const close = async (): Promise<void> => {
      await browser.close();
      await stop(server);
    };
    return { page, close };
  } catch (error) {
    await stop(server);
    throw error;
  }
}

/** WebGL2 without a GPU, and no traffic in the background. */
const softwareGl = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
];

function firstLine(server: ChildProcess): Promise<string> {
  return new Promise((done, fail) => {
    assert.ok(server.stdout);
    createInterface({ input: server.stdout }).once("line", done);
    server.once("exit", (code) => fail(new Error(`The VS Code server ended with exit code ${code}.`)));
  });
}

function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return Promise.resolve();
  return new Promise((done) => {
    server.once("exit", () => done());
    server.kill("SIGTERM");
  });
}

/**
 * Right-clicks the last of the files in the explorer (all of them selected) and chooses an entry of the context menu.
 * The menu of a window that has just opened lacks the extensions' entries: it is opened again until the entry is there.
 */
export async function chooseInExplorer(page: Page, names: readonly string[], entry: string): Promise<void> {
  const row = (name: string) => page.locator(".explorer-folders-view .monaco-list-row", { hasText: name });
  if (names.length > 1) for (const [i, name] of names.entries()) await row(name).click({ modifiers: i === 0 ? [] : ["ControlOrMeta"] });
  const item = page.locator(".monaco-menu .action-item", { hasText: entry }).first();
  for (let tries = 0; tries < 45; tries++) {
    await row(names[names.length - 1]).click({ button: "right" });
    await page.locator(".monaco-menu .action-item").first().waitFor();
    if (await item.isVisible()) return clickUntilGone(item);
    await page.keyboard.press("Escape");
    await page.waitForTimeout(1000);
  }
  assert.fail(`The explorer's context menu never offered "${entry}".`);
}

/** Opens a file of the explorer as a double click does, to stay. */
export async function openFromExplorer(page: Page, name: string): Promise<void> {
  await page.locator(".explorer-folders-view .monaco-list-row", { hasText: name }).first().dblclick();
  await page.locator(".tabs-container .tab.active", { hasText: name }).waitFor();
}

/**
 * Opens a file of the explorer with the extension's own editor, and resolves with its page. A window that has just
 * opened lacks the extensions' editors and shows text: the file is opened again until it is there.
 */
export async function openSession(page: Page, name: string): Promise<Frame> {
  for (let tries = 0; tries < 45; tries++) {
    await openFromExplorer(page, name);
    const text = page.locator(".editor-instance .view-lines").first();
    const webview = page.locator("iframe.webview").first();
    await text.or(webview).first().waitFor();
    if (!(await text.isVisible())) return panelFrame(page);
    await closeEditors(page);
    await page.waitForTimeout(1000);
  }
  assert.fail(`${name} was always opened as text.`);
}

/** Closes every editor. Nothing may be unsaved: nothing is asked. */
export async function closeEditors(page: Page): Promise<void> {
  await runCommand(page, "View: Close All Editors");
  await page.locator(".tabs-container .tab").first().waitFor({ state: "detached" });
}

/** VS Code ignores a click in a menu that has only just opened: the menu is still there then. */
async function clickUntilGone(item: Locator): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    await item.click();
    const gone = await item.waitFor({ state: "hidden", timeout: 2000 }).then(() => true, () => false);
    if (gone) return;
  }
  assert.fail("The menu did not take the click.");
}

/** Runs a command by its title in the command palette. */
export async function runCommand(page: Page, title: string): Promise<void> {
  await page.keyboard.press("F1");
  const input = page.locator(".quick-input-widget input");
  await input.waitFor();
  await input.fill(`>${title}`);
  await page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().click();
}

/**
 * Types a path into the file dialog that is open (VS Code's simple one) and accepts it by the button of this name.
 * The dialog writes its own folder into the field when it has listed it, over what was typed before, and takes no click until then.
 */
export async function acceptPath(page: Page, path: string, button: RegExp): Promise<void> {
  const input = page.locator(".quick-input-widget input").first();
  const accept = page.locator(".quick-input-widget .quick-input-action, .quick-input-widget .monaco-button", { hasText: button }).first();
  for (let tries = 0; tries < 5; tries++) {
    await input.waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>(".quick-input-widget input")?.value !== "");
    // What was refused while the dialog still listed is looked at again only when the field changes.
    if (tries > 0) await input.fill(`${dirname(path)}/`).then(() => page.waitForTimeout(1000));
    await input.fill(path);
    await page.locator(".quick-input-widget .monaco-list-row").first().waitFor();
    if ((await input.inputValue()) !== path) continue;
    await accept.click();
    const closed = await input.waitFor({ state: "hidden", timeout: 3000 }).then(() => true, () => false);
    if (closed) return;
  }
  assert.fail(`The file dialog did not take ${path}.`);
}

/** The frame in which the panel's page runs (inside VS Code's own webview frames). */
export async function panelFrame(page: Page): Promise<Frame> {
  return waitFor("the panel's page", async () => {
    for (const frame of page.frames()) {
      const isPanel = await frame.evaluate(() => document.title === "Plumbline" && document.querySelector("script[nonce]") !== null).catch(() => false);
      if (isPanel) return frame;
    }
    return undefined;
  }, { seconds: 90, everyMs: 200 });
}

/** Keeps a picture of the window when a test failed: out/screenshots/failed/. */
export async function keepFailure(workbench: Workbench | undefined, test: Mocha.Test | undefined): Promise<void> {
  if (test?.state !== "failed" || !workbench) return;
  const folder = join(root, "out/screenshots/failed");
  mkdirSync(folder, { recursive: true });
  await workbench.page.screenshot({ path: join(folder, `${test.title.replace(/\W+/g, "-").slice(0, 60)}.png`) });
}
