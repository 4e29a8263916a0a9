import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { startEngine, type EngineClient } from "../src/inference/client";

// How long the shipped end-to-end depth model takes for an image, in the inference process: decoding the image, encoder, UNet and decoder.
//   npm run build && npm run bench:single-step
// On a machine with more than two cores: taskset -c 0,1 npm run bench:single-step. Ends with 1 where the median is above the bar.

const { values } = parseArgs({ options: { runs: { type: "string", default: "30" } } });
const repository = resolve(__dirname, "..");
const model = join(repository, "models", "plumbline-e2e-depth");
const runs = Number(values.runs);
const warmUps = 3;
/** Seconds for an image of the first size. */
const bar = 0.25;
/** Height x width; the other sizes take turns with the first, so that a machine that becomes slower speaks for none. */
const sizes = [[192, 256], [144, 192]] as const;

/** Milliseconds. */
interface Sample {
  /** From the request to the map in this process. */
  readonly request: number;
  readonly encode: number;
  readonly denoise: number;
  readonly decode: number;
}

/** A photograph at a size, another one each time: the engine keeps the latents of the images that it saw last. */
async function writeImage(folder: string, index: number, [height, width]: readonly [number, number]): Promise<string> {
  const path = join(folder, `${height}-${index}.png`);
  await sharp(join(repository, "media", "samples", "room.jpg")).resize(width, height, { fit: "fill" }).modulate({ brightness: 0.8 + index / 100 }).png().toFile(path);
  return path;
}

async function measure(engine: EngineClient, imagePath: string, [height, width]: readonly [number, number]): Promise<Sample> {
  const settings = { steps: 1, spacing: "trailing", ensembleSize: 1, noise: { kind: "zeros" }, seed: 2024, processingResolution: Math.max(height, width) } as const;
  let sample: Sample | undefined;
  const started = performance.now();
  await engine.predict({ imagePath, runs: [{ runId: "e2e", modelDir: model, task: "depth", settings }], device: "cpu", stepMaps: false, recordSteps: false, stdOverSteps: false, mapSize: "processing" }, {
    onEvent: (event) => {
      if (event.type !== "result") return;
      const { map, provenance: { timingsMillis: { encode, denoise, decode } } } = event.result;
      if (map.height !== height || map.width !== width) throw new Error(`Expected a map of ${height} x ${width} but received ${map.height} x ${map.width}.`);
      sample = { request: performance.now() - started, encode, denoise, decode };
    },
  });
  if (!sample) throw new Error("Expected a result but the engine sent none.");
  return sample;
}

/** Linear between the two nearest ranks. */
function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "plumbline-single-step-"));
  const engine = startEngine({ childPath: join(repository, "dist", "inference.js") });
  try {
    const samples = sizes.map((): Sample[] => []);
    for (let i = 0; i < warmUps + runs; i++) {
      for (const [k, size] of sizes.entries()) {
        const sample = await measure(engine, await writeImage(folder, i, size), size);
        if (i >= warmUps) samples[k].push(sample);
      }
    }
    const figure = (k: number, of: keyof Sample, part: number): number => quantile(samples[k].map((sample) => sample[of]), part) / 1000;
    console.table(Object.fromEntries(sizes.map(([height, width], k) => [`${height} x ${width}`, {
      "median s": round(figure(k, "request", 0.5)),
      "p90 s": round(figure(k, "request", 0.9)),
      "least s": round(figure(k, "request", 0)),
      "encoder s": round(figure(k, "encode", 0.5)),
      "UNet s": round(figure(k, "denoise", 0.5)),
      "decoder s": round(figure(k, "decode", 0.5)),
    }])));
    const [median, p90] = [figure(0, "request", 0.5), figure(0, "request", 0.9)];
    console.log(`${runs} runs each on ${availableParallelism()} cores. ${sizes[0].join(" x ")} takes ${(median / figure(1, "request", 0.5)).toFixed(2)} times as long as ${sizes[1].join(" x ")}, and ${(median / figure(0, "denoise", 0.5)).toFixed(2)} times as long as its UNet alone.`);
    console.log(`Median ${median <= bar ? "within" : "ABOVE"} ${bar} s (${round(median)} s), 90th percentile ${p90 <= bar ? "within" : "above"} it (${round(p90)} s).`);
    if (median > bar) process.exitCode = 1;
  } finally {
    await engine.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

function round(seconds: number): number {
  return Number(seconds.toFixed(4));
}

void main();
