import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import sharp from "sharp";
import { depthCaption, normalsCaption } from "../../src/cli/failureCaptions";
import { openPhotographs, readCredit, readMeasuredDepth, type Photograph } from "../../src/cli/photographs";
import { worstOf, worstPhotographs } from "../../src/cli/studyFailures";
import { countOf, findingOf, modelsFingerprint, type Compared } from "../../src/cli/studyPhotographs";
import type { DepthMetrics } from "../../src/core/metrics";

const folder = join(__dirname, "..", "photographs");
const samples = join(__dirname, "..", "..", "media", "samples");
const own = ["LICENCES.md", "photographs.json"];

/** The files that the first column of a table of licences names. */
async function licensedFiles(dir: string): Promise<string[]> {
  const rows = (await readFile(join(dir, "LICENCES.md"), "utf8")).split("\n").filter((line) => line.startsWith("| `"));
  for (const row of rows) {
    const [, , shows, author, licence, source] = row.split("|").map((cell) => cell.trim());
    assert.ok(shows && author && source, row);
    assert.match(licence, /CC0|CC BY|Public domain|BSD|GPL/, row);
  }
  return rows.flatMap((row) => [...row.split("|")[1].matchAll(/`([^`]+)`/g)].map(([, file]) => file));
}

describe("test/photographs", () => {
  it("has an author, a licence and a source for every file, and for nothing else", async () => {
    const files = (await readdir(folder)).filter((name) => !own.includes(name)).sort();
    assert.deepEqual((await licensedFiles(folder)).sort(), files);
  });

  it("holds 20 photographs of 20 kinds, some of them the samples", async () => {
    const { photographs } = await openPhotographs(folder);
    assert.equal(photographs.length, 20);
    assert.equal(new Set(photographs.map(({ kind }) => kind)).size, 20);
    const shown = photographs.filter(({ path }) => dirname(path) === folder).map(({ path }) => basename(path));
    const measured = photographs.flatMap(({ depthPath }) => (depthPath === undefined ? [] : [basename(depthPath)]));
    assert.deepEqual([...shown, ...measured, ...own].sort(), (await readdir(folder)).sort(), "a file that is not shown");
    const licensed = await licensedFiles(samples);
    for (const { path } of photographs.filter(({ path }) => dirname(path) !== folder)) assert.ok(dirname(path) === samples && licensed.includes(basename(path)), path);
    for (const { remark, kind, judgements } of photographs) assert.ok(remark.length > 20 && judgements.length >= 3, kind);
  });

  it("keeps them small", async () => {
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".jpg"))) {
      const { width, height } = await sharp(join(folder, name)).metadata();
      assert.ok(Math.max(width, height) <= 640, name);
      assert.ok((await stat(join(folder, name))).size <= 60_000, name);
    }
  });

  it("has depth of two or more at the photograph's size, in metres that a depth camera can see", async () => {
    const measured = (await openPhotographs(folder)).photographs.filter(({ depthPath }) => depthPath !== undefined);
    assert.ok(measured.length >= 2);
    for (const { path, depthPath = "" } of measured) {
      const { map, mask } = await readMeasuredDepth(depthPath);
      const { width, height } = await sharp(path).metadata();
      assert.deepEqual([map.width, map.height], [width, height]);
      const known = map.data.filter((_, p) => mask[p] === 1).sort();
      assert.ok(known.length > map.data.length / 2, `${path}: ${known.length} pixels`);
      assert.ok(known[0] > 0.1 && known[known.length - 1] < 12, `${path}: ${known[0]} to ${known[known.length - 1]} m`);
      assert.ok(map.data.every((metres, p) => (mask[p] === 1) === metres > 0));
    }
  });
});

describe("cli/photographs", () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-photographs-")); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("refuses a judgement that it does not know, and a folder without photographs", async () => {
    await assert.rejects(openPhotographs(dir), { code: "not-found" });
    await writeFile(join(dir, "photographs.json"), storedSet(["right", "good", "right"]));
    await assert.rejects(openPhotographs(dir), { code: "bad-argument", message: /right, partly, wrong.*a\.jpg.*good/ });
    for (const judgements of [[], ["right", "partly"]]) {
      await writeFile(join(dir, "photographs.json"), storedSet(judgements));
      await assert.rejects(openPhotographs(dir), { code: "bad-argument", message: /odd.*a\.jpg/ });
    }
  });

  it("takes the middle one of the judgements", async () => {
    for (const [judgements, layout] of [[["right"], "right"], [["wrong", "right", "partly"], "partly"], [["right", "wrong", "right"], "right"], [["wrong", "wrong", "right"], "wrong"]] as const) {
      await writeFile(join(dir, "photographs.json"), storedSet(judgements));
      assert.equal((await openPhotographs(dir)).photographs[0].layout, layout);
    }
  });

  it("names who took a photograph, and refuses one of which nobody is named", async () => {
    assert.deepEqual(await readCredit(join(folder, "people_depth.png")), { author: "the PCL developers and Willow Garage", licence: "BSD 3-clause (below)" });
    assert.match((await readCredit(join(samples, "bowl.jpg"))).licence, /CC BY 4\.0/);
    await assert.rejects(readCredit(join(folder, "unknown.jpg")), { code: "not-found", message: /unknown\.jpg/ });
  });
});

function storedSet(judgements: readonly string[]): string {
  return JSON.stringify({ judgedModels: "", photographs: [{ file: "a.jpg", kind: "a", judgements, remark: "" }] });
}

describe("what the study of photographs says", () => {
  const errors = (absRel: number, delta1: number): DepthMetrics => ({ absRel, delta1, sqRel: 0, rmse: 0, rmseLog: 0, log10: 0, delta2: 1, delta3: 1, irmse: 0, silog: 0 });
  const pair = (model: number, ramp: number) => ({ file: "a.jpg", model: errors(model, 0.9), ramp: errors(ramp, 0.5) });

  it("says whether the model beats the ramp, and how often", () => {
    assert.match(findingOf([pair(0.1, 0.3), pair(0.3, 0.2)]), /model is nearer .*AbsRel 20\.0 % against 25\.0 %, delta1 90\.0 % against 50\.0 %; it is nearer on 1 of 2/);
    assert.match(findingOf([pair(0.4, 0.3)]), /model is no nearer .*40\.0 % against 30\.0 %.*nearer on 0 of 1/);
  });

  it("is what the README says, of the photographs of docs/", async () => {
    const root = join(__dirname, "..", "..");
    const { compared, photographs, models } = JSON.parse(await readFile(join(root, "docs", "photographs.json"), "utf8")) as { compared: Compared[]; photographs: Pick<Photograph, "layout" | "judgements">[]; models: string };
    const readme = await readFile(join(root, "README.md"), "utf8");
    const section = readme.slice(readme.indexOf("## On real photographs"), readme.indexOf("## Use real checkpoints"));
    for (const sentence of [findingOf(compared), countOf(photographs)]) assert.ok(section.includes(`\n${sentence}\n`), `README.md should say: ${sentence}`);
    assert.equal((await openPhotographs(folder)).judgedModels, models, "the judgements are of the models of docs/photographs.json");
    for (const [, link] of section.matchAll(/\]\(([^)]+)\)/g)) assert.ok((await stat(join(root, link))).isFile(), link);
  });

  it("counts the judgements", () => {
    const of = (layout: Photograph["layout"], ...judgements: Photograph["judgements"]) => ({ layout, judgements });
    const photographs = [of("right", "right", "right", "wrong"), of("wrong", "wrong", "wrong", "wrong"), of("right", "right", "right", "partly"), of("partly", "right", "partly", "wrong")];
    assert.equal(countOf(photographs), "Of 4 layouts 2 were called right, 1 partly right and 1 wrong (the middle one of 3 judgements each; one by one they called 3, 2, 0 right).");
  });

  it("tells models apart by their files", () => {
    const runs = (weights: string) => [{ model: { id: "e2e", dir: "/somewhere", files: { "unet.safetensors": weights } } }];
    assert.equal(modelsFingerprint(runs("aa")), modelsFingerprint(runs("aa")));
    assert.notEqual(modelsFingerprint(runs("aa")), modelsFingerprint(runs("ab")));
    assert.match(modelsFingerprint(runs("aa")), /^[0-9a-f]{12}$/);
  });
});

describe("what the models get wrong", () => {
  it("is shown of the scenes with the greatest errors, the worst first", () => {
    const failures = [0.2, 0.5, 0.1, 0.4].map((error, i) => ({ id: String(i), error }));
    assert.deepEqual(worstOf(failures, 2).map(({ id }) => id), ["1", "3"]);
    assert.equal(worstOf(failures, 9).length, 4);
  });

  it("is shown of photographs called wrong before those called partly right, under licences that let them travel with the models", () => {
    const of = (kind: string, layout: "right" | "partly" | "wrong", licence = "[CC0 1.0](x)") => ({ kind, layout, licence });
    const chosen = worstPhotographs([of("a", "partly"), of("b", "right"), of("c", "wrong"), of("d", "partly", "Public domain"), of("e", "wrong", "[GPL 2](x)"), of("f", "partly", "BSD 3-clause")], 4);
    assert.deepEqual(chosen.map(({ kind }) => kind), ["c", "a", "d"]);
  });

  it("is said of depth by the true distance", () => {
    const depth = Float32Array.of(1, 2, 4, 8, 16, 32, 99);
    const predicted = Float32Array.of(1.5, 3, 4, 8, 12, 24, 1);
    assert.equal(depthCaption(predicted, { depth, mask: Uint8Array.of(1, 1, 1, 1, 1, 1, 0) }), "On average the nearest third of the pixels is 50 % too far, the middle third neither too near nor too far, the farthest third 25 % too near.");
  });

  it("is said of normals by the true direction, of those that there are", () => {
    const normals = Float32Array.of(0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1);
    assert.equal(normalsCaption(Float32Array.of(10, 20, 40, 90), { normals, mask: Uint8Array.of(1, 1, 1, 0) }), "10° off where surfaces face up (33 % of the pixels), 30° off where surfaces face the camera (67 % of the pixels).");
  });
});
