import assert from "node:assert/strict";
import type { FloatMap } from "../../src/core/image";
import { maxEdgeSize } from "../../src/core/resize";
import type { RunSettings } from "../../src/core/settings";
import { combine, spreadOf, toSourceSize } from "../../src/pipeline/combine";
import { validateForFamily, validateSettings } from "../../src/pipeline/options";
import { preprocess, processingSizeOf } from "../../src/pipeline/preprocess";
import { assertClose, maxAbsDifference, referenceMap, referenceTensors } from "./coreReference";

const depthMap = (width: number, height: number, value: (p: number) => number): FloatMap => ({ width, height, channels: 1, data: Float32Array.from({ length: width * height }, (_, p) => value(p)) });

describe("preprocess", () => {
  let stored: Awaited<ReturnType<typeof referenceTensors>>;
  before(async () => {
    stored = await referenceTensors("resize/io.safetensors");
  });
  const imageNamed = (name: string) => ({ width: stored(name).dims[1], height: stored(name).dims[0] });

  for (const edge of [48, 130]) {
    it(`resizes bytes to a longest side of ${edge} as the E2E-FT pipeline, rounded to grey levels`, () => {
      const image = { ...imageNamed("image0"), data: Uint8Array.from(stored("image0").data) };
      const { dims, data } = preprocess(image, processingSizeOf(image, edge, 8));
      const expected = stored(`image0.max${edge}.bilinear.uint8`);
      assert.deepEqual(dims, [1, ...expected.dims]);
      const levels = data.map((value) => ((value + 1) / 2) * 255);
      assert.ok(levels.every((level) => Math.abs(level - Math.round(level)) < 1e-3), "whole grey levels");
      const different = levels.filter((level, i) => Math.round(level) !== expected.data[i]);
      assert.ok(different.length <= 0.001 * levels.length, `${different.length} of ${levels.length} differ`);
      assert.ok(maxAbsDifference(levels, expected.data) < 1.001);
    });

    it(`keeps the fractions of a 16-bit source at ${edge}`, () => {
      const image = { ...imageNamed("image0"), data: stored("image0").data };
      const { data } = preprocess(image, processingSizeOf(image, edge, 8));
      assertClose(data.map((value) => ((value + 1) / 2) * 255), stored(`image0.max${edge}.bilinear.float`).data, 1e-3);
    });
  }

  it("keeps the size at resolution 0, whatever multiple it is", () => {
    const image = { width: 11, height: 9, data: new Uint8Array(11 * 9 * 3).fill(255) };
    const { dims, data } = preprocess(image, processingSizeOf(image, 0, 8));
    assert.deepEqual(dims, [1, 3, 9, 11]);
    assert.ok(data.every((value) => value === 1));
  });

  it("refuses an image that would leave no latent pixel", () => {
    const narrow = { width: 400, height: 9, data: new Uint8Array(400 * 9 * 3) };
    assert.deepEqual(maxEdgeSize(narrow, 300), { width: 300, height: 6 });
    assert.throws(() => processingSizeOf(narrow, 300, 8), { code: "bad-image", message: /at least 8 pixels.*300 x 6/ });
    assert.deepEqual(preprocess(narrow, processingSizeOf(narrow, 300, 4)).dims, [1, 3, 6, 300]);
  });
});

describe("spread over steps", () => {
  it("is absent before the second map", () => {
    const spread = spreadOf("depth");
    assert.equal(spread.std(), undefined);
    spread.add(depthMap(2, 2, (p) => p));
    assert.equal(spread.std(), undefined);
  });

  it("does not see scale and shift of depth", () => {
    const spread = spreadOf("depth");
    for (const [scale, shift] of [[1, 0], [0.2, 0.5], [3, -1]]) spread.add(depthMap(8, 6, (p) => scale * Math.sin(p) + shift));
    const std = spread.std();
    assert.ok(std);
    assert.deepEqual([std.width, std.height, std.channels], [8, 6, 1]);
    assert.ok(std.data.every((value) => value < 1e-6));
  });

  it("is in units of the last map", () => {
    const spreads = [1, 10].map((unit) => {
      const spread = spreadOf("depth");
      spread.add(depthMap(8, 6, (p) => Math.sin(p)));
      spread.add(depthMap(8, 6, (p) => unit * Math.sin(p + 0.3)));
      return spread.std() as FloatMap;
    });
    assertClose(spreads[1].data, spreads[0].data.map((value) => 10 * value), 1e-5);
    assert.ok(spreads[0].data.some((value) => value > 0.05));
  });

  it("is the angle to the mean direction for normals", () => {
    const spread = spreadOf("normals");
    for (const degrees of [-10, 10]) {
      const angle = (degrees / 180) * Math.PI;
      spread.add({ width: 1, height: 1, channels: 3, data: Float32Array.of(Math.sin(angle), 0, Math.cos(angle)) });
    }
    assertClose(spread.std()?.data ?? [], [(10 / 180) * Math.PI], 1e-6);
  });
});

describe("combine", () => {
  it("leaves a single member as it is", () => {
    const only = depthMap(4, 3, (p) => 0.3 + 0.01 * p);
    assert.deepEqual(combine([only], "depth"), { map: only });
  });

  it("aligns members that differ by scale and shift before it compares them", () => {
    const shape = (p: number): number => 0.5 + 0.5 * Math.sin(p / 3);
    const members = [[0.5, 0.2], [0.9, 0.05], [0.3, 0.6]].map(([scale, shift]) => depthMap(16, 12, (p) => scale * shape(p) + shift));
    const { map, stdOverMembers } = combine(members, "depth");
    assert.ok(Math.abs(Math.min(...map.data)) < 1e-6 && Math.abs(Math.max(...map.data) - 1) < 1e-6);
    assert.ok(stdOverMembers?.data.every((value) => value < 0.01), "the members agree but for scale and shift");
  });

  it("measures disagreement in units of the combined depth", () => {
    const members = [0, 1, 2].map((e) => depthMap(16, 12, (p) => p / 191 + (p === 100 ? 0.1 * (e - 1) : 0)));
    const { stdOverMembers } = combine(members, "depth");
    // One pixel of 192 moves by 0.1, 0, -0.1: sqrt(0.02 / 3), up to what the alignment gives way.
    assert.ok(Math.abs((stdOverMembers as FloatMap).data[100] - Math.sqrt(0.02 / 3)) < 0.005);
    assert.ok((stdOverMembers as FloatMap).data[50] < 0.005);
  });

  it("takes one of the members at each pixel of normals", () => {
    const member = (x: number): FloatMap => ({ width: 1, height: 1, channels: 3, data: Float32Array.of(x, 0, Math.sqrt(1 - x * x)) });
    const { map, stdOverMembers } = combine([member(-0.5), member(0.1), member(0.6)], "normals");
    assert.deepEqual(map, member(0.1));
    assert.equal(stdOverMembers?.channels, 1);
    assert.ok((stdOverMembers).data[0] > 0.3);
  });
});

describe("maps at source size", () => {
  it("are resized as torchvision does with antialiasing", async () => {
    const stored = await referenceTensors("resize/io.safetensors");
    for (const size of ["100x71", "10x15", "60x90"]) {
      const expected = referenceMap(stored(`depth.to${size}.torchvision_bilinear_antialias`));
      assertClose(toSourceSize(referenceMap(stored("depth.input")), expected, false).data, expected.data, 1e-5, size);
    }
  });

  it("give normals unit length again", () => {
    const normals: FloatMap = { width: 2, height: 1, channels: 3, data: Float32Array.of(1, 0, 0, 0, 1, 0) };
    const { data } = toSourceSize(normals, { width: 5, height: 2 }, true);
    for (let i = 0; i < data.length; i += 3) assert.ok(Math.abs(Math.hypot(data[i], data[i + 1], data[i + 2]) - 1) < 1e-6);
  });

  it("of the same size are left alone", () => {
    const map = depthMap(3, 2, (p) => p);
    assert.equal(toSourceSize(map, { width: 3, height: 2 }, false), map);
  });
});

describe("settings", () => {
  const good: RunSettings = { steps: 10, spacing: "trailing", ensembleSize: 1, noise: { kind: "gaussian" }, seed: 0, processingResolution: 768 };
  it("accepts what is in range", () => {
    for (const change of [{}, { steps: 1000 }, { ensembleSize: 100 }, { seed: 2 ** 32 - 1 }, { processingResolution: 0 }, { noise: { kind: "zeros" } as const }]) validateSettings({ ...good, ...change });
  });
  const bad: [string, Partial<Record<keyof RunSettings, unknown>>, RegExp][] = [
    ["no steps", { steps: 0 }, /steps/],
    ["half a step", { steps: 1.5 }, /steps/],
    ["too many steps", { steps: 1001 }, /1000.*steps/],
    ["NaN members", { ensembleSize: NaN }, /ensemble size/],
    ["a negative seed", { seed: -1 }, /seed/],
    ["a seed of 33 bits", { seed: 2 ** 32 }, /seed/],
    ["an endless resolution", { processingResolution: Infinity }, /processing resolution/],
    ["an unknown spacing", { spacing: "cosine" }, /spacing.*cosine/],
    ["unknown noise", { noise: { kind: "pink" } }, /noise.*pink/],
    ["an unknown domain", { domain: "underwater" }, /indoor, outdoor, object for domain.*underwater/],
    ["an unknown decoder", { decoder: "small" }, /full, tiny for decoder.*small/],
    ["an ensemble of equals", { noise: { kind: "zeros" }, ensembleSize: 2 }, /zeros noise/],
  ];
  for (const [what, change, message] of bad) {
    it(`refuses ${what}`, () => assert.throws(() => validateSettings({ ...good, ...change } as RunSettings), { code: "bad-argument", message }));
  }

  it("refuses what would change nothing about a model of the family", () => {
    validateForFamily("geowizard", { ...good, domain: "outdoor", decoder: "tiny" });
    validateForFamily("feedforward", { ...good, decoder: "full" });
    for (const family of ["marigold", "depthfm", "feedforward"]) {
      assert.throws(() => validateForFamily(family, { ...good, domain: "indoor" }), { code: "bad-argument", message: new RegExp(`no domain .*${family}.*indoor`), remedy: /GeoWizard/ });
    }
    assert.throws(() => validateForFamily("feedforward", { ...good, decoder: "tiny" }), { code: "bad-argument", message: /no tiny decoder/ });
  });
});
