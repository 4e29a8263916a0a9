// What the programs that take pictures share. Imported by one that runs without the loader for TypeScript, it starts that program anew with it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { root, runInEditor } from "./setup.mjs";

if (!process.execArgv.includes("--import=tsx")) process.exit(await runInEditor(process.argv[1], process.argv.slice(2)));

const out = join(root, "media/screenshots");
mkdirSync(out, { recursive: true });

/** Those that the command line names; all where it names none. */
export function wantedOf(pictures) {
  const names = process.argv.slice(2);
  return pictures.filter(({ name }) => names.length === 0 || names.includes(name));
}

/** Writes what a window shows to media/screenshots. */
export async function takePicture(page, name) {
  await page.screenshot({ path: join(out, `${name}.png`) });
  console.log(join("media/screenshots", `${name}.png`));
}
