import assert from "node:assert/strict";
import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { manifestName } from "../../src/catalogue/feedForward/manifest";
import { describeModel } from "../../src/catalogue/modelFolder";
import { modelHash } from "../../src/evaluation/modelHash";
import { temporaryFolder, writeNetwork } from "./feedForwardGraphs";

const shipped = resolve("models");
const hashAt = async (path: string): Promise<string> => modelHash(await describeModel(path));

describe("the hash of a model", () => {
  let dir: string;
  beforeEach(async () => (dir = await temporaryFolder()));
  afterEach(() => rm(dir, { recursive: true }));

  it("is that of configurations and weights, of components elsewhere too, not of the card or the place", async () => {
    const model = join(dir, "plumbline-depth");
    for (const name of ["plumbline-depth", "shared"]) await cp(join(shipped, name), join(dir, name), { recursive: true });
    const before = await hashAt(model);
    assert.equal(before, await hashAt(join(shipped, "plumbline-depth")));
    await writeFile(join(model, "README.md"), "another card");
    assert.equal(await hashAt(model), before);
    await writeFile(join(dir, "shared", "vae", "notes.json"), "{}");
    assert.notEqual(await hashAt(model), before);
  });

  it("tells the networks of a folder apart, and changes with a network's weights or its manifest", async () => {
    const outputs = (weight: number) => ({ outputs: [{ name: "depth", shape: "NHW" as const, weights: [[weight, 0.5, 0.2] as [number, number, number]] }] });
    const manifest = (name: string) => writeFile(join(dir, manifestName), JSON.stringify({ format: "plumbline-model", version: 1, name, size: { kind: "own", multiple: 1 }, outputs: [{ kind: "affine-depth" }] }));
    await mkdir(join(dir, "onnx"));
    const one = await writeNetwork(join(dir, "onnx", "model.onnx"), outputs(0.3));
    const other = await writeNetwork(join(dir, "onnx", "model_fp16.onnx"), outputs(0.4));
    await manifest("One");
    const [first, second] = [await hashAt(one), await hashAt(other)];
    assert.notEqual(first, second);
    assert.equal(await hashAt(dir), first, "the folder stands for its first network");
    await manifest("Two");
    assert.notEqual(await hashAt(one), first);
    await manifest("One");
    await writeNetwork(join(dir, "onnx", "model.onnx"), outputs(0.6));
    assert.notEqual(await hashAt(one), first);
    assert.equal(await hashAt(other), second);
  });
});
