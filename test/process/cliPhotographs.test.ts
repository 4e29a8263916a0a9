import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { openPhotographs } from "../../src/cli/photographs";
import { plumbline, repository } from "./cliProcess";

interface StudyJson {
  readonly photographs: readonly { readonly file: string; readonly kind: string; readonly layout: string }[];
  readonly compared: readonly { readonly file: string; readonly model: Errors; readonly ramp: Errors }[];
  readonly models: string;
  readonly judgedModels: string;
}

interface Errors {
  readonly absRel: number;
  readonly delta1: number;
}

/** AbsRel and delta1 of the line that fits depth over the rows best: a mean of each row is enough for the fit. */
async function errorsOfRamp(depthFile: string): Promise<Errors> {
  const { data, info } = await sharp(depthFile).toColourspace("grey16").raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
  const depth = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  const known = Array.from(depth, (millimetres, p) => ({ y: Math.floor(p / info.width), z: millimetres / 1000 })).filter(({ z }) => z > 0);
  const sum = (value: (pixel: { y: number; z: number }) => number): number => known.reduce((total, pixel) => total + value(pixel), 0);
  const n = known.length;
  const slope = (n * sum(({ y, z }) => y * z) - sum(({ y }) => y) * sum(({ z }) => z)) / (n * sum(({ y }) => y * y) - sum(({ y }) => y) ** 2);
  const start = (sum(({ z }) => z) - slope * sum(({ y }) => y)) / n;
  const fit = ({ y }: { y: number }): number => Math.max(1e-6, start + slope * y);
  return { absRel: sum((pixel) => Math.abs(fit(pixel) - pixel.z) / pixel.z) / n, delta1: sum((pixel) => (Math.max(fit(pixel) / pixel.z, pixel.z / fit(pixel)) < 1.25 ? 1 : 0)) / n };
}

describe("plumbline study photographs", function () {
  this.timeout(180_000);
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-photographs-test-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  it("writes a sheet and a page with judgements, and measures the ramp and the model where depth is known", async () => {
    const { code, stdout, stderr } = await plumbline(["study", "photographs", "--scenes", "2", "--out", dir]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), ["photographs.md", "photographs.jpg", "photographs-overview.jpg", "photographs.json"].map((name) => join(dir, name)));
    const { photographs, compared, models, judgedModels } = JSON.parse(await readFile(join(dir, "photographs.json"), "utf8")) as StudyJson;
    assert.equal(photographs.length, 2);
    assert.deepEqual(compared.map(({ file }) => file), photographs.map(({ file }) => file), "the first two have measured depth");
    const page = await readFile(join(dir, "photographs.md"), "utf8");
    for (const { file, model, ramp } of compared) {
      const expected = await errorsOfRamp(join(repository, "test", "photographs", file.replace(".jpg", "_depth.png")));
      assert.ok(Math.abs(ramp.absRel - expected.absRel) < 1e-4 && Math.abs(ramp.delta1 - expected.delta1) < 1e-3, `${file}: ${JSON.stringify(ramp)}, not ${JSON.stringify(expected)}`);
      assert.ok(model.absRel > 0 && model.absRel < 0.5 && model.delta1 > 0.2 && model.delta1 <= 1, `${file}: ${JSON.stringify(model)}`);
      assert.ok(page.includes(`| ${file} | ${(100 * model.absRel).toFixed(1)} % | ${(100 * ramp.absRel).toFixed(1)} %`), file);
    }
    for (const { file, kind, layout } of photographs) assert.ok(page.includes(`| ${kind} | ${file} | ${layout} |`), file);
    assert.match(page, /has to be judged by a person/);
    assert.equal(page.includes("have to be made again"), models !== judgedModels, "judgements of other models are said to be so");
    assert.ok(page.includes(models));
    const { format, width } = await sharp(join(dir, "photographs.jpg")).metadata();
    assert.deepEqual([format, width], ["jpeg", 8 + 6 * 208]);
    const overview = await sharp(join(dir, "photographs-overview.jpg")).metadata();
    assert.deepEqual([overview.format, overview.width, overview.height], ["jpeg", 8 + 2 * 128, 30 + 22 + 3 * 90 + 8], "two photographs, each above its depth and normals");
  });
});

describe("plumbline study failures", function () {
  this.timeout(180_000);
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-failures-test-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  it("pictures the worst scenes first, and photographs called wrong with their credits", async () => {
    const { code, stdout, stderr } = await plumbline(["study", "failures", "--scenes", "2", "--out", dir]);
    assert.equal(code, 0, stderr);
    const folders = ["plumbline-e2e-depth", "plumbline-e2e-normals"].map((name) => join(dir, name));
    assert.deepEqual(stdout.trim().split("\n"), folders.flatMap((folder) => ["failures.jpg", "failures.md"].map((name) => join(folder, name))));
    const { photographs } = await openPhotographs(join(repository, "test", "photographs"));
    for (const folder of folders) {
      const page = await readFile(join(folder, "failures.md"), "utf8");
      const errors = [...page.matchAll(/^\| 00[01] \| ([\d.]+)/gm)].map(([, error]) => Number(error));
      assert.ok(errors.length === 2 && errors[0] >= errors[1], page);
      const rows = [...page.matchAll(/^\| ([^|]+) \| (right|partly|wrong) \| [^|]+ \| [^|]*(?:CC0|CC BY|Public domain)/gm)];
      assert.equal(rows.length, 4, page);
      for (const [, kind, layout] of rows) assert.equal(layout, photographs.find((photograph) => photograph.kind === kind)?.layout, kind);
      assert.equal((await sharp(join(folder, "failures.jpg")).metadata()).format, "jpeg");
    }
  });
});
