import { join, resolve } from "node:path";
import { build } from "esbuild";

const root = resolve(__dirname, "../..");

/** Bundles the child program from the sources as they are, inside the checkout so that the packages beside it are found. Resolves to its path. */
export async function buildInferenceChild(name: string): Promise<string> {
  const outfile = join(root, ".cache", "test", `${name}.js`);
  await build({ entryPoints: [join(root, "src/inference/main.ts")], outfile, bundle: true, platform: "node", target: "node20", format: "cjs", external: ["onnxruntime-node", "sharp"], logLevel: "warning" });
  return outfile;
}
