import { build } from "esbuild";
import { mkdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import sharp from "sharp";
import type { SpotCheckSpec } from "../../src/evaluation/spec";
import type { FromSpotPage, SpotItem, ToSpotPage } from "../../src/protocol/spotCheck";
import { browserPath, hostPolicy, themeOf, type ThemeName } from "./browser";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const out = join(root, "out/spot");

/** The page of a spot check in a real browser, with a host that is played by the test. */
export class SpotStage {
  private constructor(private readonly browser: Browser, private readonly server: Server, readonly page: Page, readonly errors: string[]) {}

  static async open(theme: ThemeName = "darkModern"): Promise<SpotStage> {
    await build({ entryPoints: { spot: join(root, "webview/spot/main.ts") }, bundle: true, platform: "browser", target: "es2022", format: "iife", outdir: out, logLevel: "error" });
    const pictures = await picturesByKind();
    const server = createServer((request, response) => {
      void answer(request.url ?? "/", pictures).then(
        ({ type, body }) => response.writeHead(200, { "Content-Type": type, ...(type === "text/html" && { "Content-Security-Policy": hostPolicy }) }).end(body),
        (error: unknown) => response.writeHead(404).end(String(error)),
      );
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"] });
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await page.addInitScript(`window.sent = []; window.kept = undefined;
      window.acquireVsCodeApi = () => ({ postMessage: (m) => window.sent.push(structuredClone(m)), setState: (s) => (window.kept = s) });`);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?${theme}`);
    await page.waitForFunction("window.sent.length > 0");
    return new SpotStage(browser, server, page, errors);
  }

  async send(...messages: readonly ToSpotPage[]): Promise<void> {
    for (const message of messages) await this.page.evaluate((data) => void window.dispatchEvent(new MessageEvent("message", { data })), message);
    await this.settle();
  }

  /** What was waiting for its time, and two frames. */
  async settle(): Promise<void> {
    await this.page.evaluate(() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 300)));
  }

  async sentOf<T extends FromSpotPage["type"]>(type: T): Promise<Extract<FromSpotPage, { type: T }>[]> {
    const sent = await this.page.evaluate<FromSpotPage[]>("window.sent");
    return sent.filter((message): message is Extract<FromSpotPage, { type: T }> => message.type === type);
  }

  /** Paths of the cells in the document, in reading order. */
  async cells(): Promise<string[]> {
    return this.page.locator(".cell").evaluateAll((cells) => cells.map((cell) => ({ at: Number(cell.getAttribute("aria-posinset")), id: cell.getAttribute("title") ?? "" })).sort((a, b) => a.at - b.at).map(({ id }) => id));
  }

  async choose(label: string, option: string): Promise<void> {
    const dropdown = this.page.locator(`vscode-dropdown[aria-label="${label}"]`);
    await dropdown.click();
    await dropdown.locator(`vscode-option[value="${option}"]`).click();
    await this.settle();
  }

  async fill(label: string, value: string): Promise<void> {
    const input = this.page.locator(`vscode-text-field[title="${label}"] input`);
    await input.fill(value);
    await input.press("Tab");
    await this.settle();
  }

  async screenshot(name: string): Promise<void> {
    await mkdir(join(root, "out/screenshots"), { recursive: true });
    await this.page.screenshot({ path: join(root, `out/screenshots/${name}.png`) });
  }

  async close(): Promise<void> {
    await this.browser.close();
    await new Promise((done) => this.server.close(done));
  }
}

/** The first message, of a folder with the shipped models. */
export function initOf(spec: Partial<SpotCheckSpec> = {}, isSaved = true): Extract<ToSpotPage, { type: "init" }> {
  const run = { name: "e2e", depth: "plumbline-e2e-depth", normals: "plumbline-e2e-normals", steps: 1, spacing: "trailing", ensembleSize: 1, seed: 2024 } as const;
  const whole: SpotCheckSpec = { format: "plumbline-spotcheck", version: 1, folder: ".", images: "**/*.png", sampling: { kind: "all" }, runs: [run], ...spec };
  const models = (["depth", "normals"] as const).flatMap((task) => [true, false].map((endToEnd) => ({ id: `plumbline-${endToEnd ? "e2e-" : ""}${task}`, name: `Plumbline ${task}${endToEnd ? " (E2E)" : ""}`, task, endToEnd })));
  return { type: "init", folder: "file:///data/street", title: "street", spec: whole, isSaved, models, presets: [{ id: "nyuv2", title: "NYUv2", task: "depth" }], results: "/results/", runNames: whole.runs.map(({ name }) => name) };
}

/** An image that was examined; its metrics follow from its number. */
export function itemOf(number: number, change: Partial<SpotItem> = {}): SpotItem {
  const id = `scene/${String(number).padStart(5, "0")}.png`;
  return { id, status: "done", values: { depthExtent: ((number * 7919) % 10007) / 10007, normalsExtent: 20 + (number % 30), consistency: 5 + ((number * 31) % 400) / 10, width: 640, height: 480 }, oddities: [], sha256: `hash-${number}`, millis: 100 + (number % 50), picture: `pictures/${number % 8}-`, ...change };
}

async function answer(url: string, pictures: ReadonlyMap<string, Buffer>): Promise<{ type: string; body: string | Buffer }> {
  const { pathname, search } = new URL(url, "http://localhost");
  if (pathname === "/favicon.ico") return { type: "image/x-icon", body: "" };
  if (pathname.startsWith("/results/pictures/")) {
    const [number, kind] = /(\d+)-(\w+)\.webp$/.exec(pathname)?.slice(1) ?? [];
    const picture = pictures.get(`${number}-${kind}`);
    if (picture) return { type: "image/webp", body: picture };
  }
  if (pathname === "/spot.js") return { type: "text/javascript", body: await readFile(join(out, "spot.js")) };
  if (pathname === "/spot.css") return { type: "text/css", body: await readFile(join(out, "spot.css")) };
  const theme = await themeOf(search.slice(1));
  if (pathname === "/theme.css") return { type: "text/css", body: theme.css };
  if (pathname !== "/") throw new Error(`No ${pathname} here.`);
  const body = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Plumbline</title>
    <link rel="stylesheet" href="theme.css${search}"><link rel="stylesheet" href="spot.css"></head>
    <body class="${theme.bodyClass}"><script nonce="test" src="spot.js"></script></body></html>`;
  return { type: "text/html", body };
}

/** The sample photographs as they are, and with turned colours for the other kinds. */
async function picturesByKind(): Promise<ReadonlyMap<string, Buffer>> {
  const names = ["bowl", "coffee", "mountain", "pagoda", "room", "stream", "temple", "window"];
  const pictures = new Map<string, Buffer>();
  for (const [i, name] of names.entries()) {
    for (const [k, kind] of ["rgb", "depth", "normals"].entries()) {
      pictures.set(`${i}-${kind}`, await sharp(join(root, `media/samples/${name}.jpg`)).resize(256).modulate({ hue: 120 * k }).webp().toBuffer());
    }
  }
  return pictures;
}
