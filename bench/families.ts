import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeModel } from "../src/catalogue/modelFolder";
import { architectures, type Architecture } from "../src/graph/architectures";
import { Config } from "../src/graph/config";
import { startEngine } from "../src/inference/client";
import type { RunResult } from "../src/protocol/inference";
import { folderBytes } from "../test/folderBytes";
import { unetConfig, vaeConfig, weightShapes, writeRandom } from "./checkpoint";

// A whole checkpoint of each family of diffusion estimators, as large as the published one and laid out like it, with
// random fp16 weights: is it read, built and run, how long does that take, and in how much memory?
//   npm run build && npm run bench:families [-- marigold] [geowizard] [depthfm]
// One photograph at 192 pixels in two steps, on the CPU, by the built inference process. Each checkpoint takes up to
// 2.6 GB of the temporary folder, and is removed before the next is written.

type Fields = Readonly<Record<string, unknown>>;
const repository = join(__dirname, "..");
const steps = 2;
const processingResolution = 192;

const scheduler = {
  _class_name: "DDIMScheduler", num_train_timesteps: 1000, beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear",
  prediction_type: "v_prediction", clip_sample: false, set_alpha_to_one: false, steps_offset: 1, timestep_spacing: "leading",
};
const clipConfig = { hidden_size: 1024, intermediate_size: 4096, num_attention_heads: 16, layer_norm_eps: 1e-5 };
/** Of Stable Diffusion 2: OpenCLIP ViT-H without its last layer. */
const textConfig = { ...clipConfig, architectures: ["CLIPTextModel"], hidden_act: "gelu", num_hidden_layers: 23, max_position_embeddings: 77, vocab_size: 49408, projection_dim: 512 };
/** CLIP ViT-L/14. */
const visionConfig = { ...clipConfig, architectures: ["CLIPVisionModelWithProjection"], hidden_act: "quick_gelu", num_hidden_layers: 24, image_size: 224, patch_size: 14, num_channels: 3, projection_dim: 768 };
const clipPreprocessing = { crop_size: { width: 224, height: 224 }, image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] };
const geoWizardUNet = { ...unetConfig, attention_head_dim: 8, cross_attention_dim: 768, use_linear_projection: false, class_embed_type: "projection", projection_class_embeddings_input_dim: 10 };
/** Arguments of UNetModel as Stable Diffusion 1 gives them, with twice the input channels. */
const ldmHparams: Fields = {
  image_size: 32, in_channels: 8, out_channels: 4, model_channels: 320, attention_resolutions: [4, 2, 1], num_res_blocks: 2, channel_mult: [1, 2, 4, 4],
  num_heads: 8, use_spatial_transformer: true, transformer_depth: 1, context_dim: 768, use_checkpoint: true, legacy: false,
};

/** Writes a family's checkpoint into an empty folder. */
const families = {
  marigold: async (dir: string) => {
    await writeJson(dir, "model_index.json", { _class_name: "MarigoldDepthPipeline", prediction_type: "depth" });
    await writeJson(dir, "scheduler/scheduler_config.json", scheduler);
    // All of the vocabulary that the empty prompt needs.
    await writeJson(dir, "tokenizer/vocab.json", { "<|startoftext|>": 49406, "<|endoftext|>": 49407 });
    await writeJson(dir, "tokenizer/tokenizer_config.json", { bos_token: "<|startoftext|>", eos_token: "<|endoftext|>" });
    await writeComponent(dir, "text_encoder", "CLIPTextModel", textConfig);
    await writeComponent(dir, "unet", "UNet2DConditionModel", unetConfig);
    await writeComponent(dir, "vae", "AutoencoderKL", vaeConfig);
  },
  geowizard: async (dir: string) => {
    await writeJson(dir, "model_index.json", { _class_name: "DepthNormalEstimationPipeline" });
    await writeJson(dir, "scheduler/scheduler_config.json", scheduler);
    await writeJson(dir, "feature_extractor/preprocessor_config.json", clipPreprocessing);
    await writeComponent(dir, "image_encoder", "CLIPVisionModelWithProjection", visionConfig);
    await writeComponent(dir, "unet", "UNet2DConditionModel", geoWizardUNet);
    await writeComponent(dir, "vae", "AutoencoderKL", vaeConfig);
  },
  // The checkpoint states its UNet's arguments itself, as the published one does (that one is a file of PyTorch).
  depthfm: async (dir: string) => {
    const stated = Object.entries(ldmHparams).map(([name, value]) => [`ldm_hparams.${name}`, JSON.stringify(value)] as const);
    const shapes = weightShapes((g) => architectures.UNetModel.build(g, new Config("depthfm", { ldm_hparams: ldmHparams }), {}));
    const prompt = ["empty_text_embedding", [1, 77, 768]] as const;
    await writeRandom(join(dir, "depthfm-v1.fp16.safetensors"), new Map([...shapes, prompt]), "F16", { ...Object.fromEntries(stated), noising_step: "400" });
    await writeComponent(dir, "vae", "AutoencoderKL", vaeConfig);
  },
} as const satisfies Readonly<Record<string, (dir: string) => Promise<void>>>;
type Family = keyof typeof families;

async function writeJson(dir: string, path: string, fields: Fields): Promise<void> {
  await mkdir(join(dir, path, ".."), { recursive: true });
  await writeFile(join(dir, path), JSON.stringify(fields));
}

/** `config.json` and the fp16 variant of the weights, which have the shapes that Plumbline's own network asks for. */
async function writeComponent(dir: string, folder: string, name: keyof typeof architectures, fields: Fields): Promise<void> {
  const architecture: Architecture = architectures[name];
  const parts = architecture.hasParts ? (["encoder", "decoder"] as const) : [undefined];
  const shapes = parts.flatMap((part) => [...weightShapes((g) => architecture.build(g, new Config(folder, fields), { part }))]);
  await writeJson(dir, `${folder}/config.json`, fields);
  await writeRandom(join(dir, folder, `${architecture.weightsNames[0]}.fp16.safetensors`), new Map(shapes), "F16");
}

/** Runs every task of a checkpoint once, and says how long that took and what came of it. */
async function measure(dir: string, signal: AbortSignal): Promise<Record<string, string | number>> {
  const { tasks, defaults } = await describeModel(dir);
  const settings = { steps, spacing: "trailing", ensembleSize: 1, noise: { kind: defaults.noise }, seed: 2024, processingResolution } as const;
  const engine = startEngine({ childPath: join(repository, "dist", "inference.js") });
  try {
    const { pid } = await engine.info();
    const results: RunResult[] = [];
    const seen: { planned?: Moment; opened?: Moment } = {};
    await engine.predict(
      { imagePath: join(repository, "media", "samples", "room.jpg"), runs: tasks.map((task) => ({ runId: task, modelDir: dir, task, settings })), device: "cpu", stepMaps: false, recordSteps: false, mapSize: "processing" },
      {
        signal,
        onEvent: (event) => {
          if (event.type === "planned") seen.planned ??= momentOf(pid);
          if (event.type === "device") seen.opened ??= momentOf(pid);
          if (event.type === "result") results.push(event.result);
        },
      },
    );
    const peakKilobytes = Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
    const { planned, opened } = seen;
    if (!planned || !opened) throw new Error("Expected the engine to say when the run was planned and when its networks were there.");
    const end = momentOf(pid);
    const { timingsMillis: millis, processingSize: { width, height } } = results[0].provenance;
    return {
      size: `${width} x ${height}`,
      "describe and hash, s": rounded(millis.load / 1000 - (opened.wall - planned.wall)),
      "graphs and sessions, s": rounded(opened.wall - planned.wall),
      "graphs and sessions, CPU s": rounded(opened.cpu - planned.cpu),
      "encode, s": rounded(millis.encode / 1000),
      "a step, s": rounded(millis.denoise / 1000 / steps),
      "decode, all steps, s": rounded(millis.decode / 1000),
      "all after opening, s": rounded(end.wall - opened.wall),
      "all after opening, CPU s": rounded(end.cpu - opened.cpu),
      "peak of the child, GB": rounded(peakKilobytes / 2 ** 20),
      ...Object.fromEntries(results.map((result) => [result.provenance.task, mapText(result)])),
    };
  } finally {
    await engine.dispose();
  }
}

/** By the clock, and by the processor time that a process has had (Linux, whose clock for that ticks a hundred times a second); in seconds. */
interface Moment {
  readonly wall: number;
  readonly cpu: number;
}

function momentOf(pid: number): Moment {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return { wall: performance.now() / 1000, cpu: (user + system) / 100 };
}

/** The range of a map. Throws where it has a value that is not finite, or only one value, which is no answer. */
function mapText({ runId, map: { data } }: RunResult): string {
  const finite = data.filter((value) => Number.isFinite(value));
  const [least, most] = finite.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  if (finite.length < data.length || !(least < most)) throw new Error(`Expected finite values that differ for ${runId} but ${finite.length} of ${data.length} are finite, from ${least} to ${most}.`);
  return `all finite, ${rounded(least)} to ${rounded(most)}`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

async function measureFamily(family: Family, signal: AbortSignal): Promise<Record<string, string | number>> {
  const dir = await mkdtemp(join(tmpdir(), `plumbline-${family}-`));
  try {
    const start = performance.now();
    await families[family](dir);
    const written = { "on disk, GB": rounded((await folderBytes(dir)) / 1e9), "written in, s": rounded((performance.now() - start) / 1000) };
    return { ...written, ...(await measure(dir, signal)) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const named = process.argv.slice(2);
  const known = Object.keys(families) as Family[];
  const stranger = named.find((name) => !(known as string[]).includes(name));
  if (stranger !== undefined) throw new Error(`Expected ${known.join(", ")} for a family but received ${stranger}.`);
  for (const family of known.filter((name) => named.length === 0 || named.includes(name))) {
    console.log(JSON.stringify({ family, ...(await measureFamily(family, interrupted.signal)) }, null, 1));
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
