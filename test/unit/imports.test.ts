import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

interface Room {
  readonly folders: readonly string[];
  readonly packages: readonly string[];
}

/** By program, by file, what the bundler found that it imports (types are gone by then). */
type Imports = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const root = resolve(__dirname, "../..");
const imports = JSON.parse(readFileSync(join(root, "dist/imports.json"), "utf8")) as Imports;

/** Data that programs read from outside their rooms. */
const sharedFiles = ["package.json"];

function roomOf(rooms: Readonly<Record<string, Room>>, file: string): string | undefined {
  return Object.keys(rooms).find((room) => file.startsWith(`${room}/`));
}

/** "node_modules/@scope/name/…" -> "@scope/name"; bare specifiers of external packages stay. */
function packageOf(path: string): string {
  const inside = path.split("node_modules/").at(-1) ?? path;
  return inside.startsWith("@") ? inside.split("/").slice(0, 2).join("/") : inside.startsWith("node:") ? "node:*" : inside.split("/")[0];
}

describe("what the programs import", () => {
  let rooms: Readonly<Record<string, Room>>;

  before(async function () {
    this.timeout(60_000); // the configuration loads the linter with it
    ({ rooms } = (await import(pathToFileURL(join(root, "eslint.config.mjs")).href)) as { rooms: Readonly<Record<string, Room>> });
  });

  it("was recorded for all four programs", () => {
    for (const program of ["extension", "inference", "cli", "webview"]) assert.ok(Object.keys(imports[program] ?? {}).length > 3, program);
  });

  it("keeps to the rooms", () => {
    const wrong: string[] = [];
    for (const files of Object.values(imports)) {
      for (const [file, paths] of Object.entries(files)) {
        const room = roomOf(rooms, file);
        if (room === undefined) continue;
        for (const path of paths) if (!isAllowed(rooms, room, path)) wrong.push(`${file} imports ${path}`);
      }
    }
    assert.deepEqual([...new Set(wrong)], []);
  });

  it("has ONNX Runtime in one file, VS Code in one room, and neither in the webview", () => {
    const importers = (name: string): readonly string[] => [...new Set(Object.values(imports).flatMap((files) => Object.entries(files).flatMap(([file, paths]) => (paths.includes(name) ? [file] : []))))];
    assert.deepEqual(importers("onnxruntime-node"), ["src/inference/session.ts"]);
    for (const file of importers("vscode")) assert.match(file, /^(src\/extension|test\/vscode\/host)\//);
    assert.ok(importers("vscode").length > 0);
    for (const paths of Object.values(imports["webview"])) for (const path of paths) assert.doesNotMatch(path, /^node:|onnxruntime|sharp/);
  });

  it("keeps the engine's child and the editor apart", () => {
    const inside = Object.keys(imports["extension"]);
    assert.deepEqual(inside.filter((file) => /^src\/(pipeline|graph)\//.test(file)), []);
    assert.deepEqual(inside.filter((file) => file.startsWith("src/inference/")), ["src/inference/client.ts"]);
  });
});

function isAllowed(rooms: Readonly<Record<string, Room>>, room: string, path: string): boolean {
  const { folders, packages } = rooms[room];
  if (path.startsWith(`${room}/`) || sharedFiles.includes(path)) return true;
  const target = roomOf(rooms, path);
  if (target !== undefined) return folders.some((folder) => path.startsWith(`${folder}/`) || path === `${folder}.ts`);
  const isOwnFile = !path.includes("node_modules/") && existsSync(join(root, path));
  return !isOwnFile && packages.includes(packageOf(path));
}
