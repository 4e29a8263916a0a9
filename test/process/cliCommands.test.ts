import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { readNpy } from "../../src/io/npy";
import { openSafetensors } from "../../src/io/safetensors";
import { plumbline, repository } from "./cliProcess";

const sample = join(repository, "media", "samples", "coffee.jpg");

interface EstimateJson {
  readonly images: readonly {
    readonly image: string;
    readonly out?: string;
    readonly files?: readonly string[];
    readonly runs?: readonly { readonly task: string; readonly settings: { readonly seed: number; readonly steps: number }; readonly timesteps: readonly number[] }[];
    readonly error?: { readonly code: string; readonly message: string; readonly remedy: string };
  }[];
}

describe("plumbline on the shipped models", function () {
  this.timeout(180_000);
  let dir: string;
  before(async () => { dir = await mkdtemp(join(tmpdir(), "plumbline-commands-")); });
  after(() => rm(dir, { recursive: true, force: true }));

  it("estimates depth and normals in one go, at the photograph's size, with clean JSON on stdout", async () => {
    const out = join(dir, "single");
    const { code, stdout, stderr } = await plumbline(["estimate", sample, "--out", out, "--device", "cpu", "--json"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /coffee\.jpg: depth and normals in /);
    const { images } = JSON.parse(stdout) as EstimateJson;
    assert.deepEqual(images[0].files, ["depth.npy", "depth.png", "depth_16bit.png", "normals.npy", "normals.png", "normals_16bit.png", "run.json"]);
    assert.deepEqual((await readdir(out)).sort(), [...images[0].files].sort());
    assert.deepEqual(images[0].runs?.map(({ task, timesteps }) => [task, timesteps]), [["depth", [999]], ["normals", [999]]]);

    const { width, height } = await sharp(sample).metadata();
    const depth = await readNpy(join(out, "depth.npy"));
    assert.deepEqual(depth.dims, [height, width]);
    assert.ok(depth.data.every((value) => value >= 0 && value <= 1));
    assert.ok(new Set(depth.data).size > 1000, "depth is nearly constant");
    const normals = await readNpy(join(out, "normals.npy"));
    assert.deepEqual(normals.dims, [height, width, 3]);
    for (let p = 0; p < normals.data.length; p += 3) assert.ok(Math.abs(Math.hypot(...normals.data.subarray(p, p + 3)) - 1) < 1e-3);
    assert.deepEqual([(await sharp(join(out, "normals.png")).metadata()).width, (await sharp(join(out, "depth_16bit.png")).metadata()).depth], [width, "ushort"]);
  });

  it("gives the same numbers again for a seed, others for another seed", async () => {
    const depthOf = async (name: string, seed: string): Promise<Float32Array> => {
      const { code, stderr } = await plumbline(["estimate", sample, "--task", "depth", "--steps", "2", "--resolution", "96", "--seed", seed, "--device", "cpu", "--out", join(dir, name)]);
      assert.equal(code, 0, stderr);
      return (await readNpy(join(dir, name, "depth.npy"))).data;
    };
    const [first, again, other] = [await depthOf("seed-a", "7"), await depthOf("seed-b", "7"), await depthOf("seed-c", "8")];
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
  });

  it("writes deviations over steps and members and both tasks' step files", async () => {
    const out = join(dir, "both");
    const { code, stderr } = await plumbline(["estimate", sample, "--steps", "2", "--ensemble", "2", "--resolution", "96", "--save-steps", "--device", "cpu", "--out", out]);
    assert.equal(code, 0, stderr);
    const { width, height } = await sharp(sample).metadata();
    for (const name of ["std", "std_members", "normals_std", "normals_std_members"]) {
      const { dims, data } = await readNpy(join(out, `${name}.npy`));
      assert.deepEqual(dims, [height, width], name);
      assert.ok(data.every((value) => value >= 0) && data.some((value) => value > 0), name);
    }
    assert.deepEqual((await openSafetensors(join(out, "steps.safetensors"))).tensors.get("depth_per_step")?.dims, [2, 1, 1, 64, 96]);
    assert.deepEqual((await openSafetensors(join(out, "normals_steps.safetensors"))).tensors.get("normals_per_step")?.dims, [2, 1, 3, 64, 96]);
  });

  it("goes on after an image that fails, names it with a remedy, and ends with 1", async () => {
    const broken = join(dir, "broken.jpg");
    await writeFile(broken, (await readFile(sample)).subarray(0, 5000));
    await copyFile(sample, join(dir, "good.jpg"));
    const out = join(dir, "several");
    const { code, stdout, stderr } = await plumbline(["estimate", broken, join(dir, "absent.png"), join(dir, "good.jpg"), "--task", "depth", "--resolution", "96", "--device", "cpu", "--out", out, "--json"]);
    assert.equal(code, 1, stderr);
    const { images } = JSON.parse(stdout) as EstimateJson;
    assert.deepEqual(images.map(({ error }) => error?.code), ["bad-image", "bad-image", undefined]);
    assert.match(stderr, /broken\.jpg: Expected a complete image/);
    assert.match(stderr, /absent\.png.*no such file/);
    assert.notEqual(images[0].error?.remedy, "");
    assert.deepEqual(await readdir(out), ["good"]);
    assert.ok((await readdir(join(out, "good"))).includes("run.json"));
  });

  it("ends with 2 and an explanation for wrong usage, before anything is written", async () => {
    const out = join(dir, "never");
    for (const [args, pattern] of [
      [["estimate"], /missing required argument 'image'/],
      [["estimate", sample, "--steps", "0", "--out", out], /whole number from 1 to 1000/],
      [["estimate", sample, "--spacing", "even", "--out", out], /trailing, leading, linspace/],
      [["estimate", sample, "--model", "plumbline-depth", "--task", "normals", "--out", out], /a model for normals/],
      [["component", "somewhere"], /--inputs/],
      [["table", "--rows", "best"], /leading-1/],
      [["bench", "everything"], /unet/],
      [["paint"], /unknown command/],
    ] as const) {
      const { code, stdout, stderr } = await plumbline(args);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, pattern);
    }
    await assert.rejects(readdir(out));
  });

  it("shows help with examples for every command", async () => {
    for (const command of ["estimate", "component", "bench", "demo", "table"]) {
      const { code, stdout, stderr } = await plumbline([command, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`Examples?:[^]*plumbline.* ${command}|Examples?:[^]*npm run ${command}`));
    }
    assert.match((await plumbline(["--help"])).stdout, /Exit codes/);
  });

  it("stops on Ctrl+C within a step, and leaves no half result", async () => {
    const out = join(dir, "cancelled");
    let started = 0;
    const interruptLater = (child: ChildProcess): void => {
      setTimeout(() => {
        started = Date.now();
        // A terminal and a wrapping process may both pass it on.
        child.kill("SIGINT");
        child.kill("SIGINT");
        setTimeout(() => child.kill("SIGINT"), 20);
      }, 4000);
    };
    const { code, stdout, stderr } = await plumbline(["estimate", sample, "--steps", "1000", "--ensemble", "100", "--device", "cpu", "--out", out, "--json"], interruptLater);
    assert.deepEqual([code, stdout], [130, ""], stderr);
    assert.match(stderr, /Cancelled\./);
    assert.ok(Date.now() - started < 10_000, "stopping took too long");
    await assert.rejects(readdir(out));
  });

  it("table: rows with the figures and units that are documented", async () => {
    const { code, stdout, stderr } = await plumbline(["table", "--limit", "1", "--rows", "trailing-1,e2e", "--device", "cpu", "--json"]);
    assert.equal(code, 0, stderr);
    const rows = JSON.parse(stdout) as Record<string, number | string>[];
    assert.deepEqual(rows.map(({ name, steps, spacing, ensemble }) => [name, steps, spacing, ensemble]), [["trailing-1", 1, "trailing", 1], ["e2e", 1, "trailing", 1]]);
    for (const row of rows) {
      assert.deepEqual(Object.keys(row), ["name", "steps", "spacing", "ensemble", "absrel", "delta1", "meanAngle", "pct11_25"]);
      for (const [figure, highest] of [["absrel", 1000], ["delta1", 100], ["meanAngle", 180], ["pct11_25", 100]] as const) {
        const value = row[figure];
        assert.ok(typeof value === "number" && value >= 0 && value <= highest, `${figure}: ${value}`);
      }
    }
  });

  it("demo: four settings on a photograph, and a picture of them", async () => {
    const out = join(dir, "demo");
    const { code, stdout, stderr } = await plumbline(["demo", "--limit", "1", "--out", out, "--device", "cpu", "--json"]);
    assert.equal(code, 0, stderr);
    const rows = JSON.parse(stdout) as { name: string; millis: number; depthPercent: number; normalsDegrees: number }[];
    assert.deepEqual(rows.map(({ name }) => name), ["multi", "leading", "trailing", "e2e"]);
    assert.ok(rows[0].depthPercent < 1e-3 && rows[0].normalsDegrees < 0.1, "a result differs from itself");
    assert.ok(rows.slice(1).every(({ depthPercent, normalsDegrees, millis }) => depthPercent > 0 && normalsDegrees > 0 && millis > 0));
    const [picture] = await readdir(out);
    const { width = 0, height = 0 } = await sharp(join(out, picture)).metadata();
    assert.ok(width > 800 && height > 600);
  });
});
