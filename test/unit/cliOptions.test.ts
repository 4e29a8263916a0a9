import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { PlumblineError } from "../../src/core/errors";
import type { RunRequest } from "../../src/core/settings";
import { outputFolders } from "../../src/cli/estimate";
import { addRunOptions, adviceOfRuns, resolveRuns, resolveTinyDecoder, type RunOptions } from "../../src/cli/programOptions";
import { alignColumns, formatTable } from "../../src/cli/table";

const models = join(__dirname, "..", "..", "models");
const geowizard = join(__dirname, "..", "reference", "geowizard");
const marigold = join(__dirname, "..", "reference", "marigold");

/** The runs that a command line asks for. */
async function runsOf(...args: string[]): Promise<RunRequest[]> {
  const command = addRunOptions(new Command("test")).exitOverride().configureOutput({ writeErr: () => undefined });
  command.parse(args, { from: "user" });
  return resolveRuns(command.opts<RunOptions>(), models);
}

const namesOf = (runs: readonly RunRequest[]): string[] => runs.map(({ runId, modelDir }) => `${runId}=${modelDir.split(/[\\/]/).pop()}`);

describe("cli/programOptions", () => {
  it("takes the end-to-end models for both tasks when nothing is said", async () => {
    const runs = await runsOf();
    assert.deepEqual(namesOf(runs), ["depth=plumbline-e2e-depth", "normals=plumbline-e2e-normals"]);
    assert.deepEqual(runs[0].settings, { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 2024, processingResolution: 192 });
  });

  it("takes the diffusion models as soon as a setting asks for what only they do", async () => {
    for (const args of [["--steps", "4"], ["--spacing", "leading"], ["--ensemble", "3"], ["--noise", "pyramid"]]) {
      assert.deepEqual(namesOf(await runsOf(...args)), ["depth=plumbline-depth", "normals=plumbline-normals"], args.join(" "));
    }
    assert.deepEqual(namesOf(await runsOf("--seed", "9", "--resolution", "0")), ["depth=plumbline-e2e-depth", "normals=plumbline-e2e-normals"]);
  });

  it("puts every option into the settings and leaves the rest to the model", async () => {
    const [run] = await runsOf("--task", "depth", "--steps", "7", "--spacing", "linspace", "--ensemble", "2", "--noise", "noise.npy", "--seed", "4294967295", "--resolution", "256");
    assert.deepEqual(run.settings, { steps: 7, spacing: "linspace", ensembleSize: 2, noise: { kind: "file", path: join(process.cwd(), "noise.npy") }, seed: 4294967295, processingResolution: 256 });
    const [defaults] = await runsOf("--model", "plumbline-depth");
    assert.deepEqual([defaults.settings.steps, defaults.settings.noise], [10, { kind: "gaussian" }]);
  });

  it("runs what a named model was made for, and two models for two tasks", async () => {
    assert.deepEqual(namesOf(await runsOf("--model", "plumbline-normals")), ["normals=plumbline-normals"]);
    assert.deepEqual(namesOf(await runsOf("--model", "plumbline-normals", "--model", "plumbline-depth")), ["depth=plumbline-depth", "normals=plumbline-normals"]);
    assert.deepEqual(namesOf(await runsOf("--model", marigold)), ["depth=marigold", "normals=marigold"]);
    assert.deepEqual(namesOf(await runsOf("--model", marigold, "--task", "normals")), ["normals=marigold"]);
  });

  it("puts domain and decoder into the settings only where they are asked for", async () => {
    const [run] = await runsOf("--model", geowizard, "--task", "depth", "--domain", "outdoor", "--decoder", "some/folder");
    assert.deepEqual([run.settings.domain, run.settings.decoder], ["outdoor", "tiny"]);
    for (const args of [[], ["--decoder", "full"]]) {
      const [{ settings }] = await runsOf("--model", geowizard, ...args);
      assert.deepEqual(Object.keys(settings).sort(), ["ensembleSize", "noise", "processingResolution", "seed", "spacing", "steps"]);
    }
  });

  it("finds the tiny decoder in a folder, or says how to get it", async () => {
    assert.equal(await resolveTinyDecoder({ decoder: "some/folder" }, models), join(process.cwd(), "some", "folder"));
    for (const decoder of [undefined, "full"]) assert.equal(await resolveTinyDecoder({ decoder }, models), undefined);
    const before = { ...process.env };
    try {
      Object.assign(process.env, { PLUMBLINE_HOME: join(tmpdir(), "plumbline-nothing"), HF_HUB_CACHE: join(tmpdir(), "plumbline-nothing") });
      await assert.rejects(resolveTinyDecoder({ decoder: "tiny" }, models), (error) => error instanceof PlumblineError && error.code === "not-found" && /pull madebyollin\/taesd/.test(error.remedy));
    } finally {
      process.env = before;
    }
  });

  it("says what was left of the models' own settings, once for both tasks", async () => {
    assert.deepEqual(await adviceOfRuns(await runsOf(), models), []);
    const leading = await adviceOfRuns(await runsOf("--spacing", "leading"), models);
    assert.equal(leading.length, 1);
    assert.match(leading[0], /leading timesteps/);
    assert.match((await adviceOfRuns(await runsOf("--model", "plumbline-e2e-depth", "--steps", "4"), models)).join(), /fine-tuned end to end for one step/);
  });

  it("refuses a task that the named models cannot do, and models that are not there", async () => {
    await assert.rejects(runsOf("--model", "plumbline-depth", "--task", "both"), (error) => error instanceof PlumblineError && error.code === "bad-argument" && /normals/.test(error.message));
    await assert.rejects(runsOf("--model", "no-such-model"), (error) => error instanceof PlumblineError && error.code === "not-found" && /plumbline-depth/.test(error.message));
  });

  it("refuses values out of range before anything runs", async () => {
    for (const args of [
      ["--steps", "0"], ["--steps", "1001"], ["--steps", "2.5"], ["--steps", "-1"], ["--steps", "many"], ["--seed", "4294967296"], ["--seed", "0x10"], ["--ensemble", "0"],
      ["--spacing", "even"], ["--task", "colour"], ["--domain", "underwater"], ["--noise", "white"], ["--noise", "noise.txt"], ["--resolution", "-1"], ["--unknown"],
    ]) {
      await assert.rejects(runsOf(...args), (error) => error instanceof CommanderError && error.exitCode === 1, args.join(" "));
    }
  });
});

describe("cli/estimate", () => {
  it("writes one image into the folder, and several into one folder each", () => {
    assert.deepEqual(outputFolders(["a/room.jpg"], "out"), ["out"]);
    assert.deepEqual(outputFolders(["a/room.jpg", "b/room.png", "hall.tar.gz", "room"], "out"), ["room", "room-2", "hall.tar", "room-3"].map((name) => join("out", name)));
  });
});

describe("cli/table", () => {
  it("prints columns that line up, names to the left and figures to the right", () => {
    assert.equal(alignColumns([["", "x"], ["long", "10"], ["s", "9"]]), "       x\nlong  10\ns      9\n");
    const row = { name: "trailing-1", steps: 1, spacing: "trailing", ensemble: 1, absrel: 9.876, delta1: 90.04, meanAngle: 20.005, pct11_25: 33.333 } as const;
    const [header, line] = formatTable([row]).split("\n");
    assert.match(header, /AbsRel %.*delta1 %.*mean angle.*11\.25/);
    assert.deepEqual(line.split(/\s+/), ["trailing-1", "1", "trailing", "1", "9.88", "90.0", "20.00", "33.3"]);
    assert.equal(header.length, line.length);
  });
});
