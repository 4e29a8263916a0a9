import assert from "node:assert/strict";
import { build } from "esbuild";
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import type { FromWebview, PanelState, ToWebview } from "../../src/protocol/panel";
import type { FromViewer, ToViewer } from "../../src/protocol/viewer";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const out = join(root, "out/webview");

export type ThemeName = "darkModern" | "lightModern" | "hcBlack";

export interface StageOptions {
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly reducedMotion?: boolean;
  /** What `getState` returns at the first load. */
  readonly saved?: PanelState;
  /** Plays a browser without WebGL2. */
  readonly noGraphics?: boolean;
  /** Which page: the panel unless said otherwise. */
  readonly program?: "webview" | "viewer";
}

/** The real bundle in a real browser, with a host that is played by the test. */
export class Stage {
  private constructor(readonly page: Page, readonly errors: string[]) {}

  static async open(theatre: Theatre, options: StageOptions = {}): Promise<Stage> {
    const { theme = "darkModern", width = 1200, height = 860, reducedMotion = true, saved, noGraphics = false, program = "webview" } = options;
    const page = await theatre.browser.newPage({ viewport: { width, height }, reducedMotion: reducedMotion ? "reduce" : "no-preference" });
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    // The loader of these tests wraps functions in a call of its own that the page does not have.
    await page.addInitScript("globalThis.__name = (value) => value;");
    await page.addInitScript(fakeHost, [saved, noGraphics] as const);
    await page.goto(`${theatre.address}/${program === "webview" ? "" : program}?${theme}`);
    const stage = new Stage(page, errors);
    if (!noGraphics) await stage.waitForMessage("ready");
    return stage;
  }

  /** Sends messages as the extension host would: typed arrays arrive as typed arrays. */
  async send(...messages: readonly (ToWebview | ToViewer)[]): Promise<void> {
    for (const message of messages) await this.page.evaluate((text) => window.plumblineTest.receive(text), encoded(message));
    await this.settle();
  }

  /** Two frames: everything that a message changes is on the screen. */
  async settle(): Promise<void> {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  async sent(): Promise<FromWebview[]> {
    return this.page.evaluate(() => window.plumblineTest.sent);
  }

  async sentOf<T extends FromWebview["type"]>(type: T): Promise<Extract<FromWebview, { type: T }>[]> {
    return (await this.sent()).filter((message): message is Extract<FromWebview, { type: T }> => message.type === type);
  }

  async waitForMessage(type: FromWebview["type"] | FromViewer["type"], count = 1): Promise<void> {
    await this.page.waitForFunction(([wanted, number]) => window.plumblineTest.sent.filter((message) => message.type === wanted).length >= Number(number), [type, count] as const);
  }

  /** Sizes of the uploads to the graphics device so far, as "width x height". */
  async uploads(): Promise<string[]> {
    return this.page.evaluate(() => window.plumblineTest.uploads);
  }

  tile(key: string) {
    return this.page.locator(`.tile[data-key="${key}"]`);
  }

  /** RGBA of a tile's canvas at an image point (0..1) of the whole canvas. */
  async pixel(key: string, u: number, v: number): Promise<number[]> {
    return this.tile(key).locator(".tile-area > canvas").evaluate((canvas, [x, y]) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const plane = (canvas as HTMLCanvasElement).getContext("2d");
      return [...(plane?.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data ?? [])];
    }, [u, v] as const);
  }

  /** Moves the pointer to a point (0..1) of a tile's picture. */
  async point(key: string, u: number, v: number): Promise<void> {
    const box = await this.tile(key).locator(".tile-area").boundingBox();
    if (!box) throw new Error(`Tile ${key} is not on the screen.`);
    await this.page.mouse.move(box.x + u * box.width, box.y + v * box.height);
    await this.settle();
  }

  async liveTextures(): Promise<number> {
    return this.page.evaluate(() => window.plumblineTest.liveTextures);
  }

  /** Picks an option of a dropdown as a user does. */
  async choose(label: string, option: string): Promise<void> {
    const dropdown = this.page.locator(`vscode-dropdown[aria-label="${label}"]`);
    await dropdown.click();
    await dropdown.locator(`vscode-option[value="${option}"]`).click();
    await this.settle();
  }

  /** Types a number into a field and leaves it. */
  async fill(label: string, value: string, within = ""): Promise<void> {
    const input = this.page.locator(`${within} vscode-text-field[aria-label="${label}"] input`);
    await input.fill(value);
    await input.press("Tab");
    await this.settle();
  }

  async click(name: string): Promise<void> {
    await this.page.locator("vscode-button", { hasText: name }).first().click();
    await this.settle();
  }

  async chip(key: string): Promise<number[]> {
    const text = await this.tile(key).locator(".chip").textContent();
    return (text ?? "").split(/\s+/).map(Number);
  }

  async screenshot(name: string): Promise<void> {
    const folder = join(root, "out/screenshots");
    await mkdir(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

/** A browser and a server for the page, shared by the tests of a file. */
export class Theatre {
  private constructor(readonly browser: Browser, private readonly server: Server, readonly address: string) {}

  static async open(): Promise<Theatre> {
    await build({ entryPoints: { webview: join(root, "webview/main.ts"), space: join(root, "webview/space/view.ts"), viewer: join(root, "webview/viewer/main.ts") }, bundle: true, platform: "browser", target: "es2022", format: "iife", outdir: out, logLevel: "error" });
    const server = createServer((request, response) => {
      void answer(request.url ?? "/").then(
        ({ type, body, headers }) => response.writeHead(200, { "Content-Type": type, ...headers }).end(body),
        (error: unknown) => response.writeHead(404).end(String(error)),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const executablePath = process.env.PLUMBLINE_CHROMIUM ?? "/usr/bin/chromium";
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
    return new Theatre(await chromium.launch({ executablePath, args }), server, address);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await new Promise((done) => this.server.close(done));
  }
}

/**
 * A browser for the tests of a block and a stage for each of them, which `ready` is handed first; it ends without an error of the page.
 * To be called within `describe`.
 */
export function stageForEach(ready: (stage: Stage) => Promise<void> | void): void {
  let theatre: Theatre;
  let stage: Stage;
  before(async () => (theatre = await Theatre.open()));
  after(() => theatre.close());
  beforeEach(async () => {
    stage = await Stage.open(theatre);
    await ready(stage);
  });
  afterEach(async () => {
    assert.deepEqual(stage.errors, []);
    await stage.close();
  });
}

/** Stricter than the host's own: of inline styles only the empty element (by its hash) that the controls fill by script. */
const policy = "default-src 'none'; img-src 'self' data: blob:; font-src 'self'; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; script-src 'nonce-test'";

async function answer(url: string): Promise<{ type: string; body: string | Buffer; headers?: Record<string, string> }> {
  const { pathname, search } = new URL(url, "http://localhost");
  if (pathname === "/favicon.ico") return { type: "image/x-icon", body: "" };
  if (/^\/\w+\.js$/.test(pathname)) return { type: "text/javascript", body: await readFile(join(out, pathname)) };
  if (pathname !== "/theme.css" && /^\/\w+\.css$/.test(pathname)) return { type: "text/css", body: await readFile(join(out, pathname)) };
  const theme = JSON.parse(await readFile(join(root, `test/fixtures/themes/${search.slice(1) || "darkModern"}.json`), "utf8")) as { bodyClass: string; variables: Record<string, string> };
  if (pathname === "/theme.css") return { type: "text/css", body: `:root { ${Object.entries(theme.variables).map(([name, value]) => `--${name}: ${value};`).join(" ")} }` };
  const program = pathname === "/" ? "webview" : pathname.slice(1);
  if (program !== "webview" && program !== "viewer") throw new Error(`No ${pathname} here.`);
  const body = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Plumbline</title>
    <link rel="stylesheet" href="theme.css${search}"><link rel="stylesheet" href="${program}.css"></head>
    <body class="${theme.bodyClass}"><script nonce="test" src="${program}.js"></script></body></html>`;
  return { type: "text/html", body, headers: { "Content-Security-Policy": policy } };
}

/** Message as text; typed arrays as base64 with their class. */
function encoded(message: ToWebview | ToViewer): string {
  return JSON.stringify(message, (_key, value: unknown) => {
    if (!ArrayBuffer.isView(value)) return value;
    return { typedArray: value.constructor.name, base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
  });
}

declare global {
  interface Window {
    plumblineTest: { sent: FromWebview[]; uploads: string[]; liveTextures: number; receive(text: string): void; contexts: WebGL2RenderingContext[] };
  }
}

/** Runs in the page before its scripts: VS Code's API, a count of uploads, and the graphics context for loss tests. */
function fakeHost([saved, noGraphics]: readonly [PanelState | undefined, boolean]): void {
  const key = "plumbline-state";
  const revive = (_key: string, value: unknown): unknown => {
    if (typeof value !== "object" || value === null || !("typedArray" in value)) return value;
    const { typedArray, base64 } = value as unknown as { typedArray: "Float32Array" | "Uint16Array" | "Uint8Array"; base64: string };
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return typedArray === "Float32Array" ? new Float32Array(bytes.buffer) : typedArray === "Uint16Array" ? new Uint16Array(bytes.buffer) : bytes;
  };
  const test: Window["plumblineTest"] = {
    sent: [],
    uploads: [],
    liveTextures: 0,
    contexts: [],
    receive: (text) => void window.dispatchEvent(new MessageEvent("message", { data: JSON.parse(text, revive) as unknown })),
  };
  window.plumblineTest = test;
  Object.assign(window, {
    acquireVsCodeApi: () => ({
      postMessage: (message: FromWebview) => test.sent.push(structuredClone(message)),
      getState: () => (JSON.parse(sessionStorage.getItem(key) ?? "null") as PanelState | null) ?? saved,
      setState: (state: PanelState) => sessionStorage.setItem(key, JSON.stringify(state)),
    }),
  });
  const canvases = HTMLCanvasElement.prototype as unknown as { getContext: (this: HTMLCanvasElement, ...args: unknown[]) => unknown };
  const original = canvases.getContext;
  canvases.getContext = function (this: HTMLCanvasElement, ...args: unknown[]) {
    if (noGraphics && args[0] === "webgl2") return null;
    const context = original.apply(this, args);
    if (context instanceof WebGL2RenderingContext && !test.contexts.includes(context)) {
      test.contexts.push(context);
      const calls = context as unknown as Record<"texImage2D" | "createTexture" | "deleteTexture", (...values: unknown[]) => unknown>;
      const { texImage2D, createTexture, deleteTexture } = calls;
      calls.texImage2D = (...values) => {
        test.uploads.push(`${Number(values[3])}x${Number(values[4])}`);
        return texImage2D.apply(context, values);
      };
      calls.createTexture = () => {
        test.liveTextures++;
        return createTexture.apply(context);
      };
      calls.deleteTexture = (...values) => {
        test.liveTextures--;
        return deleteTexture.apply(context, values);
      };
    }
    return context;
  };
  document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP refused ${event.violatedDirective}: ${event.blockedURI}`));
}
