import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveCliArgsFromVSCodeExecutablePath } from "@vscode/test-electron";
import { readAt, waitReady } from "../ui/tiles";
import { chooseInExplorer, openWorkbench, panelFrame, root } from "../ui/workbench";
import { listArchive, type ArchiveEntry } from "./archive";

const target = `${process.platform}-${process.arch}`;
const vsix = join(root, `out/plumbline-${target}.vsix`);

describe(`the package for ${target}`, function () {
  this.timeout(300_000);
  const scratch = mkdtempSync(join(tmpdir(), "plumbline-packaged-"));
  let entries: readonly ArchiveEntry[];
  const names = (): readonly string[] => entries.map(({ name }) => name);

  before(() => {
    execFileSync(process.execPath, [join(root, "scripts/package.mjs"), target, `--out=${vsix}`], { stdio: "pipe" });
    entries = listArchive(vsix);
  });

  after(() => rmSync(scratch, { recursive: true, force: true }));

  it("is smaller than 120 MB", () => {
    assert.ok(statSync(vsix).size < 120e6, `${(statSync(vsix).size / 1e6).toFixed(1)} MB`);
  });

  it("holds every model that ships, whole", () => {
    const models = readdirSync(join(root, "models"), { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(root, "models", name)).isFile());
    assert.ok(models.length > 10);
    for (const name of models) {
      const entry = entries.find((candidate) => candidate.name === `extension/models/${name}`);
      assert.equal(entry?.byteLength, statSync(join(root, "models", name)).size, name);
    }
  });

  it("holds the natives of this platform and of no other", () => {
    const natives = names().filter((name) => /\.(node|dll|dylib)$|\.so(\.|$)/.test(name));
    assert.ok(natives.some((name) => name.includes("onnxruntime_binding")) && natives.some((name) => name.includes("sharp")));
    const [platform, architecture] = target.split("-");
    for (const name of natives) assert.ok(name.includes(target) || name.includes(`/${platform}/${architecture}/`), name);
  });

  it("holds the pictures of the README, and whose photographs they are", () => {
    const pictures = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path]) => path);
    assert.ok(pictures.length > 1);
    for (const path of [...pictures, "docs/photographs-LICENCES.md", "media/samples/LICENCES.md"]) assert.ok(names().includes(`extension/${path}`), path);
  });

  it("holds no sources, tests, or tools", () => {
    const own = names().filter((name) => !name.includes("node_modules/"));
    const folders = new Set(own.map((name) => name.split("/").slice(0, 2).join("/")));
    for (const folder of ["src", "test", "training", "bench", "scripts", "webview", "out", ".vscode"]) assert.ok(!folders.has(`extension/${folder}`), folder);
    assert.deepEqual(own.filter((name) => /\.(ts|map|py)$/.test(name)), []);
    for (const name of ["vsce", "esbuild", "playwright-core", "typescript", "mocha"]) assert.ok(!names().some((path) => path.includes(`node_modules/${name}/`)), name);
  });

  it("estimates an image by right-click, installed in VS Code", async () => {
    const extensions = join(scratch, "extensions");
    install(extensions, join(scratch, "install"));
    assert.ok(readdirSync(extensions).some((name) => name.startsWith("plumbline.plumbline-")));
    const workbench = await openWorkbench({ folder: join(root, "media/samples"), extensions });
    try {
      await chooseInExplorer(workbench.page, ["pagoda.jpg"], "Estimate Geometry");
      const frame = await panelFrame(workbench.page);
      await waitReady(frame, ["estimate:photo", "estimate:depth", "estimate:normals"]);
      const { values } = await readAt(frame, "estimate:depth", { u: 0.5, v: 0.5 }, ["estimate:depth", "estimate:normals"]);
      assert.ok(values["estimate:depth"][0] >= 0 && values["estimate:depth"][0] <= 1);
      assert.ok(Math.abs(Math.hypot(...values["estimate:normals"]) - 1) < 1e-4);
      mkdirSync(join(root, "out/screenshots"), { recursive: true });
      await workbench.page.screenshot({ path: join(root, "out/screenshots/packaged.png") });
    } finally {
      await workbench.close();
    }
  });
});

/** By VS Code itself; no development copy is involved. */
function install(extensions: string, userData: string): void {
  const vscode = process.env["PLUMBLINE_VSCODE"];
  assert.ok(vscode, "PLUMBLINE_VSCODE is not set: run the tests with scripts/test.mjs.");
  const isDesktop = process.env["PLUMBLINE_VSCODE_KIND"] === "desktop";
  const [command, ...first] = isDesktop ? resolveCliArgsFromVSCodeExecutablePath(vscode, { reuseMachineInstall: true }) : [process.execPath, vscode];
  const folders = [`--extensions-dir=${extensions}`, `--user-data-dir=${userData}`];
  execFileSync(command, [...first, ...folders, ...(isDesktop ? ["--install-extension", vsix] : [`--install-extension=${vsix}`])], { stdio: "pipe", shell: isDesktop && process.platform === "win32" });
}
