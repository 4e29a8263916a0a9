import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { PlumblineError } from "../core/errors";
import { describe, wrongFields } from "../io/jsonFile";

/* training/logs/controls.json, as training/controls.py writes it: the paper's comparisons of ways of training, in miniature. */

const noise = z.enum(["gaussian", "pyramid", "zeros"]);

const controlRun = z.object({
  from: z.enum(["before", "diffusion"]).describe("What it began with: a diffusion model of depth, or the model of images alone before that."),
  training: z.enum(["e2e", "diffusion", "none"]),
  noise: noise.nullable().describe("What stood in the place of z_T in end-to-end training; null otherwise."),
  decoder: z.enum(["frozen", "tuned"]),
  seed: z.int().describe("Of all training, from the first weights on."),
  inference: z.object({ steps: z.int().min(1), spacing: z.enum(["trailing", "leading"]), noise }),
  scores: z.object({ absRel: z.array(z.number()), delta1: z.array(z.number()) }).describe("Fractions, by held-out scene."),
  seconds: z.number().describe("Of the training, on one core."),
});

const controls = z
  .object({
    command: z.string(),
    config: z.string(),
    size: z.tuple([z.int(), z.int()]).describe("Height and width in pixels."),
    scenes: z.array(z.string()),
    samples: z.object({ before: z.number(), diffusion: z.number(), fineTuning: z.number() }).describe("Samples seen in each stage."),
    batch: z.number(),
    runs: z.array(controlRun),
  })
  .superRefine(({ scenes, runs }, context) => {
    for (const [i, { scores }] of runs.entries()) {
      for (const metric of ["absRel", "delta1"] as const) {
        const { length } = scores[metric];
        if (length !== scenes.length) context.addIssue({ code: "custom", path: ["runs", i, "scores", metric], message: `expected ${scenes.length} numbers, one a scene, but received ${length}` });
      }
    }
    // Runs are compared seed by seed.
    const seedsOf = new Map<string, number[]>();
    for (const { from, training, noise, decoder, inference, seed } of runs) {
      const variant = JSON.stringify([from, training, noise, decoder, inference]);
      seedsOf.set(variant, [...(seedsOf.get(variant) ?? []), seed]);
    }
    const [first, ...others] = [...seedsOf.values()].map((seeds) => seeds.sort((a, b) => a - b).join(", "));
    const differing = others.find((seeds) => seeds !== first);
    if (differing !== undefined) context.addIssue({ code: "custom", path: ["runs"], message: `expected every run with the same seeds but received ${first} of one and ${differing} of another` });
  });

export type ControlNoise = z.infer<typeof noise>;
/** One training run of the controls under one way of inference. */
export type ControlRun = Readonly<z.infer<typeof controlRun>>;
/** The file, and the SHA-256 of its text in hexadecimal. */
export type Controls = Readonly<z.infer<typeof controls>> & { readonly sha256: string };

/** Which command makes the file. */
export const controlsRemedy = "Make it in training/: python3 controls.py configs/controls.json";

/** Reads and checks the controls. Throws `not-found` or `bad-argument`, with the command that makes the file. */
export async function readControls(path: string): Promise<Controls> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new PlumblineError("not-found", `Expected the training controls at ${path} but there are none.`, controlsRemedy, { cause });
  });
  return parseControls(text, path);
}

/** Checks every entry that the pages use. Throws `bad-argument` naming those that are wrong. */
export function parseControls(text: string, path: string): Controls {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PlumblineError("bad-argument", `Expected JSON for ${path} but received ${describe(text)}.`, controlsRemedy, { cause });
  }
  const result = controls.safeParse(value);
  if (!result.success) throw new PlumblineError("bad-argument", `Expected training controls for ${path} but received wrong fields (${wrongFields(result.error)}).`, controlsRemedy);
  return { ...result.data, sha256: createHash("sha256").update(text).digest("hex") };
}
