import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOMParser } from "linkedom";
import sharp from "sharp";
import { plumbline, repository } from "./cliProcess";

const scene = join(repository, "test", "heldout", "003_rgb.png");

interface Comparison {
  readonly preset?: string;
  readonly files: readonly string[];
  readonly runs: readonly { readonly label: string; readonly task: string; readonly cached: boolean; readonly settings: { readonly steps: number; readonly seed: number }; readonly timesteps: readonly number[]; readonly meanStdOverSteps?: number; readonly errorToTruth?: number; readonly model: { readonly id: string } }[];
  readonly clouds: Readonly<Record<string, { readonly scale: number; readonly units: string }>>;
}

/** Rows of a CSV by column name; the labels here have no quotes in them. */
async function readCsv(path: string): Promise<Record<string, string>[]> {
  const [header, ...lines] = (await readFile(path, "utf8")).trimEnd().split("\r\n").map((line) => line.match(/("[^"]*"|[^,]*)(,|$)/g)?.map((cell) => cell.replace(/,$/, "").replace(/^"|"$/g, "")) ?? []);
  return lines.map((cells) => Object.fromEntries(header.filter(Boolean).map((name, i) => [name, cells[i]])));
}

describe("plumbline compare", function () {
  this.timeout(300_000);
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-compare-test-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  it("sets the flaw beside its fix: the figure, what every step was told, clouds, and what it means in words", async () => {
    const out = join(dir, "flaw");
    const { code, stdout, stderr } = await plumbline(["compare", scene, "--resolution", "96", "--device", "cpu", "--out", out]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Leading, 1 step +depth +1 +1 +0\.041 +1\.000/);
    assert.match(stdout, /Leading, 1 step: the input is pure noise \(level 1\.00\), but the model is told t = 1, a noise level of 0\.04: it takes the noise for the picture\./);
    assert.match(stdout, /Trailing, 1 step: told and real noise agree at every step/);
    const slugs = ["leading-1-step", "trailing-1-step", "e2e-fine-tuned"];
    assert.deepEqual((await readdir(out)).sort(), ["curves.csv", "figure.json", "figure.png", "figure.svg", "provenance.json", ...slugs.map((slug) => `${slug}_cloud.ply`)].sort());

    const document = new DOMParser().parseFromString(await readFile(join(out, "figure.svg"), "utf8"), "image/svg+xml") as unknown as Document;
    const words = [...document.querySelectorAll("text")].map(({ textContent }) => textContent ?? "").join(" ");
    for (const text of ["Leading, 1 step", "Trailing, 1 step", "E2E fine-tuned", "1 step, leading, Gaussian noise, seed 2024; plumbline-depth, plumbline-normals", "no noise; plumbline-e2e-depth", "RUB: x right"]) assert.ok(words.includes(text), text);
    assert.equal(document.querySelectorAll("image").length + document.querySelectorAll("use").length, 11, "RGB, depth, normals of three runs, and two differences");
    const [svgWidth] = (document.documentElement.getAttribute("viewBox") ?? "").split(" ").slice(2).map(Number);
    assert.equal((await sharp(join(out, "figure.png")).metadata()).width, Math.round(2 * svgWidth));

    const rows = await readCsv(join(out, "curves.csv"));
    assert.deepEqual(rows.map(({ run, task, timestep }) => [run, task, timestep].join("|")), slugs.flatMap((_, i) => ["depth", "normals"].map((task) => [["Leading, 1 step", "Trailing, 1 step", "E2E fine-tuned"][i], task, ["1", "999", "999"][i]].join("|"))));
    for (const { alpha_bar, told_noise } of rows) assert.ok(Math.abs(Number(told_noise) - Math.sqrt(1 - Number(alpha_bar))) < 1e-9);
    const ply = await readFile(join(out, "e2e-fine-tuned_cloud.ply"));
    assert.match(ply.subarray(0, 700).toString("latin1"), /^ply\nformat binary_little_endian 1\.0\n[^]*comment z = 1 \* d \+ 0\.5, in arbitrary units[^]*element vertex 6912\n[^]*property float nx/);
  });

  it("shows every step of longer runs, takes them from the cache the next time, and measures them against the truth", async () => {
    const cache = join(dir, "cache");
    const truth = join(repository, "test", "heldout", "003_depth.png");
    const args = ["compare", scene, "--task", "depth", "--resolution", "96", "--device", "cpu", "--run", "label=Three,steps=3", "--run", "steps=1,seed=7", "--truth", truth, "--cache", cache];
    const first = await plumbline([...args, "--out", join(dir, "first"), "--json"]);
    assert.equal(first.code, 0, first.stderr);
    const comparison = JSON.parse(first.stdout) as Comparison;
    assert.deepEqual(comparison, JSON.parse(await readFile(join(dir, "first", "provenance.json"), "utf8")));
    assert.deepEqual(comparison.runs.map(({ label, settings, timesteps, model, cached }) => [label, settings.steps, settings.seed, timesteps.join(), model.id, cached]), [
      ["Three", 3, 2024, "999,666,332", "plumbline-depth", false],
      ["Trailing, 1 step", 1, 7, "999", "plumbline-depth", false],
    ]);
    for (const file of comparison.files) assert.ok((await readdir(join(dir, "first"))).includes(file), file);
    assert.ok((comparison.runs[0].meanStdOverSteps ?? 0) > 0 && comparison.runs[1].meanStdOverSteps === undefined);

    const { pages, delay, width, pageHeight } = await sharp(join(dir, "first", "three_depth_steps.webp"), { animated: true }).metadata();
    assert.deepEqual([pages, delay, width, pageHeight], [3, [2000, 2000, 2000], 96, 72]);
    const rows = await readCsv(join(dir, "first", "curves.csv"));
    const three = rows.filter(({ run }) => run === "Three");
    assert.deepEqual(three.map(({ step, timestep, change_to_previous }) => [step, timestep, change_to_previous === ""].join()), ["1,999,true", "2,666,false", "3,332,false"]);
    assert.ok(Number(three[0].distance_to_last) > Number(three[1].distance_to_last) && Number(three[2].distance_to_last) < 1e-6);
    for (const row of rows) assert.ok(Number(row.error_to_truth) > 0 && Number(row.error_to_truth) < 1, row.error_to_truth);
    // The last step is the result, but for the binary16 in which steps are kept.
    assert.ok(Math.abs(Number(three[2].error_to_truth) - (comparison.runs[0].errorToTruth ?? NaN)) < 1e-3);
    assert.equal(comparison.clouds["three"].units, "units of the ground truth");

    const again = await plumbline([...args, "--out", join(dir, "again"), "--json"]);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual((JSON.parse(again.stdout) as Comparison).runs.map(({ cached }) => cached), [true, true]);
    for (const file of ["curves.csv", "figure.svg", "figure.png", "three_depth_steps.webp", "three_cloud.ply"]) {
      assert.ok((await readFile(join(dir, "again", file))).equals(await readFile(join(dir, "first", file))), `${file} differs`);
    }
  });

  it("says what is wrong with a command line or a file, and what to do", async () => {
    const out = join(dir, "wrong");
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["compare", scene], 2, /required option '--out/],
      [["compare", scene, "--preset", "fig9", "--out", out], 2, /flaw, fig2, fig5, ensemble, table4, seeds/],
      [["compare", scene, "--run", "steps=many", "--out", out], 2, /whole number/],
      [["compare", scene, "--run", "model=nowhere,steps=1", "--out", out], 1, /nowhere/],
      [["compare", scene, "--task", "normals", "--truth", "depth.npy", "--out", out], 2, /--truth-normals/],
      [["compare", scene, "--task", "depth", "--truth", "missing.npy", "--out", out, "--device", "cpu"], 1, /missing\.npy/],
      [["compare", join(dir, "missing.png"), "--out", out, "--device", "cpu"], 1, /missing\.png/],
    ];
    for (const [args, expected, message] of cases) {
      const { code, stderr, stdout } = await plumbline(args);
      assert.equal(code, expected, `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stdout, "");
    }
    await assert.rejects(readdir(out), "nothing is written");
  });
});

describe("plumbline study", function () {
  this.timeout(300_000);
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-study-test-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  it("writes a page whose table, sentence and numbers agree, the same each time", async () => {
    for (const name of ["a", "b"]) {
      const { code, stderr } = await plumbline(["study", "table4", "--scenes", "2", "--out", join(dir, name)]);
      assert.equal(code, 0, stderr);
    }
    for (const file of ["table4.md", ...["table4", "table4-shipped"].flatMap((id) => [`${id}.svg`, `${id}.png`, `${id}.json`])]) assert.ok((await readFile(join(dir, "a", file))).equals(await readFile(join(dir, "b", file))), `${file} differs`);
    const { scenes, scores, findings, runs } = JSON.parse(await readFile(join(dir, "a", "table4-shipped.json"), "utf8")) as { scenes: string[]; scores: Record<string, { absRel: number[] }[]>; findings: string[]; runs: Record<string, unknown>[] };
    assert.deepEqual(scenes, ["000", "001"]);
    const page = await readFile(join(dir, "a", "table4.md"), "utf8");
    for (const finding of findings) assert.ok(page.includes(`**${finding}**`));
    for (const [row, name] of [["Gaussian", "gaussian"], ["pyramid", "pyramid"], ["zeros", "zeros"]]) {
      const mean = (100 * (scores[name][0].absRel[0] + scores[name][0].absRel[1])) / 2;
      assert.ok(page.includes(`| ${row} | ${mean.toFixed(2)} |`), `${row} ${mean}`);
    }
    assert.ok(runs.every((run) => !("finishedAt" in run) && !("timingsMillis" in run)), "no dates");
    assert.match(page, /!\[.*\]\(table4\.png\)[^]*!\[.*\]\(table4-shipped\.png\)/);
  });
});
