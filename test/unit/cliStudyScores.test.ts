import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Session } from "../../src/cli/engine";
import { measureHeldOut, seedsFrom, type StudyRun } from "../../src/cli/studyScenes";
import { scoreKey, ScoresCache, type ScoreIdentity } from "../../src/cli/studyScores";
import type { EngineClient } from "../../src/inference/client";
import type { Provenance } from "../../src/protocol/inference";
import type { RunRequest } from "../../src/core/settings";

const root = resolve(__dirname, "../..");
const options = { out: "", scenes: 2, seed: 7, device: "cpu" } as const;
const runs: readonly StudyRun[] = [
  { name: "one", steps: 1, spacing: "trailing", noise: { kind: "gaussian" } },
  { name: "many", steps: 4, spacing: "trailing", noise: { kind: "gaussian" }, ensembleSize: 2, tasks: ["depth"] },
  { name: "e2e", steps: 1, spacing: "trailing", noise: { kind: "zeros" }, endToEnd: true, tasks: ["depth"] },
];

/** An engine whose depth falls from top to bottom and whose normals all face the viewer; it writes down what it is asked for. */
function standIn(asked: RunRequest[]): Session {
  const [width, height] = [192, 144];
  const engine: Pick<EngineClient, "info" | "predict"> = {
    info: async () => ({ protocolVersion: 1, pid: 1, versions: { onnxruntime: "1" }, devices: ["cpu"], runtimeFolder: "" }),
    predict: async ({ imagePath, runs: requests }, { onEvent } = {}) => {
      for (const { runId, modelDir, task, settings } of requests) {
        asked.push({ runId, modelDir, task, settings });
        const channels = task === "depth" ? 1 : 3;
        const data = Float32Array.from({ length: width * height * channels }, (_, i) => (task === "depth" ? 1 - i / (width * height) + settings.seed / 100 : Number(i % 3 === 2)));
        const semantics: Provenance["semantics"] = task === "depth" ? { task, depthKind: "affine-depth" } : { task, frame: "RUB" };
        const provenance: Provenance = {
          tool: { name: "plumbline", version: "0" }, image: { path: imagePath, width, height, sha256: "" }, model: { id: "", dir: modelDir, files: {} }, task, semantics, settings,
          processingSize: { width, height }, timesteps: [], device: "cpu", timingsMillis: { load: 0, encode: 0, denoise: 0, decode: 0, combine: 0, total: 0 }, versions: {}, finishedAt: "",
        };
        onEvent?.({ type: "result", result: { runId, map: { width, height, channels, data }, provenance } });
      }
      return { recorded: {} };
    },
  };
  return { engine: engine as EngineClient, signal: new AbortController().signal };
}

describe("cli/studyScores", () => {
  let dir: string;
  before(async () => void (dir = await mkdtemp(join(tmpdir(), "plumbline-scores-"))));
  after(() => rm(dir, { recursive: true, force: true }));

  it("names a score by everything that it depends on, and by no seed where nothing is drawn", () => {
    const identity: ScoreIdentity = {
      sceneHash: "a", modelHash: "b", task: "depth", device: "cpu", onnxruntime: "1",
      settings: { steps: 2, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 1, processingResolution: 192 },
    };
    const { settings } = identity;
    const others: ScoreIdentity[] = [
      identity, { ...identity, sceneHash: "c" }, { ...identity, modelHash: "c" }, { ...identity, task: "normals" }, { ...identity, device: "cuda" }, { ...identity, onnxruntime: "2" },
      ...[{ steps: 3 }, { spacing: "leading" as const }, { ensembleSize: 2 }, { noise: { kind: "pyramid" as const } }, { seed: 2 }, { processingResolution: 96 }].map((change) => ({ ...identity, settings: { ...settings, ...change } })),
    ];
    assert.equal(new Set(others.map(scoreKey)).size, others.length);
    assert.equal(scoreKey({ ...identity }), scoreKey(identity));
    const zeros = (seed: number): string => scoreKey({ ...identity, settings: { ...settings, noise: { kind: "zeros" }, seed } });
    assert.equal(zeros(1), zeros(2));
  });

  it("keeps what was put in, and measures a line that is damaged again", async () => {
    const path = join(dir, "kept.jsonl");
    const cache = await ScoresCache.open(path);
    await cache.put("k1", "000", { scores: { absRel: 0.1, delta1: 0.9 }, run: { id: 1 } });
    await cache.put("k2", "000", { scores: { meanAngle: 20, below11: 30 }, run: {} });
    await writeFile(path, `${await readFile(path, "utf8")}{"key":"k3","sce`);
    const again = await ScoresCache.open(path);
    assert.deepEqual(again.get("k1"), { scores: { absRel: 0.1, delta1: 0.9 }, run: { id: 1 } });
    assert.deepEqual(again.get("k2")?.scores, { meanAngle: 20, below11: 30 });
    assert.equal(again.get("k3"), undefined);
  });

  it("runs only what no study has measured: another seed, another scene, a model that changed", async () => {
    const models = join(dir, "models");
    await cp(join(root, "models"), models, { recursive: true });
    const places = { heldOut: join(root, "test", "heldout"), models, scores: join(dir, "scores.jsonl") };
    const measure = async (count: number, scenes: number): Promise<{ readonly asked: readonly string[]; readonly of: (run: string) => readonly { readonly absRel: readonly number[]; readonly meanAngle: readonly number[] }[] }> => {
      const asked: RunRequest[] = [];
      const { of } = await measureHeldOut(standIn(asked), runs, { ...options, scenes }, seedsFrom(7, count), places);
      return { asked: asked.map(({ runId }) => runId), of };
    };
    const ofTwoSeeds = ["one:depth:7", "one:depth:8", "many:depth:7", "many:depth:8", "e2e:depth:7", "one:normals:7", "one:normals:8"];
    const first = await measure(2, 1);
    assert.deepEqual(first.asked, ofTwoSeeds);
    assert.deepEqual((await measure(2, 1)).asked, []);
    assert.deepEqual((await measure(2, 2)).asked, ofTwoSeeds);
    const more = await measure(3, 2);
    assert.deepEqual(more.asked, [1, 2].flatMap(() => ["one:depth:9", "many:depth:9", "one:normals:9"]));
    assert.deepEqual(["one", "many", "e2e"].map((run) => more.of(run).map(({ absRel }) => absRel.length)), [[2, 2, 2], [2, 2, 2], [2]]);
    assert.deepEqual(["one", "many"].map((run) => more.of(run)[0].meanAngle.length), [2, 0]);
    assert.equal(more.of("one")[0].absRel[0], first.of("one")[0].absRel[0]);

    const index = join(models, "plumbline-e2e-depth", "model_index.json");
    await writeFile(index, `${await readFile(index, "utf8")}\n`);
    assert.deepEqual((await measure(3, 2)).asked, ["e2e:depth:7", "e2e:depth:7"]);
  });
});
