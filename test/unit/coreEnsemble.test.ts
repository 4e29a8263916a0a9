import assert from "node:assert/strict";
import { minimizeBfgs } from "../../src/core/bfgs";
import { alignMembers, combineDepth, defaultDepthEnsemble, ensembleCost, ensembleDepth, type DepthEnsembleOptions } from "../../src/core/ensembleDepth";
import { chooseNormalsMember, ensembleNormals } from "../../src/core/ensembleNormals";
import { mapFromTensor, tensorFromMap, type FloatMap } from "../../src/core/image";
import { normalized } from "../../src/core/normals";
import { gaussian } from "../../src/core/random";
import type { Tensor } from "../../src/core/tensor";
import { assertClose, referenceJson, referenceMap, referenceTensors } from "./coreReference";

interface DepthCase {
  name: string;
  reduction: "median" | "mean";
  shift_invariant?: boolean;
  max_res?: number;
  initial_cost?: number;
  f0?: number;
  final_cost?: number;
  f?: number;
  final_params: number[];
}

const membersOf = (stack: Tensor) => Array.from({ length: stack.dims[0] }, (_, n) => mapFromTensor(stack, n));
const flat = (value: number, channels: 1 | 3 = 1): FloatMap => ({ width: 4, height: 2, channels, data: new Float32Array(8 * channels).fill(value) });

describe("core/ensemble", () => {
  const cases = referenceJson<{ depth: DepthCase[]; normals: { name: string; reduction?: "closest" | "mean"; chosen_member?: number }[] }>("ensemble/cases.json");
  let get: (name: string) => Tensor;
  before(async () => {
    get = await referenceTensors("ensemble/io.safetensors");
  });

  for (const c of cases.depth) {
    it(`depth ${c.name}`, () => {
      const options: DepthEnsembleOptions = {
        ...defaultDepthEnsemble,
        cost: c.name.endsWith("original_marigold") ? "marigold" : "diffusers",
        alignment: c.shift_invariant === false ? "scale" : "affine",
        reduction: c.reduction,
        maxResolution: c.max_res ?? 1024,
      };
      const members = membersOf(get(`${c.name.split(".")[0]}.input`));
      const prediction = get(`${c.name}.prediction`).data;

      // With upstream's parameters, upstream's maps.
      const count = members.length;
      const shifts = c.final_params.length > count ? c.final_params.slice(count) : members.map(() => 0);
      const stored = combineDepth(members, { scales: Float64Array.from(c.final_params.slice(0, count)), shifts: Float64Array.from(shifts) }, options);
      assertClose(stored.prediction.data, prediction, 1e-5);
      assertClose(stored.uncertainty.data, get(`${c.name}.uncertainty`).data, 1e-5);

      // With our own optimiser: upstream's is not reproducible to many digits.
      const { initialCost, cost, parameters } = alignMembers(members, options);
      const [upstreamInitial, upstreamFinal] = [c.initial_cost ?? c.f0 ?? NaN, c.final_cost ?? c.f ?? NaN];
      assert.ok(Math.abs(initialCost - upstreamInitial) <= 1e-5 * upstreamInitial, `initial cost ${initialCost} for ${upstreamInitial}`);
      assert.ok(cost < initialCost && cost <= 1.2 * upstreamFinal, `cost ${cost} for ${upstreamFinal}`);
      const own = combineDepth(members, parameters, options).prediction.data;
      const difference = own.reduce((sum, v, i) => sum + Math.abs(v - prediction[i]), 0) / own.length;
      assert.ok(difference < 0.02, `mean difference ${difference}`);
      assert.deepEqual(ensembleDepth(members, options).prediction.data, own);
    });
  }

  for (const { name, reduction, chosen_member } of cases.normals) {
    it(`normals ${name}`, () => {
      const members = membersOf(get(`${name.split(".")[0]}.input`));
      const expected = get(`${name}.prediction`).data;
      if (reduction === undefined) {
        const { prediction, member } = chooseNormalsMember(members);
        assert.equal(member, chosen_member);
        assertClose(tensorFromMap(prediction).data, expected, 1e-5);
        return;
      }
      const { prediction, uncertainty } = ensembleNormals(members, reduction);
      assertClose(uncertainty.data, get(`${name}.uncertainty`).data, 1e-5);
      const theirs = referenceMap(get(`${name}.prediction`)).data;
      const differing = prediction.data.filter((v, i) => Math.abs(v - theirs[i]) > 1e-5).length;
      assert.ok(differing <= (reduction === "closest" ? 9 : 0), `${differing} values differ`);
      if (reduction === "mean") {
        // Stored before it was brought to unit length.
        const mean = normalized(referenceMap(get(`${name}.normalized_input_mean`)), "diffusers");
        assertClose(prediction.data, mean.data, 1e-5);
      }
    });
  }

  it("has the gradient of its cost", () => {
    const depths = Array.from({ length: 4 }, (_, e) => gaussian(60, { seed: 9, member: e }));
    const at = Float64Array.of(1.1, 0.9, 1.3, 0.8, 0.1, -0.2, 0.05, 0.3);
    const parameters = (x: Float64Array) => ({ scales: x.slice(0, 4), shifts: x.slice(4) });
    for (const cost of ["diffusers", "marigold"] as const) {
      for (const reduction of ["median", "mean"] as const) {
        const evaluate = ensembleCost(depths, { cost, reduction, regularizerStrength: 0.5 });
        const numeric = at.map((_, i) => {
          const shifted = (step: number) => evaluate(parameters(at.map((v, j) => (i === j ? v + step : v)))).value;
          return (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        });
        assertClose(evaluate(parameters(at)).gradient, numeric, 1e-6, `${cost} ${reduction}`);
      }
    }
  });

  it("does not tell members apart within acos 0.999 of the mean, as the GeoWizard code", () => {
    const tilted = (degrees: number): FloatMap => {
      const angle = (degrees * Math.PI) / 180;
      return { width: 1, height: 1, channels: 3, data: Float32Array.of(Math.sin(angle), 0, Math.cos(angle)) };
    };
    assert.equal(chooseNormalsMember([10, 11, 13.5].map(tilted)).member, 0);
    assert.equal(chooseNormalsMember([10, 21, 33.5].map(tilted)).member, 1);
  });

  it("undoes any scale and shift between members", () => {
    const base: FloatMap = { width: 40, height: 1, channels: 1, data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i * i) / 2 + 0.5) };
    const shifted = { ...base, data: base.data.map((v) => 0.3 * v + 0.2) };
    const { prediction, uncertainty } = ensembleDepth([base, shifted, base]);
    const [low, high] = [Math.min(...base.data), Math.max(...base.data)];
    assertClose(prediction.data, base.data.map((v) => (v - low) / (high - low)), 1e-5);
    assertClose(uncertainty.data, new Float32Array(40), 1e-5);
  });

  it("keeps flat and single members finite", () => {
    assertClose(ensembleDepth([flat(0.5), flat(0.25)]).prediction.data, new Float32Array(8), 1e-3);
    assertClose(ensembleDepth([flat(0.5)]).uncertainty.data, new Float32Array(8), 0);
    assertClose(ensembleDepth([flat(0.5)], { ...defaultDepthEnsemble, reduction: "mean" }).uncertainty.data, new Float32Array(8), 0);
    assert.deepEqual(ensembleNormals([flat(0, 3)], "closest").prediction.data, new Float32Array(24));
  });

  it("names members that do not fit together", () => {
    assert.throws(() => ensembleDepth([]), /at least one member/);
    assert.throws(() => ensembleDepth([flat(1), { ...flat(1), width: 2, height: 4 }]), /4 x 2 x 1.*2 x 4 x 1/);
    assert.throws(() => ensembleNormals([flat(1, 3), flat(1)], "mean"), /4 x 2 x 3/);
  });
});

describe("core/bfgs", () => {
  it("finds the minimum of a stretched bowl and of Rosenbrock's valley", () => {
    const bowl = minimizeBfgs((x) => ({ value: (x[0] - 3) ** 2 + 50 * (x[1] + 1) ** 2, gradient: Float64Array.of(2 * (x[0] - 3), 100 * (x[1] + 1)) }), Float64Array.of(0, 0), 50, 1e-9, 1);
    assertClose(bowl.x, [3, -1], 1e-6);
    const valley = minimizeBfgs(
      ([x, y]) => ({ value: (1 - x) ** 2 + 100 * (y - x * x) ** 2, gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)) }),
      Float64Array.of(-1.2, 1),
      200,
      1e-8,
      1,
    );
    assertClose(valley.x, [1, 1], 1e-4);
  });

  it("stops at once at a minimum, and after the iterations it was given", () => {
    const objective = (x: Float64Array) => ({ value: x[0] ** 2, gradient: Float64Array.of(2 * x[0]) });
    assert.equal(minimizeBfgs(objective, Float64Array.of(0), 5, 1e-6, 1).iterations, 0);
    assert.equal(minimizeBfgs(objective, Float64Array.of(8), 1, 1e-6, 0.1).iterations, 1);
  });
});
