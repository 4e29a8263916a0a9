import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

export type ThemeName = "darkModern" | "lightModern" | "hcBlack";

export const browserPath = process.env.PLUMBLINE_CHROMIUM ?? "/usr/bin/chromium";

/** Stricter than the host's own: of inline styles only the empty element (by its hash) that the controls fill by script. */
export const hostPolicy = "default-src 'none'; img-src 'self' data: blob:; font-src 'self'; style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; script-src 'nonce-test'";

/** A theme of VS Code as its webviews get it. */
export async function themeOf(name: string): Promise<{ readonly bodyClass: string; readonly css: string }> {
  const { bodyClass, variables } = JSON.parse(await readFile(join(root, `test/fixtures/themes/${name || "darkModern"}.json`), "utf8")) as { bodyClass: string; variables: Record<string, string> };
  return { bodyClass, css: `:root { ${Object.entries(variables).map(([variable, value]) => `--${variable}: ${value};`).join(" ")} }` };
}
