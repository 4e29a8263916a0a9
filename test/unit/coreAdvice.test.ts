import assert from "node:assert/strict";
import { adviceOf, type AdvisedModel } from "../../src/core/advice";
import type { RunSettings } from "../../src/core/settings";

const diffusion: AdvisedModel = { family: "marigold", endToEnd: false, scheduler: { kind: "ddim" }, defaults: { steps: 10, noise: "gaussian", processingResolution: 768 } };
const endToEnd: AdvisedModel = { ...diffusion, endToEnd: true, defaults: { steps: 1, noise: "zeros", processingResolution: 768 } };
const consistency: AdvisedModel = { ...diffusion, scheduler: { kind: "lcm" }, defaults: { ...diffusion.defaults, steps: 1 } };
const flow: AdvisedModel = { family: "depthfm", endToEnd: false, scheduler: { kind: "flow" }, defaults: { steps: 2, noise: "gaussian", processingResolution: 640 } };
const feedForward: AdvisedModel = { family: "feedforward", endToEnd: false, defaults: { steps: 1, noise: "zeros", processingResolution: 518 } };
const models = { diffusion, endToEnd, consistency, flow, feedForward, geowizard: { ...diffusion, family: "geowizard" } as const };

const own = ({ defaults }: AdvisedModel): RunSettings => ({ steps: defaults.steps, spacing: "trailing", ensembleSize: 1, noise: { kind: defaults.noise }, seed: 1, processingResolution: defaults.processingResolution });
const advice = (model: AdvisedModel, changes: Partial<RunSettings>): readonly string[] => adviceOf(model, { ...own(model), ...changes });

describe("advice about settings", () => {
  for (const [name, model] of Object.entries(models)) {
    it(`has nothing to say about the own settings of ${name}`, () => assert.deepEqual(advice(model, {}), []));
  }

  const cases: readonly [string, AdvisedModel, Partial<RunSettings>, readonly RegExp[]][] = [
    ["several steps of an E2E model", endToEnd, { steps: 4 }, [/one step at the last timestep.*of the 4 steps/]],
    ["noise under an E2E model", endToEnd, { noise: { kind: "gaussian" } }, [/zeros in the place of noise/]],
    ["a file of noise under an E2E model", endToEnd, { noise: { kind: "file", path: "noise.npy" } }, [/zeros in the place of noise/]],
    ["leading timesteps of an E2E model", endToEnd, { spacing: "leading" }, [/leading.*never told the last one/]],
    ["everything wrong with an E2E model", endToEnd, { steps: 50, noise: { kind: "pyramid" }, spacing: "leading" }, [/one step/, /leading.*never told/, /zeros in the place/]],
    ["one leading step", diffusion, { steps: 1, spacing: "leading" }, [/leading.*usually noise/]],
    ["leading steps from zeros", diffusion, { spacing: "leading", noise: { kind: "zeros" } }, [/noise that is not there/]],
    ["ten leading steps", diffusion, { spacing: "leading" }, [/leading.*the fewer steps/]],
    ["linspace", diffusion, { spacing: "linspace" }, []],
    ["fewer trailing steps", diffusion, { steps: 1 }, []],
    ["many trailing steps", diffusion, { steps: 50 }, [/50 mostly cost time/]],
    ["zeros under a diffusion model", diffusion, { noise: { kind: "zeros" } }, [/noise that is not there/]],
    ["an ensemble of single steps", diffusion, { steps: 1, ensembleSize: 10 }, [/from two steps on only: 10 members/]],
    ["an ensemble of several steps", diffusion, { steps: 4, ensembleSize: 10 }, []],
    ["leading steps under LCM", consistency, { spacing: "leading" }, [/timesteps of its own: the leading spacing is not used/]],
    ["four steps of LCM", consistency, { steps: 4 }, []],
    ["many steps of LCM", consistency, { steps: 9 }, [/1 to 4 steps: 9/]],
    ["leading steps of a flow", flow, { spacing: "leading" }, [/from 0 to 1.*the leading spacing is not used/]],
    ["a flow from zeros that was trained on noise", flow, { noise: { kind: "zeros" } }, [/with noise in it/]],
    ["a flow from noise that was trained on none", { ...flow, defaults: { ...flow.defaults, noise: "zeros" } }, { noise: { kind: "gaussian" } }, [/without noise/]],
    ["twice the resolution", diffusion, { processingResolution: 1536 }, [/made for 768 pixels: at 1536 .*layout/]],
    ["nearly the resolution", diffusion, { processingResolution: 1024 }, []],
    ["a quarter of the resolution", feedForward, { processingResolution: 128 }, [/made for 518 pixels: at 128 details are lost/]],
    ["the image's own size", diffusion, { processingResolution: 0 }, [/made for 768 pixels: at the own size/]],
    ["the tiny decoder", diffusion, { decoder: "tiny" }, [/tiny decoder is approximate/]],
  ];
  for (const [name, model, changes, expected] of cases) {
    it(name, () => {
      const sentences = advice(model, changes);
      assert.equal(sentences.length, expected.length, sentences.join(" "));
      expected.forEach((pattern, i) => assert.match(sentences[i], pattern));
      for (const sentence of sentences) assert.match(sentence, /^[A-Z].*\.$/);
    });
  }
});
